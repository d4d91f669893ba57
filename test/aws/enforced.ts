/** The dialect's operations with policies enforced, asked by callers that the test makes up; no HTTP, no signatures. */
import { randomUUID } from 'node:crypto'
import { routes } from '../../src/api/aws/bindings/index.ts'
import { renderError } from '../../src/api/aws/errors.ts'
import { isExpressible } from '../../src/api/aws/names.ts'
import type { AwsContext } from '../../src/api/aws/route.ts'
import { resolve } from '../../src/config/resolve.ts'
import { awsEvaluator } from '../../src/core/policy/aws/evaluator.ts'
import { type AuthMode, ModeAuthorizer } from '../../src/core/policy/modes.ts'
import type { AwsIdentity } from '../../src/core/ports.ts'
import { makeKernel } from '../support/kernel.ts'
import { GOES_ON } from './support.ts'

export const HERE = '000000000000'
export const THERE = '444455556666'
export const REGION = 'us-east-1'

export const statement = (Action: string | readonly string[], more: object = {}): object => ({
  Effect: 'Allow',
  Action,
  Resource: '*',
  ...more,
})
export const policy = (...statements: object[]): object => ({ Version: '2012-10-17', Statement: statements })
export const keyPolicy = (...statements: object[]): string =>
  JSON.stringify(policy(statement('kms:*', { Principal: { AWS: `arn:aws:iam::${HERE}:user/admin` } }), ...statements))

export function user(name: string, policies: readonly object[] = [], account = HERE): AwsIdentity {
  const arn = `arn:aws:iam::${account}:user/${name}`
  return { account, arn, userId: `AIDA${name.toUpperCase()}`, userName: name, policies, tags: {} }
}
export function session(role: string, policies: readonly object[] = [], more: Partial<AwsIdentity> = {}): AwsIdentity {
  return {
    account: HERE,
    arn: `arn:aws:sts::${HERE}:assumed-role/${role}/run`,
    userId: 'AROA:run',
    roleArn: `arn:aws:iam::${HERE}:role/${role}`,
    sessionName: 'run',
    policies,
    tags: {},
    ...more,
  }
}
export const root: AwsIdentity = {
  account: HERE,
  arn: `arn:aws:iam::${HERE}:root`,
  userId: HERE,
  policies: [],
  tags: {},
}
export const admin = user('admin', [policy(statement('kms:*'))])

// biome-ignore lint/suspicious/noExplicitAny: tests read members of any answer
type Answer = any

export async function makeEnforced(
  mode: AuthMode = 'enforce',
  transport?: AwsContext['transport'],
  attestationRoots: AwsContext['settings']['attestationRoots'] = [],
) {
  const reports: string[] = []
  const core = await makeKernel({
    authorizer: (store) =>
      new ModeAuthorizer({
        modes: { aws: mode, azure: 'enforce', gcp: 'enforce' },
        evaluators: { aws: awsEvaluator(store) },
        wouldDeny: (_request, reason) => reports.push(reason),
      }),
  })
  const { settings } = { settings: resolve({ auth: { aws: mode } }) }
  const surface = { auth: mode, profile: settings.profile, attestationRoots } as AwsContext['settings']

  const attempt = async (who: AwsIdentity | undefined, wire: string, body: object): Promise<Answer> => {
    const route = routes.find((one) => one.wire === wire)
    if (route === undefined) throw new Error(`no route ${wire}`)
    const address = { account: who?.account ?? HERE, region: REGION }
    const realm = { dialect: 'aws', ...address } as const
    const call = {
      dialect: 'aws',
      wire,
      principal: { id: who?.arn ?? 'anonymous:', method: 'sigv4', ...(who && { aws: who }) },
      realm,
      expresses: isExpressible,
      reaches: (other: { readonly aws?: { readonly region: string } }) => other.aws?.region === REGION,
      signal: new AbortController().signal,
      requestId: randomUUID(),
    } as const
    const ctx = { realm, settings: surface, now: core.clock.now(), identity: who, transport }
    try {
      const text = await route.answer(JSON.parse(JSON.stringify(body)), core.kernel, call, ctx)
      if (GOES_ON.has(wire)) await core.due.settle()
      return text === '' ? {} : JSON.parse(text)
    } catch (error) {
      const { body: bytes } = renderError(error, { address, wire, requestId: call.requestId })
      return JSON.parse(String(bytes))
    }
  }
  /** `ok`, or the error's type and message. */
  const verdict = async (who: AwsIdentity | undefined, wire: string, body: object): Promise<string> => {
    const { __type: type, message } = await attempt(who, wire, body)
    if (type === undefined) return 'ok'
    return message === undefined ? type : `${type}: ${message}`
  }
  const createKey = async (input: object = {}): Promise<string> => {
    const answer = await attempt(root, 'CreateKey', input)
    if (answer.KeyMetadata === undefined) throw new Error(JSON.stringify(answer))
    return answer.KeyMetadata.KeyId
  }
  return { ...core, attempt, verdict, createKey, reports }
}
export type Enforced = Awaited<ReturnType<typeof makeEnforced>>

export const arnOf = (id: string, account = HERE): string => `arn:aws:kms:${REGION}:${account}:key/${id}`
export const denied = (who: AwsIdentity | undefined, action: string, resource: string, why: string): string =>
  `AccessDeniedException: User: ${who?.arn ?? 'anonymous'} is not authorized to perform: kms:${action} on resource: ${resource} ${why}`
export const missing = (kind: string, action: string): string => `because no ${kind} allows the kms:${action} action`
export const UNKNOWN =
  'because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access'
