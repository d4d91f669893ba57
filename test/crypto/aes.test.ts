/** AES-CBC without padding and AES-CTR against SP 800-38A, appendices F.2 and F.5; the other modes are Wycheproof's. */
import { createSecretKey, randomBytes } from 'node:crypto'
import t from 'tap'
import { Secret } from '../../src/core/secret.ts'
import { SoftwareBackend } from '../../src/crypto/software.ts'
import { callContext, newHome, refusal } from '../conformance/backend.ts'

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'))
const ringKey = createSecretKey(randomBytes(32))
const backend = new SoftwareBackend({ get: async () => ringKey })
const NONE = new Uint8Array()
const PLAINTEXT = hex('6bc1bee22e409f96e93d7e117393172a')
const IVS = { aes_cbc: '000102030405060708090a0b0c0d0e0f', aes_ctr: 'f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff' } as const
const VECTORS = {
  aes_128: {
    key: '2b7e151628aed2a6abf7158809cf4f3c',
    aes_cbc: '7649abac8119b246cee98e9b12e9197d',
    aes_ctr: '874d6191b620e3261bef6864990db6ce',
  },
  aes_192: {
    key: '8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b',
    aes_cbc: '4f021db243bc633d7178183a9fa071e8',
    aes_ctr: '1abc932417521ca24f2b0459fe7e6e0b',
  },
  aes_256: {
    key: '603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4',
    aes_cbc: 'f58c4c04d6e5f1ba779eabfb5f7bfbd6',
    aes_ctr: '601ec313775789a5b7a7f504bbf3d228',
  },
} as const

async function imported(spec: keyof typeof VECTORS) {
  const home = newHome()
  const { ref } = await backend.importKey(spec, new Secret(hex(VECTORS[spec].key)), home, callContext())
  return { ...home, spec, ref }
}

for (const spec of ['aes_128', 'aes_192', 'aes_256'] as const) {
  t.test(spec, async (t) => {
    const handle = await imported(spec)
    for (const mode of ['aes_cbc', 'aes_ctr'] as const) {
      const params = { nonce: NONE, iv: hex(IVS[mode]), aad: NONE }
      const sealed = await backend.encrypt(handle, mode, PLAINTEXT, params, callContext())
      t.equal(Buffer.from(sealed).toString('hex'), VECTORS[spec][mode], mode)
      const opened = await backend.decrypt(handle, mode, hex(VECTORS[spec][mode]), params, callContext())
      t.equal(Buffer.compare(opened, PLAINTEXT), 0, `${mode} back`)
    }
  })
}

t.test('nothing unwraps to nothing', async (t) => {
  const handle = await imported('aes_256')
  const params = { nonce: NONE, iv: NONE, aad: NONE }
  for (const mode of ['aes_kw', 'aes_kwp'] as const) {
    for (const length of [0, 8, 15, 16]) {
      const attempt = backend.decrypt(handle, mode, new Uint8Array(length), params, callContext())
      t.equal(await refusal(attempt), 'invalid_ciphertext', `${mode}: ${length} bytes`)
    }
  }
})
