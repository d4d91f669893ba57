/** node:crypto's ML-DSA against @noble/post-quantum's, both ways; and what our import makes of the same seed. */
import { createPrivateKey, createPublicKey, createSecretKey, randomBytes, randomUUID, sign } from 'node:crypto'
import { ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js'
import t from 'tap'
import { Secret } from '../../src/core/secret.ts'
import { verify } from '../../src/core/verify.ts'
import { SoftwareBackend } from '../../src/crypto/software.ts'
import { callContext } from '../conformance/backend.ts'

const SETS = [
  ['ml_dsa_44', 'ml-dsa-44', ml_dsa44],
  ['ml_dsa_65', 'ml-dsa-65', ml_dsa65],
  ['ml_dsa_87', 'ml-dsa-87', ml_dsa87],
] as const

const ringKey = createSecretKey(randomBytes(32))
const backend = new SoftwareBackend({ get: async () => ringKey })

for (const [spec, node, noble] of SETS) {
  t.test(spec, async (t) => {
    const seed = randomBytes(32)
    t.comment(`seed ${seed.toString('hex')}`)
    const { publicKey, secretKey } = noble.keygen(seed)
    const key = createPrivateKey({ key: seed, format: 'raw-seed', asymmetricKeyType: node })
    const home = { ringId: randomUUID(), versionId: randomUUID() }
    const pkcs8 = Uint8Array.from(key.export({ format: 'der', type: 'pkcs8' }))
    const { ref, spki } = await backend.importKey(spec, new Secret(pkcs8), home, callContext())
    if (spki === undefined) throw new Error('an asymmetric key without a public key')
    t.equal(Buffer.compare(spki.subarray(-publicKey.length), publicKey), 0, 'the same public key from the same seed')

    for (const message of [new Uint8Array(), randomBytes(1000)]) {
      const ours = await backend.sign({ ...home, spec, ref }, 'ml_dsa', { message }, callContext())
      t.equal(noble.verify(ours, message, publicKey), true, 'noble verifies ours')
      for (const theirs of [noble.sign(message, secretKey), noble.sign(message, secretKey, { extraEntropy: false })]) {
        t.equal(await verify(spki, spec, 'ml_dsa', { message }, theirs), true, 'we verify noble’s')
        const other = Buffer.concat([message, Buffer.alloc(1)])
        t.equal(await verify(spki, spec, 'ml_dsa', { message: other }, theirs), false, 'for its message only')
      }
      const bound = noble.sign(message, secretKey, { context: randomBytes(3) })
      t.equal(await verify(spki, spec, 'ml_dsa', { message }, bound), false, 'not what was signed under a context')
    }
    t.equal(noble.verify(sign(null, seed, key), seed, publicKey), true, 'noble verifies node’s')
    t.equal(createPublicKey(key).equals(createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })), true)
  })
}
