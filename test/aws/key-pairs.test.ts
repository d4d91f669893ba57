/** Key agreement, key encapsulation and data key pairs, each checked with node:crypto alone. */
import {
  createPrivateKey,
  createPublicKey,
  decapsulate,
  diffieHellman,
  encapsulate,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import t from 'tap'
import { arnOf, makeAws, UNKNOWN_ID } from './support.ts'

const base64 = (data: string | Uint8Array): string => Buffer.from(data).toString('base64')
const DRY = 'DryRunOperationException: The request would have succeeded, but the DryRun option is set.'
const spkiOf = (key: KeyObject): string => base64(key.export({ format: 'der', type: 'spki' }))
const publicKeyOf = (der: string): KeyObject =>
  createPublicKey({ key: Buffer.from(der, 'base64'), format: 'der', type: 'spki' })

const CURVES = { ECC_NIST_P256: 'prime256v1', ECC_NIST_P384: 'secp384r1', ECC_NIST_P521: 'secp521r1' } as const

t.test('shared secrets are what the other side computes', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  for (const [KeySpec, namedCurve] of Object.entries(CURVES)) {
    const KeyId = await aws.createKey({ KeySpec, KeyUsage: 'KEY_AGREEMENT' })
    const lists = { KeyAgreementAlgorithms: ['ECDH'], SigningAlgorithms: undefined }
    t.match((await aws.ask('DescribeKey', { KeyId })).body.KeyMetadata, { KeyUsage: 'KEY_AGREEMENT', ...lists })
    const shown = (await aws.ask('GetPublicKey', { KeyId })).body
    t.match(shown, { KeySpec, KeyUsage: 'KEY_AGREEMENT', ...lists })
    const peer = generateKeyPairSync('ec', { namedCurve })
    const request = { KeyId, KeyAgreementAlgorithm: 'ECDH', PublicKey: spkiOf(peer.publicKey) }
    const { body } = await aws.ask('DeriveSharedSecret', request)
    const expected = diffieHellman({ privateKey: peer.privateKey, publicKey: publicKeyOf(shown.PublicKey) })
    t.same(body, {
      KeyId: arnOf(KeyId),
      SharedSecret: base64(expected),
      KeyAgreementAlgorithm: 'ECDH',
      KeyOrigin: 'AWS_KMS',
    })
    t.equal(await aws.refusal('DeriveSharedSecret', { ...request, DryRun: true }), DRY)

    const other = generateKeyPairSync('ec', { namedCurve: namedCurve === 'prime256v1' ? 'secp384r1' : 'prime256v1' })
    const offCurve = Buffer.from(request.PublicKey, 'base64')
    offCurve[offCurve.length - 1] = (offCurve.at(-1) ?? 0) ^ 1
    const wrong = [
      spkiOf(other.publicKey),
      spkiOf(generateKeyPairSync('x25519').publicKey),
      base64('no key'),
      base64(Buffer.alloc(8192, 0x30)),
      base64(peer.publicKey.export({ format: 'pem', type: 'spki' })),
      spkiOf(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey),
      base64(offCurve),
      base64(Buffer.from(request.PublicKey, 'base64').subarray(0, -1)),
      base64(peer.privateKey.export({ format: 'der', type: 'pkcs8' })),
    ]
    for (const PublicKey of wrong) {
      t.equal(await aws.refusal('DeriveSharedSecret', { ...request, PublicKey }), 'ValidationException')
    }
    await aws.ask('DisableKey', { KeyId })
    t.equal(await aws.refusal('DeriveSharedSecret', request), `DisabledException: ${arnOf(KeyId)} is disabled.`)
  }
})

