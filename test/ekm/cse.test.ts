/** The key service as Workspace calls it: wrapping and unwrapping, both tokens, roles, perimeters, privilege, delegation. */
import { createPublicKey, verify } from 'node:crypto'
import t from 'tap'
import { resourceKeyHash } from '../../src/api/ekm/cse/hash.ts'
import { disableKey } from '../../src/core/ops/set-key-enabled.ts'
import { type Json, part, rsaKey, serveIssuer, token } from '../oidc/support.ts'
import { DEK, DRIVE, GOOGLE, makeCse, RESOURCE, URL_, USER } from './cse-support.ts'
import type { Answer } from './support.ts'

const outcome = ({ status, body }: Answer): string => `${status} ${body.details ?? ''}`.trim()

t.test('wrap and unwrap', async (t) => {
  const { wrap, unwrap, audit, logged } = await makeCse(t)
  const wrapped = await wrap()
  t.equal(wrapped.status, 200)
  const { wrapped_key } = wrapped.body
  t.ok(wrapped_key.length <= 1024)
  t.same((await unwrap(wrapped_key)).body, { key: DEK })
  t.same((await unwrap(wrapped_key, { z: { role: 'writer' } })).body, { key: DEK })
  t.not((await wrap()).body.wrapped_key, wrapped_key)
  t.match(
    audit.records.find(({ wire }) => wire === 'cse/unwrap'),
    {
      dialect: 'ekm',
      operation: 'Decrypt',
      principal: `bearer:acme/${USER.toLowerCase()}`,
      exposure: 'acme',
      behalfPrincipal: USER.toLowerCase(),
      behalfOperation: 'reader',
      behalfKey: RESOURCE,
      behalfService: 'drive',
      outcome: 'ok',
    },
  )
  t.equal(audit.records.find(({ wire }) => wire === 'cse/wrap')?.behalfReason, '{"client":"drive"}')
  const kept = logged() + JSON.stringify(audit.records)
  for (const secret of [DEK, 'planted', wrapped_key, 'eyJ']) t.notOk(kept.includes(secret))
  t.ok((await wrap({ body: { key: Buffer.alloc(128, 7).toString('base64') } })).body.wrapped_key.length <= 1024)
})

t.test('what is unwrapped is bound to its resource and perimeter', async (t) => {
  const { wrap, unwrap } = await makeCse(t)
  const plain = (await wrap()).body.wrapped_key
  const walled = (await wrap({ z: { perimeter_id: 'eu' } })).body.wrapped_key
  t.same((await unwrap(walled, { z: { perimeter_id: 'eu' } })).body, { key: DEK })
  const bytes = Buffer.from(walled, 'base64')
  const moved = Buffer.concat([Buffer.of(1, 2), Buffer.from('us'), bytes.subarray(4)]).toString('base64')
  const flipped = Buffer.from(bytes)
  flipped[flipped.length - 1] = (flipped.at(-1) ?? 0) ^ 1
  for (const [name, answer] of [
    ['another resource', await unwrap(plain, { z: { resource_name: `${RESOURCE}2` } })],
    ['no perimeter', await unwrap(walled)],
    ['another perimeter', await unwrap(walled, { z: { perimeter_id: 'us' } })],
    ['a perimeter where there was none', await unwrap(plain, { z: { perimeter_id: 'eu' } })],
    ['the perimeter written over', await unwrap(moved, { z: { perimeter_id: 'us' } })],
    ['changed', await unwrap(flipped.toString('base64'), { z: { perimeter_id: 'eu' } })],
    ['cut', await unwrap(bytes.subarray(0, 40).toString('base64'), { z: { perimeter_id: 'eu' } })],
    ['one byte', await unwrap('AA==')],
    ['another format', await unwrap(Buffer.from(`9${plain}`).toString('base64'))],
  ] as const) {
    t.same(
      answer.body,
      { code: 400, message: 'The wrapped key can not be opened for this resource.', details: '' },
      name,
    )
  }
})

