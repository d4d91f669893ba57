/** Raw AES: its own keys and uses, apart from those of envelopes; IVs; one error for all that is wrong with a ciphertext. */
import { randomBytes } from 'node:crypto'
import t from 'tap'
import type { KeySpec, KeyUse } from '../../src/core/algorithm.ts'
import { createKey } from '../../src/core/ops/create-key.ts'
import { decrypt } from '../../src/core/ops/decrypt.ts'
import { encrypt } from '../../src/core/ops/encrypt.ts'
import { generateDataKey } from '../../src/core/ops/generate-data-key.ts'
import { rawDecrypt } from '../../src/core/ops/raw-decrypt.ts'
import { rawEncrypt } from '../../src/core/ops/raw-encrypt.ts'
import { reEncrypt } from '../../src/core/ops/re-encrypt.ts'
import { makeKernel, type TestKernel } from '../support/kernel.ts'

const ring = { by: 'default' } as const
const plaintext = randomBytes(32)
const MODES = [
  ['aes_gcm', 12, 48],
  ['aes_cbc', 16, 32],
  ['aes_cbc_pad', 16, 48],
  ['aes_ctr', 16, 32],
  ['aes_kw', 0, 40],
  ['aes_kwp', 0, 40],
] as const

async function makeRaw({ run }: TestKernel, spec: KeySpec = 'aes_256', uses?: readonly KeyUse[]) {
  const { key } = await run('azure', createKey, { ring, spec, purpose: 'raw_encrypt_decrypt', uses })
  return { by: 'id', id: key.id } as const
}

for (const spec of ['aes_128', 'aes_192', 'aes_256'] as const) {
  t.test(`${spec} there and back in every mode`, async (t) => {
    const core = await makeKernel()
    const { run, code } = core
    const key = await makeRaw(core, spec)
    const other = await makeRaw(core, spec)
    for (const [algorithm, ivBytes, length] of MODES) {
      const { ciphertext, iv } = await run('gcp', rawEncrypt, { key, algorithm, plaintext })
      t.equal(iv.length, ivBytes, algorithm)
      t.equal(ciphertext.length, length, algorithm)
      const opened = await run('azure', rawDecrypt, { key, algorithm, ciphertext, iv })
      t.same(Buffer.from(opened.plaintext), plaintext)
      const again = await run('gcp', rawEncrypt, { key, algorithm, plaintext })
      t.equal(Buffer.compare(again.ciphertext, ciphertext) !== 0, ivBytes > 0, `${algorithm}: a fresh IV`)
      if (algorithm === 'aes_cbc' || algorithm === 'aes_ctr') continue
      const foreign = code(run('gcp', rawDecrypt, { key: other, algorithm, ciphertext, iv }))
      // One in 256 paddings of a wrong key looks right.
      if (algorithm !== 'aes_cbc_pad') t.equal(await foreign, 'invalid_ciphertext', algorithm)
      const short = { key, algorithm, ciphertext: ciphertext.subarray(1), iv }
      t.equal(await code(run('gcp', rawDecrypt, short)), 'invalid_ciphertext', algorithm)
    }
  })
}

t.test('AES-GCM draws its IV and binds its data; the other modes take an IV and bind none', async (t) => {
  const core = await makeKernel()
  const { run, code } = core
  const key = await makeRaw(core)
  const gcm = { key, algorithm: 'aes_gcm' } as const
  t.equal(await code(run('gcp', rawEncrypt, { ...gcm, plaintext, iv: randomBytes(12) })), 'invalid_argument')
  const aad = randomBytes(20)
  const { ciphertext, iv } = await run('gcp', rawEncrypt, { ...gcm, plaintext, aad, tagBytes: 12 })
  t.equal(ciphertext.length, 44)
  const sealed = { ...gcm, ciphertext, iv, aad, tagBytes: 12 }
  t.same(Buffer.from((await run('gcp', rawDecrypt, sealed)).plaintext), plaintext)
  for (const wrong of [{ aad: undefined }, { aad: randomBytes(20) }, { iv: randomBytes(12) }, { tagBytes: 16 }]) {
    const refused = code(run('gcp', rawDecrypt, { ...sealed, ...wrong }))
    t.equal(await refused, 'invalid_ciphertext', Object.keys(wrong).join())
  }
  t.equal(await code(run('gcp', rawDecrypt, { ...sealed, iv: randomBytes(11) })), 'invalid_argument')
  t.equal(await code(run('gcp', rawEncrypt, { ...gcm, plaintext, tagBytes: 11 })), 'invalid_argument')

  const cbc = { key, algorithm: 'aes_cbc', plaintext } as const
  const given = randomBytes(16)
  t.same(Buffer.from((await run('gcp', rawEncrypt, { ...cbc, iv: given })).iv), given)
  t.equal(await code(run('gcp', rawEncrypt, { ...cbc, iv: randomBytes(12) })), 'invalid_argument')
  t.equal(await code(run('gcp', rawEncrypt, { ...cbc, aad })), 'invalid_argument')
  t.equal(await code(run('gcp', rawEncrypt, { ...cbc, plaintext: randomBytes(15) })), 'invalid_argument')
})

