/** The cryptographic operations by @aws-sdk/client-kms against the real process, each result checked without Trefoil. */
import {
  constants,
  createHash,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  encapsulate,
  generateKeyPairSync,
  publicEncrypt,
  sign,
  verify,
} from 'node:crypto'
import {
  CreateKeyCommand,
  type CreateKeyCommandInput,
  DecapsulateCommand,
  DecryptCommand,
  DeriveSharedSecretCommand,
  DescribeKeyCommand,
  DisabledException,
  DisableKeyCommand,
  DryRunOperationException,
  EncapsulateCommand,
  EncryptCommand,
  GenerateDataKeyPairCommand,
  GenerateDataKeyPairWithoutPlaintextCommand,
  GenerateDataKeyWithoutPlaintextCommand,
  GenerateMacCommand,
  GenerateRandomCommand,
  GetPublicKeyCommand,
  IncorrectKeyException,
  InvalidCiphertextException,
  InvalidKeyUsageException,
  KMSInvalidMacException,
  KMSInvalidSignatureException,
  NotFoundException,
  ReEncryptCommand,
  SignCommand,
  UnsupportedOperationException,
  VerifyCommand,
  VerifyMacCommand,
} from '@aws-sdk/client-kms'
import { ed25519ph } from '@noble/curves/ed25519.js'
import { onEachBackend } from '../support/backends.ts'
import { clientOf } from './aws-client.ts'
import { enforcing } from './aws-tools.ts'

const MESSAGE = Buffer.from('a message for every cloud')
const bytesOf = (data: Uint8Array | undefined): Buffer => Buffer.from(data ?? [])
const publicKey = (der: Uint8Array | undefined) => createPublicKey({ key: bytesOf(der), format: 'der', type: 'spki' })
const privateKey = (der: Uint8Array | undefined) =>
  createPrivateKey({ key: bytesOf(der), format: 'der', type: 'pkcs8' })

