/** Cryptographic operations of every purpose, over both transports: what they take, and what comes out. */
import { constants, createPublicKey, hash, publicDecrypt, randomBytes, verify } from 'node:crypto'
import { ml_kem768_x25519 } from '@noble/post-quantum/hybrid.js'
import { ml_kem768, ml_kem1024 } from '@noble/post-quantum/ml-kem.js'
import { slh_dsa_sha2_128s } from '@noble/post-quantum/slh-dsa.js'
import {
  CryptoKeyVersion_CryptoKeyVersionAlgorithm as Algorithm,
  PublicKey_PublicKeyFormat as Format,
  ProtectionLevel,
  CryptoKey_CryptoKeyPurpose as Purpose,
} from '../../src/api/gcp/gen/google/cloud/kms/v1/resources_pb.js'
import { both, checksum, kms, newKey, TEXT } from './fixture.ts'

both(
  'what an HSM key encrypts',
  async (t, client) => {
    const args = [Algorithm.GOOGLE_SYMMETRIC_ENCRYPTION, Purpose.ENCRYPT_DECRYPT, ProtectionLevel.HSM] as const
    const { key: name, version } = await newKey(client, 'box', ...args)
    const encrypts = async (expected: string, plaintext: number, aad: number, key = name) => {
      const request = {
        name: key,
        plaintext: Buffer.alloc(plaintext),
        additionalAuthenticatedData: Buffer.alloc(aad),
      }
      t.equal(await client.status(kms.encrypt, request), expected, `${plaintext} and ${aad} bytes`)
    }
    await encrypts('OK', 8192, 0)
    await encrypts('OK', 0, 8192)
    await encrypts('OK', 4096, 4096, version)
    await encrypts('INVALID_ARGUMENT', 8193, 0)
    await encrypts('INVALID_ARGUMENT', 4096, 4097)
    await encrypts('INVALID_ARGUMENT', 0, 8193, version)
    const software = await newKey(client, 'soft', Algorithm.GOOGLE_SYMMETRIC_ENCRYPTION, Purpose.ENCRYPT_DECRYPT)
    await encrypts('OK', 65_536, 65_536, software.key)
  },
  { token: true },
)

both('formats of post-quantum public keys', async (t, client) => {
  const { version: name } = await newKey(client, 'lattice', Algorithm.PQ_SIGN_ML_DSA_65)
  const { signature } = await client.get(kms.asymmetricSign, { name, data: TEXT })
  const exported = async (publicKeyFormat: Format) => {
    const { publicKey, ...rest } = await client.get(kms.getPublicKey, { name, publicKeyFormat })
    t.match(rest, { name, pem: '', pemCrc32c: undefined, publicKeyFormat, algorithm: Algorithm.PQ_SIGN_ML_DSA_65 })
    const data = Buffer.from(publicKey?.data ?? [])
    t.equal(publicKey?.crc32cChecksum, checksum(data))
    return data
  }
  const pem = createPublicKey((await exported(Format.PEM)).toString())
  const der = createPublicKey({ key: await exported(Format.DER), format: 'der', type: 'spki' })
  t.ok(pem.equals(der))
  t.ok(verify(undefined, TEXT, pem, signature))
  t.same(await exported(Format.NIST_PQC), Buffer.from(String(pem.export({ format: 'jwk' }).pub), 'base64url'))
  for (const publicKeyFormat of [0, Format.XWING_RAW_BYTES, 99 as Format]) {
    t.equal(await client.status(kms.getPublicKey, { name, publicKeyFormat }), 'INVALID_ARGUMENT')
  }
})

const shake = (...parts: Uint8Array[]) =>
  hash('shake256', Buffer.concat(parts), { outputEncoding: 'buffer', outputLength: 64 })

both('ML-DSA over an external mu', async (t, client) => {
  for (const [algorithm, jwk] of [
    [Algorithm.PQ_SIGN_ML_DSA_44_EXTERNAL_MU, 'ML-DSA-44'],
    [Algorithm.PQ_SIGN_ML_DSA_65_EXTERNAL_MU, 'ML-DSA-65'],
    [Algorithm.PQ_SIGN_ML_DSA_87_EXTERNAL_MU, 'ML-DSA-87'],
  ] as const) {
    const { version: name } = await newKey(client, jwk, algorithm)
    const { publicKey } = await client.get(kms.getPublicKey, { name, publicKeyFormat: Format.NIST_PQC })
    const raw = Buffer.from(publicKey?.data ?? [])
    const value = shake(shake(raw), Buffer.of(0, 0), TEXT)
    const digest = { digest: { case: 'externalMu', value } } as const
    const signed = await client.get(kms.asymmetricSign, { name, digest, digestCrc32c: checksum(value) })
    t.ok(signed.verifiedDigestCrc32c)
    const key = createPublicKey({ key: { kty: 'AKP', alg: jwk, pub: raw.toString('base64url') }, format: 'jwk' })
    t.ok(verify(undefined, TEXT, key, signed.signature), jwk)
    t.equal(await client.status(kms.asymmetricSign, { name, data: TEXT }), 'INVALID_ARGUMENT', 'data')
    for (const wrong of [
      { digest: { case: 'externalMu', value: value.subarray(1) } },
      { digest: { case: 'sha512', value } },
    ] as const) {
      t.equal(await client.status(kms.asymmetricSign, { name, digest: wrong }), 'INVALID_ARGUMENT')
    }
  }
  const { version: name } = await newKey(client, 'pure', Algorithm.PQ_SIGN_ML_DSA_44)
  const digest = { digest: { case: 'externalMu', value: Buffer.alloc(64) } } as const
  t.equal(await client.status(kms.asymmetricSign, { name, digest }), 'INVALID_ARGUMENT', 'for a pure key')
})