t.test('the authorization token', async (t) => {
  const { wrap, authorizationClaims, google, post, authentication } = await makeCse(t)
  const z = async (change: Json) => outcome(await wrap({ z: change }))
  t.equal(await z({ email: USER.toUpperCase() }), '200', 'addresses have no case')
  t.equal(await z({ kacls_url: `${URL_}/` }), '200')
  t.equal(await z({ kacls_owner_domain: undefined }), '200', 'it is there where Google knows it')
  const refused: Readonly<Record<string, readonly [Json, RegExp]>> = {
    'another audience': [{ aud: 'cse-authentication' }, /^401 authorization: The token is for another audience/],
    'another issuer': [{ iss: 'someone@system.gserviceaccount.com' }, /^401 authorization: .* unknown issuer/],
    expired: [{ exp: 1 }, /^401 authorization: The token is expired/],
    'of the future': [{ nbf: 9e9 }, /^401 authorization: The token is not yet valid/],
    'no user': [{ email: undefined }, /^401 a token lacks the claim email/],
    'a user that is no text': [{ email: [USER] }, /^401 the claim email/],
    'another user': [{ email: 'bob@example.org' }, /^403 the tokens are of different users/],
    'no resource': [{ resource_name: undefined }, /^401 a token lacks the claim resource_name/],
    'a resource that is too long': [{ resource_name: 'x'.repeat(129) }, /^401 the claim resource_name/],
    'a perimeter that is too long': [{ perimeter_id: 'x'.repeat(129) }, /^401 the claim perimeter_id/],
    'another key service': [{ kacls_url: 'https://evil.example/acme' }, /^403 .* for another key service/],
    'a tenant beside this one': [{ kacls_url: `${URL_}2` }, /^403 .* for another key service/],
    'no key service': [{ kacls_url: undefined }, /^401 a token lacks the claim kacls_url/],
    'another owner': [{ kacls_owner_domain: 'evil.example' }, /^403 .* of another domain/],
    reader: [{ role: 'reader' }, /^403 the operation is for writer or upgrader/],
    verifier: [{ role: 'verifier' }, /^403 the operation is for/],
    'no role': [{ role: undefined }, /^403 the operation is for/],
    'a role that is none': [{ role: 'owner' }, /^403 the operation is for/],
    'a visitor, whom this provider does not know': [
      { email_type: 'google-visitor' },
      /^403 the identity provider does/,
    ],
    'an account of an unknown kind': [{ email_type: 'alien' }, /^403 accounts of this kind/],
    'for a delegate': [{ delegated_to: 'device' }, /^403 the authorization is for a delegate/],
  }
  for (const [name, [change, expected]] of Object.entries(refused)) t.match(await z(change), expected, name)
  const raw = async (authorization: unknown) =>
    (await post('wrap', { authorization, authentication: authentication(), key: DEK })).status
  const forger = rsaKey('google')
  t.equal(await raw(token(authorizationClaims(), forger)), 401, 'signed by another')
  t.equal(await raw(token(authorizationClaims(), GOOGLE, { alg: 'none' })), 401)
  t.equal(await raw(token(authorizationClaims(), GOOGLE, { alg: 'HS256' })), 401)
  t.equal(await raw(authentication()), 401, 'the other token in its place')
  t.equal(await raw(undefined), 400)
  t.equal(await raw(7), 400)
  t.equal(await raw('x'.repeat(20_000)), 400)
  google.answer = (_request, response) => void response.destroy()
  const { wrap: unreachable } = await makeCse(t, { authorization: [{ issuer: DRIVE, jwksUri: `${google.url}/gone` }] })
  t.equal((await unreachable()).status, 503, 'nothing is known of the caller')
})

