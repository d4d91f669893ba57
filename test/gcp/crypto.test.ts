/** Cryptographic operations of every purpose, over both transports: what they take, and what comes out. */
import { createPublicKey, verify } from 'node:crypto'
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
