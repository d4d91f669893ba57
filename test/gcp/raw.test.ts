/** Raw encryption in each mode, over both transports. */
import { randomBytes } from 'node:crypto'
import {
  CryptoKeyVersion_CryptoKeyVersionAlgorithm as Algorithm,
  ProtectionLevel,
  CryptoKey_CryptoKeyPurpose as Purpose,
} from '../../src/api/gcp/gen/google/cloud/kms/v1/resources_pb.js'
import type { Client } from './clients.ts'
import { both, checksum, kms, newKey, RING, symmetric, TEXT } from './fixture.ts'

const MODES = {
  gcm: [Algorithm.AES_128_GCM, Algorithm.AES_256_GCM],
  cbc: [Algorithm.AES_128_CBC, Algorithm.AES_256_CBC],
  ctr: [Algorithm.AES_128_CTR, Algorithm.AES_256_CTR],
} as const
const rawKey = async (client: Client, algorithm: Algorithm) =>
  (await newKey(client, `raw${algorithm}`, algorithm, Purpose.RAW_ENCRYPT_DECRYPT)).version
/** Another value for sure, where a byte set to zero may have been zero before. */
const flipped = (bytes: Uint8Array, at: number) =>
  Buffer.from(bytes.map((byte, index) => (index === at ? byte ^ 1 : byte)))
const BLOCKS = Buffer.concat([TEXT, TEXT, TEXT]).subarray(0, 32)

both('raw AES-GCM', async (t, client) => {
  for (const algorithm of MODES.gcm) {
    const name = await rawKey(client, algorithm)
    const aad = Buffer.from('context')
    const request = {
      name,
      plaintext: TEXT,
      plaintextCrc32c: checksum(TEXT),
      additionalAuthenticatedData: aad,
      additionalAuthenticatedDataCrc32c: checksum(aad),
      initializationVectorCrc32c: 0n,
    }
    const sealed = await client.get(kms.rawEncrypt, request)
    const { ciphertext, initializationVector } = sealed
    t.match(sealed, {
      name,
      tagLength: 16,
      ciphertextCrc32c: checksum(ciphertext),
      initializationVectorCrc32c: checksum(initializationVector),
      verifiedPlaintextCrc32c: true,
      verifiedAdditionalAuthenticatedDataCrc32c: true,
      verifiedInitializationVectorCrc32c: true,
      protectionLevel: ProtectionLevel.SOFTWARE,
    })
    t.equal(initializationVector.length, 12)
    t.equal(ciphertext.length, TEXT.length + 16)
    const opening = { name, ciphertext, initializationVector, additionalAuthenticatedData: aad }
    t.match(await client.get(kms.rawDecrypt, { ...opening, tagLength: 16, ciphertextCrc32c: checksum(ciphertext) }), {
      plaintext: TEXT,
      plaintextCrc32c: checksum(TEXT),
      verifiedCiphertextCrc32c: true,
      verifiedAdditionalAuthenticatedDataCrc32c: false,
      verifiedInitializationVectorCrc32c: false,
    })
    const shorter = { ...opening, ciphertext: ciphertext.subarray(0, -4), tagLength: 12 }
    t.same((await client.get(kms.rawDecrypt, shorter)).plaintext, TEXT, 'a tag of 12 bytes')
    const again = await client.get(kms.rawEncrypt, request)
    t.notSame(again.initializationVector, initializationVector)
    for (const wrong of [
      { ciphertext: flipped(ciphertext, 3) },
      { ciphertext: ciphertext.subarray(0, -1) },
      { ciphertext: ciphertext.subarray(0, 15) },
      { ciphertext: new Uint8Array(0) },
      { initializationVector: again.initializationVector },
      { initializationVector: initializationVector.subarray(1) },
      { initializationVector: new Uint8Array(0) },
      { initializationVector: Buffer.alloc(16) },
      { additionalAuthenticatedData: new Uint8Array(0) },
      { additionalAuthenticatedData: Buffer.from('context ') },
      ...[-1, 1, 11, 13, 17, 2 ** 31 - 1].map((tagLength) => ({ tagLength })),
      { ciphertextCrc32c: 1n },
      { initializationVectorCrc32c: 1n },
      { additionalAuthenticatedDataCrc32c: 0n },
    ]) {
      t.equal(await client.status(kms.rawDecrypt, { ...opening, ...wrong }), 'INVALID_ARGUMENT')
    }
  }
})