t.test('key agreement is refused to every other key', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const PublicKey = spkiOf(generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).publicKey)
  const request = { KeyAgreementAlgorithm: 'ECDH', PublicKey }
  const usages = { SYMMETRIC_DEFAULT: 'ENCRYPT_DECRYPT', ECC_NIST_P256: 'SIGN_VERIFY', HMAC_256: 'GENERATE_VERIFY_MAC' }
  for (const [KeySpec, KeyUsage] of Object.entries(usages)) {
    const KeyId = await aws.createKey({ KeySpec, KeyUsage })
    t.equal(
      await aws.refusal('DeriveSharedSecret', { ...request, KeyId }),
      `InvalidKeyUsageException: ${arnOf(KeyId)} key usage is ${KeyUsage} which is not valid for DeriveSharedSecret.`,
    )
  }
  t.equal(
    await aws.refusal('DeriveSharedSecret', { ...request, KeyId: UNKNOWN_ID }),
    `NotFoundException: Key '${arnOf(UNKNOWN_ID)}' does not exist`,
  )
  t.equal(
    await aws.refusal('DeriveSharedSecret', { ...request, KeyId: UNKNOWN_ID, KeyAgreementAlgorithm: 'INVALID' }),
    "ValidationException: 1 validation error detected: Value 'INVALID' at 'keyAgreementAlgorithm' failed to satisfy constraint: Member must satisfy enum value set: [ECDH]",
  )
  const agreement = await aws.createKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'KEY_AGREEMENT' })
  const signing = { KeyId: agreement, Message: 'aGk=', SigningAlgorithm: 'ECDSA_SHA_256' }
  t.match(await aws.refusal('Sign', signing), /^InvalidKeyUsageException: .* key usage is KEY_AGREEMENT which is not/)
  const enclave = { ...request, KeyId: agreement, Recipient: {} }
  t.match(await aws.refusal('DeriveSharedSecret', enclave), /^UnsupportedOperationException/)
  for (const KeySpec of ['RSA_2048', 'ECC_SECG_P256K1', 'ECC_NIST_EDWARDS25519', 'ML_DSA_44', 'ML_KEM_512']) {
    t.equal(
      await aws.refusal('CreateKey', { KeySpec, KeyUsage: 'KEY_AGREEMENT' }),
      `ValidationException: KeyUsage KEY_AGREEMENT is not compatible with KeySpec ${KeySpec}`,
    )
  }
})