t.test('roles that wrap and unwrap', async (t) => {
  const { wrap, unwrap } = await makeCse(t)
  t.equal((await wrap({ z: { role: 'upgrader' } })).status, 200)
  const { wrapped_key } = (await wrap()).body
  for (const role of ['upgrader', 'verifier', 'migrator', 'signer', 'decrypter']) {
    t.equal(outcome(await unwrap(wrapped_key, { z: { role } })), '403 the operation is for reader or writer', role)
  }
})

t.test('the authentication token', async (t) => {
  const { wrap, authenticationClaims, post, authorization } = await makeCse(t)
  const n = async (change: Json) => outcome(await wrap({ n: change }))
  t.equal(await n({ email: 'ann@internal', google_email: USER }), '200', 'Google’s address of the user counts')
  t.equal(await n({ email_verified: 'true' }), '200')
  const refused: Readonly<Record<string, readonly [Json, RegExp]>> = {
    'another audience': [{ aud: 'other' }, /^401 authentication: The token is for another audience/],
    'another issuer': [{ iss: 'https://evil.example' }, /^401 authentication: .* unknown issuer/],
    expired: [{ exp: 1 }, /^401 authentication: The token is expired/],
    'no user': [{ email: undefined }, /^401 a token lacks the claim email/],
    'another user': [{ email: 'bob@example.org' }, /^403 the tokens are of different users/],
    'another user to Google': [{ google_email: 'bob@example.org' }, /^403 the tokens are of different users/],
    'an empty address': [{ google_email: '' }, /^403 the tokens are of different users/],
    'an address that is not verified': [{ email_verified: false }, /^403 the address of the user is not verified/],
    'an address that is not, as a text': [{ email_verified: 'false' }, /^403 the address of the user is not verified/],
  }
  for (const [name, [change, expected]] of Object.entries(refused)) t.match(await n(change), expected, name)
  const raw = async (authentication: unknown) =>
    (await post('wrap', { authorization: authorization(), authentication, key: DEK })).status
  t.equal(await raw(token(authenticationClaims(), GOOGLE, { kid: 'provider' })), 401, 'signed by Google')
  t.equal(await raw(`${part({ alg: 'none' })}.${part(authenticationClaims())}.`), 401)
  t.equal(await raw(undefined), 400)
})

t.test('bodies', async (t) => {
  const { wrap, unwrap, post, ask } = await makeCse(t)
  const body = async (change: Json) => outcome(await wrap({ body: change }))
  t.equal(await body({ key: undefined }), '400 key is missing')
  t.equal(await body({ key: '' }), '400 key is missing')
  t.equal(await body({ key: '*' }), '400 key is no base64')
  t.equal(await body({ key: Buffer.alloc(129).toString('base64') }), '400 key has more than 128 bytes')
  t.equal(await body({ reason: 'x'.repeat(1025) }), '400 reason has more than 1024 bytes')
  t.equal(await body({ reason: {} }), '400 reason is no text')
  t.equal(await body({ reason: undefined, somethingNew: 1 }), '200')
  t.match(outcome(await unwrap('A'.repeat(1500))), /^400 wrapped_key has more than/)
  t.equal(outcome(await post('wrap', [])), '400 body is no JSON object')
  t.match(outcome(await post('wrap', '{')), /^400 body: not valid JSON/)
  t.match(outcome(await post('wrap', '{"key":"a","key":"b"}')), /^400 body: names a member twice/)
  t.equal((await post('wrap', JSON.stringify({ key: 'x'.repeat(70_000) }))).status, 413)
  t.equal(outcome(await post('nothing', {})), '404')
  t.equal((await ask('/acme/wrap', { method: 'GET' })).status, 404)
  t.equal((await ask('/acme/wrap/x', { body: {} })).status, 404)
})

