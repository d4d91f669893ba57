/** Both tokens in full: whose they are, what they allow, and that they belong together. */
import { foldEmail } from '../../../config/exposures/common.ts'
import type { EmailType, Privileged } from '../../../config/exposures/cse.ts'
import { KmsError } from '../../../core/error.ts'
import type { Behalf } from '../../../core/exposed.ts'
import { TokenFault } from '../../oidc/fault.ts'
import type { Claims, TokenVerifier } from '../../oidc/verifier.ts'
import { CseFault, Denial } from './errors.ts'
import { applicationOf, MAX, type Role, sameUrl } from './names.ts'
import { checkPerimeter } from './perimeter.ts'
import type { SpkiHash } from './private-key.ts'
import type { Tenant } from './tenant.ts'

/** What is known of a request for its record, also of one that is refused. */
export type Noted = { user: string | undefined; behalf: Behalf }

/** What Google allows whom, once it is verified. */
export type Authorization = {
  readonly email: string
  readonly emailType: EmailType
  readonly resource: string
  /** Empty: none. */
  readonly perimeter: string
  readonly role: Role | undefined
  readonly delegatedTo: string | undefined
  readonly spki: SpkiHash | undefined
  readonly expiresAt: number
}

async function verify(verifier: TokenVerifier, token: string, name: string): Promise<Claims> {
  try {
    return await verifier.verify(token)
  } catch (error) {
    if (!(error instanceof TokenFault)) throw error
    // An issuer that can't be reached says nothing of the caller: he may ask again.
    if (error.kind === 'unavailable') throw new KmsError('backend_unavailable', {}, { cause: error })
    throw new CseFault('unauthenticated', `${name}: ${error.message}`, { cause: error })
  }
}

/** @throws CseFault for a claim that is there and no text, or longer than it may be */
function textClaim(claims: Claims, name: string, max: number): string | undefined {
  const value = claims[name]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string' || Buffer.byteLength(value) > max) {
    throw new CseFault('unauthenticated', `the claim ${name} of a token is not as it has to be`)
  }
  return value
}

const MAX_EMAIL = 320
const MAX_CLAIM = 512

function requiredClaim(claims: Claims, name: string, max = MAX_CLAIM): string {
  const value = textClaim(claims, name, max)
  if (value === undefined || value === '') throw new CseFault('unauthenticated', `a token lacks the claim ${name}`)
  return value
}

const EMAIL_TYPES: Readonly<Record<string, EmailType>> = {
  google: 'google',
  'google-visitor': 'google-visitor',
  'customer-idp': 'customer-idp',
}

function emailTypeOf(claims: Claims): EmailType {
  const type = EMAIL_TYPES[textClaim(claims, 'email_type', MAX_CLAIM) ?? 'google']
  if (type === undefined) throw new Denial('email-type', 'accounts of this kind are not served')
  return type
}

function spkiOf(claims: Claims): SpkiHash | undefined {
  const hash = textClaim(claims, 'spki_hash', MAX_CLAIM)
  const algorithm = textClaim(claims, 'spki_hash_algorithm', MAX_CLAIM)
  return hash === undefined || algorithm === undefined ? undefined : { hash, algorithm }
}

/** Documents move between owners: a key service is asked for by its own owner's word alone. */
function checkAddressee({ config }: Tenant, claims: Claims): void {
  if (!sameUrl(requiredClaim(claims, 'kacls_url', MAX.url), config.url)) {
    throw new Denial('kacls-url', 'the authorization is for another key service')
  }
  const domain = textClaim(claims, 'kacls_owner_domain', MAX_CLAIM)
  if (domain !== undefined && domain.toLowerCase() !== config.ownerDomain) {
    throw new Denial('owner-domain', 'the authorization is for the key service of another domain')
  }
}

const RESOURCELESS: ReadonlySet<Role> = new Set<Role>(['signer', 'decrypter'])

/** @param roles undefined: any @throws CseFault, Denial */
export async function authorize(
  tenant: Tenant,
  token: string,
  roles: readonly Role[] | undefined,
  noted: Noted,
): Promise<Authorization> {
  const claims = await verify(tenant.authorization, token, 'authorization')
  const email = foldEmail(requiredClaim(claims, 'email', MAX_EMAIL))
  const named = textClaim(claims, 'resource_name', MAX.resourceName)
  // Gmail's keys are of no resource.
  const resource = roles?.every((one) => RESOURCELESS.has(one)) ? (named ?? '') : requiredClaim(claims, 'resource_name')
  const perimeter = textClaim(claims, 'perimeter_id', MAX.perimeter) ?? ''
  const role = textClaim(claims, 'role', MAX_CLAIM)
  const delegatedTo = textClaim(claims, 'delegated_to', MAX_CLAIM)
  noted.user = email
  noted.behalf = {
    ...noted.behalf,
    principal: delegatedTo ?? email,
    operation: role,
    key: resource,
    service: applicationOf(claims.iss),
    network: perimeter,
  }
  checkAddressee(tenant, claims)
  const served = roles?.find((one) => one === role)
  if (roles !== undefined && served === undefined) {
    throw new Denial('role', `the operation is for ${roles.join(' or ')}`)
  }
  const [emailType, spki] = [emailTypeOf(claims), spkiOf(claims)]
  return { email, emailType, resource, perimeter, role: served, delegatedTo, spki, expiresAt: claims.exp }
}

