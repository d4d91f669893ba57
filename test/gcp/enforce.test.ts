/** Tokens and IAM together, over both transports: who gets in, and what he may do. */

import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { resolveCallers } from '../../src/config/callers.ts'
import { gcpEvaluator } from '../../src/core/policy/gcp/evaluator.ts'
import { PolicyBook } from '../../src/core/policy/gcp/policy-book.ts'
import { ModeAuthorizer } from '../../src/core/policy/modes.ts'
import { rsaKey, serveIssuer, token as sign } from '../oidc/support.ts'
import { LOCATION, makeGcp } from './support.ts'

const ROBOT = 'robot@p.iam.gserviceaccount.com'
const AUDIENCE = 'https://cloudkms.googleapis.com/'
const POOL = 'projects/1/locations/global/workloadIdentityPools/pool'
const key = rsaKey('one')
const accountKey = rsaKey('account-key')

async function makeEnforcing(t: Test, auth: 'enforce' | 'permissive' = 'enforce') {
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const file = join(directory, 'robot.pem')
  writeFileSync(file, createPublicKey(accountKey.privateKey).export({ type: 'spki', format: 'pem' }))
  const google = await serveIssuer([key.jwk])
  t.teardown(google.close)
  const workloads = await serveIssuer([key.jwk])
  t.teardown(workloads.close)
  const settings = {
    oidc: { issuers: [{ issuer: google.url }, { issuer: workloads.url, audiences: ['kms'], pool: POOL }] },
    serviceAccounts: [{ email: ROBOT, publicKeys: [{ id: accountKey.kid, file }] }],
    audiences: ['https://kms.example.org/'],
  }
  const { gcp } = resolveCallers({}, settings, { dev: true, publicUrl: undefined })
  let book: PolicyBook | undefined
  const made = await makeGcp(
    { auth, callers: gcp },
    {
      authorizer: (store) => {
        book = new PolicyBook(store)
        const modes = { aws: 'off', azure: 'off', gcp: auth } as const
        return new ModeAuthorizer({ modes, evaluators: { gcp: gcpEvaluator(book) }, wouldDeny: () => {} })
      },
      committed: (writes) => book?.committed(writes),
    },
  )
  t.teardown(made.close)
  const bind = (role: string, ...members: readonly string[]) => {
    const row = {
      id: 'projects/local',
      bindings: [{ role: `roles/cloudkms.${role}`, members }],
      etag: '00',
      updatedAt: 0,
    }
    book?.committed([{ kind: 'insert', collection: 'iamPolicies', row }])
  }
  const now = (): number => Math.floor(made.clock.time / 1000)
  const own = (more: object = {}) => ({ iss: ROBOT, sub: ROBOT, aud: AUDIENCE, iat: now(), exp: now() + 3600, ...more })
  const mine = (more: object = {}) => sign(own(more), accountKey)
  const issued = (more: object = {}) =>
    sign(
      {
        iss: google.url,
        aud: AUDIENCE,
        sub: '1',
        email: 'a@example.com',
        email_verified: true,
        iat: now(),
        exp: now() + 3600,
        ...more,
      },
      key,
    )
  const list = async (token: string | undefined) =>
    made.rest('GET', `${LOCATION}/keyRings`, undefined, token === undefined ? {} : { authorization: `Bearer ${token}` })
  return { ...made, bind, now, own, mine, issued, list, google, workloads }
}

