import t from 'tap'
import { HOST, makeAzure, TENANT } from './support.ts'

t.test('a request without a token is challenged before its body is parsed', async (t) => {
  const { ask } = await makeAzure()
  const headers = { 'content-type': 'application/json', 'content-length': '0' }
  const answer = await ask('POST', '/keys/k/create', undefined, { token: null, headers })
  t.equal(answer.status, 401)
  t.equal(
    answer.headers['www-authenticate'],
    `Bearer authorization="http://localhost:7443/${TENANT}", resource="https://vault.localhost:7443"`,
  )
  t.equal(answer.body.error.code, 'Unauthorized')
  t.match(answer.body.error.message, /^AKV10000/)
  const broken = await ask('POST', '/keys/k/create', '{not json', { token: null })
  t.equal(broken.status, 401)
})

t.test('the resource is the domain that the vault was asked in', async (t) => {
  const { ask } = await makeAzure()
  const resource = async (host: string) => {
    const { headers } = await ask('GET', '/keys', undefined, { token: null, host })
    return /resource="([^"]*)"/.exec(String(headers['www-authenticate']))?.[1]
  }
  t.equal(await resource('my-vault.vault.azure.net'), 'https://vault.azure.net')
  t.equal(await resource('my-vault.vault.azure.net:443'), 'https://vault.azure.net')
  t.equal(await resource('hsm.managedhsm.azure.net'), 'https://managedhsm.azure.net')
  t.equal(await resource('default.vault.localhost'), 'https://vault.localhost')
  t.equal(await resource('localhost:7443'), 'https://vault.localhost:7443')
})

t.test('in production the challenge names the login service of the cloud', async (t) => {
  const { ask } = await makeAzure({ profile: 'production', auth: 'enforce' })
  const { headers, status } = await ask('GET', '/keys', undefined, { token: null })
  t.equal(status, 401)
  t.match(headers['www-authenticate'], `authorization="https://login.microsoftonline.com/${TENANT}"`)
  t.equal((await ask('GET', '/keys')).status, 401, 'a token of nobody knows whom is refused')
  t.match((await ask('GET', '/keys')).body.error.message, /malformed/)
  const login = await ask('GET', `/${TENANT}/v2.0/.well-known/openid-configuration`)
  t.match(login, { status: 400, body: { error: { code: 'BadParameter' }, issuer: undefined } }, 'there is no stand-in')
})

t.test('malformed credentials are no credentials', async (t) => {
  const { ask } = await makeAzure()
  for (const authorization of ['Basic abc', 'Bearer', 'Bearer ', 'Bearer a b', `Bearer ${'x'.repeat(20_000)}`, '']) {
    const { status } = await ask('GET', '/keys', undefined, { token: null, headers: { authorization } })
    t.equal(status, 401, JSON.stringify(authorization.slice(0, 20)))
  }
})

t.test('what Azure has and this service has not is challenged too, then refused in Azure’s words', async (t) => {
  const { ask } = await makeAzure()
  const paths = ['/secrets', '/secrets/s', '/certificates/c/create', '/keys/k/v/securewrapkey', '/keys/k/v/release']
  for (const path of paths) {
    t.equal((await ask('POST', path, undefined, { token: null })).status, 401, path)
    const { status, body } = await ask('POST', path)
    t.equal(status, 400, path)
    t.equal(body.error.code, 'BadParameter', path)
    t.match(body.error.message, /^Method POST does not allow operation '\w+'$/, path)
  }
})

const login = async (azure: Awaited<ReturnType<typeof makeAzure>>, form: Record<string, string>, tenant = TENANT) => {
  const response = await azure.app.inject({
    method: 'POST',
    url: `/${tenant}/oauth2/v2.0/token`,
    headers: { host: 'localhost:7443', 'content-type': 'application/x-www-form-urlencoded' },
    payload: new URLSearchParams(form).toString(),
  })
  return { status: response.statusCode, body: response.json() }
}
const FORM = {
  grant_type: 'client_credentials',
  client_id: 'app',
  client_secret: 'any',
  scope: 'https://vault.localhost:7443/.default',
}

