/** What tests of operations share: a server per transport with one key ring, and keys. */
import t, { type Test } from 'tap'
import { crc32c } from '../../src/api/codec/crc32c.ts'
import {
  CryptoKeyVersion_CryptoKeyVersionAlgorithm as Algorithm,
  type ProtectionLevel,
  CryptoKey_CryptoKeyPurpose as Purpose,
} from '../../src/api/gcp/gen/google/cloud/kms/v1/resources_pb.js'
import { KeyManagementService } from '../../src/api/gcp/gen/google/cloud/kms/v1/service_pb.js'
import type { KernelOptions } from '../support/kernel.ts'
import { type Client, grpcClient, restClient } from './clients.ts'
import { LOCATION, makeGcp, type TestGcp } from './support.ts'

export const kms = KeyManagementService.method
export const RING = `${LOCATION}/keyRings/r`
export const checksum = (bytes: Uint8Array): bigint => BigInt(crc32c(bytes))
export const TEXT = Buffer.from('attack at dawn')

type Run = (t: Test, client: Client, gcp: TestGcp) => Promise<void>

/** Runs a test once per transport, each on a server of its own with one key ring. */
export function both(name: string, run: Run, options: KernelOptions = {}): void {
  for (const make of [grpcClient, restClient]) {
    t.test(`${name} (${make === grpcClient ? 'gRPC' : 'REST'})`, async (t) => {
      const gcp = await makeGcp({}, options)
      t.teardown(gcp.close)
      const client = make(gcp)
      await client.get(kms.createKeyRing, { parent: LOCATION, keyRingId: 'r', keyRing: {} })
      await run(t, client, gcp)
    })
  }
}

export async function newKey(
  client: Client,
  id: string,
  algorithm: Algorithm,
  purpose: Purpose = Purpose.ASYMMETRIC_SIGN,
  protectionLevel?: ProtectionLevel,
) {
  const key = await client.get(kms.createCryptoKey, {
    parent: RING,
    cryptoKeyId: id,
    cryptoKey: { purpose, versionTemplate: { algorithm, ...(protectionLevel !== undefined && { protectionLevel }) } },
  })
  return { key: key.name, version: `${key.name}/cryptoKeyVersions/1` }
}
export const symmetric = (client: Client, id = 'k') =>
  newKey(client, id, Algorithm.GOOGLE_SYMMETRIC_ENCRYPTION, Purpose.ENCRYPT_DECRYPT)