both('raw AES-CBC and AES-CTR', async (t, client) => {
  for (const algorithm of [...MODES.cbc, ...MODES.ctr]) {
    const name = await rawKey(client, algorithm)
    const made = await client.get(kms.rawEncrypt, { name, plaintext: BLOCKS })
    t.equal(made.initializationVector.length, 16)
    t.equal(made.ciphertext.length, BLOCKS.length, 'no padding')
    t.equal(made.tagLength, 0)
    const initializationVector = randomBytes(16)
    const given = await client.get(kms.rawEncrypt, { name, plaintext: BLOCKS, initializationVector })
    t.same(given.initializationVector, initializationVector)
    t.same(
      (await client.get(kms.rawEncrypt, { name, plaintext: BLOCKS, initializationVector })).ciphertext,
      given.ciphertext,
    )
    for (const { ciphertext, initializationVector } of [made, given]) {
      t.same((await client.get(kms.rawDecrypt, { name, ciphertext, initializationVector })).plaintext, BLOCKS)
    }
    const { ciphertext } = given
    const opening = { name, ciphertext, initializationVector }
    for (const wrong of [
      { additionalAuthenticatedData: TEXT },
      { tagLength: 16 },
      { initializationVector: Buffer.alloc(12) },
      { initializationVector: Buffer.alloc(17) },
      { initializationVector: new Uint8Array(0) },
      { ciphertext: new Uint8Array(0) },
    ]) {
      t.equal(await client.status(kms.rawDecrypt, { ...opening, ...wrong }), 'INVALID_ARGUMENT')
    }
    for (const wrong of [
      { additionalAuthenticatedData: TEXT },
      { initializationVector: Buffer.alloc(15) },
      { initializationVector: Buffer.alloc(17) },
    ]) {
      t.equal(await client.status(kms.rawEncrypt, { name, plaintext: BLOCKS, ...wrong }), 'INVALID_ARGUMENT')
    }
  }
  const uneven = async (algorithm: Algorithm) =>
    client.status(kms.rawEncrypt, { name: `${RING}/cryptoKeys/raw${algorithm}/cryptoKeyVersions/1`, plaintext: TEXT })
  t.equal(await uneven(Algorithm.AES_256_CBC), 'INVALID_ARGUMENT', 'half a block')
  t.equal(await uneven(Algorithm.AES_256_CTR), 'OK')
})

both('what raw encryption refuses', async (t, client) => {
  const name = await rawKey(client, Algorithm.AES_256_GCM)
  const { key } = await symmetric(client)
  const other = `${key}/cryptoKeyVersions/1`
  const encrypts = async (expected: string, what: string, request: object) =>
    t.equal(await client.status(kms.rawEncrypt, { name, plaintext: TEXT, ...request }), expected, what)
  await encrypts('OK', 'the longest', {
    plaintext: Buffer.alloc(65_536),
    additionalAuthenticatedData: Buffer.alloc(65_536),
  })
  await encrypts('INVALID_ARGUMENT', 'too long', { plaintext: Buffer.alloc(65_537) })
  await encrypts('INVALID_ARGUMENT', 'too long', { additionalAuthenticatedData: Buffer.alloc(65_537) })
  await encrypts('INVALID_ARGUMENT', 'nothing', { plaintext: new Uint8Array(0) })
  await encrypts('INVALID_ARGUMENT', 'an IV', { initializationVector: Buffer.alloc(12) })
  await encrypts('INVALID_ARGUMENT', 'a checksum', { plaintextCrc32c: 1n })
  await encrypts('INVALID_ARGUMENT', 'a checksum', { initializationVectorCrc32c: 1n })
  await encrypts('FAILED_PRECONDITION', 'another purpose', { name: other })
  await encrypts('NOT_FOUND', 'no version', { name: name.replace(/1$/, '2') })
  const sealed = await client.get(kms.rawEncrypt, { name, plaintext: TEXT })
  const { ciphertext } = sealed
  t.equal(
    await client.status(kms.rawDecrypt, { name: other, ciphertext, initializationVector: TEXT }),
    'FAILED_PRECONDITION',
  )
  t.equal(
    await client.status(kms.encrypt, { name: name.replace(/\/cryptoKeyVersions.*/, ''), plaintext: TEXT }),
    'FAILED_PRECONDITION',
    'a raw key in an envelope',
  )
  t.equal(
    await client.status(kms.createCryptoKey, {
      parent: RING,
      cryptoKeyId: 'none',
      cryptoKey: { purpose: Purpose.RAW_ENCRYPT_DECRYPT },
    }),
    'INVALID_ARGUMENT',
    'no algorithm',
  )
  const opened = await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      const plaintext = Buffer.from(`message ${index}`)
      const { ciphertext, initializationVector } = await client.get(kms.rawEncrypt, { name, plaintext })
      const answer = await client.get(kms.rawDecrypt, { name, ciphertext, initializationVector })
      return Buffer.from(answer.plaintext).equals(plaintext) ? Buffer.from(initializationVector).toString('hex') : ''
    }),
  )
  t.equal(new Set(opened).size, 20, 'twenty at once, no two with one IV')
})
