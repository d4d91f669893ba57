/** Every cryptographic method and algorithm by @google-cloud/kms, gRPC and REST; results are checked outside the server. */
import {
  constants,
  createHash,
  createPublicKey,
  hash,
  publicDecrypt,
  publicEncrypt,
  type VerifyKeyObjectInput,
  verify,
} from 'node:crypto'
import { KeyManagementServiceClient, type protos } from '@google-cloud/kms'
import { ml_kem768_x25519 } from '@noble/post-quantum/hybrid.js'
import { ml_kem768, ml_kem1024 } from '@noble/post-quantum/ml-kem.js'
import { slh_dsa_sha2_128s } from '@noble/post-quantum/slh-dsa.js'
import { PassThroughClient } from 'google-auth-library'
import { grpc } from 'google-gax'
import t, { type Test } from 'tap'
import { crc32c } from '../../src/api/codec/crc32c.ts'
import { startTrefoil } from '../support/process.ts'
import { softHsmMissing, startSoftHsm } from '../support/softhsm.ts'

process.env.METADATA_SERVER_DETECTION = 'none'

type Client = KeyManagementServiceClient
type Algorithm = keyof typeof protos.google.cloud.kms.v1.CryptoKeyVersion.CryptoKeyVersionAlgorithm
type Purpose = keyof typeof protos.google.cloud.kms.v1.CryptoKey.CryptoKeyPurpose
const { INVALID_ARGUMENT, FAILED_PRECONDITION, NOT_FOUND, UNIMPLEMENTED } = grpc.status
const LOCATION = 'projects/local/locations/global'
const TEXT = Buffer.from('attack at dawn, then at dusk....')
const sum = (bytes: Uint8Array) => ({ value: crc32c(bytes) })
const bytes = (value: Uint8Array | string | null | undefined): Buffer => Buffer.from((value ?? []) as Uint8Array)

const clients = (url: string): Readonly<Record<string, Client>> => {
  const port = Number(new URL(url).port)
  return {
    grpc: new KeyManagementServiceClient({
      apiEndpoint: '127.0.0.1',
      port,
      sslCreds: grpc.credentials.createInsecure(),
    }),
    rest: new KeyManagementServiceClient({
      apiEndpoint: '127.0.0.1',
      port,
      protocol: 'http',
      fallback: true,
      authClient: new PassThroughClient(),
    }),
  }
}

/** A ring to make keys in; `small` leaves out the RSA keys that take seconds to make. */
type Bench = { readonly client: Client; readonly ring: string; readonly small: boolean }

const made = (bench: Bench, algorithm: string): boolean => !(bench.small && /3072|4096/.test(algorithm))

async function newVersion(
  { client, ring }: Bench,
  purpose: Purpose,
  algorithm: Algorithm,
  protectionLevel: 'SOFTWARE' | 'HSM' = 'SOFTWARE',
): Promise<string> {
  const cryptoKey = { purpose, versionTemplate: { algorithm, protectionLevel } }
  const cryptoKeyId = algorithm.toLowerCase()
  const [key] = await client.createCryptoKey({ parent: ring, cryptoKeyId, cryptoKey })
  return `${key.name}/cryptoKeyVersions/1`
}

async function fails(t: Test, code: number, call: Promise<unknown>, what: string): Promise<void> {
  const error = await call.then(
    () => ({ code: 0, message: 'it was answered' }),
    (thrown: { code: number; message: string }) => thrown,
  )
  t.equal(error.code, code, `${what}: ${error.message}`)
}

const RAW: readonly Algorithm[] = [
  ...(['AES_128_GCM', 'AES_256_GCM', 'AES_128_CBC'] as const),
  ...(['AES_256_CBC', 'AES_128_CTR', 'AES_256_CTR'] as const),
]

async function encryptsRaw(t: Test, bench: Bench): Promise<void> {
  const { client } = bench
  for (const algorithm of RAW) {
    const name = await newVersion(bench, 'RAW_ENCRYPT_DECRYPT', algorithm)
    const authenticated = algorithm.endsWith('GCM')
    const additionalAuthenticatedData = authenticated ? Buffer.from('context') : Buffer.alloc(0)
    const [sealed] = await client.rawEncrypt({
      name,
      plaintext: TEXT,
      plaintextCrc32c: sum(TEXT),
      additionalAuthenticatedData,
    })
    t.equal(sealed.name, name, algorithm)
    t.ok(sealed.verifiedPlaintextCrc32c)
    t.equal(Number(sealed.ciphertextCrc32c?.value), crc32c(bytes(sealed.ciphertext)))
    t.equal(sealed.tagLength ?? 0, authenticated ? 16 : 0)
    const request = {
      name,
      ciphertext: bytes(sealed.ciphertext),
      initializationVector: bytes(sealed.initializationVector),
      additionalAuthenticatedData,
    }
    const [opened] = await client.rawDecrypt(request)
    t.same(bytes(opened.plaintext), TEXT)
    const short = { ...request, initializationVector: Buffer.alloc(8) }
    await fails(t, INVALID_ARGUMENT, client.rawDecrypt(short), `${algorithm}: a short IV`)
    if (!authenticated) continue
    const torn = { ...request, ciphertext: request.ciphertext.subarray(1) }
    await fails(t, INVALID_ARGUMENT, client.rawDecrypt(torn), `${algorithm}: a torn ciphertext`)
  }
}

