/** Users, roles and account roots of AWS accounts, and their access keys. */
import { createHash, randomBytes } from 'node:crypto'
import type { AwsIdentity } from '../ports.ts'

export type PrincipalKind = 'root' | 'user' | 'role'

export type StoredPrincipal = {
  /** Unique and never used again: `AIDA…` of a user, `AROA…` of a role, the account's number of its root. */
  readonly id: string
  readonly kind: PrincipalKind
  readonly account: string
  /** `root` of an account's root. */
  readonly name: string
  /** Identity policies, as JSON text. */
  readonly policies: readonly string[]
  readonly boundary?: string
  /** Of a role: who may assume it. */
  readonly trust?: string
  /** Of a role: how long a session may last at most. */
  readonly maxSessionSeconds?: number
  readonly tags: Readonly<Record<string, string>>
  /** The service that calls as it. */
  readonly service?: string
  readonly createdAt: number
}

export type AccessKey = {
  /** `AKIA…` */
  readonly id: string
  readonly principalId: string
  /** The secret access key, sealed under the root key: a signature can't be verified with less than the key itself. */
  readonly sealedSecret: Uint8Array
  readonly enabled: boolean
  readonly createdAt: number
}

/** When an access key was last used with success. */
export type AccessKeyUse = {
  /** The access key's. */
  readonly id: string
  readonly at: number
  readonly service: string
  readonly region: string
}

/** As many as two for each principal, so that one can be replaced while the other is in use. */
export const MAX_ACCESS_KEYS = 2

/** IAM's grammar of a name. */
export const PRINCIPAL_NAME = /^[\w+=,.@-]{1,64}$/
export const ACCOUNT = /^[0-9]{12}$/
/** AWS's own begin with AKIA and have 20 characters; those of a configuration may be anything of that alphabet. */
export const ACCESS_KEY_ID = /^[A-Z0-9a-z_]{16,128}$/

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
/** Four letters that say what it names, and 80 bits of what is hashed or random. */
const uniqueId = (prefix: string, bytes: Uint8Array): string =>
  prefix + Array.from(bytes.subarray(0, 16), (byte) => ALPHABET[byte & 31]).join('')

const PREFIXES = { user: 'AIDA', role: 'AROA' } as const

export const newPrincipalId = (kind: PrincipalKind, account: string): string =>
  kind === 'root' ? account : uniqueId(PREFIXES[kind], randomBytes(16))
/** Of a principal that the configuration describes: the same at every start. */
export const fixedPrincipalId = (kind: PrincipalKind, account: string, name: string): string =>
  kind === 'root'
    ? account
    : uniqueId(PREFIXES[kind], createHash('sha256').update(`${kind}\0${account}\0${name}`).digest())

export const newAccessKeyId = (): string => uniqueId('AKIA', randomBytes(16))
export const newSessionKeyId = (): string => uniqueId('ASIA', randomBytes(16))
/** 240 bits in 40 characters, as AWS's are. */
export const newSecretAccessKey = (): string => randomBytes(30).toString('base64')

type Named = Pick<StoredPrincipal, 'kind' | 'account' | 'name'>
export const principalArn = ({ kind, account, name }: Named): string =>
  `arn:aws:iam::${account}:${kind === 'root' ? 'root' : `${kind}/${name}`}`

/** What policies are evaluated for. Documents were checked when they were stored. */
export function identityOf(principal: StoredPrincipal): AwsIdentity {
  const { account, id, kind, name, policies, boundary, service, tags } = principal
  return {
    account,
    arn: principalArn(principal),
    userId: id,
    ...(kind === 'user' && { userName: name }),
    policies: policies.map((text) => JSON.parse(text) as unknown),
    ...(boundary !== undefined && { boundary: JSON.parse(boundary) as unknown }),
    ...(service !== undefined && { service }),
    tags,
  }
}
