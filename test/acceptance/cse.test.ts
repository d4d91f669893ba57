/**
 * Workspace and two companies around real processes: documents' keys are wrapped and unwrapped for users whom Google and
 * an identity provider name, and move from one key service to another. Written from Google's reference, not from the
 * server.
 */
import { constants, createHash, createHmac, generateKeyPairSync, publicEncrypt, randomBytes, verify } from 'node:crypto'
import { copyFileSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import t, { type Test } from 'tap'
import { type Json, rsaKey, token } from '../oidc/support.ts'
import { startTrefoil } from '../support/process.ts'
import { client, type Issuer, makeKey, SYMMETRIC, signing, startIssuer, written } from './google-side.ts'

const seconds = (): number => Math.floor(Date.now() / 1000)
const DRIVE = 'gsuitecse-tokenissuer-drive@system.gserviceaccount.com'
const MIGRATION = 'apps-security-cse-kaclscommunication@system.gserviceaccount.com'
const ORIGIN = 'https://client-side-encryption.google.com'
const RESOURCE = '//googleapis.com/drive/files/17'
const MAIL_KEY = generateKeyPairSync('rsa', { modulusLength: 2048 })
const SPKI = createHash('sha256')
  .update(MAIL_KEY.publicKey.export({ format: 'der', type: 'spki' }))
  .digest('base64')

/** Each key service has to know the other's address before either is there. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

type Around = { readonly drive: Issuer; readonly migration: Issuer; readonly idp: Issuer }

async function around(t: Test): Promise<Around> {
  const [drive, migration, idp] = await Promise.all(['drive', 'migration', 'idp'].map((kid) => startIssuer(t, kid)))
  if (drive === undefined || migration === undefined || idp === undefined) throw new Error('no issuers')
  return { drive, migration, idp }
}

/** A key service over TLS, and another tenant beside it. */
async function startService(t: Test, { drive, migration, idp }: Around, port: number, more: Json = {}) {
  const url = `https://localhost:${port}/acme`
  const exposure = (name: string, change: Json): Json => ({
    protocol: 'cse',
    name,
    url: `https://localhost:${port}/${name}`,
    key: `cse/${name}`,
    ownerDomain: `${name}.example`,
    deadlineMs: 30_000,
    authorization: [
      { issuer: DRIVE, jwksUri: `${drive.url}/jwk/drive` },
      { issuer: MIGRATION, jwksUri: `${migration.url}/jwk/migration` },
    ],
    authentication: [{ issuer: 'https://idp.example', jwksUri: `${idp.url}/keys`, audiences: ['workspace'] }],
    ...change,
  })
  const config = {
    listeners: [
      { port: 0, dialects: ['aws', 'azure', 'gcp'] },
      { port, tls: {}, dialects: ['ekm'] },
    ],
    auth: { gcp: 'off' },
    exposures: [
      exposure('acme', { signingKey: 'cse/signing', admins: [{ email: 'root@acme.example' }], ...more }),
      exposure('other', {}),
    ],
  }
  const server = await startTrefoil({ config, env: { TREFOIL_PORT: '', TREFOIL_TLS_PORT: '' } })
  t.teardown(() => server.stop())
  for (const name of ['acme', 'other']) await makeKey(server, 'cse', name, SYMMETRIC)
  await makeKey(server, 'cse', 'signing', signing('RSA_SIGN_PKCS1_2048_SHA256'))
  const ask = client(t, `https://localhost:${port}`, readFileSync(server.caFile))
  return { server, url, ask, post: (route: string, body: unknown) => ask(`/acme/${route}`, { body }) }
}
type Service = Awaited<ReturnType<typeof startService>>

const authorizationClaims = ({ url }: Pick<Service, 'url'>, change: Json = {}): Json => ({
  iss: DRIVE,
  aud: 'cse-authorization',
  email: 'ann@acme.example',
  email_type: 'google',
  kacls_url: url,
  kacls_owner_domain: 'acme.example',
  resource_name: RESOURCE,
  perimeter_id: '',
  role: 'writer',
  iat: seconds(),
  exp: seconds() + 3600,
  ...change,
})
const authenticationClaims = (change: Json = {}): Json => ({
  iss: 'https://idp.example',
  aud: 'workspace',
  email: 'Ann@acme.example',
  iat: seconds(),
  exp: seconds() + 3600,
  ...change,
})

t.test('a company’s documents and mail', async (t) => {
  const sides = await around(t)
  const service = await startService(t, sides, await freePort())
  const { server, post, ask } = service
  const tokens: string[] = []
  const keep = (text: string): string => {
    tokens.push(text.split('.')[2] ?? '')
    return text
  }
  const z = (change: Json = {}) => keep(sides.drive.sign(authorizationClaims(service, change)))
  const n = (change: Json = {}) => keep(sides.idp.sign(authenticationClaims(change)))
  const dek = randomBytes(32).toString('base64')
  const pem = MAIL_KEY.privateKey.export({ format: 'pem', type: 'pkcs8' }) as string
  const wrapBody = (change: Json = {}): Json => ({
    authorization: z(),
    authentication: n(),
    key: dek,
    reason: '{"op":"new"}',
    ...change,
  })
  const { wrapped_key } = (await post('wrap', wrapBody())).body

  await t.test('what it is asked', async (t) => {
    const status = await ask('/acme/status', { method: 'GET' })
    t.match(status.body, { server_type: 'KACLS', vendor_id: String, version: String, kacls_url: service.url })
    for (const role of ['reader', 'writer']) {
      const answer = await post('unwrap', { authorization: z({ role }), authentication: n(), wrapped_key, reason: '' })
      t.same(answer.body, { key: dek }, role)
    }
    const expected = createHmac('sha256', Buffer.from(dek, 'base64'))
      .update(`ResourceKeyDigest:${RESOURCE}:`)
      .digest('base64')
    const digest = await post('digest', { authorization: z({ role: 'verifier' }), wrapped_key, reason: '' })
    t.same(digest.body, { resource_key_hash: expected })
    const root = { authentication: n({ email: 'root@acme.example' }), reason: 'export' }
    t.same((await post('privilegedunwrap', { ...root, wrapped_key, resource_name: RESOURCE })).body, { key: dek })
    const mine = await post('privilegedwrap', { ...root, key: dek, resource_name: RESOURCE, perimeter_id: '' })
    const again = { authorization: z({ role: 'reader' }), authentication: n(), wrapped_key: mine.body.wrapped_key }
    t.same((await post('unwrap', again)).body, { key: dek })
    const asDelegate = { authorization: z({ delegated_to: 'tv', role: 'reader' }), wrapped_key }
    const delegated = await post('delegate', { authorization: z({ delegated_to: 'tv' }), authentication: n() })
    const { delegated_authentication: authentication } = delegated.body
    t.same((await post('unwrap', { ...asDelegate, authentication: keep(authentication) })).body, { key: dek })
  })

  await t.test('mail', async (t) => {
    const root = n({ email: 'root@acme.example' })
    const { wrapped_private_key } = (await post('wrapprivatekey', { authentication: root, private_key: pem })).body
    const mail = { message_id: '<1@acme>', resource_name: undefined, spki_hash: SPKI, spki_hash_algorithm: 'SHA-256' }
    const digest = createHash('sha256').update('attributes').digest('base64')
    const both = (role: string) => ({ authorization: z({ role, ...mail }), authentication: n(), wrapped_private_key })
    const signed = await post('privatekeysign', { ...both('signer'), algorithm: 'SHA256withRSA', digest, reason: '' })
    t.ok(verify('sha256', Buffer.from('attributes'), MAIL_KEY.publicKey, Buffer.from(signed.body.signature, 'base64')))
    const padding = constants.RSA_PKCS1_OAEP_PADDING
    const sealed = publicEncrypt({ key: MAIL_KEY.publicKey, padding, oaepHash: 'sha256' }, Buffer.from(dek, 'base64'))
    const asked = {
      algorithm: 'RSA/ECB/OAEPwithSHA-256andMGF1Padding',
      encrypted_data_encryption_key: sealed.toString('base64'),
    }
    t.same((await post('privatekeydecrypt', { ...both('decrypter'), ...asked })).body, { data_encryption_key: dek })
    const spki = { spki_hash: SPKI, spki_hash_algorithm: 'SHA-256' }
    const privileged = { authentication: root, wrapped_private_key, ...spki, ...asked }
    t.same((await post('privilegedprivatekeydecrypt', privileged)).body, { data_encryption_key: dek })
    t.equal((await post('privatekeysign', { ...both('reader'), algorithm: 'SHA256withRSA', digest })).status, 403)
  })

  await t.test('what it refuses', async (t) => {
    const forger = rsaKey('drive')
    const unwrapBody = (change: Json = {}): Json => ({
      authorization: z({ role: 'reader' }),
      authentication: n(),
      wrapped_key,
      ...change,
    })
    const bytes = Buffer.from(wrapped_key, 'base64')
    bytes[bytes.length - 5] = (bytes.at(-5) ?? 0) ^ 4
    const authorizations: readonly (readonly [string, number, string])[] = [
      ['no token', 400, ''],
      ['no JWT', 401, 'abc'],
      ['signed by another', 401, token(authorizationClaims(service), forger)],
      ['alg none', 401, sides.drive.sign(authorizationClaims(service), { alg: 'none' })],
      ['alg HS256', 401, sides.drive.sign(authorizationClaims(service), { alg: 'HS256' })],
      ['the provider’s signature', 401, sides.idp.sign(authorizationClaims(service))],
      ['another issuer', 401, z({ iss: 'evil@system.gserviceaccount.com' })],
      ['another audience', 401, z({ aud: 'workspace' })],
      ['expired', 401, z({ exp: seconds() - 100 })],
      ['another user', 403, z({ email: 'bob@acme.example' })],
      ['a reader who writes', 403, z({ role: 'reader' })],
      ['a migrator who writes', 403, z({ role: 'migrator' })],
      ['without a role', 403, z({ role: undefined })],
      ['for another key service', 403, z({ kacls_url: 'https://localhost/acme' })],
      ['for the tenant beside', 403, z({ kacls_url: service.url.replace('/acme', '/other') })],
      ['by another owner’s word', 403, z({ kacls_owner_domain: 'other.example' })],
      ['a visitor', 403, z({ email_type: 'google-visitor' })],
      ['a delegate’s', 403, z({ delegated_to: 'tv' })],
      ['without a resource', 401, z({ resource_name: undefined })],
    ]
    for (const [name, status, authorization] of authorizations) {
      const answer = await post('wrap', wrapBody({ authorization }))
      t.equal(answer.status, status, `authorization: ${name}`)
      t.match(answer.body, { code: status, message: String, details: String })
    }
    const authentications: readonly (readonly [string, number, string])[] = [
      ['no token', 400, ''],
      ['signed by another', 401, token(authenticationClaims(), rsaKey('idp'))],
      ['Google’s signature', 401, sides.drive.sign(authenticationClaims())],
      ['another issuer', 401, n({ iss: 'https://evil.example' })],
      ['another audience', 401, n({ aud: 'other' })],
      ['expired', 401, n({ exp: seconds() - 100 })],
      ['another user', 403, n({ email: 'bob@acme.example' })],
      ['another user to Google', 403, n({ google_email: 'bob@acme.example' })],
      ['an address that is not verified', 403, n({ email_verified: false })],
    ]
    for (const [name, status, authentication] of authentications) {
      t.equal((await post('wrap', wrapBody({ authentication }))).status, status, `authentication: ${name}`)
    }
    const bodies: readonly (readonly [string, number, string, unknown])[] = [
      ['no key', 400, 'wrap', wrapBody({ key: undefined })],
      ['a key that is too long', 400, 'wrap', wrapBody({ key: randomBytes(129).toString('base64') })],
      ['no base64', 400, 'wrap', wrapBody({ key: '%' })],
      ['a reason that is too long', 400, 'wrap', wrapBody({ reason: 'x'.repeat(2000) })],
      ['no JSON', 400, 'wrap', '{'],
      ['an upgrader who reads', 403, 'unwrap', unwrapBody({ authorization: z({ role: 'upgrader' }) })],
      ['another resource', 400, 'unwrap', unwrapBody({ authorization: z({ role: 'reader', resource_name: 'x' }) })],
      ['another perimeter', 400, 'unwrap', unwrapBody({ authorization: z({ role: 'reader', perimeter_id: 'x' }) })],
      ['a changed blob', 400, 'unwrap', unwrapBody({ wrapped_key: bytes.toString('base64') })],
      ['a user’s privilege', 403, 'privilegedunwrap', { authentication: n(), wrapped_key, resource_name: RESOURCE }],
      ['a reader’s digest', 403, 'digest', unwrapBody()],
      ['migrating from nowhere', 501, 'rewrap', unwrapBody({ original_kacls_url: 'https://old.example' })],
      ['a route that is none', 404, 'melt', {}],
    ]
    for (const [name, status, route, body] of bodies) t.equal((await post(route, body)).status, status, name)
  })

  await t.test('the tenant beside it learns nothing', async (t) => {
    const other = {
      kacls_url: service.url.replace('/acme', '/other'),
      kacls_owner_domain: 'other.example',
      role: 'reader',
    }
    const unwrap = async (blob: string) => {
      const body = { authorization: z(other), authentication: n(), wrapped_key: blob }
      const answer = await ask('/other/unwrap', { body })
      return { status: answer.status, body: answer.body }
    }
    t.same(await unwrap(wrapped_key), await unwrap(randomBytes(200).toString('base64')))
    const nothing = { authentication: n({ email: 'root@acme.example' }), wrapped_key, resource_name: RESOURCE }
    t.equal((await ask('/other/privilegedunwrap', { body: nothing })).status, 501, 'it has no administrators')
  })

  await t.test('from Google’s page, and from no other', async (t) => {
    const headers = { origin: ORIGIN, 'access-control-request-method': 'POST' }
    const preflight = await ask('/acme/wrap', { method: 'OPTIONS', headers })
    t.match(preflight, { status: 204, headers: { 'access-control-allow-origin': ORIGIN } })
    const answer = await ask('/acme/wrap', { body: wrapBody(), headers: { origin: ORIGIN } })
    t.match(answer, { status: 200, headers: { 'access-control-allow-origin': ORIGIN } })
    const evil = await ask('/acme/wrap', { body: wrapBody(), headers: { origin: 'https://evil.example' } })
    t.equal(evil.headers['access-control-allow-origin'], undefined)
  })

  const text = written(server)
  t.ok(text.includes('cse/unwrap') && text.includes(RESOURCE) && text.includes('ann@acme.example'))
  for (const planted of [dek, wrapped_key, pem.slice(60, 120), ...tokens]) {
    t.notOk(planted !== '' && text.includes(planted))
  }
})

t.test('documents move from one key service to another', async (t) => {
  const sides = await around(t)
  const [oldPort, newPort] = [await freePort(), await freePort()]
  const [oldUrl, newUrl] = [oldPort, newPort].map((port) => `https://localhost:${port}/acme`)
  // Each has an authority of its own, which the other is told of once it is there.
  const directory = t.testdir({ 'old.pem': '', 'new.pem': '' })
  const old = await startService(t, sides, oldPort, {
    migration: { to: [{ url: newUrl, ca: `${directory}/new.pem` }] },
  })
  const fresh = await startService(t, sides, newPort, {
    migration: { from: [{ url: oldUrl, ca: `${directory}/old.pem` }] },
  })

  copyFileSync(old.server.caFile, `${directory}/old.pem`)
  copyFileSync(fresh.server.caFile, `${directory}/new.pem`)
  const dek = randomBytes(32).toString('base64')
  const n = () => sides.idp.sign(authenticationClaims())
  const z = (service: Service, change: Json = {}) => sides.drive.sign(authorizationClaims(service, change))
  const perimeter_id = 'eu'
  const { wrapped_key } = (
    await old.post('wrap', { authorization: z(old, { perimeter_id }), authentication: n(), key: dek })
  ).body
  const rewrap = (change: Json = {}, claims: Json = {}) =>
    fresh.post('rewrap', {
      authorization: sides.migration.sign(
        authorizationClaims(fresh, { iss: MIGRATION, role: 'migrator', perimeter_id, ...claims }),
      ),
      original_kacls_url: oldUrl,
      wrapped_key,
      reason: '{"op":"migrate"}',
      ...change,
    })
  const moved = await rewrap()
  const expected = createHmac('sha256', Buffer.from(dek, 'base64'))
    .update(`ResourceKeyDigest:${RESOURCE}:${perimeter_id}`)
    .digest('base64')
  t.match(moved, { status: 200, body: { resource_key_hash: expected, wrapped_key: String } })
  const read = (blob: string) =>
    fresh.post('unwrap', {
      authorization: z(fresh, { role: 'reader', perimeter_id }),
      authentication: n(),
      wrapped_key: blob,
    })
  t.same((await read(moved.body.wrapped_key)).body, { key: dek })
  t.equal((await read(wrapped_key)).status, 400, 'the old key service’s blob is the old one’s')
  const back = await old.post('rewrap', {
    authorization: z(old, { role: 'migrator' }),
    original_kacls_url: newUrl,
    wrapped_key: moved.body.wrapped_key,
  })
  t.equal(back.status, 501, 'there is no way back that nobody configured')
  t.equal((await rewrap({ original_kacls_url: 'https://169.254.169.254/acme' })).status, 403, 'nobody else is asked')
  t.equal((await rewrap({ original_kacls_url: newUrl })).status, 403)
  t.equal((await rewrap({}, { role: 'writer' })).status, 403)
  t.equal((await rewrap({}, { resource_name: 'another' })).status, 400, 'the old one does not open it')
  t.equal((await rewrap({ wrapped_key: 'AAAA' })).status, 400)
  const introduction = (change: Json = {}) => ({
    iss: newUrl,
    aud: 'kacls-migration',
    kacls_url: oldUrl,
    resource_name: RESOURCE,
    iat: seconds(),
    exp: seconds() + 60,
    ...change,
  })
  const impostor = rsaKey('new')
  const take = async (authentication: string) =>
    (await old.post('privilegedunwrap', { authentication, wrapped_key, resource_name: RESOURCE, reason: '' })).status
  t.equal(await take(token(introduction(), impostor)), 401, 'signed by somebody else')
  t.equal(await take(token(introduction({ iss: 'https://evil.example' }), impostor)), 401)
  const text = written(old.server) + written(fresh.server)
  for (const planted of [dek, wrapped_key, moved.body.wrapped_key]) t.notOk(text.includes(planted))
  await old.server.kill()
  t.equal((await rewrap()).status, 503, 'an old key service that is gone may come back')
})
