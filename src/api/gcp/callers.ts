/** From a genuine token's claims to the caller that IAM policies know. */
import type { GcpIssuerConfig } from '../../config/callers.ts'
import type { Principal } from '../../core/ports.ts'
import type { ClientCertificate } from '../http/client-certificate.ts'

export type TokenClaims = Readonly<Record<string, unknown>>

const EMAIL = /^[^\s:@]{1,64}@[a-z0-9.-]{1,190}$/
const SUBJECT = /^[\x21-\x7e]{1,256}$/
const MAX_GROUPS = 1000

const textOf = (value: unknown, form: RegExp): string | undefined =>
  typeof value === 'string' && form.test(value) ? value : undefined
const textsOf = (value: unknown, form: RegExp): readonly string[] =>
  Array.isArray(value)
    ? value.slice(0, MAX_GROUPS).flatMap((one) => {
        const text = textOf(one, form)
        return text === undefined ? [] : [text]
      })
    : []

const lower = (value: unknown): unknown => (typeof value === 'string' ? value.toLowerCase() : value)

/** Google's own accounts are all authenticated users; those of other pools are not. */
const accountMembers = (member: string, more: readonly string[] = []): readonly string[] => [
  member,
  ...more,
  'allAuthenticatedUsers',
  'allUsers',
]

/** Of a service account that signed for itself. */
export const serviceAccountCaller = (email: string): Principal => ({
  id: `bearer:${email}`,
  method: 'bearer',
  gcp: { members: accountMembers(`serviceAccount:${email}`) },
})

/** Whom an issuer says by mail address; only one that it has verified counts. */
function accountCaller(claims: TokenClaims, issuer: string): Principal | undefined {
  const email = textOf(lower(claims.email), EMAIL)
  const subject = textOf(claims.sub, SUBJECT)
  if (email === undefined || subject === undefined || claims.email_verified !== true) return undefined
  const kind = email.endsWith('.gserviceaccount.com') ? 'serviceAccount' : 'user'
  const domain = textOf(lower(claims.hd), /^[a-z0-9.-]{1,253}$/)
  const groups = textsOf(claims.groups, SUBJECT).map((group) => `group:${group.toLowerCase()}`)
  const more = [...(domain === undefined ? [] : [`domain:${domain}`]), ...groups]
  return {
    id: `bearer:${issuer}#${subject}`,
    method: 'bearer',
    gcp: { members: accountMembers(`${kind}:${email}`, more) },
  }
}

function poolCaller(claims: TokenClaims, issuer: string, pool: string): Principal | undefined {
  const subject = textOf(claims.sub, SUBJECT)
  if (subject === undefined) return undefined
  const prefix = `//iam.googleapis.com/${pool}`
  const groups = textsOf(claims.groups, SUBJECT).map((group) => `principalSet:${prefix}/group/${group}`)
  const members = [`principal:${prefix}/subject/${subject}`, `principalSet:${prefix}/*`, ...groups, 'allUsers']
  return { id: `bearer:${issuer}#${subject}`, method: 'bearer', gcp: { members } }
}

/** Of a client certificate: a subject of the pool by its common name and by each of its other names. */
export function certificateCaller({ fingerprint, commonName, names }: ClientCertificate, pool: string): Principal {
  const prefix = `//iam.googleapis.com/${pool}`
  const all = [...names.uri, ...names.dns, ...names.email, ...(commonName === undefined ? [] : [commonName])]
  const subjects = all.filter((name) => SUBJECT.test(name)).map((name) => `principal:${prefix}/subject/${name}`)
  const members = [...subjects, `principalSet:${prefix}/*`, 'allUsers']
  return { id: `mtls:${fingerprint}`, method: 'mtls', gcp: { members } }
}

export const callerOf = (claims: TokenClaims, { issuer, pool }: GcpIssuerConfig): Principal | undefined =>
  pool === undefined ? accountCaller(claims, issuer) : poolCaller(claims, issuer, pool)