t.test('a token is taken that is genuine, for this service and in its time', async (t) => {
  const { list, mine, own, issued, now, bind, workloads, audit } = await makeEnforcing(t)
  bind('viewer', 'allUsers')
  const scope = 'https://www.googleapis.com/auth/cloud-platform'
  const good = [
    mine(),
    mine({ aud: 'https://kms.example.org/' }),
    mine({ aud: undefined, scope: `openid ${scope}` }),
    issued(),
    issued({ iss: workloads.url, aud: 'kms', email: undefined }),
  ]
  for (const [index, token] of good.entries()) t.equal((await list(token)).status, 200, `token ${index}`)
  t.match(audit.records.at(-1), { identity: `principal://iam.googleapis.com/${POOL}/subject/1` })
  await list(mine())
  t.match(audit.records.at(-1), { principal: `bearer:${ROBOT}`, identity: `serviceAccount:${ROBOT}` })

  const other = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const unsupported = 'ACCESS_TOKEN_TYPE_UNSUPPORTED'
  const bad: readonly (readonly [string | undefined, string])[] = [
    [undefined, 'CREDENTIALS_MISSING'],
    ['ya29.opaque', unsupported],
    [mine({ exp: now() - 120 }), 'ACCESS_TOKEN_EXPIRED'],
    [mine({ iat: now() + 120, exp: now() + 200 }), 'ACCESS_TOKEN_EXPIRED'],
    [mine({ exp: now() + 7200 }), unsupported],
    [mine({ iat: undefined }), unsupported],
    [mine({ aud: 'https://example.org/' }), unsupported],
    [mine({ aud: undefined }), unsupported],
    [mine({ aud: undefined, scope: 'openid' }), unsupported],
    [mine({ aud: [], scope: undefined }), unsupported],
    [mine({ sub: 'somebody@example.com' }), unsupported],
    [mine({ iss: 'else@p.iam.gserviceaccount.com' }), unsupported],
    [sign(own(), { ...accountKey, privateKey: other.privateKey }), unsupported],
    [sign(own(), { ...accountKey, kid: 'another' }), unsupported],
    [sign(own(), key), unsupported],
    [sign(own(), accountKey, { alg: 'none' }), unsupported],
    [issued({ email_verified: false }), unsupported],
    [issued({ email_verified: 'true' }), unsupported],
    [issued({ email: undefined }), unsupported],
    [issued({ aud: undefined, scope }), unsupported],
    [issued({ iss: 'https://accounts.google.com' }), unsupported],
  ]
  for (const [index, [token, reason]] of bad.entries()) {
    const { status, body, headers } = await list(token)
    t.match(
      { status, body },
      { status: 401, body: { error: { status: 'UNAUTHENTICATED', details: [{ reason }] } } },
      `bad ${index}`,
    )
    t.match(headers.get('www-authenticate'), /^Bearer realm="https:\/\/accounts\.google\.com\/"/)
  }
})

t.test('members are who the token says', async (t) => {
  const { list, mine, issued, bind, workloads } = await makeEnforcing(t)
  const pooled = issued({ iss: workloads.url, aud: 'kms', groups: ['admins'] })
  const cases: readonly (readonly [string, string, number])[] = [
    [`serviceAccount:${ROBOT}`, mine(), 200],
    [`user:${ROBOT}`, mine(), 403],
    ['user:a@example.com', issued({ email: 'A@Example.com' }), 200],
    ['user:a@example.com', issued({ email: 'b@example.com' }), 403],
    ['group:g@example.com', issued({ groups: ['g@example.com'] }), 200],
    ['group:g@example.com', issued(), 403],
    ['domain:example.com', issued({ hd: 'example.com' }), 200],
    ['domain:example.com', issued(), 403],
    [`serviceAccount:${ROBOT}`, issued({ email: ROBOT }), 200],
    ['allAuthenticatedUsers', issued(), 200],
    ['allAuthenticatedUsers', pooled, 403],
    ['user:a@example.com', pooled, 403],
    [`principal://iam.googleapis.com/${POOL}/subject/1`, pooled, 200],
    [`principalSet://iam.googleapis.com/${POOL}/group/admins`, pooled, 200],
    [`principalSet://iam.googleapis.com/${POOL}/group/others`, pooled, 403],
    [`principalSet://iam.googleapis.com/${POOL}/*`, pooled, 200],
  ]
  for (const [member, token, status] of cases) {
    bind('viewer', member)
    t.equal((await list(token)).status, status, `${member} ${status}`)
  }
})

