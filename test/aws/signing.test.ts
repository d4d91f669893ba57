/** Which type of message each signing algorithm takes, how long, and that other implementations agree on the signature. */
import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { ed25519ph } from '@noble/curves/ed25519.js'
import t from 'tap'
import { arnOf, makeAws, type TestAws } from './support.ts'

const base64 = (data: string | Uint8Array): string => Buffer.from(data).toString('base64')
const MESSAGE = Buffer.from('a message for every cloud')
const VALID = { SignatureValid: true }

async function signer(aws: TestAws, KeySpec: string) {
  const KeyId = await aws.createKey({ KeySpec, KeyUsage: 'SIGN_VERIFY' })
  const { PublicKey, SigningAlgorithms } = (await aws.ask('GetPublicKey', { KeyId })).body
  const spki = Buffer.from(PublicKey, 'base64')
  const key: KeyObject = createPublicKey({ key: spki, format: 'der', type: 'spki' })
  const { SigningAlgorithms: described } = (await aws.ask('DescribeKey', { KeyId })).body.KeyMetadata
  t.same(described, SigningAlgorithms)
  return { KeyId, spki, key, algorithms: SigningAlgorithms as readonly string[] }
}

const incompatible = (type: string, algorithm: string): string =>
  `ValidationException: Message type ${type} is incompatible with algorithm ${algorithm}.`

t.test('Ed25519, pure over messages and pre-hashed over digests', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const { KeyId, spki, key, algorithms } = await signer(aws, 'ECC_NIST_EDWARDS25519')
  t.same(algorithms, ['ED25519_PH_SHA_512', 'ED25519_SHA_512'])
  const pure = { KeyId, Message: base64(MESSAGE), MessageType: 'RAW', SigningAlgorithm: 'ED25519_SHA_512' }
  const Signature = (await aws.ask('Sign', pure)).body.Signature
  t.ok(verify(null, MESSAGE, key, Buffer.from(Signature, 'base64')))
  t.match((await aws.ask('Verify', { ...pure, Signature })).body, VALID)

  const digest = createHash('sha512').update(MESSAGE).digest()
  const hashed = { KeyId, Message: base64(digest), MessageType: 'DIGEST', SigningAlgorithm: 'ED25519_PH_SHA_512' }
  const prehashed = (await aws.ask('Sign', hashed)).body.Signature
  t.ok(ed25519ph.verify(Buffer.from(prehashed, 'base64'), MESSAGE, spki.subarray(-32)), 'RFC 8032 Ed25519ph')
  t.match((await aws.ask('Verify', { ...hashed, Signature: prehashed })).body, VALID)
  t.equal(await aws.refusal('Verify', { ...hashed, Signature }), 'KMSInvalidSignatureException')
  const altered = base64(Buffer.from(digest).reverse())
  const another = { ...hashed, Message: altered, Signature: prehashed }
  t.equal(await aws.refusal('Verify', another), 'KMSInvalidSignatureException')

  for (const operation of ['Sign', 'Verify']) {
    for (const [request, type] of [
      [pure, 'DIGEST'],
      [pure, 'EXTERNAL_MU'],
      [hashed, 'RAW'],
      [hashed, 'EXTERNAL_MU'],
      [hashed, undefined],
    ] as const) {
      const text = incompatible(type ?? 'RAW', request.SigningAlgorithm)
      t.equal(await aws.refusal(operation, { ...request, MessageType: type, Signature }), text)
    }
    for (const length of [1, 32, 63, 65]) {
      const short = { ...hashed, Message: base64(Buffer.alloc(length)), Signature }
      t.equal(
        await aws.refusal(operation, short),
        'ValidationException: Digest is invalid length for algorithm ED25519_PH_SHA_512.',
      )
    }
    t.equal(
      await aws.refusal(operation, { ...pure, Signature, SigningAlgorithm: 'ECDSA_SHA_512' }),
      'InvalidKeyUsageException: Algorithm ECDSA_SHA_512 is incompatible with key spec ECC_NIST_EDWARDS25519.',
    )
  }
})

const shake256 = (...parts: readonly Uint8Array[]): Buffer =>
  createHash('shake256', { outputLength: 64 }).update(Buffer.concat(parts)).digest()