t.test('no key serves both envelopes and raw modes', async (t) => {
  const core = await makeKernel()
  const { run, code } = core
  const raw = await makeRaw(core)
  const { key } = await run('aws', createKey, { ring, spec: 'aes_256' })
  const envelope = { by: 'id', id: key.id } as const
  const sealed = (await run('aws', encrypt, { key: envelope, algorithm: 'envelope', plaintext })).ciphertext
  const source = { algorithm: 'envelope', ciphertext: sealed } as const
  for (const dialect of ['aws', 'gcp', 'azure'] as const) {
    const attempts = {
      encrypt: run(dialect, encrypt, { key: raw, algorithm: 'envelope', plaintext }),
      'a data key': run(dialect, generateDataKey, { key: raw, bytes: 32 }),
      're-encryption': run(dialect, reEncrypt, { source, destination: { key: raw, algorithm: 'envelope' } }),
      'raw encryption': run(dialect, rawEncrypt, { key: envelope, algorithm: 'aes_gcm', plaintext }),
      'raw decryption': run(dialect, rawDecrypt, { key: envelope, algorithm: 'aes_ctr', ciphertext: sealed }),
      'raw wrapping': run(dialect, rawEncrypt, { key: envelope, algorithm: 'aes_kw', plaintext, use: 'wrap' }),
    }
    for (const [name, attempt] of Object.entries(attempts)) {
      t.equal(await code(attempt), 'usage_mismatch', `${dialect}: ${name}`)
    }
  }
  t.equal(await code(run('aws', decrypt, { key: raw, ...source })), 'incorrect_key')
})

t.test('nor does an algorithm of the one under a use of the other', async (t) => {
  const core = await makeKernel()
  const { run, code } = core
  const raw = await makeRaw(core)
  const { key } = await run('aws', createKey, { ring, spec: 'aes_256' })
  const envelope = { by: 'id', id: key.id } as const
  for (const algorithm of ['envelope', 'envelope_hmac_kdf', 'envelope_cbc_kdf'] as const) {
    const ciphertext = randomBytes(100)
    const attempts = {
      'raw encryption': run('azure', rawEncrypt, { key: raw, algorithm, plaintext }),
      'raw decryption': run('azure', rawDecrypt, { key: raw, algorithm, ciphertext }),
      wrapping: run('azure', encrypt, { key: raw, algorithm, plaintext, use: 'wrap' }),
    }
    for (const [name, attempt] of Object.entries(attempts)) {
      t.equal(await code(attempt), 'algorithm_mismatch', `${name} with ${algorithm}`)
    }
  }
  for (const [algorithm] of MODES) {
    const refused = code(run('aws', encrypt, { key: envelope, algorithm, plaintext }))
    t.equal(await refused, 'algorithm_mismatch', algorithm)
  }
})

t.test('each use is granted by itself', async (t) => {
  const core = await makeKernel()
  const { run, code } = core
  const USES = ['raw_encrypt', 'raw_decrypt', 'wrap', 'unwrap'] as const
  const whole = await makeRaw(core, 'aes_128')
  const { ciphertext } = await run('azure', rawEncrypt, { key: whole, algorithm: 'aes_kw', plaintext })
  for (const granted of [...USES, undefined]) {
    const key = granted === undefined ? whole : await makeRaw(core, 'aes_128', [granted])
    for (const use of USES) {
      const attempt =
        use === 'raw_encrypt' || use === 'wrap'
          ? run('azure', rawEncrypt, { key, algorithm: 'aes_kw', plaintext, use })
          : run('azure', rawDecrypt, { key, algorithm: 'aes_kw', ciphertext, use })
      // Another key's ciphertext: that it does not open is said by those who tried.
      const expected = use === 'raw_encrypt' || use === 'wrap' || key === whole ? 'ok' : 'invalid_ciphertext'
      const permitted = granted === undefined || granted === use
      t.equal(await code(attempt), permitted ? expected : 'usage_mismatch', `${granted ?? 'all'}: ${use}`)
    }
  }
})

t.test('dry runs', async (t) => {
  const core = await makeKernel()
  const { run, code } = core
  const key = await makeRaw(core)
  for (const [algorithm] of MODES) {
    t.equal((await run('gcp', rawEncrypt, { key, algorithm, plaintext, dryRun: true })).ciphertext.length, 0)
    const ciphertext = randomBytes(7)
    t.equal((await run('gcp', rawDecrypt, { key, algorithm, ciphertext, dryRun: true })).plaintext.length, 0)
  }
  const given = { key, algorithm: 'aes_gcm', plaintext, iv: randomBytes(12), dryRun: true } as const
  t.equal(await code(run('gcp', rawEncrypt, given)), 'invalid_argument')
})