t.test('a refusal is recorded with the rule that made it, and reasons make no lines of their own', async (t) => {
  const { wrap, audit, run } = await makeCse(t)
  await wrap({ z: { role: 'reader' }, body: { reason: 'one\ntwo\u2028three\u0000' } })
  t.match(audit.records.at(-1), {
    wire: 'cse/wrap',
    decision: 'deny',
    rule: 'role',
    behalfKey: RESOURCE,
    behalfPrincipal: USER.toLowerCase(),
    behalfReason: 'one two three ',
  })
  audit.available = false
  t.equal((await wrap()).status, 503)
  t.equal((await wrap({ z: { role: 'reader' } })).status, 503, 'a denial that can’t be recorded')
  audit.available = true
  await run('gcp', disableKey, { key: { by: 'name', ring: { by: 'name', name: 'default' }, name: 'workspace' } })
  t.equal((await wrap()).status, 409)
})

t.test('guests', async (t) => {
  const guests = rsaKey('guests')
  const server = await serveIssuer([guests.jwk])
  t.teardown(() => server.close())
  const guestIdp = 'https://guests.example.org'
  const { wrap, post, authorization, authenticationClaims, settings } = await makeCse(t)
  const { post: withGuests, authorization: z } = await makeCse(t, {
    authentication: [
      ...settings.authentication,
      {
        issuer: guestIdp,
        jwksUri: `${server.url}/k`,
        audiences: ['g'],
        emailTypes: ['google-visitor', 'customer-idp'],
      },
    ],
  })
  const ask = async (send: typeof post, email_type: string | undefined) =>
    (
      await send('wrap', {
        authorization: (send === post ? authorization : z)({ ...(email_type !== undefined && { email_type }) }),
        authentication: token(authenticationClaims({ iss: guestIdp, aud: 'g' }), guests),
        key: DEK,
      })
    ).status
  t.equal(await ask(withGuests, 'google-visitor'), 200)
  t.equal(await ask(withGuests, 'customer-idp'), 200)
  t.equal(await ask(withGuests, undefined), 403, 'the guests’ provider vouches for no member')
  t.equal(await ask(post, 'google-visitor'), 401)
  t.equal((await wrap({ z: { email_type: 'customer-idp' } })).status, 403)
})

t.test('perimeters', async (t) => {
  const { wrap } = await makeCse(t, {
    perimeters: [
      { id: '' },
      { id: 'eu', domains: ['example.org'], claims: { country: ['DE', 'FR'] } },
      { id: 'other', domains: ['other.example'] },
    ],
  })
  const ask = async (perimeter_id: string, n: Json = {}) => outcome(await wrap({ z: { perimeter_id }, n }))
  t.equal(await ask(''), '200')
  t.equal(await ask('eu', { country: 'FR' }), '200')
  t.equal(await ask('eu', { country: ['US', 'DE'] }), '200', 'one of several')
  t.equal(await ask('eu', { country: 'US' }), '403 the user is outside the perimeter')
  t.equal(await ask('eu'), '403 the user is outside the perimeter')
  t.equal(await ask('other'), '403 the user is outside the perimeter')
  t.equal(await ask('nowhere'), '403 the perimeter is not served')
})

/** Google's reference: `openssl sha256 -mac HMAC -macopt hexkey:f00d -binary` of ResourceKeyDigest:my_resource:my_perimeter. */
const VECTOR = 'EfRLb/AKdtsPSfX+vZ/Pi8h6bmKhBTu4egOABRnEdCg='

