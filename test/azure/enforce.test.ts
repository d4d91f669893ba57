/** Tokens and roles together, over the wire: who gets in, and what he may do. */
import { generateKeyPairSync } from 'node:crypto'
import t from 'tap'
import { resolveCallers } from '../../src/config/callers.ts'
import { azureEvaluator } from '../../src/core/policy/azure/evaluator.ts'
import { RoleBook } from '../../src/core/policy/azure/role-book.ts'
import { ModeAuthorizer } from '../../src/core/policy/modes.ts'
import { rsaKey, serveIssuer, token as sign } from '../oidc/support.ts'
import { makeAzure, TENANT } from './support.ts'

const ALICE = 'aaaaaaaa-0000-0000-0000-000000000000'
const GROUP = 'cccccccc-0000-0000-0000-000000000000'
const OTHER_TENANT = '00000000-0000-0000-0000-000000000002'
const RESOURCE = 'https://vault.localhost:7443'
const key = rsaKey('one')

async function makeEnforcing(auth: 'enforce' | 'permissive' = 'enforce') {
  const entra = await serveIssuer([key.jwk])
  t.teardown(entra.close)
  const keycloak = await serveIssuer([key.jwk])
  t.teardown(keycloak.close)
  const v2 = `https://login.microsoftonline.com/${TENANT}/v2.0`
  const v1 = `https://sts.windows.net/${TENANT}/`
  const issuers = [
    { issuer: v2, aliases: [v1], jwksUri: `${entra.url}/jwks`, entra: true },
    { issuer: keycloak.url, audiences: ['trefoil'] },
  ]
  const { azure } = resolveCallers({ oidc: { issuers } }, {}, { dev: true, publicUrl: undefined })
  let book: RoleBook | undefined
  const reported: string[] = []
  const made = await makeAzure(
    { auth, issuers: azure.issuers },
    {
      tenant: TENANT,
      authorizer: (store) => {
        book = new RoleBook(store)
        const modes = { aws: 'off', azure: auth, gcp: 'off' } as const
        const wouldDeny = (_: unknown, reason: string) => void reported.push(reported.length < 100 ? reason : '')
        return new ModeAuthorizer({ modes, evaluators: { azure: azureEvaluator(book) }, wouldDeny })
      },
      committed: (writes) => book?.committed(writes),
    },
  )
  let count = 0
  const assign = (role: string, scope: string, principalId = ALICE) => {
    const roleId = book?.definition(role)?.id ?? ''
    const row = { id: String(count++), tenant: TENANT, principalId, roleId, scope, deny: false, createdAt: 0 }
    book?.committed([{ kind: 'insert', collection: 'roleAssignments', row }])
  }
  const now = (): number => Math.floor(made.clock.time / 1000)
  const claims = (more: object = {}) => ({
    iss: v2,
    aud: RESOURCE,
    tid: TENANT,
    oid: ALICE,
    appid: 'app',
    iat: now(),
    nbf: now(),
    exp: now() + 3600,
    ...more,
  })
  const tokenOf = (more: object = {}) => sign(claims(more), key)
  return { ...made, assign, tokenOf, claims, now, v1, v2, keycloak, reported }
}

