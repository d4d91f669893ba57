/** Keys for AWS KMS to use as an external key store's: the XKS proxy API v1.0.3. */
import { type Static, Type } from '@sinclair/typebox'
import { Problem } from '../../core/problem.ts'
import type { KeyReference } from '../../core/reference.ts'
import type { Secret } from '../../core/secret.ts'
import { closed, oneOf, SecretSource } from '../parts.ts'
import { checkSource } from '../source.ts'
import { checkUnique, KeyName, keyReference, Name, type ReadSecret, urlPath } from './common.ts'

/** What AWS KMS takes for the end of an XksProxyUriPath. */
export const XKS_PATH = '/kms/xks/v1'
const MAX_PATH = 128
/** So that one can be replaced while the other is in use, and a little more. */
const MAX_CREDENTIALS = 8

/** A pattern in which * stands for any characters and ? for any one. */
const Pattern = Type.String({ minLength: 1, maxLength: 2048, description: 'a pattern of 1 to 2,048 characters' })
const Patterns = Type.Array(Pattern, { minItems: 1, maxItems: 256 })

/** Every condition that a rule has must hold; it holds where one of its patterns fits. */
const Rule = Type.Object(
  {
    name: Name,
    effect: oneOf(['allow', 'deny']),
    principals: Type.Optional(Patterns),
    operations: Type.Optional(Patterns),
    kmsKeys: Type.Optional(Patterns),
    services: Type.Optional(Patterns),
    vpcs: Type.Optional(Patterns),
    vpcEndpoints: Type.Optional(Patterns),
    /** External ids. */
    keys: Type.Optional(Patterns),
  },
  closed,
)

const Key = Type.Object(
  {
    /** The external key id. */
    id: Type.String({ pattern: '^[A-Za-z0-9._-]{1,128}$', description: '1 to 128 letters, digits, hyphens, . and _' }),
    key: KeyName,
    usage: Type.Optional(Type.Array(oneOf(['encrypt', 'decrypt']), { uniqueItems: true })),
  },
  closed,
)

const Credential = Type.Object(
  {
    accessKeyId: Type.String({ pattern: '^[A-Z2-7]{20,30}$', description: '20 to 30 characters of A to Z and 2 to 7' }),
    secret: SecretSource,
  },
  closed,
)

export const XksExposure = Type.Object(
  {
    protocol: oneOf(['xks']),
    name: Name,
    /** The path before /kms/xks/v1; absent: nothing. */
    prefix: Type.Optional(urlPath(MAX_PATH - XKS_PATH.length - 1)),
    credentials: Type.Array(Credential, { minItems: 1, maxItems: MAX_CREDENTIALS }),
    keys: Type.Array(Key, { maxItems: 10_000 }),
    /** AWS Regions that may call; absent: any. */
    regions: Type.Optional(
      Type.Array(Type.String({ pattern: '^[a-z0-9-]{1,32}$', description: 'a region such as us-east-1' }), {
        minItems: 1,
        maxItems: 64,
      }),
    ),
    /** Common names that a client's certificate may have; absent: certificates are the listener's business alone. */
    clientNames: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 253, description: 'the common name of a certificate' }), {
        minItems: 1,
        maxItems: 64,
      }),
    ),
    /** Requests a second. */
    quota: Type.Optional(
      Type.Object({ requestsPerSecond: Type.Number({ exclusiveMinimum: 0, maximum: 1_000_000 }) }, closed),
    ),
    rules: Type.Optional(Type.Array(Rule, { minItems: 1, maxItems: 256 })),
    /** How long a request may take: AWS KMS gives up after 250 ms. */
    deadlineMs: Type.Optional(Type.Integer({ minimum: 20, maximum: 10_000 })),
  },
  closed,
)
export type XksSettings = Static<typeof XksExposure>
export type XksRule = Static<typeof Rule>
export type XksUsage = 'encrypt' | 'decrypt'

const DEADLINE_MS = 200

/** @throws Problem */
export function resolveXks(settings: XksSettings, where: string) {
  const {
    name,
    prefix,
    credentials,
    keys,
    rules = [],
    quota,
    deadlineMs = DEADLINE_MS,
    regions,
    clientNames,
  } = settings
  checkUnique(
    credentials.map(({ accessKeyId }) => accessKeyId),
    `${where}.credentials`,
  )
  checkUnique(
    keys.map(({ id }) => id),
    `${where}.keys`,
  )
  checkUnique(
    rules.map((rule) => rule.name),
    `${where}.rules`,
  )
  return {
    protocol: 'xks' as const,
    name,
    path: `${prefix === undefined ? '' : `/${prefix}`}${XKS_PATH}`,
    credentials: credentials.map(({ accessKeyId, secret }, index) => ({
      accessKeyId,
      secret: checkSource(secret, `${where}.credentials[${index}].secret`),
    })),
    keys: keys.map(({ id, key, usage = ['encrypt', 'decrypt'] }) => ({ id, key: keyReference(key), usage })),
    regions,
    clientNames,
    quota: quota && { perSecond: quota.requestsPerSecond },
    rules,
    deadlineMs,
  }
}
export type XksConfig = ReturnType<typeof resolveXks>

export type XksCredential = { readonly accessKeyId: string; readonly secret: Secret }
export type XksExposed = Omit<XksConfig, 'credentials'> & { readonly credentials: readonly XksCredential[] }
export type XksKey = { readonly id: string; readonly key: KeyReference; readonly usage: readonly XksUsage[] }

const SECRET = /^[A-Za-z0-9+/=]{43,64}$/

/** With its secrets. @throws Problem where one is missing or not what AWS KMS takes */
export function loadXks(config: XksConfig, readSecret: ReadSecret): XksExposed {
  const credentials = config.credentials.map(({ accessKeyId, secret: source }) => {
    const what = `the secret access key of ${accessKeyId}`
    const secret = readSecret(source, what)
    if (secret.use((bytes) => SECRET.test(Buffer.from(bytes).toString('latin1')))) return { accessKeyId, secret }
    throw new Problem(
      `${what} is not 43 to 64 characters of A to Z, a to z, 0 to 9, +, / and =`,
      `make one with trefoil xks credential ${config.name}`,
    )
  })
  return { ...config, credentials }
}
