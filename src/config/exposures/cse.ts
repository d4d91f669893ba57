/** A key for Google Workspace's client-side encryption: a key access control list service (KACLS). */
import { resolve as absolute } from 'node:path'
import { type Static, Type } from '@sinclair/typebox'
import { Problem } from '../../core/problem.ts'
import { Issuer, isKeyUrl, resolveIssuer } from '../issuer.ts'
import { closed, oneOf, Path } from '../parts.ts'
import { checkUnique, Email, foldEmail, HostName, KeyName, keyReference, Name } from './common.ts'

/** What Google says of an account that a token names. */
export const EMAIL_TYPES = ['google', 'google-visitor', 'customer-idp'] as const
export type EmailType = (typeof EMAIL_TYPES)[number]

/** What the key service does for an administrator, without Google's word for it. */
export const PRIVILEGED = [
  'privilegedwrap',
  'privilegedunwrap',
  'wrapprivatekey',
  'privilegedprivatekeydecrypt',
] as const
export type Privileged = (typeof PRIVILEGED)[number]

/** As Google knows a key service: no slash at its end. */
const Url = Type.String({
  pattern: '^https?://[a-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._-]+)*$',
  maxLength: 512,
  description: 'an https:// URL without a slash at its end',
})
const Peers = Type.Array(
  Type.Object(
    { url: Url, /** Authorities of its certificate, PEM; absent: the public ones. */ ca: Type.Optional(Path) },
    closed,
  ),
  { minItems: 1, maxItems: 64 },
)

export const CseExposure = Type.Object(
  {
    protocol: oneOf(['cse']),
    name: Name,
    /** As it is registered in Google's Admin console. */
    url: Url,
    /** What wraps. */
    key: KeyName,
    /** What signs for other key services and for those that a user delegates to: an RSA key. */
    signingKey: Type.Optional(KeyName),
    /** The Workspace domain whose key service this is. */
    ownerDomain: HostName,
    /** The identity providers of its users. */
    authentication: Type.Array(
      Type.Object(
        {
          ...Issuer.properties,
          /** Which accounts it vouches for; absent: Workspace's own. */
          emailTypes: Type.Optional(Type.Array(oneOf(EMAIL_TYPES), { minItems: 1, uniqueItems: true })),
        },
        closed,
      ),
      { minItems: 1, maxItems: 64 },
    ),
    /** Who says what users may; absent: Google. */
    authorization: Type.Optional(Type.Array(Issuer, { minItems: 1, maxItems: 64 })),
    admins: Type.Optional(
      Type.Array(
        Type.Object(
          {
            email: Email,
            operations: Type.Optional(Type.Array(oneOf(PRIVILEGED), { minItems: 1, uniqueItems: true })),
          },
          closed,
        ),
        { maxItems: 256 },
      ),
    ),
    /** Where there are any, no other is served; `id` empty: tokens without a perimeter. */
    perimeters: Type.Optional(
      Type.Array(
        Type.Object(
          {
            id: Type.String({ maxLength: 128 }),
            /** Domains of users' addresses. */
            domains: Type.Optional(Type.Array(HostName, { minItems: 1, maxItems: 256 })),
            /** What the authentication token's claims have to be: one of each list. */
            claims: Type.Optional(
              Type.Record(Type.String(), Type.Array(Type.String(), { minItems: 1 }), {
                description: 'names of claims and lists of values',
              }),
            ),
          },
          closed,
        ),
        { minItems: 1, maxItems: 256 },
      ),
    ),
    migration: Type.Optional(
      Type.Partial(
        Type.Object({
          /** Key services that are asked to unwrap when documents come here. */
          from: Peers,
          /** Key services that may have everything unwrapped when documents leave. */
          to: Peers,
        }),
        closed,
      ),
    ),
    /** How long a request may take. */
    deadlineMs: Type.Optional(Type.Integer({ minimum: 50, maximum: 30_000 })),
  },
  closed,
)
export type CseSettings = Static<typeof CseExposure>