async function macs(t: Test, bench: Bench): Promise<void> {
  const { client } = bench
  for (const algorithm of ['HMAC_SHA1', 'HMAC_SHA224', 'HMAC_SHA256', 'HMAC_SHA384', 'HMAC_SHA512'] as const) {
    const name = await newVersion(bench, 'MAC', algorithm)
    const [{ mac, macCrc32c, verifiedDataCrc32c }] = await client.macSign({ name, data: TEXT, dataCrc32c: sum(TEXT) })
    const tag = bytes(mac)
    t.equal(tag.length, createHash(algorithm.slice('HMAC_'.length)).digest().length, algorithm)
    t.equal(Number(macCrc32c?.value), crc32c(tag))
    t.ok(verifiedDataCrc32c)
    const [right] = await client.macVerify({ name, data: TEXT, mac: tag, macCrc32c: sum(tag) })
    t.match(right, { success: true, verifiedSuccessIntegrity: true, verifiedMacCrc32c: true })
    const [wrong] = await client.macVerify({ name, data: TEXT.subarray(1), mac: tag })
    t.notOk(wrong.success)
    await fails(t, INVALID_ARGUMENT, client.macVerify({ name, data: TEXT, mac: tag.subarray(1) }), 'a MAC cut short')
  }
}

type Scheme = { readonly hash?: 'sha256' | 'sha384' | 'sha512'; readonly options?: Omit<VerifyKeyObjectInput, 'key'> }
const PSS = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
const SIGNATURES: Readonly<Partial<Record<Algorithm, Scheme>>> = {
  RSA_SIGN_PSS_2048_SHA256: { hash: 'sha256', options: PSS },
  RSA_SIGN_PSS_3072_SHA256: { hash: 'sha256', options: PSS },
  RSA_SIGN_PSS_4096_SHA256: { hash: 'sha256', options: PSS },
  RSA_SIGN_PSS_4096_SHA512: { hash: 'sha512', options: PSS },
  RSA_SIGN_PKCS1_2048_SHA256: { hash: 'sha256' },
  RSA_SIGN_PKCS1_3072_SHA256: { hash: 'sha256' },
  RSA_SIGN_PKCS1_4096_SHA256: { hash: 'sha256' },
  RSA_SIGN_PKCS1_4096_SHA512: { hash: 'sha512' },
  EC_SIGN_P256_SHA256: { hash: 'sha256' },
  EC_SIGN_P384_SHA384: { hash: 'sha384' },
  EC_SIGN_ED25519: {},
}

async function signs(t: Test, bench: Bench): Promise<void> {
  const { client } = bench
  for (const [algorithm, { hash: name, options }] of Object.entries(SIGNATURES)) {
    if (!made(bench, algorithm)) continue
    const version = await newVersion(bench, 'ASYMMETRIC_SIGN', algorithm as Algorithm)
    const [{ pem, pemCrc32c }] = await client.getPublicKey({ name: version })
    t.equal(Number(pemCrc32c?.value), crc32c(Buffer.from(pem ?? '')))
    const key = { key: createPublicKey(pem ?? ''), ...options }
    const [{ signature }] = await client.asymmetricSign({ name: version, data: TEXT, dataCrc32c: sum(TEXT) })
    t.ok(verify(name, TEXT, key, bytes(signature)), `${algorithm} over data`)
    const digest = { [name ?? 'sha256']: hash(name ?? 'sha256', TEXT, 'buffer') }
    const overDigest = client.asymmetricSign({ name: version, digest })
    if (name === undefined) await fails(t, INVALID_ARGUMENT, overDigest, `${algorithm} over a digest`)
    else t.ok(verify(name, TEXT, key, bytes((await overDigest)[0].signature)), `${algorithm} over a digest`)
  }
  for (const bits of [2048, 3072, 4096] as const) {
    if (!made(bench, String(bits))) continue
    const name = await newVersion(bench, 'ASYMMETRIC_SIGN', `RSA_SIGN_RAW_PKCS1_${bits}`)
    const [{ pem }] = await client.getPublicKey({ name })
    const [{ signature }] = await client.asymmetricSign({ name, data: TEXT })
    const key = { key: pem ?? '', padding: constants.RSA_PKCS1_PADDING }
    t.same(publicDecrypt(key, bytes(signature)), TEXT, `raw PKCS #1, ${bits}`)
    const long = client.asymmetricSign({ name, data: Buffer.alloc(bits / 8 - 10) })
    await fails(t, INVALID_ARGUMENT, long, 'too much for the modulus')
  }
}

