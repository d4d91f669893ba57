/** A request that succeeds for every bound method, on resources of its own where it changes any. */
import { createHash, publicEncrypt } from 'node:crypto'
import { ml_kem768 } from '@noble/post-quantum/ml-kem.js'
import type { Test } from 'tap'
import {
  CryptoKeyVersion_CryptoKeyVersionAlgorithm as Algorithm,
  CryptoKey_CryptoKeyPurpose as Purpose,
} from '../../src/api/gcp/gen/google/cloud/kms/v1/resources_pb.js'
import { KeyManagementService } from '../../src/api/gcp/gen/google/cloud/kms/v1/service_pb.js'
import type { Client } from './clients.ts'
import { LOCATION, makeGcp, type TestGcp } from './support.ts'

const kms = KeyManagementService.method
const RING = `${LOCATION}/keyRings/r`

export type World = { readonly gcp: TestGcp; readonly client: Client; readonly fresh: () => string }

/** By the name of the method. */
export async function validRequests(world: World): Promise<Record<string, () => Promise<object>>> {
  const { client, fresh } = world
  const newKey = async (purpose: Purpose, algorithm: Algorithm) =>
    (
      await client.get(kms.createCryptoKey, {
        parent: RING,
        cryptoKeyId: fresh(),
        cryptoKey: { purpose, versionTemplate: { algorithm } },
      })
    ).name
  const symmetric = () => newKey(Purpose.ENCRYPT_DECRYPT, Algorithm.GOOGLE_SYMMETRIC_ENCRYPTION)
  const key = await symmetric()
  const signing = await newKey(Purpose.ASYMMETRIC_SIGN, Algorithm.EC_SIGN_P256_SHA256)
  const rsa = await newKey(Purpose.ASYMMETRIC_DECRYPT, Algorithm.RSA_DECRYPT_OAEP_2048_SHA256)
  const { pem } = await client.get(kms.getPublicKey, { name: `${rsa}/cryptoKeyVersions/1` })
  const wrapped = publicEncrypt({ key: pem, oaepHash: 'sha256' }, Buffer.from('text'))
  const { ciphertext } = await client.get(kms.encrypt, { name: key, plaintext: Buffer.from('text') })
  const digest = createHash('sha256').update('text').digest()
  const mac = await newKey(Purpose.MAC, Algorithm.HMAC_SHA256)
  const macName = `${mac}/cryptoKeyVersions/1`
  const raw = await newKey(Purpose.RAW_ENCRYPT_DECRYPT, Algorithm.AES_256_CTR)
  const rawName = `${raw}/cryptoKeyVersions/1`
  const rawText = { name: rawName, plaintext: Buffer.from('text'), initializationVector: Buffer.alloc(16) }
  const rawSealed = await client.get(kms.rawEncrypt, rawText)
  const kem = await newKey(Purpose.KEY_ENCAPSULATION, Algorithm.ML_KEM_768)
  const kemName = `${kem}/cryptoKeyVersions/1`
  const { publicKey } = await client.get(kms.getPublicKey, { name: kemName, publicKeyFormat: 3 })
  const { cipherText } = ml_kem768.encapsulate(publicKey?.data ?? new Uint8Array(0))
  const text = { name: macName, data: Buffer.from('text') }
  const tag = (await client.get(kms.macSign, text)).mac
  const version = async () => ({ name: `${await symmetric()}/cryptoKeyVersions/1` })
  const restorable = async () => client.get(kms.destroyCryptoKeyVersion, await version())
  const destroyed = async () => {
    const { name } = await restorable()
    await world.gcp.advance(30 * 86_400_000)
    return { name }
  }
  const empty = async () => {
    const cryptoKey = { purpose: Purpose.ENCRYPT_DECRYPT }
    const request = { parent: RING, cryptoKeyId: fresh(), cryptoKey, skipInitialVersionCreation: true }
    return { name: (await client.get(kms.createCryptoKey, request)).name }
  }
  const deleted = async () => ({ name: (await client.get(kms.deleteCryptoKey, await empty())).name })
  const still = (request: object) => async () => request
  return {
    ListLocations: still({ name: 'projects/local' }),
    GetLocation: still({ name: LOCATION }),
    CreateKeyRing: async () => ({ parent: LOCATION, keyRingId: fresh(), keyRing: {} }),
    GetKeyRing: still({ name: RING }),
    GetIamPolicy: still({ resource: RING, options: { requestedPolicyVersion: 3 } }),
    // Without an etag, so that one is as good as the next.
    SetIamPolicy: still({
      resource: RING,
      policy: { version: 3, bindings: [{ role: 'roles/cloudkms.viewer', members: ['user:ann@example.org'] }] },
    }),
    TestIamPermissions: still({ resource: RING, permissions: ['cloudkms.keyRings.get'] }),
    ListKeyRings: still({ parent: LOCATION, pageSize: 3 }),
    CreateCryptoKey: async () => ({
      parent: RING,
      cryptoKeyId: fresh(),
      cryptoKey: {
        purpose: Purpose.ASYMMETRIC_SIGN,
        versionTemplate: { algorithm: Algorithm.EC_SIGN_P256_SHA256 },
        labels: { a: 'b' },
        destroyScheduledDuration: { seconds: 86_400n },
      },
    }),
    GetCryptoKey: still({ name: key }),
    ListCryptoKeys: still({ parent: RING, pageSize: 3 }),
    CreateCryptoKeyVersion: still({ parent: key, cryptoKeyVersion: {} }),
    GetCryptoKeyVersion: still({ name: `${key}/cryptoKeyVersions/1` }),
    ListCryptoKeyVersions: still({ parent: key, pageSize: 3 }),
    UpdateCryptoKeyVersion: async () => ({
      cryptoKeyVersion: { ...(await version()), state: 2 },
      updateMask: { paths: ['state'] },
    }),
    UpdateCryptoKey: async () => ({
      cryptoKey: {
        name: await symmetric(),
        labels: { team: 'alpha' },
        nextRotationTime: { seconds: 4_000_000_000n },
        rotationSchedule: { case: 'rotationPeriod', value: { seconds: 86_400n } },
      },
      updateMask: { paths: ['labels', 'rotation_period', 'next_rotation_time'] },
    }),
    UpdateCryptoKeyPrimaryVersion: async () => ({ name: await symmetric(), cryptoKeyVersionId: '1' }),
    DestroyCryptoKeyVersion: version,
    DeleteCryptoKeyVersion: destroyed,
    DeleteCryptoKey: empty,
    GetOperation: deleted,
    RestoreCryptoKeyVersion: async () => ({ name: (await restorable()).name }),
    GetPublicKey: still({ name: `${signing}/cryptoKeyVersions/1`, publicKeyFormat: 1 }),
    Encrypt: still({ name: key, plaintext: Buffer.from('text'), additionalAuthenticatedData: Buffer.of(1) }),
    Decrypt: still({ name: key, ciphertext }),
    AsymmetricSign: still({
      name: `${signing}/cryptoKeyVersions/1`,
      digest: { digest: { case: 'sha256', value: digest } },
    }),
    MacSign: still(text),
    MacVerify: still({ ...text, mac: tag }),
    GenerateRandomBytes: still({ location: LOCATION, lengthBytes: 32, protectionLevel: 2 }),
    RawEncrypt: still(rawText),
    RawDecrypt: still({ name: rawName, ciphertext: rawSealed.ciphertext, initializationVector: Buffer.alloc(16) }),
    Decapsulate: still({ name: kemName, ciphertext: cipherText }),
    AsymmetricDecrypt: still({ name: `${rsa}/cryptoKeyVersions/1`, ciphertext: wrapped }),
  }
}

export async function makeWorld(t: Test, make: (gcp: TestGcp) => Client): Promise<World> {
  const gcp = await makeGcp({}, { token: true })
  t.teardown(gcp.close)
  const client = make(gcp)
  await client.get(kms.createKeyRing, { parent: LOCATION, keyRingId: 'r' })
  let count = 0
  return { gcp, client, fresh: () => `n${++count}` }
}
