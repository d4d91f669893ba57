/** Keys for Google's Cloud KMS to use as external ones: Cloud EKM, version 0. */
import { type Static, Type } from '@sinclair/typebox'
import { Problem } from '../../core/problem.ts'
import { Issuer, resolveIssuer } from '../issuer.ts'
import { closed, oneOf } from '../parts.ts'
import { checkUnique, Emails, foldEmail, HostName, KeyName, keyReference, Name, urlPath } from './common.ts'

/** Key access justifications as Google has them, and two of ours: a reason that is new, and none at all. */
export const ACCESS_REASONS = [
  'REASON_UNSPECIFIED',
  'CUSTOMER_INITIATED_SUPPORT',
  'GOOGLE_INITIATED_SERVICE',
  'THIRD_PARTY_DATA_REQUEST',
  'GOOGLE_INITIATED_REVIEW',
  'CUSTOMER_INITIATED_ACCESS',
  'GOOGLE_INITIATED_SYSTEM_OPERATION',
  'REASON_NOT_EXPECTED',
  'MODIFIED_CUSTOMER_INITIATED_ACCESS',
  'MODIFIED_GOOGLE_INITIATED_SYSTEM_OPERATION',
  'GOOGLE_RESPONSE_TO_PRODUCTION_ALERT',
  'CUSTOMER_AUTHORIZED_WORKFLOW_SERVICING',
  'UNKNOWN',
  'UNAVAILABLE',
] as const
export type AccessReason = (typeof ACCESS_REASONS)[number]

const Reasons = Type.Array(oneOf(ACCESS_REASONS), { minItems: 1, uniqueItems: true })
const rules = {
  /** Service accounts that may call; absent: those of the exposure. */
  callers: Type.Optional(Emails),
  /** Justifications that a use may have; absent: those of the exposure. */
  reasons: Type.Optional(Reasons),
}

export const CloudEkmExposure = Type.Object(
  {
    protocol: oneOf(['cloud-ekm']),
    name: Name,
    /** As Google calls it: its tokens are for https:// and this. */
    host: HostName,
    prefix: Type.Optional(urlPath(128)),
    /** Who signs the tokens; absent: Google. */
    issuer: Type.Optional(Issuer),
    ...rules,
    keys: Type.Array(
      Type.Object(
        {
          /** The last segment of the key's path. */
          id: Type.String({ pattern: '^[A-Za-z0-9._-]{1,128}$', description: '1 to 128 letters, digits, -, . and _' }),
          key: KeyName,
          ...rules,
        },
        closed,
      ),
      { maxItems: 10_000 },
    ),
    /** Where Google may make keys, each a key ring of its own. */
    cryptoSpaces: Type.Optional(
      Type.Array(
        Type.Object(
          {
            name: Name,
            ring: Type.String({ pattern: '^[A-Za-z0-9_-]{1,63}$', description: 'the name of a key ring' }),
            protection: Type.Optional(oneOf(['software', 'hsm'])),
            ...rules,
          },
          closed,
        ),
        { maxItems: 256 },
      ),
    ),
    /** How long a request may take. */
    deadlineMs: Type.Optional(Type.Integer({ minimum: 20, maximum: 10_000 })),
  },
  closed,
)
export type CloudEkmSettings = Static<typeof CloudEkmExposure>

const GOOGLE = {
  issuer: 'https://accounts.google.com',
  aliases: ['accounts.google.com'],
  jwksUri: 'https://www.googleapis.com/oauth2/v3/certs',
}
const PREFIX = 'v0'
const DEADLINE_MS = 1000

/** Who may use a key, and why. `reasons` undefined: whatever the reason. */
export type CloudEkmRules = {
  readonly callers: ReadonlySet<string>
  readonly reasons: ReadonlySet<AccessReason> | undefined
}

function rulesOf(own: Static<typeof CloudEkmExposure>['keys'][number] | object, all: CloudEkmSettings, where: string) {
  const { callers = all.callers, reasons = all.reasons } = own as Partial<CloudEkmSettings>
  if (callers === undefined) {
    throw new Problem(`${where} lets nobody call`, `set callers there, or in the exposure ${all.name} for all its keys`)
  }
  return { callers: new Set(callers.map(foldEmail)), reasons: reasons && new Set(reasons) }
}

/** @throws Problem */
export function resolveCloudEkm(settings: CloudEkmSettings, where: string, dev: boolean) {
  const { name, host, prefix = PREFIX, keys, cryptoSpaces = [], deadlineMs = DEADLINE_MS } = settings
  const unique = (names: readonly string[], list: string): void => checkUnique(names, `${where}.${list}`)
  unique(
    keys.map(({ id }) => id),
    'keys',
  )
  unique(
    cryptoSpaces.map((space) => space.name),
    'cryptoSpaces',
  )
  unique(
    cryptoSpaces.map(({ ring }) => ring),
    'cryptoSpaces (rings)',
  )
  return {
    protocol: 'cloud-ekm' as const,
    name,
    path: `/${prefix}`,
    host,
    audience: `https://${host}`,
    issuer: resolveIssuer({ ...(settings.issuer ?? GOOGLE) }, `${where}.issuer`, dev),
    keys: keys.map((one, index) => ({
      id: one.id,
      key: keyReference(one.key),
      ...rulesOf(one, settings, `${where}.keys[${index}]`),
    })),
    cryptoSpaces: cryptoSpaces.map((one, index) => ({
      name: one.name,
      ring: one.ring,
      protection: one.protection,
      ...rulesOf(one, settings, `${where}.cryptoSpaces[${index}]`),
    })),
    deadlineMs,
  }
}
export type CloudEkmConfig = ReturnType<typeof resolveCloudEkm>