t.test('roles decide, and what is not there looks like what is denied', async (t) => {
  const { rest, mine, bind } = await makeEnforcing(t)
  const ask = (method: string, path: string, body?: unknown) =>
    rest(method, `${LOCATION}/${path}`, body, { authorization: `Bearer ${mine()}` })
  bind('admin', `serviceAccount:${ROBOT}`)
  t.equal((await ask('POST', 'keyRings?keyRingId=r', {})).status, 200)
  t.equal((await ask('POST', 'keyRings/r/cryptoKeys?cryptoKeyId=k', { purpose: 'ENCRYPT_DECRYPT' })).status, 200)
  t.equal((await ask('GET', 'keyRings/r/cryptoKeys/missing')).status, 404)
  const plaintext = { plaintext: 'aGVsbG8=' }
  const denied = await ask('POST', 'keyRings/r/cryptoKeys/k:encrypt', plaintext)
  const name = `${LOCATION}/keyRings/r/cryptoKeys/k`
  t.match(denied, {
    status: 403,
    body: {
      error: {
        status: 'PERMISSION_DENIED',
        message: `Permission 'cloudkms.cryptoKeyVersions.useToEncrypt' denied on resource '${name}' (or it may not exist).`,
        details: [
          { reason: 'IAM_PERMISSION_DENIED', metadata: { permission: 'cloudkms.cryptoKeyVersions.useToEncrypt' } },
        ],
      },
    },
  })
  const missing = await ask('POST', 'keyRings/r/cryptoKeys/missing:encrypt', plaintext)
  t.same(JSON.parse(JSON.stringify(missing.body).replaceAll('/missing', '/k')), denied.body)
  const nowhere = await ask('POST', 'keyRings/q/cryptoKeys/k:encrypt', plaintext)
  t.same(JSON.parse(JSON.stringify(nowhere.body).replaceAll('keyRings/q', 'keyRings/r')), denied.body)
  bind('cryptoKeyEncrypter', `serviceAccount:${ROBOT}`)
  t.equal((await ask('POST', 'keyRings/r/cryptoKeys/k:encrypt', plaintext)).status, 200)
  t.equal((await ask('GET', 'keyRings/r/cryptoKeys/k')).status, 403)
})

t.test('policies that a caller sets count at once, and he may ask what he may do', async (t) => {
  const { rest, mine, issued, bind } = await makeEnforcing(t)
  bind('admin', `serviceAccount:${ROBOT}`)
  const as = (token: string) => (method: string, path: string, body?: unknown) =>
    rest(method, `${LOCATION}/${path}`, body, { authorization: `Bearer ${token}` })
  const [admin, alice] = [as(mine()), as(issued())]
  await admin('POST', 'keyRings?keyRingId=r', {})
  await admin('POST', 'keyRings/r/cryptoKeys?cryptoKeyId=k', { purpose: 'ENCRYPT_DECRYPT' })
  const key = 'keyRings/r/cryptoKeys/k'
  const permissions = ['cloudkms.cryptoKeys.get', 'cloudkms.cryptoKeyVersions.useToEncrypt']
  const held = async (who: typeof alice, path = key) =>
    (await who('POST', `${path}:testIamPermissions`, { permissions })).body.permissions ?? []
  const encrypting = async () => (await alice('POST', `${key}:encrypt`, { plaintext: 'aGVsbG8=' })).status
  t.same(await held(alice), [])
  t.same(await held(admin), ['cloudkms.cryptoKeys.get'])
  t.same(await held(alice, 'keyRings/none'), [])
  t.equal(await encrypting(), 403)
  const policyOf = (...members: readonly string[]) => ({
    policy: { bindings: [{ role: 'roles/cloudkms.cryptoKeyEncrypter', members }] },
  })
  t.equal((await alice('POST', `${key}:setIamPolicy`, policyOf('user:a@example.com'))).status, 403)
  t.equal((await alice('GET', `${key}:getIamPolicy`)).status, 403)
  t.equal((await admin('POST', `${key}:setIamPolicy`, policyOf('user:a@example.com'))).status, 200)
  t.equal(await encrypting(), 200)
  t.same(await held(alice), ['cloudkms.cryptoKeyVersions.useToEncrypt'])
  await admin('POST', `${key}:setIamPolicy`, policyOf())
  t.equal(await encrypting(), 403)
  t.equal((await admin('POST', 'keyRings/r:setIamPolicy', policyOf('user:a@example.com'))).status, 200)
  t.equal(await encrypting(), 200, 'by the key ring')
  const denied = await alice('GET', `${key}:getIamPolicy`)
  t.match(denied.body.error.message, /^Permission 'cloudkms\.cryptoKeys\.getIamPolicy' denied on resource/)
})