t.test('the stand-in issues tokens whose issuer shares the authority and whose keys verify them', async (t) => {
  const azure = await makeAzure({ auth: 'enforce' })
  const discovery = await azure.app.inject({
    url: `/${TENANT}/v2.0/.well-known/openid-configuration`,
    headers: { host: 'localhost:7443' },
  })
  const { issuer, token_endpoint, jwks_uri } = discovery.json()
  t.equal(issuer, `http://localhost:7443/${TENANT}/v2.0`)
  t.equal(token_endpoint, `http://localhost:7443/${TENANT}/oauth2/v2.0/token`)

  const { status, body } = await login(azure, FORM)
  t.equal(status, 200)
  t.equal(body.token_type, 'Bearer')
  t.equal(body.expires_in, 3600)
  const [header = '', payload = '', signature = ''] = body.access_token.split('.')
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
  t.match(claims, { iss: issuer, aud: 'https://vault.localhost:7443', tid: TENANT, appid: 'app', idtyp: 'app' })

  const jwks = await azure.app.inject({ url: new URL(jwks_uri).pathname, headers: { host: 'localhost:7443' } })
  const [jwk] = jwks.json().keys
  const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
  const key = await crypto.subtle.importKey('jwk', jwk, algorithm, false, ['verify'])
  const signed = Buffer.from(`${header}.${payload}`)
  t.ok(await crypto.subtle.verify(algorithm, key, Buffer.from(signature, 'base64url'), signed))

  const token = body.access_token
  t.equal(
    (await azure.ask('GET', '/keys', undefined, { token })).status,
    200,
    'it is accepted where tokens are checked',
  )
  t.equal(azure.audit.records.at(-1)?.principal, `bearer:${TENANT}#${claims.oid}`)
  const other = await azure.ask('GET', '/keys', undefined, { token, host: 'default.vault.azure.net' })
  t.match(other.body.error.message, /^AKV10022/, 'but for no other audience')
  const forged = `${header}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`
  t.equal((await azure.ask('GET', '/keys', undefined, { token: forged })).status, 401)
  azure.clock.time += 3600_000
  t.equal((await azure.ask('GET', '/keys', undefined, { token })).status, 401, 'nor after its time')
})

t.test('one client has one object id, another client another', async (t) => {
  const azure = await makeAzure()
  const oid = async (client_id: string) => {
    const { body } = await login(azure, { ...FORM, client_id })
    return JSON.parse(Buffer.from(body.access_token.split('.')[1], 'base64url').toString()).oid
  }
  t.match(await oid('a'), /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  t.equal(await oid('a'), await oid('A'))
  t.not(await oid('a'), await oid('b'))
})

t.test('the stand-in refuses what is no client-credentials grant', async (t) => {
  const azure = await makeAzure()
  const without = (name: keyof typeof FORM) => Object.fromEntries(Object.entries(FORM).filter(([key]) => key !== name))
  t.match(await login(azure, without('client_secret')), { status: 401, body: { error: 'invalid_client' } })
  t.match(await login(azure, without('client_id')), { status: 400, body: { error: 'invalid_request' } })
  t.match(await login(azure, without('scope')), { status: 400, body: { error: 'invalid_scope' } })
  t.match(await login(azure, { ...FORM, grant_type: 'password' }), {
    status: 400,
    body: { error: 'unsupported_grant_type' },
  })
  t.match(await login(azure, FORM, '-'), { status: 400, body: { error: 'invalid_request' } })
})

t.test('with authentication off any token names a principal, by its hash', async (t) => {
  const azure = await makeAzure()
  const principal = async (token: string) => {
    await azure.ask('GET', '/keys', undefined, { token })
    return azure.audit.records.at(-1)?.principal
  }
  const first = await principal('one')
  t.match(first, /^bearer:token-[0-9a-f]{16}$/)
  t.equal(await principal('one'), first)
  t.not(await principal('two'), first)
})

t.test('every answer carries the service’s headers', async (t) => {
  const { ask } = await makeAzure()
  const id = '11111111-2222-3333-4444-555555555555'
  for (const path of ['/keys', '/keys/missing']) {
    const { headers } = await ask('GET', path, undefined, { host: HOST, headers: { 'x-ms-client-request-id': id } })
    t.match(headers, {
      'x-ms-client-request-id': id,
      'x-ms-request-id': /^[0-9a-f-]{36}$/,
      'x-ms-keyvault-region': 'local',
      'x-ms-keyvault-network-info': 'conn_type=Ipv4;addr=127.0.0.1;act_addr_fam=InterNetwork;',
      'x-ms-keyvault-service-version': /^[0-9.]+$/,
      'cache-control': 'no-cache',
      'content-type': /^application\/json/,
    })
  }
})
