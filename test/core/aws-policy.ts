/** One question to the evaluator of AWS's policies, from a row of a table; and the answer in a few words. */
import { callerOf } from '../../src/core/policy/aws/compiled.ts'
import { decideByGrants, decideByPolicies, type Query } from '../../src/core/policy/aws/decide.ts'
import { compilePolicy } from '../../src/core/policy/aws/document.ts'
import type { Grant } from '../../src/core/policy/aws/grant.ts'
import type { AwsIdentity } from '../../src/core/ports.ts'

export const HERE = '111122223333'
export const THERE = '444455556666'
export const ROOT = `arn:aws:iam::${HERE}:root`
export const FOREIGN_ROOT = `arn:aws:iam::${THERE}:root`
export const ALICE = `arn:aws:iam::${HERE}:user/alice`
export const BOB = `arn:aws:iam::${HERE}:user/team/bob`
export const ROLE = `arn:aws:iam::${HERE}:role/service/App`
export const SESSION = `arn:aws:sts::${HERE}:assumed-role/App/run1`
export const CAROL = `arn:aws:iam::${THERE}:user/carol`
export const KEY = `arn:aws:kms:us-east-1:${HERE}:key/1234abcd-12ab-34cd-56ef-1234567890ab`

const user = (arn: string, userName?: string): AwsIdentity => ({
  account: arn.split(':')[4] ?? '',
  arn,
  userId: `AIDA${(userName ?? '').toUpperCase()}`,
  ...(userName !== undefined && { userName }),
  policies: [],
  tags: {},
})
const root = (arn: string): AwsIdentity => {
  const account = arn.split(':')[4] ?? ''
  return { account, arn, userId: account, policies: [], tags: {} }
}

export const WHO = {
  alice: user(ALICE, 'alice'),
  bob: user(BOB, 'bob'),
  carol: user(CAROL, 'carol'),
  app: { ...user(SESSION), userId: 'AROAAPP:run1', roleArn: ROLE, sessionName: 'run1' },
  root: root(ROOT),
  foreignRoot: root(FOREIGN_ROOT),
  federated: user(`arn:aws:sts::${HERE}:federated-user/fred`),
  nobody: undefined,
} as const satisfies Record<string, object | undefined>
export type Who = keyof typeof WHO

export type Rule = Readonly<Record<string, unknown>>
const withDefaults = (defaults: Rule, rule: Rule): Rule => ({
  ...defaults,
  ...rule,
  // A member that excludes the default one takes its place.
  ...('NotPrincipal' in rule && { Principal: undefined }),
  ...('NotAction' in rule && { Action: undefined }),
  ...('NotResource' in rule && { Resource: undefined }),
})
const compact = (rule: Rule): Rule =>
  Object.fromEntries(Object.entries(rule).filter(([, value]) => value !== undefined))
const document = (rules: readonly Rule[], defaults: Rule, version = '2012-10-17'): object => ({
  Version: version,
  Statement: rules.map((rule) => compact(withDefaults(defaults, rule))),
})
const ALLOW = { Effect: 'Allow', Action: 'kms:*', Resource: '*' }

export const keyDocument = (rules: readonly Rule[], version?: string): object =>
  document(rules, { ...ALLOW, Principal: { AWS: ROOT } }, version)
export const ownDocument = (rules: readonly Rule[], version?: string): object => document(rules, ALLOW, version)

export type Asked = {
  readonly who?: Who
  /** Without its `kms:`. */
  readonly action?: string
  readonly resource?: string
  /** Statements of the key's policy; null: the resource has none. */
  readonly key?: readonly Rule[] | null
  readonly own?: readonly Rule[]
  readonly session?: readonly Rule[]
  readonly boundary?: readonly Rule[]
  readonly grants?: readonly Partial<Grant>[] | undefined
  readonly context?: Readonly<Record<string, string | readonly string[]>>
  readonly encryptionContext?: Readonly<Record<string, string>>
  readonly wanted?: Pick<Grant, 'operations' | 'constraints'>
  readonly version?: string
}

const GRANT: Grant = {
  id: 'g',
  keyId: 'k',
  arn: KEY,
  region: 'us-east-1',
  account: HERE,
  grantee: ALICE,
  issuer: HERE,
  operations: ['Decrypt'],
  constraints: {},
  createdAt: 0,
}

function identityOf({ who = 'alice', own, session, boundary, version }: Asked): AwsIdentity | undefined {
  const known: AwsIdentity | undefined = WHO[who]
  if (known === undefined) return undefined
  return {
    ...known,
    policies: own === undefined ? [] : [ownDocument(own, version)],
    ...(session && { sessionPolicies: [ownDocument(session)] }),
    ...(boundary && { boundary: ownDocument(boundary) }),
  }
}

export function ask(asked: Asked): string {
  const { action = 'Decrypt', resource = KEY, key = [{}], grants = [], context = {}, version } = asked
  const identity = identityOf(asked)
  const values = (name: string) => context[name]
  const query: Query = {
    caller: identity && callerOf(identity),
    account: HERE,
    keyPolicy: key === null ? undefined : compilePolicy(keyDocument(key, version), 'key'),
    question: {
      action: `kms:${action}`.toLowerCase(),
      resource,
      context: values,
      variables: (name) => {
        const value = values(name)
        return typeof value === 'string' ? value : undefined
      },
    },
  }
  const verdict = decideByPolicies(query)
  if (verdict.allow) return 'allowed'
  const rows = grants.map((grant) => ({ ...GRANT, ...grant }))
  const { encryptionContext, wanted } = asked
  const granted =
    identity && !verdict.explicit
      ? decideByGrants(query, rows, { identity, operation: action, encryptionContext, wanted })
      : undefined
  if (granted?.allow === true) return `granted by ${granted.grant}`
  if (verdict.source === undefined) return verdict.explicit ? 'unknown, denied' : 'unknown'
  return verdict.explicit ? `denied by ${verdict.source}` : `no ${verdict.source}`
}
