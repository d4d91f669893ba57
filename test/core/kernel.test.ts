import t from 'tap'
import { KmsError } from '../../src/core/error.ts'
import { createAlias } from '../../src/core/ops/aliases.ts'
import { createKey } from '../../src/core/ops/create-key.ts'
import { createVersion } from '../../src/core/ops/create-version.ts'
import { decrypt } from '../../src/core/ops/decrypt.ts'
import { encrypt } from '../../src/core/ops/encrypt.ts'
import { getKey } from '../../src/core/ops/get-key.ts'
import { listRealmKeys, listRingKeys } from '../../src/core/ops/list-keys.ts'
import { createRing, listRings } from '../../src/core/ops/rings.ts'
import { sign } from '../../src/core/ops/sign.ts'
import { ModeAuthorizer } from '../../src/core/policy/modes.ts'
import type { CryptoBackend, Store } from '../../src/core/ports.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { MemoryAudit, makeKernel } from '../support/kernel.ts'

const DEFAULT = { by: 'default' } as const
const plaintext = Buffer.from('trefoil')

t.test('every request leaves one record: allowed, refused and denied', async (t) => {
  let allow = true
  const { run, audit, code } = await makeKernel({ decide: () => (allow ? { allow } : { allow, reason: 'test' }) })
  const { key } = await run('aws', createKey, { ring: DEFAULT, spec: 'aes_256' })
  const id = { by: 'id', id: key.id } as const
  await run('aws', encrypt, { key: id, algorithm: 'envelope', plaintext })
  t.equal(
    await code(run('aws', sign, { key: id, algorithm: 'ecdsa_sha256', input: { message: plaintext } })),
    'usage_mismatch',
  )
  allow = false
  t.equal(await code(run('aws', getKey, { key: id })), 'access_denied')
  const seen = audit.records.map(({ operation, decision, outcome }) => [operation, decision, outcome])
  t.same(seen, [
    ['CreateKey', 'allow', 'ok'],
    ['Encrypt', 'allow', 'ok'],
    ['Sign', 'allow', 'usage_mismatch'],
    ['GetKey', 'deny', 'access_denied'],
  ])
  t.ok(audit.records.every((record) => record.key === key.id))
  t.equal(audit.records[1]?.algorithm, 'envelope_hmac_kdf')
  t.notMatch(JSON.stringify(audit.records), plaintext.toString('base64'))
})

t.test('whether a key exists is told only to those who may ask', async (t) => {
  let allow = true
  const { run, code } = await makeKernel({ decide: () => (allow ? { allow } : { allow, reason: 'test' }) })
  const absent = { key: { by: 'id', id: '6ba7b810-9dad-11d1-80b4-00c04fd430c8' } } as const
  t.equal(await code(run('aws', getKey, absent)), 'key_not_found')
  allow = false
  t.equal(await code(run('aws', getKey, absent)), 'access_denied')
})

t.test('a dialect sees only rings that are exposed to it', async (t) => {
  const { run, code } = await makeKernel()
  const { ring } = await run('gcp', createRing, { name: 'private', shared: false })
  const target = { by: 'name', name: 'private' } as const
  const { key } = await run('gcp', createKey, { ring: target, name: 'k', spec: 'ec_p256' })
  t.equal(await code(run('gcp', getKey, { key: { by: 'id', id: key.id } })), 'ok')
  t.equal(await code(run('aws', getKey, { key: { by: 'id', id: key.id } })), 'key_not_found')
  const vault = { realm: { dialect: 'azure', vault: ring.vaultName } } as const
  t.equal(await code(run('azure', getKey, { key: { by: 'name', ring: DEFAULT, name: 'k' } }, vault)), 'ring_not_found')
  t.same((await run('aws', listRealmKeys, { limit: 10 })).keys, [])
  t.equal((await run('azure', listRings, { limit: 10 })).rings.length, 1)
})

t.test(
  'an audit log that is away stops requests before they do anything, and a mutation is chained when it is back',
  async (t) => {
    const audit = new MemoryAudit()
    const { run, code, store } = await makeKernel({ audit })
    const { key } = await run('aws', createKey, { ring: DEFAULT, spec: 'aes_256' })
    audit.available = false
    const request = { key: { by: 'id', id: key.id }, algorithm: 'envelope', plaintext } as const
    t.equal(await code(run('aws', encrypt, request)), 'audit_unavailable')
    audit.available = true
    t.equal(await code(run('aws', encrypt, request)), 'ok')
    // The log fails between the commit and the chain: the mutation stands, its record follows before the next answer.
    const append = audit.append.bind(audit)
    audit.append = async () => {
      throw new KmsError('audit_unavailable')
    }
    t.equal(await code(run('aws', createAlias, { key: request.key, alias: 'alias/a' })), 'audit_unavailable')
    t.equal(await store.count('aliases', 'name', []), 1)
    audit.append = append
    await run('aws', encrypt, request)
    t.same(
      audit.records.slice(-2).map(({ operation }) => operation),
      ['CreateAlias', 'Encrypt'],
    )
  },
)