t.test('encapsulated secrets', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const sizes = { ML_KEM_512: 768, ML_KEM_768: 1088, ML_KEM_1024: 1568 }
  for (const [KeySpec, size] of Object.entries(sizes)) {
    const KeyId = await aws.createKey({ KeySpec, KeyUsage: 'ENCAPSULATE_DECAPSULATE' })
    const lists = { KeyUsage: 'ENCAPSULATE_DECAPSULATE', KeySpec, EncapsulationAlgorithms: ['ML_KEM'] }
    t.match((await aws.ask('DescribeKey', { KeyId })).body.KeyMetadata, lists)
    const shown = (await aws.ask('GetPublicKey', { KeyId })).body
    t.match(shown, lists)
    const request = { KeyId, EncapsulationAlgorithm: 'ML_KEM' }
    const { body } = await aws.ask('Encapsulate', request)
    const { SharedSecret, SharedSecretCiphertextBlob } = body
    t.same(body, { KeyId: arnOf(KeyId), SharedSecret, SharedSecretCiphertextBlob, EncapsulationAlgorithm: 'ML_KEM' })
    t.equal(Buffer.from(SharedSecret, 'base64').length, 32)
    t.equal(Buffer.from(SharedSecretCiphertextBlob, 'base64').length, size)
    const opened = await aws.ask('Decapsulate', { ...request, SharedSecretCiphertextBlob })
    t.same(opened.body, { KeyId: arnOf(KeyId), SharedSecret, EncapsulationAlgorithm: 'ML_KEM' })
    t.not((await aws.ask('Encapsulate', request)).body.SharedSecret, SharedSecret, 'fresh each time')

    const { sharedKey, ciphertext } = encapsulate(publicKeyOf(shown.PublicKey))
    const own = { ...request, SharedSecretCiphertextBlob: base64(ciphertext) }
    t.equal((await aws.ask('Decapsulate', own)).body.SharedSecret, base64(sharedKey), 'encapsulated elsewhere')
    const flipped = Buffer.from(ciphertext)
    flipped[0] = (flipped[0] ?? 0) ^ 1
    const implicit = (await aws.ask('Decapsulate', { ...own, SharedSecretCiphertextBlob: base64(flipped) })).body
    t.equal(Buffer.from(implicit.SharedSecret, 'base64').length, 32, 'implicit rejection')
    t.not(implicit.SharedSecret, base64(sharedKey))
    for (const bytes of [Buffer.from(ciphertext).subarray(1), Buffer.concat([ciphertext, Buffer.alloc(1)])]) {
      const refused = await aws.refusal('Decapsulate', { ...own, SharedSecretCiphertextBlob: base64(bytes) })
      t.equal(refused, 'InvalidCiphertextException')
    }
    t.equal(await aws.refusal('Encapsulate', { ...request, DryRun: true }), DRY)
    t.equal(await aws.refusal('Decapsulate', { ...own, DryRun: true }), DRY)
    await aws.ask('DisableKey', { KeyId })
    t.equal(await aws.refusal('Encapsulate', request), `DisabledException: ${arnOf(KeyId)} is disabled.`)
    t.equal(await aws.refusal('Decapsulate', own), `DisabledException: ${arnOf(KeyId)} is disabled.`)
  }
  const aes = await aws.createKey()
  t.equal(
    await aws.refusal('Encapsulate', { KeyId: aes, EncapsulationAlgorithm: 'ML_KEM' }),
    `InvalidKeyUsageException: ${arnOf(aes)} key usage is ENCRYPT_DECRYPT which is not valid for Encapsulate.`,
  )
})

/** Whether the two halves belong together, by using them. */
function belong(privateKey: KeyObject, publicKey: KeyObject): boolean {
  if (privateKey.asymmetricKeyType?.startsWith('ml-kem') === true) {
    const { sharedKey, ciphertext } = encapsulate(publicKey)
    return decapsulate(privateKey, ciphertext).equals(sharedKey)
  }
  const hash = privateKey.asymmetricKeyType === 'ed25519' ? null : 'sha256'
  return verify(hash, Buffer.from('m'), publicKey, sign(hash, Buffer.from('m'), privateKey))
}

t.test('data key pairs of every spec', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const KeyId = await aws.createKey()
  const { CurrentKeyMaterialId } = (await aws.ask('DescribeKey', { KeyId })).body.KeyMetadata
  const EncryptionContext = { a: 'b' }
  const types = {
    RSA_2048: 'rsa',
    RSA_3072: 'rsa',
    ECC_NIST_P256: 'ec',
    ECC_NIST_P384: 'ec',
    ECC_NIST_P521: 'ec',
    ECC_SECG_P256K1: 'ec',
    ECC_NIST_EDWARDS25519: 'ed25519',
    ML_KEM_512: 'ml-kem-512',
    ML_KEM_768: 'ml-kem-768',
    ML_KEM_1024: 'ml-kem-1024',
  }
  for (const [KeyPairSpec, type] of Object.entries(types)) {
    const request = { KeyId, KeyPairSpec, EncryptionContext }
    const { body } = await aws.ask('GenerateDataKeyPair', request)
    const { PrivateKeyPlaintext, PrivateKeyCiphertextBlob, PublicKey } = body
    const rest = { KeyId: arnOf(KeyId), KeyPairSpec, KeyMaterialId: CurrentKeyMaterialId }
    t.same(body, { PrivateKeyPlaintext, PrivateKeyCiphertextBlob, PublicKey, ...rest })
    const pkcs8 = { format: 'der', type: 'pkcs8' } as const
    const key = createPrivateKey({ key: Buffer.from(PrivateKeyPlaintext, 'base64'), ...pkcs8 })
    t.equal(key.asymmetricKeyType, type)
    t.ok(belong(key, publicKeyOf(PublicKey)), KeyPairSpec)
    const opened = await aws.ask('Decrypt', { CiphertextBlob: PrivateKeyCiphertextBlob, EncryptionContext })
    t.equal(opened.body.Plaintext, PrivateKeyPlaintext)
    t.equal(await aws.refusal('Decrypt', { CiphertextBlob: PrivateKeyCiphertextBlob }), 'InvalidCiphertextException')

    const blind = (await aws.ask('GenerateDataKeyPairWithoutPlaintext', request)).body
    const { PrivateKeyCiphertextBlob: sealed, PublicKey: other } = blind
    t.same(blind, { PrivateKeyCiphertextBlob: sealed, PublicKey: other, ...rest })
    const later = (await aws.ask('Decrypt', { CiphertextBlob: sealed, EncryptionContext })).body.Plaintext
    const laterKey = createPrivateKey({ key: Buffer.from(later, 'base64'), ...pkcs8 })
    t.ok(belong(laterKey, publicKeyOf(other)), `${KeyPairSpec} without plaintext`)
    t.not(other, PublicKey)
  }
})