t.test('a token is taken that is genuine, of this tenant, for this service and in its time', async (t) => {
  const { ask, assign, tokenOf, claims, now, v1, keycloak, audit } = await makeEnforcing()
  assign('Key Vault Reader', '/')
  assign('Key Vault Reader', '/vaults/default', `${keycloak.url}#carol`)
  const status = async (token: string | null) => (await ask('GET', '/keys', undefined, { token })).status
  t.equal(await status(tokenOf()), 200)
  t.match(audit.records.at(-1), { principal: `bearer:${TENANT}#${ALICE}`, identity: /^appid=app;oid=aaaaaaaa/ })
  t.equal(await status(tokenOf({ iss: v1 })), 200, 'of the first version of Entra')
  t.equal(await status(tokenOf({ aud: 'cfa8b339-82a2-471a-a3c9-0fc0be7a4093' })), 200)
  t.equal(await status(tokenOf({ oid: ALICE.toUpperCase() })), 200)
  const foreign = { iss: keycloak.url, aud: 'trefoil', sub: 'carol', oid: undefined, tid: undefined }
  t.equal(await status(tokenOf(foreign)), 200, 'of an issuer that is not Entra')
  t.equal(await status(tokenOf({ ...foreign, sub: 'dave' })), 403)
  t.equal(
    await status(tokenOf({ ...foreign, tid: TENANT, oid: ALICE, sub: 'mallory' })),
    403,
    'no object of the tenant',
  )

  const other = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const cases: readonly (readonly [string | null, RegExp])[] = [
    [null, /^AKV10000/],
    ['opaque', /malformed/],
    [tokenOf({ tid: OTHER_TENANT }), /^AKV10032/],
    [tokenOf({ tid: undefined }), /^AKV10032/],
    [tokenOf({ iss: v1.replace(TENANT, OTHER_TENANT) }), /^AKV10032/],
    [tokenOf({ oid: undefined }), /^AKV10032/],
    [tokenOf({ aud: `${RESOURCE}/` }), /^AKV10022/],
    [tokenOf({ aud: 'https://vault.azure.net' }), /^AKV10022/],
    [tokenOf({ aud: undefined }), /malformed/],
    [tokenOf({ exp: now() - 120 }), /expired/],
    [tokenOf({ nbf: now() + 120 }), /not yet valid/],
    [sign(claims(), { ...key, privateKey: other.privateKey }), /^AKV10046/],
    [sign(claims(), { ...key, kid: 'two' }), /^AKV10046/],
    [sign(claims(), key, { alg: 'none' }), /malformed/],
    [sign(claims(), key, { alg: 'HS256' }), /^AKV10046/],
  ]
  for (const [token, message] of cases) {
    const answer = await ask('GET', '/keys', undefined, { token })
    t.equal(answer.status, 401, String(message))
    t.match(answer.body.error.message, message)
    t.match(answer.headers['www-authenticate'], /^Bearer authorization="/)
  }
})

t.test('a token that has expired is refused though it was good before', async (t) => {
  const { ask, assign, tokenOf, clock } = await makeEnforcing()
  assign('Key Vault Reader', '/')
  const token = tokenOf()
  t.equal((await ask('GET', '/keys', undefined, { token })).status, 200)
  clock.time += 3700_000
  t.equal((await ask('GET', '/keys', undefined, { token })).status, 401)
})

t.test('roles decide, and what is not there looks like what is denied', async (t) => {
  const { ask, assign, tokenOf } = await makeEnforcing()
  assign('Key Vault Crypto Officer', '/vaults/default')
  const officer = { token: tokenOf() }
  const body = { kty: 'EC' }
  t.equal((await ask('POST', '/keys/k/create', body, officer)).status, 200)
  t.equal((await ask('POST', '/keys/l/create', body, officer)).status, 200)
  t.match(await ask('PUT', '/secrets/s', { value: 'v' }, officer), {
    status: 403,
    body: {
      error: {
        code: 'Forbidden',
        innererror: { code: 'ForbiddenByRbac' },
        message: /Action: 'Microsoft\.KeyVault\/vaults\/secrets\/setSecret\/action'/,
      },
    },
  })
  t.equal((await ask('GET', '/keys/missing', undefined, officer)).status, 404)
  t.equal((await ask('GET', '/keys', undefined, { ...officer, host: 'other.vault.localhost:7443' })).status, 403)

  const group = { token: tokenOf({ oid: 'bbbbbbbb-0000-0000-0000-000000000000', groups: [GROUP, 7, 'x'] }) }
  t.equal((await ask('GET', '/keys/k', undefined, group)).status, 403)
  const denied = (await ask('GET', '/keys/k', undefined, group)).body.error
  const missing = (await ask('GET', '/keys/missing', undefined, group)).body.error
  t.same(missing, {
    ...denied,
    message: denied.message.replace("vaults/default/keys/k'", "vaults/default/keys/missing'"),
  })
  assign('Key Vault Crypto User', '/vaults/default/keys/k', GROUP)
  const digest = Buffer.alloc(32).toString('base64url')
  const signing = { alg: 'ES256', value: digest }
  t.equal((await ask('POST', '/keys/k//sign', signing, group)).status, 200)
  t.equal((await ask('POST', '/keys/l//sign', signing, group)).status, 403)
  t.equal((await ask('DELETE', '/keys/k', undefined, group)).status, 403)
  t.equal((await ask('GET', '/keys', undefined, group)).status, 403, 'a list is of the vault')
})

t.test('a Managed HSM has roles of its own', async (t) => {
  const { ask, assign, tokenOf } = await makeEnforcing()
  assign('Managed HSM Crypto User', '/vaults/default')
  const token = tokenOf({ aud: 'https://managedhsm.azure.net' })
  const host = 'default.managedhsm.azure.net'
  t.equal((await ask('GET', '/keys', undefined, { token, host })).status, 200)
  t.equal((await ask('GET', '/deletedkeys', undefined, { token, host })).status, 403)
  t.equal((await ask('GET', '/keys', undefined, { token: tokenOf() })).status, 403, 'which give nothing in a vault')
})

t.test('permissive knows whom it can verify, lets everybody in and reports', async (t) => {
  const { ask, tokenOf, reported, audit } = await makeEnforcing('permissive')
  t.equal((await ask('GET', '/keys', undefined, { token: tokenOf() })).status, 200)
  t.match(audit.records.at(-1), { principal: `bearer:${TENANT}#${ALICE}` })
  t.equal((await ask('GET', '/keys', undefined, { token: 'anything' })).status, 200)
  t.match(audit.records.at(-1), { principal: /^bearer:token-/, identity: undefined })
  t.match(reported, [/unassigned/, /unknown/])
})