t.test('an outbox that an earlier process left is chained once', async (t) => {
  const store = new MemoryStore()
  const audit = new MemoryAudit()
  const first = await makeKernel({ store, audit })
  await first.run('aws', createKey, { ring: DEFAULT, name: 'a', spec: 'aes_256' })
  const chained = audit.records.length
  const { sealer } = first
  const second = await makeKernel({ store, audit, sealer })
  await second.kernel.start()
  t.equal(audit.records.length, chained, 'what the chain has is not written again')
  await second.run('aws', createKey, { ring: DEFAULT, name: 'b', spec: 'aes_256' })
  audit.records.length = 0
  const third = await makeKernel({ store, audit, sealer })
  await third.kernel.start()
  t.same(
    audit.records.map(({ operation }) => operation),
    ['CreateKey'],
  )
  t.equal(await store.count('outbox', 'all', []), 0)
})

t.test('rivals for one name: one key, the others are told so, and their material is destroyed', async (t) => {
  const destroyed: string[] = []
  const generated: string[] = []
  const wrapBackend = (backend: CryptoBackend): CryptoBackend =>
    new Proxy(backend, {
      get(target, name, receiver) {
        const member: unknown = Reflect.get(target, name, target)
        if (typeof member !== 'function') return member
        return (...args: unknown[]) => {
          if (name === 'destroyKey') destroyed.push((args[0] as { versionId: string }).versionId)
          if (name === 'generateKey') generated.push((args[1] as { versionId: string }).versionId)
          return Reflect.apply(member, receiver === target ? receiver : target, args) as unknown
        }
      },
    })
  const { run, code, store } = await makeKernel({ wrapBackend })
  const input = { ring: DEFAULT, name: 'k', spec: 'ec_p256' } as const
  const codes = await Promise.all(Array.from({ length: 20 }, () => code(run('gcp', createKey, input))))
  t.equal(codes.filter((result) => result === 'ok').length, 1)
  t.equal(codes.filter((result) => result === 'key_exists').length, 19)
  t.equal(await store.count('versions', 'number', []), 1)
  t.equal(generated.length - destroyed.length, 1, 'no orphan')
})

t.test('rivals for one key: every version gets a number of its own', async (t) => {
  const { run } = await makeKernel()
  await run('gcp', createKey, { ring: DEFAULT, name: 'k', spec: 'aes_256' })
  const key = { by: 'name', ring: DEFAULT, name: 'k' } as const
  const views = await Promise.all(
    Array.from({ length: 20 }, () => run('gcp', createVersion, { key, makeCurrent: false })),
  )
  t.same(
    views.map((view) => view.version.number).sort((a, b) => a - b),
    Array.from({ length: 20 }, (_, index) => index + 2),
  )
})

