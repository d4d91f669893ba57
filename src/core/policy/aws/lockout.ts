/**
 * AWS's lockout safety check: whether a key's new policy lets its policy be changed again. It is asked of the caller. Of
 * one who is nobody in particular it is asked whether any principal of the account may; conditions, which depend on the
 * request, are taken to hold where they allow and not to hold where they deny.
 */
import type { AwsIdentity } from '../../ports.ts'
import { callerOf } from './compiled.ts'
import { contextOf, variablesOf } from './context.ts'
import { decideByPolicies } from './decide.ts'
import type { Policy, Statement } from './document.ts'
import type { AwsFacts } from './facts.ts'
import { accountOf } from './principal.ts'

const PUT_POLICY = 'kms:putkeypolicy'

type Asker = { readonly identity: AwsIdentity; readonly facts: AwsFacts; readonly account: string }

/** Whether the caller could put the next one, by all that decides on him and as he asks now. */
export function callerKeepsPolicy(policy: Policy, resource: string, { identity, facts, account }: Asker): boolean {
  const context = contextOf({ identity, account, key: undefined, action: 'put-key-policy', facts })
  const variables = variablesOf(context)
  const question = { action: PUT_POLICY, resource, context, variables }
  return decideByPolicies({ caller: callerOf(identity), account, keyPolicy: policy, question }).allow
}

const nothing = (): undefined => undefined
const about = (statement: Statement, resource: string): boolean =>
  statement.action(PUT_POLICY, nothing) && statement.resource(resource, nothing)

/** As good a stand-in for the one who is called so as the check needs. */
const standIn = (name: string, account: string, root: string): AwsIdentity => ({
  account,
  arn: name === '*' || accountOf(name) === account ? root : name,
  userId: '',
  policies: [],
  tags: {},
})

/** `root`: ARN of the account's. */
export function someoneKeepsPolicy(
  { statements }: Policy,
  resource: string,
  { account, root }: { readonly account: string; readonly root: string },
): boolean {
  const relevant = statements.filter((statement) => about(statement, resource))
  const names = relevant.flatMap(({ principals }) => principals?.names ?? [])
  const candidates = [root, ...names].filter((name) => name === '*' || accountIn(name) === account)
  return candidates.some((name) => {
    const identity = standIn(name, account, root)
    const meant = ({ principals }: Statement): boolean => principals?.match(identity) !== 'none'
    const allowed = relevant.some((statement) => statement.effect === 'Allow' && meant(statement))
    const denied = relevant.some(
      (statement) => statement.effect === 'Deny' && statement.conditions.length === 0 && meant(statement),
    )
    return allowed && !denied
  })
}

const accountIn = (name: string): string | undefined => accountOf(name) ?? name.split(':')[4]
