/** Data key pairs: the sealed private key opens to the PKCS#8 that was shown, whose public half is the one shown. */
import { createPrivateKey, createPublicKey } from 'node:crypto'
import t from 'tap'
import { isAsymmetric, KEY_SPEC_NAMES, type KeySpec, purposesOf, specRow, usesOf } from '../../src/core/algorithm.ts'
import { createKey } from '../../src/core/ops/create-key.ts'
import { decrypt } from '../../src/core/ops/decrypt.ts'
import { generateDataKeyPair } from '../../src/core/ops/generate-data-key-pair.ts'
import { importKey } from '../../src/core/ops/import-key.ts'
import { fits } from '../../src/core/public-key.ts'
import { Secret } from '../../src/core/secret.ts'
import * as xWing from '../../src/core/x-wing.ts'
import { makeKernel, type TestKernel } from '../support/kernel.ts'

const ring = { by: 'default' } as const
const context = { kind: 'map', entries: { a: 'b' } } as const
const PAIRS = KEY_SPEC_NAMES.filter(isAsymmetric)

async function makeSealing({ run }: TestKernel) {
  const { key } = await run('aws', createKey, { ring, spec: 'aes_256' })
  return { by: 'id', id: key.id } as const
}

/** SubjectPublicKeyInfo of a PKCS#8 private key of the spec. */
function publicHalf(spec: KeySpec, pkcs8: Uint8Array): Buffer {
  const row = specRow(spec)
  if (row.type === 'x-wing') {
    const seed = xWing.decodePkcs8(pkcs8)
    if (seed === undefined) throw new Error('no PKCS#8 of X-Wing')
    return Buffer.from(xWing.encodeSpki(xWing.publicKeyOf(seed)))
  }
  const key = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' })
  if (!fits(key, row)) throw new Error(`a key of another kind than ${spec}`)
  return createPublicKey(key).export({ format: 'der', type: 'spki' })
}

for (const spec of PAIRS) {
  t.test(spec, async (t) => {
    const core = await makeKernel()
    const { run, code } = core
    const key = await makeSealing(core)
    const { privateKey, publicKey, ciphertext } = await run('aws', generateDataKeyPair, { key, spec, context })
    t.ok(publicHalf(spec, privateKey).equals(publicKey), 'the halves belong together')
    const sealed = { algorithm: 'envelope', ciphertext } as const
    const opened = await run('aws', decrypt, { ...sealed, context })
    t.equal(opened.key.id, key.id)
    t.equal(Buffer.compare(opened.plaintext, privateKey), 0)
    t.equal(await code(run('aws', decrypt, sealed)), 'invalid_ciphertext', 'bound to its context')
    const defaultUses = purposesOf(spec)
      .slice(0, 1)
      .flatMap((purpose) => usesOf(purpose, spec))
    const material = new Secret(Uint8Array.from(privateKey))
    const imported = await run('azure', importKey, { ring, name: 'imported', spec, material, defaultUses })
    t.equal(Buffer.compare(imported.current?.spki ?? new Uint8Array(0), publicKey), 0, 'and is a key to import')
    t.notMatch(JSON.stringify(core.audit.records), Buffer.from(privateKey).toString('base64').slice(-40))
  })
}

t.test('no two alike, and none in a dry run', async (t) => {
  const core = await makeKernel()
  const { run } = core
  const key = await makeSealing(core)
  const pairs = await Promise.all(
    Array.from({ length: 8 }, () => run('aws', generateDataKeyPair, { key, spec: 'ec_p256' })),
  )
  t.equal(new Set(pairs.map(({ publicKey }) => Buffer.from(publicKey).toString('hex'))).size, 8)
  t.equal(new Set(pairs.map(({ privateKey }) => Buffer.from(privateKey).toString('hex'))).size, 8)
  const dry = await run('aws', generateDataKeyPair, { key, spec: 'rsa_4096', dryRun: true })
  t.equal(dry.privateKey.length + dry.publicKey.length + dry.ciphertext.length, 0)
})

t.test('only pairs, and only under keys that seal', async (t) => {
  const core = await makeKernel()
  const { run, code } = core
  const key = await makeSealing(core)
  for (const spec of KEY_SPEC_NAMES.filter((name) => !isAsymmetric(name))) {
    for (const dryRun of [false, true]) {
      t.equal(await code(run('aws', generateDataKeyPair, { key, spec, dryRun })), 'invalid_argument', spec)
    }
  }
  for (const [spec, purpose, expected] of [
    ['aes_256', 'raw_encrypt_decrypt', 'usage_mismatch'],
    ['rsa_2048', 'encrypt_decrypt', 'algorithm_mismatch'],
    ['ec_p256', 'sign_verify', 'usage_mismatch'],
    ['hmac_256', 'mac', 'usage_mismatch'],
  ] as const) {
    const made = await run('aws', createKey, { ring, spec, purpose })
    const request = { key: { by: 'id', id: made.key.id }, spec: 'ec_p256' } as const
    t.equal(await code(run('aws', generateDataKeyPair, request)), expected, spec)
  }
})