t.test('the digest', async (t) => {
  t.equal(resourceKeyHash(Buffer.from('f00d', 'hex'), 'my_resource', 'my_perimeter'), VECTOR)
  const { wrap, post, authorization } = await makeCse(t)
  const bound = { resource_name: 'my_resource', perimeter_id: 'my_perimeter' }
  const { wrapped_key } = (await wrap({ z: bound, body: { key: '8A0=' } })).body
  const digest = (z: Json) =>
    post('digest', { authorization: authorization({ ...bound, ...z }), wrapped_key, reason: '' })
  t.same((await digest({ role: 'verifier' })).body, { resource_key_hash: VECTOR })
  t.equal((await digest({ role: 'reader' })).status, 403)
  t.equal((await digest({ role: 'verifier', resource_name: 'other' })).status, 400)
})
t.test('privilege', async (t) => {
  const made = await makeCse(t, {
    admins: [{ email: 'Root@example.org' }, { email: 'taker@example.org', operations: ['privilegedunwrap'] }],
  })
  const { post, admin, authentication, wrap, unwrap, audit } = made
  const bound = { resource_name: RESOURCE, perimeter_id: 'eu', reason: 'export' }
  const wrapped = await post('privilegedwrap', { authentication: admin(), key: DEK, ...bound })
  t.same((await unwrap(wrapped.body.wrapped_key, { z: { perimeter_id: 'eu' } })).body, { key: DEK })
  const { wrapped_key } = (await wrap({ z: { perimeter_id: 'eu' } })).body
  const take = (token: string, resource_name = RESOURCE) =>
    post('privilegedunwrap', { authentication: token, wrapped_key, resource_name, reason: 'export' })
  t.same((await take(admin())).body, { key: DEK }, 'whatever its perimeter')
  t.same((await take(authentication({ email: 'taker@example.org' }))).body, { key: DEK })
  t.match(audit.records.at(-1), { principal: 'bearer:acme/taker@example.org', behalfKey: RESOURCE })
  t.equal((await take(admin(), 'other')).status, 400, 'bound to its resource all the same')
  t.equal(outcome(await take(authentication())), '403 the user may not do it')
  t.equal(
    (await take(made.authorization({ email: 'root@example.org' }))).status,
    401,
    'Google’s word is not the provider’s',
  )
  const taker = authentication({ email: 'taker@example.org' })
  t.equal((await post('privilegedwrap', { authentication: taker, key: DEK, ...bound })).status, 403)
  t.equal((await post('privilegedwrap', { authentication: admin(), key: DEK })).status, 400)
  const { post: without, admin: nobody } = await makeCse(t, { admins: [] })
  t.equal((await without('privilegedwrap', { authentication: nobody(), key: DEK, ...bound })).status, 501)
})

t.test('delegation', async (t) => {
  const { post, authorization, authentication, wrap, clock } = await makeCse(t, { signingKey: 'default/signing' })
  const { wrapped_key } = (await wrap()).body
  const delegate = (z: Json, n: Json = {}) =>
    post('delegate', {
      authorization: authorization({ delegated_to: 'device', ...z }),
      authentication: authentication(n),
    })
  const token_ = (await delegate({})).body.delegated_authentication
  const unwrap = async (z: Json, authentication_ = token_, route = 'unwrap') =>
    outcome(
      await post(route, {
        authorization: authorization({ role: 'writer', delegated_to: 'device', ...z }),
        authentication: authentication_,
        wrapped_key,
        key: DEK,
      }),
    )
  t.equal(await unwrap({}), '200')
  t.equal(await unwrap({}, token_, 'wrap'), '200')
  const no = '403 the tokens do not delegate the same'
  t.equal(await unwrap({ delegated_to: 'another device' }), no)
  t.equal(await unwrap({ delegated_to: undefined }), no, 'the authorization has to be the delegate’s')
  t.equal(await unwrap({ resource_name: 'another' }), no)
  t.equal(await unwrap({ perimeter_id: 'another' }), no)
  t.equal(await unwrap({ email_type: 'google-visitor' }), no)
  t.equal(await unwrap({ email: 'bob@example.org' }), '403 the tokens are of different users')
  t.equal(outcome(await delegate({ delegated_to: undefined })), '403 the authorization names no delegate')
  t.equal(outcome(await delegate({ email: 'bob@example.org' })), '403 the tokens are of different users')
  t.equal((await delegate({ kacls_url: 'https://evil.example' })).status, 403)
  const again = { authorization: authorization({ delegated_to: 'device' }), authentication: token_ }
  t.equal(outcome(await post('delegate', again)), '403 a delegate may only wrap and unwrap', 'no chains')
  t.equal(
    (await post('privilegedunwrap', { authentication: token_, wrapped_key, resource_name: RESOURCE })).status,
    403,
  )
  clock.time += 14 * 60_000
  t.equal(await unwrap({}), '200')
  clock.time += 60_000
  t.equal(await unwrap({}), '401 authentication: The token is expired.', 'after a quarter of an hour')
  const { post: without } = await makeCse(t)
  t.equal((await without('delegate', again)).status, 501)
})