t.test('many data key pairs at once, no two alike', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const KeyId = await aws.createKey()
  const specs = ['RSA_2048', 'ML_KEM_1024', 'ECC_NIST_P256', 'ECC_NIST_EDWARDS25519']
  const answers = await Promise.all(
    Array.from({ length: 24 }, (_, index) =>
      aws.ask('GenerateDataKeyPair', { KeyId, KeyPairSpec: specs[index % specs.length] }),
    ),
  )
  t.same(
    answers.filter(({ status }) => status !== 200),
    [],
  )
  t.equal(new Set(answers.map(({ body }) => body.PublicKey)).size, 24)
  t.equal(new Set(answers.map(({ body }) => body.PrivateKeyPlaintext)).size, 24)
})

t.test('data key pairs refused', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const KeyId = await aws.createKey()
  const rsa = await aws.createKey({ KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' })
  const signing = await aws.createKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' })
  for (const operation of ['GenerateDataKeyPair', 'GenerateDataKeyPairWithoutPlaintext']) {
    const request = { KeyId, KeyPairSpec: 'ECC_NIST_P256' }
    t.equal(
      await aws.refusal(operation, { ...request, KeyPairSpec: 'SM2' }),
      'UnsupportedOperationException: KeyPairSpec SM2 is not supported.',
    )
    t.match(
      await aws.refusal(operation, { ...request, KeyPairSpec: 'ML_DSA_44' }),
      "at 'keyPairSpec' failed to satisfy",
    )
    t.equal(
      await aws.refusal(operation, { ...request, KeyId: rsa }),
      'InvalidKeyUsageException: Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048.',
    )
    t.equal(
      await aws.refusal(operation, { ...request, KeyId: signing }),
      `InvalidKeyUsageException: ${arnOf(signing)} key usage is SIGN_VERIFY which is not valid for ${operation}.`,
    )
    t.equal(await aws.refusal(operation, { ...request, DryRun: true }), DRY)
    t.equal(await aws.refusal(operation, { ...request, GrantTokens: ['no!'] }), 'InvalidGrantTokenException')
  }
  const enclave = { KeyId, KeyPairSpec: 'ECC_NIST_P256', Recipient: { AttestationDocument: 'aGk=' } }
  t.match(await aws.refusal('GenerateDataKeyPair', enclave), /^UnsupportedOperationException: Recipient/)
  await aws.ask('DisableKey', { KeyId })
  t.equal(
    await aws.refusal('GenerateDataKeyPair', { KeyId, KeyPairSpec: 'RSA_2048' }),
    `DisabledException: ${arnOf(KeyId)} is disabled.`,
  )
})