/** Google's address of the user where the identity provider has another. */
function addressOf(claims: Claims): string {
  // Some providers write it as a text.
  if (claims.email_verified === false || claims.email_verified === 'false')
    throw new Denial('email', 'the address of the user is not verified')
  const own = textClaim(claims, 'google_email', MAX_EMAIL)
  return foldEmail(own ?? requiredClaim(claims, 'email', MAX_EMAIL))
}

type Authentication = { readonly email: string; readonly claims: Claims }

async function authenticate(tenant: Tenant, token: string): Promise<Authentication> {
  const claims = await verify(tenant.authentication, token, 'authentication')
  return { email: addressOf(claims), claims }
}

/** What of the user's own tokens a delegate's repeats, so that it is good for nothing else. */
export const delegatedClaims = ({ email, emailType, resource, perimeter, delegatedTo }: Authorization) => ({
  email,
  email_type: emailType,
  delegated_to: delegatedTo,
  resource_name: resource,
  perimeter_id: perimeter,
})

/** A delegate acts for a user with one resource, where Google says the same of both. */
function checkDelegation(claims: Claims, authorization: Authorization): void {
  const expected = Object.entries(delegatedClaims(authorization))
  if (authorization.delegatedTo !== undefined && expected.every(([name, value]) => claims[name] === value)) return
  throw new Denial('delegation', 'the tokens do not delegate the same')
}

/** Who may bring the user's token: he or his delegate; he alone; or he, to name a delegate. */
export type Presence = 'delegable' | 'personal' | 'delegating'

/** The user of both tokens. @throws CseFault, Denial */
export async function matchUser(
  tenant: Tenant,
  token: string,
  authorization: Authorization,
  presence: Presence,
): Promise<Claims> {
  const { email, claims } = await authenticate(tenant, token)
  if (email !== authorization.email) throw new Denial('user', 'the tokens are of different users')
  if (claims.iss === tenant.config.url) {
    if (presence !== 'delegable') throw new Denial('delegation', 'a delegate may only wrap and unwrap')
    checkDelegation(claims, authorization)
    return claims
  }
  if (presence !== 'delegating' && authorization.delegatedTo !== undefined) {
    throw new Denial('delegation', 'the authorization is for a delegate')
  }
  if (tenant.emailTypes.get(claims.iss)?.includes(authorization.emailType) !== true) {
    throw new Denial('email-type', 'the identity provider does not vouch for accounts of this kind')
  }
  checkPerimeter(tenant.config, authorization.perimeter, email, claims)
  return claims
}

/** An administrator of this key service, by the users' identity provider. @throws CseFault, Denial */
export async function matchAdmin(tenant: Tenant, token: string, operation: Privileged, noted: Noted): Promise<void> {
  const { email, claims } = await authenticate(tenant, token)
  noted.user = email
  noted.behalf = { ...noted.behalf, principal: email }
  const known = tenant.emailTypes.get(claims.iss)?.includes('google') === true
  const admin = known ? tenant.config.admins.find((one) => one.email === email) : undefined
  if (admin?.operations.includes(operation) !== true) throw new Denial('admin', 'the user may not do it')
}

/** Another key service, which documents are leaving for. @throws CseFault, Denial */
async function matchPeer(tenant: Tenant, token: string, resource: string, noted: Noted): Promise<void> {
  const claims = await verify(tenant.peers, token, 'authentication')
  noted.user = claims.iss
  noted.behalf = { ...noted.behalf, principal: claims.iss }
  if (!sameUrl(requiredClaim(claims, 'kacls_url', MAX.url), tenant.config.url)) {
    throw new Denial('kacls-url', 'the authentication is for another key service')
  }
  if (requiredClaim(claims, 'resource_name', MAX.resourceName) !== resource) {
    throw new Denial('resource', 'the authentication is for another resource')
  }
}

/** What issuer a token says it is of, before anything of it is believed. */
function claimedIssuer(token: string): unknown {
  try {
    const payload: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
    return typeof payload === 'object' && payload !== null && 'iss' in payload ? payload.iss : undefined
  } catch {
    return undefined
  }
}

/** @throws CseFault, Denial */
export function matchAdminOrPeer(tenant: Tenant, token: string, resource: string, noted: Noted): Promise<void> {
  const issuer = claimedIssuer(token)
  const isPeer = tenant.config.to.some(({ url }) => url === issuer)
  return isPeer ? matchPeer(tenant, token, resource, noted) : matchAdmin(tenant, token, 'privilegedunwrap', noted)
}

/** Google says which private key it is about: without that, one user's token would do for another's key. */
export function requireSpki({ spki }: Authorization): SpkiHash {
  if (spki !== undefined) return spki
  throw new CseFault('unauthenticated', 'a token lacks the claims spki_hash and spki_hash_algorithm')
}
