import { createSecretKey } from 'node:crypto'
import t from 'tap'
import { createAzureSurface } from '../../src/api/azure/index.ts'
import { parseHost } from '../../src/api/azure/names.ts'
import { decodeBase64url, encodeBase64url } from '../../src/api/codec/base64url.ts'
import { TokenVerifier } from '../../src/api/oidc/verifier.ts'
import { KmsError } from '../../src/core/error.ts'

const DOMAIN = 'vault.localhost'

t.test('a vault is named by the host, a bare host serves `default`', async (t) => {
  const vault = (host: string) => parseHost(host, DOMAIN).vault
  t.equal(vault('team-a.vault.localhost:7443'), 'team-a')
  t.equal(vault('TEAM-A.VAULT.localhost'), 'team-a', 'without regard to case')
  t.equal(vault('x1.vault.azure.net'), 'x1')
  t.equal(vault('hsm.managedhsm.azure.net:443'), 'hsm')
  for (const host of [
    'localhost',
    'localhost:7443',
    '127.0.0.1:7443',
    '[::1]:7443',
    'kms.example',
    'vault.localhost:7443',
  ]) {
    t.equal(vault(host), 'default', host)
  }
})

t.test('hosts that no vault can have are refused', async (t) => {
  const code = (host: string) => {
    try {
      return parseHost(host, DOMAIN).vault
    } catch (error) {
      return error instanceof KmsError ? error.code : error
    }
  }
  t.equal(code('a.b.vault.localhost'), 'realm_not_found')
  t.equal(code('a-.vault.localhost'), 'realm_not_found')
  t.equal(code(`${'a'.repeat(64)}.vault.localhost`), 'realm_not_found')
  for (const host of [
    '',
    ' ',
    'a b',
    'a/b',
    'a"b',
    'host:',
    'host:123456',
    'user@host',
    'a\u00e9',
    '.vault.localhost',
  ]) {
    t.equal(code(host), 'invalid_argument', JSON.stringify(host))
  }
})

t.test('the surface owns its paths, its hosts, its query and the login endpoints', async (t) => {
  const verifier = new TokenVerifier({ issuers: [], clock: { now: () => 0 }, failed: () => {} })
  const surface = createAzureSurface({
    issuers: [],
    clientCertificates: false,
    verifier,
    standInKey: async () => createSecretKey(Buffer.alloc(32)),
  })
  const owns = (url: string, host = 'localhost:7400') => surface.owns({ method: 'GET', url, headers: { host } })
  for (const url of ['/keys', '/keys/k?x=1', '/deletedkeys', '/secrets/s', '/certificates', '/rng'])
    t.ok(owns(url), url)
  for (const url of ['/settings?api-version=7.4', '/x?api%2Dversion=7.4', '/x?a=1&api%2dversion=7.4'])
    t.ok(owns(url), url)
  t.ok(owns('/common/oauth2/v2.0/token'))
  t.ok(owns('/anything', 'default.vault.localhost:7443'))
  t.ok(owns('/anything', 'mine.vault.azure.net'))
  t.ok(owns('/anything', 'mine.managedhsm.azure.net'))
  for (const url of ['/', '/v1/projects/p/locations/l/keyRings', '/keyring', '/x?my-api-version=1'])
    t.notOk(owns(url), url)
})

t.test('base64url is strict', async (t) => {
  for (const bytes of [[], [0], [255, 254], [1, 2, 3], [251, 255, 191, 0]]) {
    const text = encodeBase64url(Uint8Array.from(bytes))
    t.same([...(decodeBase64url(text) ?? [])], bytes, text)
  }
  for (const text of ['A', 'AA==', 'AAA=', '+/+/', 'A A', 'AB', 'AAB', 'AAAAA', 'AA\n', '\u00e9AAA']) {
    t.equal(decodeBase64url(text), undefined, JSON.stringify(text))
  }
})
