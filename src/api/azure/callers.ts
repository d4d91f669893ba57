/** From a genuine token's claims to the caller that role assignments know. */
import type { AzureIssuerConfig } from '../../config/callers.ts'
import type { Principal } from '../../core/ports.ts'
import type { ClientCertificate } from '../http/client-certificate.ts'

export type TokenClaims = Readonly<Record<string, unknown>>

const GUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const SUBJECT = /^[\x21-\x7e]{1,256}$/
/** Entra puts no more than 200 into a token. */
const MAX_GROUPS = 1000

const textOf = (value: unknown, form: RegExp): string | undefined =>
  typeof value === 'string' && form.test(value) ? value : undefined

function groupsOf({ groups }: TokenClaims): readonly string[] {
  if (!Array.isArray(groups)) return []
  return groups
    .slice(0, MAX_GROUPS)
    .filter((group) => textOf(group, GUID) !== undefined)
    .map((group: string) => group.toLowerCase())
}

/** Of Entra, or its stand-in: an object of the tenant. Undefined for one of another tenant, or none at all. */
export function entraCaller(claims: TokenClaims, tenant: string): Principal | undefined {
  const oid = textOf(claims.oid, GUID)?.toLowerCase()
  if (claims.tid !== tenant || oid === undefined) return undefined
  const application = textOf(claims.appid ?? claims.azp, SUBJECT) ?? ''
  const issuer = textOf(claims.iss, SUBJECT) ?? ''
  return {
    id: `bearer:${tenant}#${oid}`,
    method: 'bearer',
    azure: { tenant, ids: [oid, ...groupsOf(claims)], caller: `appid=${application};oid=${oid};iss=${issuer}` },
  }
}

/** Of another issuer: roles are assigned to `issuer#subject`, which no object of the tenant is called. */
function foreignCaller(claims: TokenClaims, issuer: string, tenant: string): Principal | undefined {
  const subject = textOf(claims.sub, SUBJECT)
  if (subject === undefined) return undefined
  const id = `${issuer}#${subject}`
  return { id: `bearer:${id}`, method: 'bearer', azure: { tenant, ids: [id], caller: `sub=${subject};iss=${issuer}` } }
}

/** Of a client certificate: roles are assigned to `certificate#` and one of its names, or its fingerprint. */
export function certificateCaller({ fingerprint, commonName, names }: ClientCertificate, tenant: string): Principal {
  const all = [
    `sha256:${fingerprint}`,
    ...(commonName === undefined ? [] : [`cn:${commonName}`]),
    ...names.dns.map((name) => `dns:${name}`),
    ...names.uri.map((name) => `uri:${name}`),
    ...names.email.map((name) => `email:${name}`),
  ].filter((name) => SUBJECT.test(name))
  const ids = all.map((name) => `certificate#${name}`)
  return { id: `mtls:${fingerprint}`, method: 'mtls', azure: { tenant, ids, caller: `certificate=${fingerprint}` } }
}

export const callerOf = (claims: TokenClaims, config: AzureIssuerConfig, tenant: string): Principal | undefined =>
  config.entra ? entraCaller(claims, tenant) : foreignCaller(claims, config.issuer, tenant)
