/** Exposures in the configuration: what is refused and with which advice, and the registry that holds them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { Exposures } from '../../src/api/exposures.ts'
import { loadExposures } from '../../src/config/exposures/index.ts'
import { loadConfig, readSecret } from '../../src/config.ts'
import { Problem } from '../../src/core/problem.ts'

const SECRET = 'c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA=='
const XKS = {
  protocol: 'xks',
  name: 'a',
  prefix: 'tenant-1',
  credentials: [{ accessKeyId: 'A'.repeat(20), secret: { env: 'TREFOIL_XKS_SECRET' } }],
  keys: [{ id: 'one', key: 'default/master' }],
}
const directory = mkdtempSync(join(tmpdir(), 'trefoil-exposures-'))
t.teardown(() => rmSync(directory, { recursive: true }))

function load(exposures: readonly object[], dialects: readonly string[] = ['xks']) {
  const file = join(directory, 'trefoil.yaml')
  writeFileSync(file, JSON.stringify({ exposures, listeners: [{ port: 0, dialects }] }))
  return loadConfig({ file, env: {} })
}
function problem(exposures: readonly object[], dialects?: readonly string[]): Problem {
  try {
    load(exposures, dialects)
  } catch (error) {
    if (error instanceof Problem) return error
    throw error
  }
  throw new Error('nothing was refused')
}

t.test('an exposure with its defaults', async (t) => {
  const [exposure] = load([XKS]).exposures
  t.match(exposure, {
    protocol: 'xks',
    name: 'a',
    path: '/tenant-1/kms/xks/v1',
    keys: [
      {
        id: 'one',
        key: { by: 'name', ring: { by: 'name', name: 'default' }, name: 'master' },
        usage: ['encrypt', 'decrypt'],
      },
    ],
    rules: [],
  })
  t.throws(() => Object.assign(exposure ?? {}, { path: '/' }), TypeError, 'frozen')
  const { prefix: _, ...bare } = XKS
  t.equal(load([bare]).exposures[0]?.path, '/kms/xks/v1')
})

t.test('from the environment, its secret there too', async (t) => {
  const env = {
    TREFOIL_EXPOSURES: JSON.stringify([XKS]),
    TREFOIL_XKS_SECRET: SECRET,
    TREFOIL_LISTENERS: '[{"port":0,"dialects":["xks"]}]',
  }
  const config = loadConfig({ env, file: '/dev/null' })
  const [loaded] = loadExposures(config.exposures, (source, what) => readSecret(source, what, env))
  t.equal(
    loaded?.protocol === 'xks' && loaded.credentials[0]?.secret.use((bytes) => Buffer.from(bytes).toString()),
    SECRET,
  )
})

t.test('protocols of one dialect share no path', async (t) => {
  const cloud = (prefix: string) => ({
    protocol: 'cloud-ekm',
    name: 'cloud',
    host: 'ekm.example.org',
    prefix,
    keys: [],
  })
  const cse = (path: string) => ({
    protocol: 'cse',
    name: 'cse',
    url: `https://kacls.example.org${path}`,
    key: 'default/dek',
    ownerDomain: 'example.org',
    authentication: [{ issuer: 'https://idp.example.org', audiences: ['a'] }],
  })
  t.match(problem([cloud('acme'), cse('/acme')], ['ekm']).message, /cse \(\/acme\) is below the path of cloud/)
  t.match(problem([cse('/acme/x'), cloud('acme')], ['ekm']).message, /cse \(\/acme\/x\) is below the path of cloud/)
  t.match(problem([cse('/acme'), cloud('acme/x')], ['ekm']).message, /cloud \(\/acme\/x\) is below the path of cse/)
  t.equal(load([cse('/acme2'), cloud('acme')], ['ekm']).exposures.length, 2)
  t.equal(load([cse(''), cloud('acme')], ['ekm']).exposures.length, 2, 'the root has names of its own')
})

const key = { id: 'one', key: 'default/master' }
const REFUSED: readonly (readonly [string, object, RegExp, RegExp])[] = [
  ['an unknown protocol', { protocol: 'xsk' }, /exposures\[0\]\.protocol must be one of xks/, /xks/],
  ['a name that is none', { name: 'A b' }, /exposures\[0\]\.name must be a name of lower case letters/, /set/],
  ['an unknown setting', { keyz: [] }, /unknown setting exposures\[0\]\.keyz/, /did you mean exposures\[0\]\.keys/],
  ['no credentials', { credentials: [] }, /exposures\[0\]\.credentials must be/, /set/],
  [
    'an access key that is none',
    { credentials: [{ accessKeyId: 'short', secret: { env: 'X' } }] },
    /exposures\[0\]\.credentials\[0\]\.accessKeyId must be 20 to 30 characters/,
    /set/,
  ],
  [
    'two sources of a secret',
    { credentials: [{ accessKeyId: 'A'.repeat(20), secret: { env: 'X', file: 'y' } }] },
    /exposures\[0\]\.credentials\[0\]\.secret names more than one source/,
    /exactly one/,
  ],
  ['a key without a ring', { keys: [{ id: 'one', key: 'master' }] }, /keys\[0\]\.key must be a key, <ring>/, /set/],
  ['an external id twice', { keys: [key, key] }, /exposures\[0\]\.keys has one twice/, /rename/],
  ['a prefix with an empty part', { prefix: 'a//b' }, /exposures\[0\]\.prefix must be a path/, /set/],
]
t.test('what is refused', async (t) => {
  for (const [name, change, message, fix] of REFUSED) {
    const refused = problem([{ ...XKS, ...change }])
    t.match(refused.message, message, name)
    t.match(refused.fix, fix, name)
  }
  t.match(problem([XKS, { ...XKS, prefix: 'b' }]).message, /exposures has a twice/)
  t.match(problem([XKS, { ...XKS, name: 'b' }]).message, /exposures has xks \/tenant-1\/kms\/xks\/v1 twice/)
  const unserved = problem([XKS], ['aws', 'ekm'])
  t.match(unserved.message, /the exposure a is served by no listener/)
  t.match(unserved.fix, /dialects: \[xks\]/)
})

t.test('names of clients that nothing could check', async (t) => {
  const refused = problem([{ ...XKS, clientNames: ['cks.kms.eu-west-1.amazonaws.com'] }])
  t.match(refused.message, /a names its clients, and no listener of xks asks them for certificates/)
  t.match(refused.fix, /tls\.clientCa/)
})

t.test('no listener serves them by default', async (t) => {
  t.throws(() => loadConfig({ env: { TREFOIL_EXPOSURES: JSON.stringify([XKS]) } }), /served by no listener/)
})

t.test('a secret that is none, which is not repeated', async (t) => {
  const { exposures } = load([XKS])
  const reading = (text: string) => () =>
    loadExposures(exposures, (source, what) => readSecret(source, what, { TREFOIL_XKS_SECRET: text }))
  t.throws(reading('planted-short'), {
    message: /^the secret access key of A{20} is not 43 to 64 characters((?!planted).)*$/,
  })
  t.throws(reading(`${'a'.repeat(43)}!`), { message: /is not 43 to 64 characters/ })
  t.throws(reading(''), /is missing/)
})

t.test('views follow a replacement, all at once', async (t) => {
  const { exposures } = load([XKS])
  const loaded = loadExposures(exposures, (source, what) => readSecret(source, what, { TREFOIL_XKS_SECRET: SECRET }))
  const registry = new Exposures(loaded)
  let made = 0
  const names = registry.view('xks', (all) => {
    made++
    return all.map(({ name }) => name)
  })
  t.same(names(), ['a'])
  t.same(names(), ['a'])
  t.equal(made, 1)
  registry.replace([])
  t.same(names(), [])
  t.same(registry.current, [])
})