onEachBackend('cryptography, by the JavaScript SDK', async (t, { hsm, start }) => {
  const trefoil = await start(enforcing())
  const client = clientOf(trefoil.plainUrl)
  t.teardown(async () => {
    client.destroy()
    await trefoil.stop()
  })
  const createKey = async (input: CreateKeyCommandInput = {}): Promise<string> =>
    (await client.send(new CreateKeyCommand(input))).KeyMetadata?.Arn ?? ''
  const publicKeyOf = async (KeyId: string) =>
    publicKey((await client.send(new GetPublicKeyCommand({ KeyId }))).PublicKey)
  const symmetric = await createKey()

  await t.test('re-encryption, from a public key used outside too', async (t) => {
    const KeyId = await createKey({ KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' })
    const CiphertextBlob = publicEncrypt(
      { key: await publicKeyOf(KeyId), padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' },
      MESSAGE,
    )
    const request = {
      CiphertextBlob,
      SourceKeyId: KeyId,
      SourceEncryptionAlgorithm: 'RSAES_OAEP_SHA_256',
      DestinationKeyId: symmetric,
      DestinationEncryptionContext: { a: 'b' },
    } as const
    const moved = await client.send(new ReEncryptCommand(request))
    t.match(moved, { SourceKeyId: KeyId, KeyId: symmetric, DestinationEncryptionAlgorithm: 'SYMMETRIC_DEFAULT' })
    const sealed = { CiphertextBlob: moved.CiphertextBlob, EncryptionContext: { a: 'b' } }
    t.same(bytesOf((await client.send(new DecryptCommand(sealed))).Plaintext), MESSAGE)
    await t.rejects(client.send(new ReEncryptCommand({ ...request, DryRun: true })), DryRunOperationException)
    const other = await createKey()
    const wrong = { CiphertextBlob: moved.CiphertextBlob, SourceKeyId: other, DestinationKeyId: symmetric }
    await t.rejects(client.send(new ReEncryptCommand(wrong)), IncorrectKeyException)
    const damaged = { ...request, CiphertextBlob: Buffer.alloc(256) }
    await t.rejects(client.send(new ReEncryptCommand(damaged)), InvalidCiphertextException)
    await client.send(new DisableKeyCommand({ KeyId: other }))
    await t.rejects(client.send(new ReEncryptCommand({ ...request, DestinationKeyId: other })), DisabledException)
  })

  await t.test('MACs and random bytes', async (t) => {
    for (const size of [224, 256, 384, 512] as const) {
      const KeyId = await createKey({ KeySpec: `HMAC_${size}`, KeyUsage: 'GENERATE_VERIFY_MAC' })
      const request = { KeyId, Message: MESSAGE, MacAlgorithm: `HMAC_SHA_${size}` } as const
      const { Mac } = await client.send(new GenerateMacCommand(request))
      t.equal(Mac?.length, size / 8)
      t.equal((await client.send(new VerifyMacCommand({ ...request, Mac }))).MacValid, true)
      const other = { ...request, Message: Buffer.from('another'), Mac }
      await t.rejects(client.send(new VerifyMacCommand(other)), KMSInvalidMacException)
      await t.rejects(client.send(new GenerateMacCommand({ ...request, KeyId: symmetric })), InvalidKeyUsageException)
    }
    const random = await Promise.all(
      Array.from({ length: 8 }, () => client.send(new GenerateRandomCommand({ NumberOfBytes: 24 }))),
    )
    t.equal(new Set(random.map(({ Plaintext }) => bytesOf(Plaintext).toString('hex'))).size, 8)
    t.ok(random.every(({ Plaintext }) => Plaintext?.length === 24))
    await t.rejects(client.send(new GenerateRandomCommand({})), { name: 'ValidationException' })
  })

  await t.test('data keys and data key pairs', async (t) => {
    const blind = await client.send(
      new GenerateDataKeyWithoutPlaintextCommand({ KeyId: symmetric, KeySpec: 'AES_128' }),
    )
    t.notOk('Plaintext' in blind)
    const opened = await client.send(new DecryptCommand({ CiphertextBlob: blind.CiphertextBlob }))
    t.equal(opened.Plaintext?.length, 16)
    const specs = ['RSA_2048', 'ECC_NIST_P256', 'ECC_NIST_P384', 'ECC_NIST_P521', 'ECC_SECG_P256K1'] as const
    for (const KeyPairSpec of [...specs, 'ECC_NIST_EDWARDS25519'] as const) {
      const hash = KeyPairSpec === 'ECC_NIST_EDWARDS25519' ? null : 'sha256'
      const request = { KeyId: symmetric, KeyPairSpec }
      const pair = await client.send(new GenerateDataKeyPairCommand(request))
      const made = sign(hash, MESSAGE, privateKey(pair.PrivateKeyPlaintext))
      t.ok(verify(hash, MESSAGE, publicKey(pair.PublicKey), made), KeyPairSpec)
      const { Plaintext } = await client.send(new DecryptCommand({ CiphertextBlob: pair.PrivateKeyCiphertextBlob }))
      t.same(Plaintext, pair.PrivateKeyPlaintext)
      const sealed = await client.send(new GenerateDataKeyPairWithoutPlaintextCommand(request))
      t.notOk('PrivateKeyPlaintext' in sealed)
      const later = await client.send(new DecryptCommand({ CiphertextBlob: sealed.PrivateKeyCiphertextBlob }))
      const signed = sign(hash, MESSAGE, privateKey(later.Plaintext))
      t.ok(verify(hash, MESSAGE, publicKey(sealed.PublicKey), signed))
    }
    const sm2 = new GenerateDataKeyPairCommand({ KeyId: symmetric, KeyPairSpec: 'SM2' })
    await t.rejects(client.send(sm2), UnsupportedOperationException)
    const none = '00000000-0000-4000-8000-000000000000'
    const lost = new GenerateDataKeyPairCommand({ KeyId: none, KeyPairSpec: 'RSA_2048' })
    await t.rejects(client.send(lost), NotFoundException)
  })

  await t.test('shared secrets', async (t) => {
    const KeyId = await createKey({ KeySpec: 'ECC_NIST_P384', KeyUsage: 'KEY_AGREEMENT' })
    const peer = generateKeyPairSync('ec', { namedCurve: 'secp384r1' })
    const spki = peer.publicKey.export({ format: 'der', type: 'spki' })
    const request = { KeyId, KeyAgreementAlgorithm: 'ECDH', PublicKey: spki } as const
    const { SharedSecret } = await client.send(new DeriveSharedSecretCommand(request))
    const expected = diffieHellman({ privateKey: peer.privateKey, publicKey: await publicKeyOf(KeyId) })
    t.same(bytesOf(SharedSecret), expected)
    await t.rejects(client.send(new DeriveSharedSecretCommand({ ...request, PublicKey: MESSAGE })), {
      name: 'ValidationException',
    })

    if (hsm) {
      const request = { KeySpec: 'ML_KEM_768', KeyUsage: 'ENCAPSULATE_DECAPSULATE' } as const
      await t.rejects(createKey(request), UnsupportedOperationException, 'not of this token')
      return
    }
    const kem = await createKey({ KeySpec: 'ML_KEM_768', KeyUsage: 'ENCAPSULATE_DECAPSULATE' })
    const { KeyMetadata } = await client.send(new DescribeKeyCommand({ KeyId: kem }))
    t.same(KeyMetadata?.EncapsulationAlgorithms, ['ML_KEM'])
    const algorithm = { KeyId: kem, EncapsulationAlgorithm: 'ML_KEM' } as const
    const sent = await client.send(new EncapsulateCommand(algorithm))
    const { SharedSecretCiphertextBlob } = sent
    const got = await client.send(new DecapsulateCommand({ ...algorithm, SharedSecretCiphertextBlob }))
    t.same(got.SharedSecret, sent.SharedSecret)
    const { sharedKey, ciphertext } = encapsulate(await publicKeyOf(kem))
    const own = new DecapsulateCommand({ ...algorithm, SharedSecretCiphertextBlob: ciphertext })
    t.same(bytesOf((await client.send(own)).SharedSecret), sharedKey)
    const short = new DecapsulateCommand({ ...algorithm, SharedSecretCiphertextBlob: ciphertext.subarray(1) })
    await t.rejects(client.send(short), InvalidCiphertextException)
    await t.rejects(client.send(new EncapsulateCommand({ ...algorithm, KeyId: symmetric })), InvalidKeyUsageException)
    await t.rejects(client.send(new EncryptCommand({ KeyId: kem, Plaintext: MESSAGE })), InvalidKeyUsageException)
  })

  await t.test('Ed25519 and ML-DSA signatures', async (t) => {
    const ed25519 = await createKey({ KeySpec: 'ECC_NIST_EDWARDS25519', KeyUsage: 'SIGN_VERIFY' })
    const key = await publicKeyOf(ed25519)
    const pure = { KeyId: ed25519, Message: MESSAGE, SigningAlgorithm: 'ED25519_SHA_512' } as const
    const { Signature } = await client.send(new SignCommand(pure))
    t.ok(verify(null, MESSAGE, key, bytesOf(Signature)))
    const digest = {
      KeyId: ed25519,
      Message: createHash('sha512').update(MESSAGE).digest(),
      MessageType: 'DIGEST',
      SigningAlgorithm: 'ED25519_PH_SHA_512',
    } as const
    if (hsm) {
      await t.rejects(client.send(new SignCommand(digest)), UnsupportedOperationException, 'not of this token')
      const lattice = createKey({ KeySpec: 'ML_DSA_65', KeyUsage: 'SIGN_VERIFY' })
      await t.rejects(lattice, UnsupportedOperationException, 'nor is that')
      return
    }
    const hashed = await client.send(new SignCommand(digest))
    const point = key.export({ format: 'der', type: 'spki' }).subarray(-32)
    t.ok(ed25519ph.verify(bytesOf(hashed.Signature), MESSAGE, point))
    await t.rejects(client.send(new VerifyCommand({ ...digest, Signature })), KMSInvalidSignatureException)
    await t.rejects(client.send(new SignCommand({ ...digest, MessageType: 'RAW' })), { name: 'ValidationException' })

    const mlDsa = await createKey({ KeySpec: 'ML_DSA_65', KeyUsage: 'SIGN_VERIFY' })
    const lattice = await publicKeyOf(mlDsa)
    const shake = (...parts: readonly Uint8Array[]): Buffer =>
      createHash('shake256', { outputLength: 64 }).update(Buffer.concat(parts)).digest()
    // Larger than KMS takes: what the representative is for.
    const large = Buffer.alloc(100_000, 'x')
    const mu = shake(shake(lattice.export({ format: 'der', type: 'spki' }).subarray(-1952)), Buffer.alloc(2), large)
    const external = { KeyId: mlDsa, Message: mu, SigningAlgorithm: 'ML_DSA_SHAKE_256' } as const
    const made = await client.send(new SignCommand({ ...external, MessageType: 'EXTERNAL_MU' }))
    t.ok(verify(null, large, lattice, bytesOf(made.Signature)))
    const check = new VerifyCommand({ ...external, MessageType: 'EXTERNAL_MU', Signature: made.Signature })
    t.equal((await client.send(check)).SignatureValid, true)
    const raw = new VerifyCommand({ ...external, Signature: made.Signature })
    await t.rejects(client.send(raw), KMSInvalidSignatureException)
  })
})
