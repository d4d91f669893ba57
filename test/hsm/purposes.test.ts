/** What a token's key may do follows what it is made for, so that tokens take it which refuse keys for everything. */
import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { type KeySpec, type Purpose, purposesOf } from '../../src/core/algorithm.ts'
import { Secret } from '../../src/core/secret.ts'
import { openPkcs11Backend, type Pkcs11Backend } from '../../src/hsm/pkcs11.ts'
import { probeToken } from '../../src/hsm/probe.ts'
import { callContext, newHome, refusal } from '../conformance/backend.ts'
import { makeShimmedHsm, type ShimmedHsm, shimMissing } from '../support/shim.ts'
import { backendOn, softHsmMissing } from '../support/softhsm.ts'

const missing = softHsmMissing ?? shimMissing
const options = missing === undefined ? {} : { skip: missing }
const STORAGES = ['token', 'wrapped'] as const
const DIGEST = randomBytes(32)
const NOTHING = new Uint8Array(0)
const PARAMS = { nonce: randomBytes(16), iv: randomBytes(12), aad: NOTHING }
const RSA_PARAMS = { nonce: NOTHING, iv: NOTHING, aad: NOTHING }

const pkcs8 = (key: KeyObject): Buffer => key.export({ format: 'der', type: 'pkcs8' })
const MATERIAL: Readonly<Partial<Record<KeySpec, () => Buffer>>> = {
  rsa_2048: () => pkcs8(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey),
  ec_p256: () => pkcs8(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey),
  aes_256: () => randomBytes(32),
}

async function make(backend: Pkcs11Backend, spec: KeySpec, purposes: readonly Purpose[], imported: boolean) {
  const home = { ...newHome(), purposes }
  const material = imported ? MATERIAL[spec]?.() : undefined
  const { ref } = await (material === undefined
    ? backend.generateKey(spec, home, callContext())
    : backend.importKey(spec, new Secret(Uint8Array.from(material)), home, callContext()))
  return { ...home, spec, ref }
}

type Made = Awaited<ReturnType<typeof make>>

/** One use of each purpose. */
const USES: Readonly<Partial<Record<Purpose, (backend: Pkcs11Backend, key: Made) => Promise<unknown>>>> = {
  sign_verify: (backend, key) => {
    const algorithm = key.spec === 'rsa_2048' ? 'rsa_pss_sha256' : 'ecdsa_sha256'
    return backend.sign(key, algorithm, { digest: DIGEST }, callContext())
  },
  encrypt_decrypt: async (backend, key) => {
    const [algorithm, params] =
      key.spec === 'rsa_2048' ? (['rsa_oaep_sha1', RSA_PARAMS] as const) : (['envelope_cbc_kdf', PARAMS] as const)
    const sealed = await backend.encrypt(key, algorithm, DIGEST, params, callContext())
    return backend.decrypt(key, algorithm, sealed, params, callContext())
  },
  raw_encrypt_decrypt: (backend, key) => backend.encrypt(key, 'aes_gcm', DIGEST, PARAMS, callContext()),
  key_agreement: (backend, key) => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    return backend.agree(key, 'ecdh', publicKey.export({ format: 'der', type: 'spki' }), callContext())
  },
}

async function strict(t: Test): Promise<ShimmedHsm> {
  const hsm = await makeShimmedHsm()
  t.teardown(() => hsm.close())
  await hsm.set('one-purpose')
  return hsm
}

for (const keyStorage of STORAGES) {
  t.test(`keys of one purpose, ${keyStorage}`, options, async (t) => {
    const hsm = await strict(t)
    const backend = await openPkcs11Backend(backendOn(hsm, { keyStorage }))
    t.teardown(() => backend.close())
    for (const spec of ['rsa_2048', 'ec_p256', 'aes_256'] as const) {
      for (const purpose of purposesOf(spec)) {
        for (const imported of [false, true]) {
          const key = await make(backend, spec, [purpose], imported)
          for (const [other, use] of Object.entries(USES)) {
            if (!purposesOf(spec).includes(other as Purpose)) continue
            const able = other === purpose || keyStorage === 'wrapped'
            const outcome = await refusal(use(backend, key))
            t.equal(
              outcome === 'none',
              able,
              `${spec} for ${purpose}${imported ? ', imported' : ''}: ${other}: ${outcome}`,
            )
          }
        }
      }
    }
    const both = purposesOf('rsa_2048')
    t.equal(await refusal(make(backend, 'rsa_2048', both, false)), 'unsupported_algorithm', 'for both: refused by it')
  })
}

t.test('a strict token has the algorithms of one that is not', options, async (t) => {
  const hsm = await strict(t)
  const before = await probeToken(backendOn(hsm))
  await hsm.unset('one-purpose')
  const after = await probeToken(backendOn(hsm))
  if (!before.ok || !after.ok) throw new Error('no token')
  t.same(before.profile.algorithms, after.profile.algorithms)
})
