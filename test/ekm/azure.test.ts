/** The grammar of the EKM proxy API, its errors, and exposures to it in the configuration. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { authenticate } from '../../src/api/ekm/azure/auth.ts'
import { EkmFault, renderError } from '../../src/api/ekm/azure/errors.ts'
import { placeOf } from '../../src/api/ekm/azure/names.ts'
import { loadExposures } from '../../src/config/exposures/index.ts'
import { loadConfig, readSecret } from '../../src/config.ts'
import { ERROR_CODES, KmsError } from '../../src/core/error.ts'
import { Problem } from '../../src/core/problem.ts'
import { Authority } from '../support/pki.ts'

const directory = mkdtempSync(join(tmpdir(), 'trefoil-azure-ekm-'))
t.teardown(() => rmSync(directory, { recursive: true }))
const AZURE = {
  protocol: 'azure-ekm',
  name: 'a',
  prefix: 'pool-a',
  clients: [{ commonName: 'a.managedhsmclient.azure.net' }],
  keys: [{ id: 'kek', key: 'default/kek' }],
}
const LISTENER = { port: 0, dialects: ['ekm'], tls: { clientCa: '/ca.pem' } }

function load(exposures: readonly object[], listener: object = LISTENER) {
  const file = join(directory, 'trefoil.yaml')
  writeFileSync(file, JSON.stringify({ exposures, listeners: [listener] }))
  return loadConfig({ file, env: {} })
}
function problem(exposures: readonly object[], listener?: object): Problem {
  try {
    load(exposures, listener)
  } catch (error) {
    if (error instanceof Problem) return error
    throw error
  }
  throw new Error('nothing was refused')
}

t.test('paths', async (t) => {
  t.same(placeOf('/info'), { prefix: '', on: 'proxy' })
  t.same(placeOf('/a/B-2/info'), { prefix: '/a/B-2', on: 'proxy' })
  t.same(placeOf('/kek/metadata'), { prefix: '', on: 'key', id: 'kek', verb: 'metadata' })
  t.same(placeOf('/a/info/wrapkey'), { prefix: '/a', on: 'key', id: 'info', verb: 'wrapkey' })
  t.same(placeOf(`/${'p'.repeat(64)}/${'k'.repeat(64)}/unwrapkey`), {
    prefix: `/${'p'.repeat(64)}`,
    on: 'key',
    id: 'k'.repeat(64),
    verb: 'unwrapkey',
  })
  const none = [
    '',
    '/',
    '/metadata',
    'info',
    '/Info',
    '/info/',
    '//info',
    '/a_b/info',
    '/a.b/kek/metadata',
    '/%61/info',
    '/kek/wrapKey',
    '/kek/wrapkey/1',
    '/k_k/wrapkey',
    `/${'k'.repeat(65)}/wrapkey`,
    `/${'p'.repeat(65)}/info`,
    `/${'p/'.repeat(32)}p/info`,
  ]
  for (const path of none) t.equal(placeOf(path), undefined, path)
})

t.test('every error has a place, and none says what it must not', async (t) => {
  for (const code of ERROR_CODES) {
    const { status, body } = renderError(
      new KmsError(code, { reference: 'a name', reason: 'a reason', field: 'value' }),
    )
    t.ok(status >= 400 && status <= 503, `${code}: ${status}`)
    t.match(body, { code: /^[A-Z][A-Za-z]+$/, message: /\.|value: a reason/ })
    t.notMatch(JSON.stringify(body), /a name/)
    if (code !== 'invalid_argument') t.notMatch(JSON.stringify(body), /a reason/)
  }
  const statusOf = (code: (typeof ERROR_CODES)[number]) => renderError(new KmsError(code)).status
  t.same(
    [
      'backend_timeout',
      'backend_unavailable',
      'audit_unavailable',
      'throttled',
      'version_disabled',
      'key_not_found',
    ].map((code) => statusOf(code as (typeof ERROR_CODES)[number])),
    [408, 502, 503, 429, 403, 404],
  )
  t.match(renderError(new KmsError('throttled')).headers, { 'retry-after': '1' })
  t.match(renderError(new EkmFault('method')), { status: 405, headers: { allow: 'POST' } })
})

t.test('the configuration', async (t) => {
  const authority = await Authority.root(directory, 'root')
  const [exposure] = load([{ ...AZURE, clients: [{ commonName: 'x', ca: authority.certFile }] }]).exposures
  t.match(exposure, { path: '/pool-a', deadlineMs: 240, clients: [{ commonName: 'x', ca: authority.certFile }] })
  const [loaded] = loadExposures(
    load([{ ...AZURE, clients: [{ commonName: 'x', ca: authority.certFile }] }]).exposures,
    readSecret,
  )
  t.match(loaded, { clients: [{ commonName: 'x', authorities: new Set() }] })
  const { prefix: _, ...bare } = AZURE
  t.equal(load([bare]).exposures[0]?.path, '')
  const cases: readonly [readonly object[], RegExp, object?][] = [
    [[AZURE], /names its clients, and no listener of ekm asks them/, { port: 0, dialects: ['ekm'], tls: {} }],
    [[AZURE], /served by no listener/, { port: 0 }],
    [[AZURE], /share a listener/, { ...LISTENER, dialects: ['ekm', 'azure'] }],
    [[{ ...AZURE, clients: [] }], /clients/],
    [[{ ...AZURE, prefix: 'a_b' }], /prefix must be a path of up to 64/],
    [[{ ...AZURE, prefix: '/a' }], /prefix/],
    [[{ ...AZURE, prefix: 'p'.repeat(65) }], /prefix/],
    [[{ ...AZURE, keys: [{ id: 'k_k', key: 'default/kek' }] }], /id must be 1 to 64 letters/],
    [[{ ...AZURE, keys: [...AZURE.keys, ...AZURE.keys] }], /kek twice/],
    [[{ ...AZURE, keys: [{ id: 'k', key: 'kek' }] }], /key must be a key/],
    [[AZURE, { ...AZURE, name: 'b' }], /pool-a twice/],
    [[{ ...AZURE, deadlineMs: 1 }], /deadlineMs/],
  ]
  for (const [exposures, message, listener] of cases) t.match(problem(exposures, listener).message, message)
  const leaf = await authority.issue('leaf')
  for (const ca of [leaf.certFile, leaf.keyFile, join(directory, 'nowhere')]) {
    const { exposures } = load([{ ...AZURE, clients: [{ commonName: 'x', ca }] }])
    t.throws(() => loadExposures(exposures, readSecret), { message: /authorities/ }, ca)
  }
})

t.test('who is known', async (t) => {
  const certificate = { commonName: 'x', fingerprint: '', names: { dns: [], uri: [], email: [] }, issuers: ['1', '2'] }
  const client = { address: undefined, secure: true, tlsVersion: 'TLSv1.3', certificate } as const
  const known = (authorities?: readonly string[]) => [
    { commonName: 'x', authorities: authorities && new Set(authorities) },
  ]
  t.equal(authenticate(client, known()), 'x')
  t.equal(authenticate(client, known(['2'])), 'x', 'a root above the one in between')
  t.equal(authenticate({ ...client, tlsVersion: undefined }, known()), 'x', 'by a proxy')
  t.throws(() => authenticate(client, known(['3'])), EkmFault)
  t.throws(() => authenticate({ ...client, tlsVersion: 'TLSv1.2' }, known()), EkmFault)
  t.throws(() => authenticate({ ...client, certificate: undefined }, known()), EkmFault)
  const nameless = { ...certificate, commonName: undefined }
  t.throws(() => authenticate({ ...client, certificate: nameless }, known()), EkmFault)
  t.throws(() => authenticate({ ...client, certificate: { ...certificate, issuers: [] } }, known()), EkmFault)
})
