/**
 * AWS's lockout safety check: whether a key's new policy lets its policy be changed again. It is asked of the caller. Of
 * one who is nobody in particular it is asked whether any principal of the account may; conditions, which depend on the
 * request, are taken to hold where they allow and not to hold where they deny.
 */
import type { AwsIdentity } from '../../ports.ts'
import { decideByPolicies, type Query } from './decide.ts'
import type { Policy, Question, Statement } from './document.ts'
import { accountOf } from './principal.ts'

export const PUT_POLICY = 'kms:putkeypolicy'

export const callerKeepsPolicy = (query: Query): boolean => decideByPolicies(query).allow

const about = (statement: Statement, { action, resource, variables }: Question): boolean =>
  statement.action(action, variables) && statement.resource(resource, variables)

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
  question: Question,
  { account, root }: { readonly account: string; readonly root: string },
): boolean {
  const relevant = statements.filter((statement) => about(statement, question))
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
