/** A key service with a Workspace around it: Google's issuer, an identity provider, users, and a key that wraps. */
import type { Test } from 'tap'
import { createCseSurface } from '../../src/api/ekm/cse/index.ts'
import { createKey } from '../../src/core/ops/create-key.ts'
import { type Json, rsaKey, serveIssuer, token } from '../oidc/support.ts'
import { makeEkm } from './support.ts'

export const GOOGLE = rsaKey('google')
export const PROVIDER = rsaKey('provider')
export const DRIVE = 'gsuitecse-tokenissuer-drive@system.gserviceaccount.com'
export const IDP = 'https://idp.example.org'
export const URL_ = 'https://kacls.example.org/acme'
export const USER = 'Ann@Example.org'
export const RESOURCE = '//googleapis.com/drive/files/1'
export const DEK = Buffer.from('a planted key of thirty-two byte').toString('base64')
const RING = { by: 'name', name: 'default' } as const

export async function makeCse(t: Test, more: Json = {}) {
  const google = await serveIssuer([GOOGLE.jwk])
  const provider = await serveIssuer([PROVIDER.jwk])
  t.teardown(() => Promise.all([google.close(), provider.close()]))
  const settings = {
    protocol: 'cse',
    name: 'acme',
    url: URL_,
    key: 'default/workspace',
    ownerDomain: 'example.org',
    // A machine that is busy with other tests is no key service that is late.
    deadlineMs: 30_000,
    authorization: [{ issuer: DRIVE, jwksUri: `${google.url}/jwk` }],
    authentication: [{ issuer: IDP, jwksUri: `${provider.url}/jwk`, audiences: ['client'] }],
    admins: [{ email: 'Root@example.org' }],
    ...more,
  }
  const made = await makeEkm(t, {
    settings: [settings],
    surfaces: (exposures, homeRealm) => [createCseSurface({ exposures, homeRealm, version: '1.2.3' })],
  })
  const { run, clock } = made
  await run('gcp', createKey, { ring: RING, name: 'workspace', spec: 'aes_256' })
  if (more.signingKey !== undefined) {
    await run('gcp', createKey, { ring: RING, name: 'signing', spec: 'rsa_2048', purpose: 'sign_verify' })
  }
  const times = () => ({ iat: clock.now() / 1000, exp: clock.now() / 1000 + 3600 })
  const authorizationClaims = (change: Json = {}): Json => ({
    iss: DRIVE,
    aud: 'cse-authorization',
    email: USER.toLowerCase(),
    kacls_url: URL_,
    kacls_owner_domain: 'example.org',
    resource_name: RESOURCE,
    perimeter_id: '',
    role: 'writer',
    ...times(),
    ...change,
  })
  const authenticationClaims = (change: Json = {}): Json => ({
    iss: IDP,
    aud: 'client',
    email: USER,
    ...times(),
    ...change,
  })
  const authorization = (change: Json = {}) => token(authorizationClaims(change), GOOGLE)
  const authentication = (change: Json = {}) => token(authenticationClaims(change), PROVIDER)
  const post = (route: string, body: unknown) => made.ask(`/acme/${route}`, { body })
  /** `change`: of both tokens, and of the body. */
  const wrap = (change: { z?: Json; n?: Json; body?: Json } = {}) =>
    post('wrap', {
      authorization: authorization(change.z),
      authentication: authentication(change.n),
      key: DEK,
      reason: '{"client":"drive"}',
      ...change.body,
    })
  const unwrap = (wrapped_key: unknown, change: { z?: Json; n?: Json; body?: Json } = {}) =>
    post('unwrap', {
      authorization: authorization({ role: 'reader', ...change.z }),
      authentication: authentication(change.n),
      wrapped_key,
      ...change.body,
    })
  const admin = (change: Json = {}) => authentication({ email: 'root@example.org', ...change })
  return {
    ...made,
    settings,
    google,
    provider,
    authorizationClaims,
    authenticationClaims,
    authorization,
    authentication,
    admin,
    post,
    wrap,
    unwrap,
  }
}