t.test('certs, and what they verify', async (t) => {
  const { ask, post, authorization, authentication } = await makeCse(t, { signingKey: 'default/signing' })
  const certs = await ask('/acme/certs', { method: 'GET' })
  t.equal(certs.body.keys.length, 1)
  t.match(certs.body.keys[0], { kty: 'RSA', use: 'sig', alg: 'RS256', kid: /^[\w-]{43}$/ })
  t.notOk('d' in certs.body.keys[0])
  t.same((await ask('/acme/certs', { method: 'GET' })).body, certs.body, 'with the same kid')
  const { delegated_authentication } = (
    await post('delegate', {
      authorization: authorization({ delegated_to: 'device' }),
      authentication: authentication(),
    })
  ).body
  const [head = '', payload = '', signature = ''] = delegated_authentication.split('.')
  t.equal(JSON.parse(Buffer.from(head, 'base64url').toString()).kid, certs.body.keys[0].kid)
  const key = createPublicKey({ key: certs.body.keys[0], format: 'jwk' })
  t.ok(verify('sha256', Buffer.from(`${head}.${payload}`), key, Buffer.from(signature, 'base64url')))
  const { ask: without } = await makeCse(t)
  t.same((await without('/acme/certs', { method: 'GET' })).body, { keys: [] })
})

t.test('status, and pages of other origins', async (t) => {
  const { ask } = await makeCse(t)
  const status = await ask('/acme/status', { method: 'GET' })
  t.match(status.body, {
    server_type: 'KACLS',
    vendor_id: 'Trefoil',
    version: '1.2.3',
    kacls_url: URL_,
    operations_supported: ['status', 'certs', 'wrap', 'unwrap', 'privilegedwrap', 'privilegedunwrap', 'digest'],
  })
  t.notOk(status.body.operations_supported.includes('rewrap'), 'nothing to migrate from')
  const origin = 'https://client-side-encryption.google.com'
  const preflight = {
    origin,
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'content-type',
  }
  const answer = await ask('/acme/wrap', { method: 'OPTIONS', headers: preflight })
  t.equal(answer.status, 204)
  t.match(answer.headers, {
    'access-control-allow-origin': origin,
    'access-control-allow-methods': /POST/,
    'access-control-allow-headers': /content-type/,
    vary: 'Origin',
  })
  const local = { ...preflight, 'access-control-request-private-network': 'true' }
  const fromPublic = await ask('/acme/wrap', { method: 'OPTIONS', headers: local })
  t.equal(fromPublic.headers['access-control-allow-private-network'], 'true')
  const refused = await ask('/acme/wrap', { headers: { origin }, body: {} })
  t.equal(refused.status, 400)
  t.equal(refused.headers['access-control-allow-origin'], origin, 'pages can read why')
  for (const other of ['https://evil.example', 'https://client-side-encryption.google.com.evil.example', 'null']) {
    const { status: code, headers } = await ask('/acme/wrap', {
      method: 'OPTIONS',
      headers: { ...preflight, origin: other },
    })
    t.equal(code, 403, other)
    t.equal(headers['access-control-allow-origin'], undefined)
  }
})

t.test('an identity provider with another algorithm', async (t) => {
  const { settings, provider } = await makeCse(t)
  const { wrap } = await makeCse(t, {
    authentication: [{ ...settings.authentication[0], jwksUri: `${provider.url}/jwk`, algorithms: ['PS256'] }],
  })
  t.equal(
    outcome(await wrap()),
    '401 authentication: The token is signed with an algorithm that its issuer does not use.',
  )
})
