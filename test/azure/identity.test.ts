import t from 'tap'
import { makeAzure, TENANT } from './support.ts'

const RESOURCE = 'resource=https%3A%2F%2Fvault.localhost%3A7443'
const IMDS = '/metadata/identity/oauth2/token'
const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'))

t.test('IMDS and App Service hand out tokens for the resource', async (t) => {
  const { ask } = await makeAzure()
  const subjects = new Set<string>()
  for (const [path, headers] of [
    [IMDS, { metadata: 'true' }],
    [`${IMDS}/`, { metadata: 'true' }],
    ['/msi/token', { 'x-identity-header': 'anything' }],
  ] as const) {
    const { status, body } = await ask('GET', `${path}?${RESOURCE}`, undefined, { headers, host: '127.0.0.1:7400' })
    t.equal(status, 200, path)
    t.match(body, { token_type: 'Bearer', expires_in: '3600', expires_on: /^\d+$/, client_id: /^[0-9a-f-]{36}$/ })
    t.match(claimsOf(body.access_token), { aud: 'https://vault.localhost:7443', tid: TENANT, appid: body.client_id })
    subjects.add(claimsOf(body.access_token).oid)
  }
  t.equal(subjects.size, 1, 'the same identity')
  const named = await ask('GET', `${IMDS}?${RESOURCE}&client_id=mine`, undefined, { headers: { metadata: 'true' } })
  t.equal(named.body.client_id, 'mine')
})

t.test('what it refuses, in its own form', async (t) => {
  const { ask } = await makeAzure()
  const refused = { status: 400, body: { error: 'invalid_request' } }
  const metadata = { headers: { metadata: 'true' } }
  t.match(await ask('GET', `${IMDS}?${RESOURCE}`), refused, 'no Metadata header')
  t.match(
    await ask('GET', `${IMDS}?${RESOURCE}`, undefined, {
      headers: { metadata: 'true', 'x-forwarded-for': '10.0.0.1' },
    }),
    refused,
  )
  t.match(await ask('GET', `/msi/token?${RESOURCE}`), refused, 'no identity header')
  t.match(await ask('GET', IMDS, undefined, metadata), refused, 'no resource')
  t.match(await ask('GET', `${IMDS}?${RESOURCE}&client_id=a&object_id=b`, undefined, metadata), refused)
  t.match(await ask('GET', `${IMDS}?${RESOURCE}&${RESOURCE}`, undefined, metadata), refused)
})

t.test('absent in production', async (t) => {
  const { ask } = await makeAzure({ profile: 'production' })
  t.equal(
    (await ask('GET', `${IMDS}?${RESOURCE}`, undefined, { headers: { metadata: 'true' } })).body.access_token,
    undefined,
  )
})

t.test('its tokens are genuine where tokens are enforced, for their own audience only', async (t) => {
  const { ask } = await makeAzure({ auth: 'enforce' })
  const tokenFor = async (resource: string): Promise<string> => {
    const path = `/msi/token?resource=${encodeURIComponent(resource)}`
    return (await ask('GET', path, undefined, { headers: { 'x-identity-header': 'h' } })).body.access_token
  }
  const token = await tokenFor('https://vault.localhost:7443')
  t.equal((await ask('GET', '/secrets/s', undefined, { token })).status, 404, 'past the check of the token')
  const other = await tokenFor('https://elsewhere.example')
  t.match(await ask('GET', '/secrets/s', undefined, { token: other }), { status: 401 })
})