const shake = (...parts: Uint8Array[]): Buffer =>
  hash('shake256', Buffer.concat(parts), { outputEncoding: 'buffer', outputLength: 64 })

async function signsAfterQuantum(t: Test, bench: Bench): Promise<void> {
  const { client } = bench
  const generated = async (algorithm: Algorithm) => {
    const name = await newVersion(bench, 'ASYMMETRIC_SIGN', algorithm)
    await fails(t, INVALID_ARGUMENT, client.getPublicKey({ name }), `${algorithm}: no default format`)
    const [{ publicKey }] = await client.getPublicKey({ name, publicKeyFormat: 'NIST_PQC' })
    const raw = bytes(publicKey?.data)
    t.equal(Number(publicKey?.crc32cChecksum?.value), crc32c(raw))
    return { name, raw }
  }
  for (const set of [44, 65, 87] as const) {
    const holds = ({ raw }: { raw: Buffer }, signature: Uint8Array) => {
      const jwk = { kty: 'AKP', alg: `ML-DSA-${set}`, pub: raw.toString('base64url') }
      return verify(undefined, TEXT, createPublicKey({ key: jwk, format: 'jwk' }), signature)
    }
    const pure = await generated(`PQ_SIGN_ML_DSA_${set}`)
    const [overData] = await client.asymmetricSign({ name: pure.name, data: TEXT })
    t.ok(holds(pure, bytes(overData.signature)), `ML-DSA-${set}`)
    const external = await generated(`PQ_SIGN_ML_DSA_${set}_EXTERNAL_MU`)
    const externalMu = shake(shake(external.raw), Buffer.alloc(2), TEXT)
    const [overMu] = await client.asymmetricSign({ name: external.name, digest: { externalMu } })
    t.ok(holds(external, bytes(overMu.signature)), `ML-DSA-${set} over mu`)
    await fails(t, INVALID_ARGUMENT, client.asymmetricSign({ name: pure.name, digest: { externalMu } }), 'mu, unasked')
  }
  const pure = await generated('PQ_SIGN_SLH_DSA_SHA2_128S')
  const [{ signature }] = await client.asymmetricSign({ name: pure.name, data: TEXT })
  t.ok(slh_dsa_sha2_128s.verify(bytes(signature), TEXT, pure.raw), 'SLH-DSA')
  const hashed = await generated('PQ_SIGN_HASH_SLH_DSA_SHA2_128S_SHA256')
  const sha256 = hash('sha256', TEXT, 'buffer')
  const [overDigest] = await client.asymmetricSign({ name: hashed.name, digest: { sha256 } })
  // FIPS 205 section 10.2.2: pre-hash, no context, the OID of SHA-256, the digest.
  const message = Buffer.concat([Buffer.from('01000609608648016503040201', 'hex'), sha256])
  t.ok(slh_dsa_sha2_128s.internal.verify(bytes(overDigest.signature), message, hashed.raw), 'HashSLH-DSA')
}

const OAEP = [
  ['RSA_DECRYPT_OAEP_2048_SHA256', 'sha256'],
  ['RSA_DECRYPT_OAEP_3072_SHA256', 'sha256'],
  ['RSA_DECRYPT_OAEP_4096_SHA256', 'sha256'],
  ['RSA_DECRYPT_OAEP_4096_SHA512', 'sha512'],
  ['RSA_DECRYPT_OAEP_2048_SHA1', 'sha1'],
  ['RSA_DECRYPT_OAEP_3072_SHA1', 'sha1'],
  ['RSA_DECRYPT_OAEP_4096_SHA1', 'sha1'],
] as const

