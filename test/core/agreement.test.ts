/** Key agreement and encapsulation: secrets that the other side comes to by itself, and keys that give none. */
import {
  createPublicKey,
  decapsulate as decapsulateAlone,
  diffieHellman,
  encapsulate as encapsulateAlone,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto'
import { ml_kem768_x25519 } from '@noble/post-quantum/hybrid.js'
import t from 'tap'
import { type KeySpec, specRow } from '../../src/core/algorithm.ts'
import { createKey } from '../../src/core/ops/create-key.ts'
import { decapsulate } from '../../src/core/ops/decapsulate.ts'
import { deriveSharedSecret } from '../../src/core/ops/derive-shared-secret.ts'
import { encapsulate } from '../../src/core/ops/encapsulate.ts'
import { importKey } from '../../src/core/ops/import-key.ts'
import { sign } from '../../src/core/ops/sign.ts'
import { Secret } from '../../src/core/secret.ts'
import { decodeSpki } from '../../src/core/x-wing.ts'
import { makeKernel, type TestKernel } from '../support/kernel.ts'

const ring = { by: 'default' } as const
const AGREEING = ['ec_p256', 'ec_p384', 'ec_p521', 'ec_secp256k1', 'x25519'] as const
const KEMS = ['ml_kem_512', 'ml_kem_768', 'ml_kem_1024'] as const

function pairOf(spec: KeySpec) {
  const row = specRow(spec)
  return row.type === 'ec' ? generateKeyPairSync('ec', { namedCurve: row.curve }) : generateKeyPairSync('x25519')
}
const spkiOf = (key: KeyObject): Buffer => key.export({ format: 'der', type: 'spki' })
const parse = (spki: Uint8Array): KeyObject => createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })

async function makeAgreeing({ run }: TestKernel, spec: KeySpec) {
  const { key, current } = await run('aws', createKey, { ring, spec, purpose: 'key_agreement' })
  if (current?.spki === undefined) throw new Error('a key without a public half')
  return { key: { by: 'id', id: key.id } as const, spki: current.spki }
}

for (const spec of AGREEING) {
  t.test(`${spec}: the other side agrees`, async (t) => {
    const core = await makeKernel()
    const { run, code } = core
    const { key, spki } = await makeAgreeing(core, spec)
    const { privateKey, publicKey } = pairOf(spec)
    const request = { key, algorithm: 'ecdh', publicKey: spkiOf(publicKey) } as const
    const { secret } = await run('aws', deriveSharedSecret, request)
    t.same(Buffer.from(secret), diffieHellman({ privateKey, publicKey: parse(spki) }))
    const other = { ...request, publicKey: spkiOf(pairOf(spec).publicKey) }
    t.not(Buffer.compare((await run('aws', deriveSharedSecret, other)).secret, secret), 0)
    t.equal((await run('aws', deriveSharedSecret, { ...request, dryRun: true })).secret.length, 0)
    t.notMatch(JSON.stringify(core.audit.records), Buffer.from(secret).toString('base64'))

    const refused = (name: string, peer: Uint8Array) =>
      code(run('aws', deriveSharedSecret, { ...request, publicKey: peer })).then((result) =>
        t.equal(result, 'invalid_argument', name),
      )
    for (const foreign of AGREEING.filter((name) => name !== spec)) {
      await refused(`a key of ${foreign}`, spkiOf(pairOf(foreign).publicKey))
    }
    await refused('Ed25519', spkiOf(generateKeyPairSync('ed25519').publicKey))
    await refused('a private key', privateKey.export({ format: 'der', type: 'pkcs8' }))
    await refused('nothing', new Uint8Array(0))
    await refused('half', spkiOf(publicKey).subarray(0, 30))
    if (spec !== 'x25519') {
      const off = spkiOf(publicKey)
      off[off.length - 1] = (off.at(-1) ?? 0) ^ 1
      await refused('a point that is not on the curve', off)
    }
  })
}

t.test('X25519 points of low order agree on nothing', async (t) => {
  const core = await makeKernel()
  const { key } = await makeAgreeing(core, 'x25519')
  const head = spkiOf(generateKeyPairSync('x25519').publicKey).subarray(0, -32)
  // RFC 7748 section 6.1; the points are those of cr.yp.to/ecdh.html.
  const points = [
    '00'.repeat(32),
    `01${'00'.repeat(31)}`,
    'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
    '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
    `ec${'ff'.repeat(30)}7f`,
    `ed${'ff'.repeat(30)}7f`,
    `ee${'ff'.repeat(30)}7f`,
  ]
  for (const point of points) {
    const publicKey = Buffer.concat([head, Buffer.from(point, 'hex')])
    const request = { key, algorithm: 'ecdh', publicKey } as const
    t.equal(await core.code(core.run('aws', deriveSharedSecret, request)), 'invalid_argument', point)
  }
})