t.test('ML-DSA over messages and over their representatives made elsewhere', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const publicBytes = { ML_DSA_44: 1312, ML_DSA_65: 1952, ML_DSA_87: 2592 }
  for (const [spec, size] of Object.entries(publicBytes)) {
    const { KeyId, spki, key, algorithms } = await signer(aws, spec)
    t.same(algorithms, ['ML_DSA_SHAKE_256'])
    // FIPS 204 algorithm 2 and 7: µ = H(H(pk) ‖ 0 ‖ |ctx| ‖ ctx ‖ M), with no context.
    const mu = shake256(shake256(spki.subarray(-size)), Buffer.alloc(2), MESSAGE)
    const raw = { KeyId, Message: base64(MESSAGE), MessageType: 'RAW', SigningAlgorithm: 'ML_DSA_SHAKE_256' }
    const external = { ...raw, Message: base64(mu), MessageType: 'EXTERNAL_MU' }
    for (const request of [raw, external]) {
      const { Signature } = (await aws.ask('Sign', request)).body
      t.ok(verify(null, MESSAGE, key, Buffer.from(Signature, 'base64')), `${spec} ${request.MessageType}`)
      t.match((await aws.ask('Verify', { ...raw, Signature })).body, VALID)
      t.match((await aws.ask('Verify', { ...external, Signature })).body, VALID)
      const other = { ...external, Message: base64(Buffer.from(mu).reverse()), Signature }
      t.equal(await aws.refusal('Verify', other), 'KMSInvalidSignatureException')
    }
    for (const operation of ['Sign', 'Verify']) {
      const digest = { ...raw, MessageType: 'DIGEST', Signature: 'aGk=' }
      t.equal(await aws.refusal(operation, digest), incompatible('DIGEST', 'ML_DSA_SHAKE_256'))
      for (const length of [63, 65, 4096]) {
        const wrong = { ...external, Message: base64(Buffer.alloc(length)), Signature: 'aGk=' }
        t.equal(
          await aws.refusal(operation, wrong),
          'ValidationException: Digest is invalid length for algorithm ML_DSA_SHAKE_256.',
        )
      }
    }
  }
})

t.test('limits on messages, and types that RSA and ECDSA take', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const lengths = { SHA_256: 32, SHA_384: 48, SHA_512: 64 }
  for (const spec of ['RSA_2048', 'ECC_NIST_P256', 'ECC_NIST_P384', 'ECC_NIST_P521', 'ECC_SECG_P256K1']) {
    const { KeyId, algorithms } = await signer(aws, spec)
    for (const SigningAlgorithm of algorithms) {
      const hash = SigningAlgorithm.slice(-7) as keyof typeof lengths
      const digest = createHash(hash.toLowerCase().replace('_', '')).update(MESSAGE).digest()
      const request = { KeyId, Message: base64(digest), MessageType: 'DIGEST', SigningAlgorithm }
      const { Signature } = (await aws.ask('Sign', request)).body
      const whole = { KeyId, Message: base64(MESSAGE), SigningAlgorithm, Signature }
      t.match((await aws.ask('Verify', whole)).body, VALID, `${spec} ${SigningAlgorithm}`)
      for (const length of [lengths[hash] - 1, lengths[hash] + 1]) {
        const refused = await aws.refusal('Sign', { ...request, Message: base64(Buffer.alloc(length)) })
        t.equal(refused, `ValidationException: Digest is invalid length for algorithm ${SigningAlgorithm}.`)
      }
      const mu = { ...request, MessageType: 'EXTERNAL_MU' }
      t.equal(await aws.refusal('Sign', mu), incompatible('EXTERNAL_MU', SigningAlgorithm))
    }
    const SigningAlgorithm = algorithms[0]
    const longest = { KeyId, Message: base64(Buffer.alloc(4096, 1)), SigningAlgorithm }
    t.equal(await aws.refusal('Sign', longest), 'ok')
    t.equal(
      await aws.refusal('Sign', { ...longest, Message: base64(Buffer.alloc(4097, 1)) }),
      "ValidationException: 1 validation error detected: Value at 'message' failed to satisfy constraint: Member must have length less than or equal to 4096",
    )
    t.equal(
      await aws.refusal('Sign', { ...longest, Message: '' }),
      "ValidationException: 1 validation error detected: Value at 'message' failed to satisfy constraint: Member must have length greater than or equal to 1",
    )
    t.equal(
      await aws.refusal('Verify', { ...longest, Signature: base64(Buffer.alloc(6145)) }),
      "ValidationException: 1 validation error detected: Value at 'signature' failed to satisfy constraint: Member must have length less than or equal to 6144",
    )
    t.equal(
      await aws.refusal('Sign', { ...longest, SigningAlgorithm: 'SM2DSA' }),
      'UnsupportedOperationException: SigningAlgorithm SM2DSA is not supported.',
    )
  }
})

t.test('HMAC_224, and every MAC beside its own algorithm', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  for (const size of [224, 256, 384, 512]) {
    const KeySpec = `HMAC_${size}`
    const KeyId = await aws.createKey({ KeySpec, KeyUsage: 'GENERATE_VERIFY_MAC' })
    const MacAlgorithm = `HMAC_SHA_${size}`
    t.same((await aws.ask('DescribeKey', { KeyId })).body.KeyMetadata.MacAlgorithms, [MacAlgorithm])
    const request = { KeyId, Message: base64(MESSAGE), MacAlgorithm }
    const { Mac } = (await aws.ask('GenerateMac', request)).body
    t.equal(Buffer.from(Mac, 'base64').length, size / 8)
    t.match((await aws.ask('VerifyMac', { ...request, Mac })).body, { MacValid: true, KeyId: arnOf(KeyId) })
    const other = `HMAC_SHA_${size === 256 ? 224 : 256}`
    t.equal(
      await aws.refusal('GenerateMac', { ...request, MacAlgorithm: other }),
      `InvalidKeyUsageException: Algorithm ${other} is incompatible with key spec ${KeySpec}.`,
    )
    t.equal(
      await aws.refusal('GetPublicKey', { KeyId }),
      `InvalidKeyUsageException: ${arnOf(KeyId)} key usage is GENERATE_VERIFY_MAC which is not valid for GetPublicKey.`,
    )
  }
})