t.test('a commit that fails leaves nothing, and its material is destroyed', async (t) => {
  const inner = new MemoryStore()
  let broken = false
  const store: Store = new Proxy(inner, {
    get(target, name) {
      if (name === 'commit' && broken) {
        return async () => {
          throw new KmsError('store_unavailable')
        }
      }
      const member: unknown = Reflect.get(target, name, target)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
  const { run, code } = await makeKernel({ store })
  broken = true
  t.equal(await code(run('aws', createKey, { ring: DEFAULT, spec: 'ec_p256' })), 'store_unavailable')
  broken = false
  t.equal((await run('aws', listRealmKeys, { limit: 10 })).keys.length, 0)
})

t.test('envelopes: every bit counts, and they open only under their own key', async (t) => {
  const { run, code } = await makeKernel()
  const a = (await run('aws', createKey, { ring: DEFAULT, name: 'a', spec: 'aes_256' })).key
  await run('aws', createKey, { ring: DEFAULT, name: 'b', spec: 'aes_256' })
  const key = { by: 'id', id: a.id } as const
  const { ciphertext } = await run('aws', encrypt, { key, algorithm: 'envelope', plaintext })
  for (let index = 0; index < ciphertext.length; index++) {
    const flipped = Buffer.from(ciphertext)
    flipped[index] = (flipped[index] ?? 0) ^ 1
    const result = await code(run('aws', decrypt, { key, algorithm: 'envelope', ciphertext: flipped }))
    // A flip in the version's id names a version that is not there.
    t.ok(['invalid_ciphertext', 'key_not_found'].includes(result), `byte ${index}: ${result}`)
  }
  for (const length of [0, 1, 45, ciphertext.length - 1]) {
    const cut = ciphertext.subarray(0, length)
    t.equal(await code(run('aws', decrypt, { key, algorithm: 'envelope', ciphertext: cut })), 'invalid_ciphertext')
  }
  const other = { by: 'name', ring: DEFAULT, name: 'b' } as const
  t.equal(await code(run('aws', decrypt, { key: other, algorithm: 'envelope', ciphertext })), 'incorrect_key')
  t.equal(await code(run('aws', decrypt, { algorithm: 'envelope', ciphertext })), 'ok', 'names its own key')
})

t.test('lists are full pages of what the dialect can express', async (t) => {
  const { run } = await makeKernel()
  for (let n = 0; n < 12; n++) {
    await run('gcp', createKey, { ring: DEFAULT, name: `k${n}`, spec: n % 3 === 0 ? 'aes_256' : 'ec_p256' })
  }
  const names: string[] = []
  let after: string | undefined
  do {
    const include = (key: { spec: string }) => key.spec === 'ec_p256'
    const page = await run('azure', listRingKeys, { ring: DEFAULT, limit: 3, after, include })
    t.ok(page.keys.length === 3 || page.next === undefined)
    names.push(...page.keys.map(({ key }) => key.name))
    after = page.next
  } while (after !== undefined)
  t.same(names.sort(), ['k1', 'k10', 'k11', 'k2', 'k4', 'k5', 'k7', 'k8'])
})

t.test('modes: off allows, permissive reports, enforce denies without an evaluator', async (t) => {
  const reported: string[] = []
  const authorizer = new ModeAuthorizer({
    modes: { aws: 'off', azure: 'permissive', gcp: 'enforce' },
    evaluators: {},
    wouldDeny: (request) => reported.push(request.dialect),
  })
  const principal = { id: 'anonymous:', method: 'none' } as const
  const nothing = {
    realm: undefined,
    ring: undefined,
    key: undefined,
    secret: undefined,
    source: undefined,
    missing: undefined,
    right: undefined,
    aws: undefined,
    exposed: undefined,
  }
  const request = { principal, wire: 'Sign', action: 'sign', ...nothing }
  t.same(await authorizer.decide({ ...request, dialect: 'aws' }), { allow: true })
  t.same(await authorizer.decide({ ...request, dialect: 'azure' }), { allow: true })
  t.same((await authorizer.decide({ ...request, dialect: 'gcp' })).allow, false)
  t.same(reported, ['azure'])
  const exposed = { exposure: 'a', actions: new Set(['sign']) }
  t.same(await authorizer.decide({ ...request, dialect: 'xks', exposed }), { allow: true })
  t.same((await authorizer.decide({ ...request, dialect: 'ekm', action: 'decrypt', exposed })).allow, false)
  t.same((await authorizer.decide({ ...request, dialect: 'ekm' })).allow, false, 'of no exposure')
  t.same(reported, ['azure'])
})

t.test('an unknown realm or vault comes into being in dev, and is refused elsewhere', async (t) => {
  const far = { realm: { dialect: 'aws', account: '111111111111', region: 'eu-west-1' } } as const
  const vault = { realm: { dialect: 'azure', vault: 'team-a' } } as const
  const dev = await makeKernel()
  t.equal(await dev.code(dev.run('aws', listRealmKeys, { limit: 1 }, far)), 'ok')
  t.equal(await dev.code(dev.run('azure', listRingKeys, { ring: DEFAULT, limit: 1 }, vault)), 'ok')
  const rings = await dev.run('gcp', listRings, { limit: 10 })
  t.same(
    rings.rings.map((ring) => ring.name),
    ['default', 'team-a'],
    'the vault is a key ring of the same name',
  )
  const production = await makeKernel({ provision: false })
  t.equal(await production.code(production.run('aws', listRealmKeys, { limit: 1 }, far)), 'realm_not_found')
  t.equal(
    await production.code(production.run('azure', listRingKeys, { ring: DEFAULT, limit: 1 }, vault)),
    'realm_not_found',
  )
})