t.test('keys that sign agree on nothing, and the other way round', async (t) => {
  const core = await makeKernel()
  const { run, code } = core
  const { key } = await makeAgreeing(core, 'ec_p256')
  const signs = await run('aws', createKey, { ring, spec: 'ec_p256', purpose: 'sign_verify' })
  const request = { algorithm: 'ecdh', publicKey: spkiOf(pairOf('ec_p256').publicKey) } as const
  const wrong = { ...request, key: { by: 'id', id: signs.key.id } } as const
  t.equal(await code(run('aws', deriveSharedSecret, wrong)), 'usage_mismatch')
  t.equal(await code(run('aws', deriveSharedSecret, { ...wrong, dryRun: true })), 'usage_mismatch')
  const input = { message: randomBytes(8) }
  t.equal(await code(run('aws', sign, { key, algorithm: 'ecdsa_sha256', input })), 'usage_mismatch')
  const odd = { ...request, key, algorithm: 'ecdsa_sha256' } as const
  t.equal(await code(run('aws', deriveSharedSecret, odd)), 'algorithm_mismatch')
})

for (const spec of KEMS) {
  t.test(`${spec}: what is encapsulated is decapsulated`, async (t) => {
    const core = await makeKernel()
    const { run, code } = core
    const { key: made, current } = await run('aws', createKey, { ring, spec })
    const key = { by: 'id', id: made.id } as const
    const request = { key, algorithm: 'ml_kem' } as const
    const { secret, ciphertext } = await run('aws', encapsulate, request)
    const opened = await run('gcp', decapsulate, { ...request, ciphertext })
    t.same(Buffer.from(opened.secret), Buffer.from(secret))
    t.equal(secret.length, 32)

    const theirs = encapsulateAlone(parse(current?.spki ?? new Uint8Array(0)))
    const ours = await run('aws', decapsulate, { ...request, ciphertext: theirs.ciphertext })
    t.same(Buffer.from(ours.secret), theirs.sharedKey, 'what node made for the public key')

    const changed = Buffer.from(ciphertext)
    changed[0] = (changed[0] ?? 0) ^ 1
    const rejected = await run('aws', decapsulate, { ...request, ciphertext: changed })
    t.not(Buffer.compare(rejected.secret, secret), 0, 'another secret')
    const again = await run('aws', decapsulate, { ...request, ciphertext: changed })
    t.same(Buffer.from(again.secret), Buffer.from(rejected.secret), 'the same each time')
    for (const wrong of [new Uint8Array(0), ciphertext.subarray(1), Buffer.concat([ciphertext, Buffer.of(0)])]) {
      t.equal(await code(run('aws', decapsulate, { ...request, ciphertext: wrong })), 'invalid_ciphertext')
    }

    const dry = await run('aws', encapsulate, { ...request, dryRun: true })
    t.equal(dry.secret.length + dry.ciphertext.length, 0)
    t.equal((await run('aws', decapsulate, { ...request, ciphertext, dryRun: true })).secret.length, 0)
    t.equal(await code(run('aws', encapsulate, { ...request, algorithm: 'x_wing' })), 'algorithm_mismatch')
    t.notMatch(JSON.stringify(core.audit.records), Buffer.from(secret).toString('base64'))
  })
}

t.test('to an imported key, decapsulated without the service', async (t) => {
  const { run } = await makeKernel()
  const { privateKey } = generateKeyPairSync('ml-kem-768')
  const material = new Secret(Uint8Array.from(privateKey.export({ format: 'der', type: 'pkcs8' })))
  const defaultUses = ['encapsulate', 'decapsulate'] as const
  const { key } = await run('azure', importKey, { ring, name: 'kem', spec: 'ml_kem_768', material, defaultUses })
  const request = { key: { by: 'id', id: key.id }, algorithm: 'ml_kem' } as const
  const { secret, ciphertext } = await run('aws', encapsulate, request)
  t.same(decapsulateAlone(privateKey, Buffer.from(ciphertext)), Buffer.from(secret))
})

t.test('x_wing', async (t) => {
  const { run, code } = await makeKernel()
  const { key, current } = await run('gcp', createKey, { ring, name: 'x', spec: 'x_wing' })
  const request = { key: { by: 'id', id: key.id }, algorithm: 'x_wing' } as const
  const { secret, ciphertext } = await run('gcp', encapsulate, request)
  t.same(Buffer.from((await run('gcp', decapsulate, { ...request, ciphertext })).secret), Buffer.from(secret))
  const publicKey = decodeSpki(current?.spki ?? new Uint8Array(0)) ?? new Uint8Array(0)
  const theirs = ml_kem768_x25519.encapsulate(publicKey)
  const ours = await run('gcp', decapsulate, { ...request, ciphertext: theirs.cipherText })
  t.same(Buffer.from(ours.secret), Buffer.from(theirs.sharedSecret))
  const cut = { ...request, ciphertext: ciphertext.subarray(1) }
  t.equal(await code(run('gcp', decapsulate, cut)), 'invalid_ciphertext')
})