both('SLH-DSA', async (t, client) => {
  const pure = (await newKey(client, 'pure', Algorithm.PQ_SIGN_SLH_DSA_SHA2_128S)).version
  const hashed = (await newKey(client, 'hash', Algorithm.PQ_SIGN_HASH_SLH_DSA_SHA2_128S_SHA256)).version
  const rawOf = async (name: string) =>
    (await client.get(kms.getPublicKey, { name, publicKeyFormat: Format.NIST_PQC })).publicKey?.data ??
    new Uint8Array(0)
  const value = hash('sha256', TEXT, 'buffer')
  const digest = { digest: { case: 'sha256', value } } as const
  const { signature } = await client.get(kms.asymmetricSign, { name: pure, data: TEXT })
  t.ok(slh_dsa_sha2_128s.verify(signature, TEXT, await rawOf(pure)), 'pure')
  const signed = await client.get(kms.asymmetricSign, { name: hashed, digest, digestCrc32c: checksum(value) })
  // M' of FIPS 205 section 10.2.2: pre-hash, no context, the OID of SHA-256, the digest.
  const message = Buffer.concat([Buffer.from('01000609608648016503040201', 'hex'), value])
  t.ok(slh_dsa_sha2_128s.internal.verify(signed.signature, message, await rawOf(hashed)), 'over a digest')
  t.equal(await client.status(kms.asymmetricSign, { name: pure, digest }), 'INVALID_ARGUMENT')
  for (const publicKeyFormat of [0, Format.PEM, Format.DER, Format.XWING_RAW_BYTES]) {
    t.equal(await client.status(kms.getPublicKey, { name: pure, publicKeyFormat }), 'INVALID_ARGUMENT')
  }
})

both('raw PKCS #1 signatures', async (t, client) => {
  const { version: name } = await newKey(client, 'raw', Algorithm.RSA_SIGN_RAW_PKCS1_2048)
  const { pem } = await client.get(kms.getPublicKey, { name })
  for (const data of [Buffer.of(1), TEXT, randomBytes(245)]) {
    const { signature } = await client.get(kms.asymmetricSign, { name, data, dataCrc32c: checksum(data) })
    t.same(publicDecrypt({ key: pem, padding: constants.RSA_PKCS1_PADDING }, signature), data)
  }
  const digest = { digest: { case: 'sha256', value: Buffer.alloc(32) } } as const
  for (const request of [{ data: randomBytes(246) }, { digest }, {}]) {
    t.equal(await client.status(kms.asymmetricSign, { name, ...request }), 'INVALID_ARGUMENT')
  }
})

both('key encapsulation', async (t, client) => {
  for (const [algorithm, kem, format] of [
    [Algorithm.ML_KEM_768, ml_kem768, Format.NIST_PQC],
    [Algorithm.ML_KEM_1024, ml_kem1024, Format.NIST_PQC],
    [Algorithm.KEM_XWING, ml_kem768_x25519, Format.XWING_RAW_BYTES],
  ] as const) {
    const { version: name } = await newKey(client, `kem${algorithm}`, algorithm, Purpose.KEY_ENCAPSULATION)
    const { publicKey } = await client.get(kms.getPublicKey, { name, publicKeyFormat: format })
    const { cipherText, sharedSecret } = kem.encapsulate(publicKey?.data ?? new Uint8Array(0))
    const request = { name, ciphertext: cipherText, ciphertextCrc32c: checksum(cipherText) }
    t.match(await client.get(kms.decapsulate, request), {
      name,
      sharedSecret: Buffer.from(sharedSecret),
      sharedSecretCrc32c: checksum(sharedSecret),
      verifiedCiphertextCrc32c: true,
      protectionLevel: ProtectionLevel.SOFTWARE,
    })
    const altered = Buffer.from(cipherText)
    altered[5] = (altered[5] ?? 0) ^ 1
    const rejected = await client.get(kms.decapsulate, { name, ciphertext: altered })
    t.equal(rejected.sharedSecret.length, 32, 'an altered ciphertext is rejected in silence')
    t.notOk(Buffer.from(sharedSecret).equals(rejected.sharedSecret))
    for (const wrong of [
      { ciphertext: cipherText.subarray(1) },
      { ciphertext: Buffer.concat([cipherText, Buffer.of(0)]) },
      { ciphertext: new Uint8Array(0) },
      { ciphertext: Buffer.alloc(65_537) },
      { ciphertext: cipherText, ciphertextCrc32c: 1n },
    ]) {
      t.equal(await client.status(kms.decapsulate, { name, ...wrong }), 'INVALID_ARGUMENT')
    }
    t.equal(await client.status(kms.getPublicKey, { name }), 'INVALID_ARGUMENT', 'no default format')
    t.equal(await client.status(kms.asymmetricSign, { name, data: TEXT }), 'FAILED_PRECONDITION')
  }
  const { version: name } = await newKey(client, 'pen', Algorithm.EC_SIGN_P256_SHA256)
  t.equal(await client.status(kms.decapsulate, { name, ciphertext: TEXT }), 'FAILED_PRECONDITION')
})