/** One for each application, and the one that moves documents between key services. */
const GOOGLE_ISSUERS = [
  ...['drive', 'meet', 'calendar', 'gmail'].map((name) => `gsuitecse-tokenissuer-${name}@system.gserviceaccount.com`),
  'apps-security-cse-kaclscommunication@system.gserviceaccount.com',
]
const GOOGLE = GOOGLE_ISSUERS.map((issuer) => ({
  issuer,
  jwksUri: `https://www.googleapis.com/service_accounts/v1/jwk/${issuer}`,
}))
const AUTHORIZATION_AUDIENCE = 'cse-authorization'
export const MIGRATION_AUDIENCE = 'kacls-migration'
const DEADLINE_MS = 5000

function checkUrl(url: string, where: string, dev: boolean): string {
  if (isKeyUrl(url, dev)) return url
  throw new Problem(`${where} is no https URL`, 'serve it with TLS')
}

function resolvePeers(peers: Static<typeof Peers>, where: string, dev: boolean) {
  checkUnique(
    peers.map(({ url }) => url),
    where,
  )
  return peers.map(({ url, ca }, index) => {
    const settings = {
      issuer: url,
      jwksUri: `${url}/certs`,
      audiences: [MIGRATION_AUDIENCE],
      ...(ca !== undefined && { ca }),
    }
    checkUrl(url, `${where}[${index}].url`, dev)
    const rules = { plainLoopback: dev, ...(ca !== undefined && { caFile: absolute(ca) }) }
    return { url, rules, issuer: resolveIssuer(settings, `${where}[${index}]`, dev) }
  })
}

function resolveAuthentication({ authentication }: CseSettings, where: string, dev: boolean) {
  checkUnique(
    authentication.flatMap(({ issuer, aliases = [] }) => [issuer, ...aliases]),
    `${where}.authentication`,
  )
  return authentication.map(({ emailTypes = ['google'], ...settings }, index) => {
    const place = `${where}.authentication[${index}]`
    if (settings.audiences === undefined) {
      throw new Problem(`${place}.audiences is missing`, 'set it to the client id that the identity provider gave')
    }
    return { ...resolveIssuer(settings, place, dev), emailTypes }
  })
}

/** @throws Problem */
export function resolveCse(settings: CseSettings, where: string, dev: boolean) {
  const { name, url, key, signingKey, ownerDomain, admins = [], perimeters, migration = {} } = settings
  checkUrl(url, `${where}.url`, dev)
  checkUnique(
    admins.map(({ email }) => foldEmail(email)),
    `${where}.admins`,
  )
  checkUnique(
    (perimeters ?? []).map(({ id }) => id),
    `${where}.perimeters`,
  )
  if (migration.from !== undefined && signingKey === undefined) {
    throw new Problem(
      `${where}.signingKey is missing`,
      'set it to an RSA key: other key services ask for its signature',
    )
  }
  return {
    protocol: 'cse' as const,
    name,
    url,
    path: new URL(url).pathname.replace(/\/$/, ''),
    key: keyReference(key),
    signingKey: signingKey === undefined ? undefined : keyReference(signingKey),
    ownerDomain,
    authentication: resolveAuthentication(settings, where, dev),
    authorization: (settings.authorization ?? GOOGLE).map((one, index) =>
      resolveIssuer({ audiences: [AUTHORIZATION_AUDIENCE], ...one }, `${where}.authorization[${index}]`, dev),
    ),
    admins: admins.map(({ email, operations = PRIVILEGED }) => ({ email: foldEmail(email), operations })),
    perimeters,
    from: resolvePeers(migration.from ?? [], `${where}.migration.from`, dev),
    to: resolvePeers(migration.to ?? [], `${where}.migration.to`, dev),
    deadlineMs: settings.deadlineMs ?? DEADLINE_MS,
  }
}
export type CseConfig = ReturnType<typeof resolveCse>
