/** MACs and random bytes, over both transports. */
import { randomBytes } from 'node:crypto'
import {
  CryptoKeyVersion_CryptoKeyVersionAlgorithm as Algorithm,
  ProtectionLevel,
  CryptoKey_CryptoKeyPurpose as Purpose,
  CryptoKeyVersion_CryptoKeyVersionState as State,
} from '../../src/api/gcp/gen/google/cloud/kms/v1/resources_pb.js'
import { both, checksum, kms, newKey, RING, symmetric, TEXT } from './fixture.ts'
import { LOCATION } from './support.ts'

const MACS = [
  [Algorithm.HMAC_SHA1, 20],
  [Algorithm.HMAC_SHA224, 28],
  [Algorithm.HMAC_SHA256, 32],
  [Algorithm.HMAC_SHA384, 48],
  [Algorithm.HMAC_SHA512, 64],
] as const

both('MACs', async (t, client) => {
  for (const [algorithm, bytes] of MACS) {
    const { version: name } = await newKey(client, `mac${algorithm}`, algorithm, Purpose.MAC)
    const { mac, ...signed } = await client.get(kms.macSign, { name, data: TEXT, dataCrc32c: checksum(TEXT) })
    t.equal(mac.length, bytes)
    t.match(signed, {
      name,
      macCrc32c: checksum(mac),
      verifiedDataCrc32c: true,
      protectionLevel: ProtectionLevel.SOFTWARE,
    })
    t.same((await client.get(kms.macSign, { name, data: TEXT })).mac, mac, 'the same again')
    const request = { name, data: TEXT, mac }
    t.match(await client.get(kms.macVerify, { ...request, dataCrc32c: checksum(TEXT), macCrc32c: checksum(mac) }), {
      name,
      success: true,
      verifiedDataCrc32c: true,
      verifiedMacCrc32c: true,
      verifiedSuccessIntegrity: true,
      protectionLevel: ProtectionLevel.SOFTWARE,
    })
    for (const wrong of [
      { mac: Buffer.from(mac).fill(0) },
      { mac: randomBytes(bytes) },
      { data: Buffer.from(`${TEXT} `) },
      { data: TEXT.subarray(1) },
    ]) {
      t.match(await client.get(kms.macVerify, { ...request, ...wrong }), {
        success: false,
        verifiedSuccessIntegrity: false,
        verifiedDataCrc32c: false,
        verifiedMacCrc32c: false,
      })
    }
  }
})

both('what MACs refuse', async (t, client) => {
  const { version: name } = await newKey(client, 'mac', Algorithm.HMAC_SHA256, Purpose.MAC)
  const { key } = await symmetric(client)
  const { mac } = await client.get(kms.macSign, { name, data: TEXT })
  const other = `${key}/cryptoKeyVersions/1`
  const signs = async (expected: string, request: object) =>
    t.equal(await client.status(kms.macSign, { name, data: TEXT, ...request }), expected)
  await signs('OK', { data: Buffer.alloc(65_536) })
  await signs('INVALID_ARGUMENT', { data: Buffer.alloc(65_537) })
  await signs('INVALID_ARGUMENT', { data: new Uint8Array(0) })
  await signs('INVALID_ARGUMENT', { dataCrc32c: 0n })
  await signs('INVALID_ARGUMENT', { dataCrc32c: -1n })
  await signs('FAILED_PRECONDITION', { name: other })
  await signs('FAILED_PRECONDITION', { name: other, data: new Uint8Array(0) })
  await signs('NOT_FOUND', { name: `${RING}/cryptoKeys/none/cryptoKeyVersions/1`, data: new Uint8Array(0) })
  const verifies = async (expected: string, request: object) =>
    t.equal(await client.status(kms.macVerify, { name, data: TEXT, mac, ...request }), expected)
  for (const length of [0, 1, 16, 31, 33, 64, 70_000])
    await verifies('INVALID_ARGUMENT', { mac: Buffer.concat([mac, Buffer.alloc(70_000)]).subarray(0, length) })
  await verifies('INVALID_ARGUMENT', { data: new Uint8Array(0) })
  await verifies('INVALID_ARGUMENT', { data: Buffer.alloc(65_537) })
  await verifies('INVALID_ARGUMENT', { macCrc32c: 1n })
  await verifies('INVALID_ARGUMENT', { dataCrc32c: 2n ** 32n + checksum(TEXT) })
  await verifies('FAILED_PRECONDITION', { name: other, mac: Buffer.of(1) })
  const cryptoKeyVersion = { name, state: State.DISABLED }
  await client.get(kms.updateCryptoKeyVersion, { cryptoKeyVersion, updateMask: { paths: ['state'] } })
  await signs('FAILED_PRECONDITION', {})
  await verifies('FAILED_PRECONDITION', {})
  t.equal(await client.status(kms.asymmetricSign, { name, data: TEXT }), 'FAILED_PRECONDITION')
})

const random = (lengthBytes: number, protectionLevel = ProtectionLevel.HSM) => ({
  location: LOCATION,
  lengthBytes,
  protectionLevel,
})

both(
  'random bytes',
  async (t, client) => {
    for (const length of [8, 32, 1024]) {
      const { data, dataCrc32c } = await client.get(kms.generateRandomBytes, random(length))
      t.equal(data.length, length)
      t.equal(dataCrc32c, checksum(data))
      t.notSame((await client.get(kms.generateRandomBytes, random(length))).data, data)
    }
    for (const length of [0, 7, 1025, -1, 2 ** 31 - 1]) {
      t.equal(await client.status(kms.generateRandomBytes, random(length)), 'INVALID_ARGUMENT', String(length))
    }
    for (const level of [0, ProtectionLevel.SOFTWARE, ProtectionLevel.EXTERNAL, 99 as ProtectionLevel]) {
      t.equal(await client.status(kms.generateRandomBytes, random(32, level)), 'UNIMPLEMENTED', String(level))
    }
  },
  { token: true },
)

both('random bytes of an HSM that is not there', async (t, client) => {
  t.equal(await client.status(kms.generateRandomBytes, random(32)), 'INVALID_ARGUMENT')
})

both('errors name the field that is wrong', async (t, client, gcp) => {
  const { version: name } = await newKey(client, 'mac', Algorithm.HMAC_SHA256, Purpose.MAC)
  const path = `${name}:macVerify`
  const mac = Buffer.alloc(32).toString('base64')
  const data = TEXT.toString('base64')
  for (const [field, body] of [
    ['data_crc32c', { data, mac, dataCrc32c: '1' }],
    ['mac_crc32c', { data, mac, macCrc32c: 2 }],
    ['mac', { data, mac: 'AAAA' }],
    ['data', { mac }],
    ['data', { data: Buffer.alloc(65_537).toString('base64'), mac }],
  ] as const) {
    const { status, body: answer } = await gcp.rest('POST', path, body)
    t.equal(status, 400)
    const violations = answer.error.details.flatMap(
      (detail: { fieldViolations?: object[] }) => detail.fieldViolations ?? [],
    )
    t.match(violations, [{ field, description: answer.error.message }], field)
  }
})