async function decrypts(t: Test, bench: Bench): Promise<void> {
  const { client } = bench
  for (const [algorithm, oaepHash] of OAEP) {
    if (!made(bench, algorithm)) continue
    const name = await newVersion(bench, 'ASYMMETRIC_DECRYPT', algorithm)
    const [{ pem }] = await client.getPublicKey({ name })
    const ciphertext = publicEncrypt({ key: pem ?? '', oaepHash, padding: constants.RSA_PKCS1_OAEP_PADDING }, TEXT)
    const [opened] = await client.asymmetricDecrypt({ name, ciphertext, ciphertextCrc32c: sum(ciphertext) })
    t.same(bytes(opened.plaintext), TEXT, algorithm)
    t.ok(opened.verifiedCiphertextCrc32c)
    const request = { name, ciphertext, ciphertextCrc32c: { value: 1 } }
    await fails(t, INVALID_ARGUMENT, client.asymmetricDecrypt(request), 'a wrong checksum')
  }
}

async function decapsulates(t: Test, bench: Bench): Promise<void> {
  const { client } = bench
  for (const [algorithm, kem, publicKeyFormat] of [
    ['ML_KEM_768', ml_kem768, 'NIST_PQC'],
    ['ML_KEM_1024', ml_kem1024, 'NIST_PQC'],
    ['KEM_XWING', ml_kem768_x25519, 'XWING_RAW_BYTES'],
  ] as const) {
    const name = await newVersion(bench, 'KEY_ENCAPSULATION', algorithm)
    const [{ publicKey }] = await client.getPublicKey({ name, publicKeyFormat })
    const { cipherText, sharedSecret } = kem.encapsulate(Uint8Array.from(bytes(publicKey?.data)))
    const [opened] = await client.decapsulate({ name, ciphertext: cipherText, ciphertextCrc32c: sum(cipherText) })
    t.same(bytes(opened.sharedSecret), Buffer.from(sharedSecret), algorithm)
    t.equal(Number(opened.sharedSecretCrc32c), crc32c(sharedSecret))
    const short = client.decapsulate({ name, ciphertext: cipherText.subarray(1) })
    await fails(t, INVALID_ARGUMENT, short, `${algorithm}: a short ciphertext`)
    await fails(t, FAILED_PRECONDITION, client.macSign({ name, data: TEXT }), 'another purpose')
  }
  const missing = `${bench.ring}/cryptoKeys/none/cryptoKeyVersions/1`
  await fails(t, NOT_FOUND, client.decapsulate({ name: missing, ciphertext: TEXT }), 'no such key')
}

/** What Google has in its HSMs alone. */
async function usesHsm(t: Test, bench: Bench): Promise<void> {
  const { client } = bench
  const name = await newVersion(bench, 'ASYMMETRIC_SIGN', 'EC_SIGN_SECP256K1_SHA256', 'HSM')
  const [{ pem, protectionLevel }] = await client.getPublicKey({ name })
  t.equal(protectionLevel, 'HSM')
  const sha256 = hash('sha256', TEXT, 'buffer')
  const [{ signature }] = await client.asymmetricSign({ name, digest: { sha256 }, digestCrc32c: sum(sha256) })
  t.ok(verify('sha256', TEXT, pem ?? '', bytes(signature)), 'secp256k1')
  const request = { location: LOCATION, lengthBytes: 32 }
  const [{ data, dataCrc32c }] = await client.generateRandomBytes({ ...request, protectionLevel: 'HSM' })
  t.equal(bytes(data).length, 32)
  t.equal(Number(dataCrc32c?.value), crc32c(bytes(data)))
  const software = client.generateRandomBytes({ ...request, protectionLevel: 'SOFTWARE' })
  await fails(t, UNIMPLEMENTED, software, 'of software')
  const short = client.generateRandomBytes({ ...request, lengthBytes: 7, protectionLevel: 'HSM' })
  await fails(t, INVALID_ARGUMENT, short, 'too few')
}

t.test('cryptography by @google-cloud/kms', async (t) => {
  const hsm = softHsmMissing === undefined ? await startSoftHsm() : undefined
  t.teardown(() => hsm?.close())
  const server = await startTrefoil(
    hsm === undefined ? {} : { env: hsm.env, config: { ...hsm.config, defaultBackend: 'software' } },
  )
  t.teardown(() => server.stop())
  for (const [name, client] of Object.entries(clients(server.plainUrl))) {
    t.teardown(() => client.close())
    const [ring] = await client.createKeyRing({ parent: LOCATION, keyRingId: name, keyRing: {} })
    const bench = { client, ring: ring.name ?? '', small: name === 'rest' }
    for (const work of [encryptsRaw, macs, signs, signsAfterQuantum, decrypts, decapsulates]) {
      await t.test(`${work.name} (${name})`, (t) => work(t, bench))
    }
    await t.test(`usesHsm (${name})`, { skip: softHsmMissing ?? false }, (t) => usesHsm(t, bench))
  }
})
