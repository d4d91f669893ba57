/** Imported material of keys of several Regions: brought to each by itself, rotated to by all together. */
import { constants, createPublicKey, publicEncrypt, randomBytes } from 'node:crypto'
import t from 'tap'
import { ACCOUNT, makeAws, REGION, type TestAws } from './support.ts'
import { FOREVER, SHA_256 } from './wrapping.ts'

const DAY = 86_400_000
const [EAST, WEST, EU] = [REGION, 'us-west-2', 'eu-central-1']
const NEW = { ...FOREVER, ImportType: 'NEW_KEY_MATERIAL' }
const ALL = { IncludeKeyMaterial: 'ALL_KEY_MATERIAL' }
const arnIn = (region: string, id: string): string => `arn:aws:kms:${region}:${ACCOUNT}:key/${id}`

async function regionOf(aws: TestAws, region: string, KeyId: string) {
  const ask = async (operation: string, body: object = {}) =>
    (await aws.ask(operation, { KeyId, ...body }, { region })).body
  const refusal = (operation: string, body: object = {}) => aws.refusal(operation, { KeyId, ...body }, { region })
  const { PublicKey, ImportToken } = await ask('GetParametersForImport', SHA_256)
  const key = createPublicKey({ key: Buffer.from(PublicKey, 'base64'), format: 'der', type: 'spki' })
  const padding = constants.RSA_PKCS1_OAEP_PADDING
  const bring = (material: Buffer, more: object = FOREVER) => {
    const EncryptedKeyMaterial = publicEncrypt({ key, padding, oaepHash: 'sha256' }, material).toString('base64')
    return refusal('ImportKeyMaterial', { ImportToken, EncryptedKeyMaterial, ...more })
  }
  const state = async () => (await ask('DescribeKey')).KeyMetadata.KeyState
  const materials = async () =>
    (await ask('ListKeyRotations', ALL)).Rotations.map(
      ({ KeyMaterialState, ImportState }: Record<string, string>) => `${KeyMaterialState} ${ImportState}`,
    )
  return { ask, refusal, bring, state, materials }
}

t.test('each Region is given the material, none may be given other', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const id = await aws.createKey({ Origin: 'EXTERNAL', MultiRegion: true })
  const east = await regionOf(aws, EAST, id)
  const [first, second, third] = [randomBytes(32), randomBytes(32), randomBytes(32)]
  t.match(await east.ask('ReplicateKey', { ReplicaRegion: EU }), { ReplicaKeyMetadata: { KeyState: 'Creating' } })
  t.equal(await east.bring(first), 'ok')
  t.match(await east.ask('ReplicateKey', { ReplicaRegion: WEST }), {
    ReplicaKeyMetadata: { KeyState: 'Creating', Origin: 'EXTERNAL', MultiRegion: true },
  })
  const [west, eu] = [await regionOf(aws, WEST, id), await regionOf(aws, EU, id)]
  t.same(await eu.materials(), ['CURRENT PENDING_IMPORT'], 'a replica that was there before knows what it waits for')
  t.equal(
    await west.refusal('Encrypt', { Plaintext: 'aGk=' }),
    `KMSInvalidStateException: ${arnIn(WEST, id)} is pending import.`,
  )
  t.equal(await west.bring(second), 'IncorrectKeyMaterialException')
  t.equal(
    await west.bring(second, NEW),
    `UnsupportedOperationException: ${arnIn(WEST, id)} is not a multi-region primary key.`,
  )
  const ValidTo = aws.clock.now() / 1000 + 3600
  t.equal(await west.bring(first, { ValidTo }), 'ok', 'with a date of its own')
  const { CiphertextBlob } = await east.ask('Encrypt', { Plaintext: 'aGk=' })
  t.match(await west.ask('Decrypt', { CiphertextBlob }), { Plaintext: 'aGk=', KeyId: arnIn(WEST, id) })
  const back = await west.ask('Encrypt', { Plaintext: 'aGk=' })
  t.match(await east.ask('Decrypt', { CiphertextBlob: back.CiphertextBlob }), { Plaintext: 'aGk=' })
  await aws.advance(3_600_000)
  t.equal(await west.state(), 'PendingImport')
  t.equal(await east.state(), 'Enabled')
  t.equal(await west.bring(first), 'ok')
  await west.ask('DeleteImportedKeyMaterial')
  t.same([await west.state(), await east.state()], ['PendingImport', 'Enabled'])
  t.equal(await west.bring(first), 'ok')

  t.equal(await east.bring(second, NEW), 'ok')
  t.same(await east.materials(), ['CURRENT IMPORTED', 'PENDING_MULTI_REGION_IMPORT_AND_ROTATION IMPORTED'])
  t.match(await east.refusal('RotateKeyOnDemand'), /^KMSInvalidStateException: No available key material pending/)
  t.equal(await west.state(), 'Enabled', 'what waits is not missed')
  t.equal(await west.bring(second), 'ok')
  t.same(await west.materials(), ['CURRENT IMPORTED', 'PENDING_ROTATION IMPORTED'])
  t.same(await east.materials(), ['CURRENT IMPORTED', 'PENDING_MULTI_REGION_IMPORT_AND_ROTATION IMPORTED'])
  await eu.bring(first)
  t.equal(await eu.bring(second), 'ok')
  t.same(await east.materials(), ['CURRENT IMPORTED', 'PENDING_ROTATION IMPORTED'])
  t.equal(await east.refusal('RotateKeyOnDemand'), 'ok')
  for (const there of [east, west, eu]) {
    t.same(await there.materials(), ['NON_CURRENT IMPORTED', 'CURRENT IMPORTED'])
    t.match(await there.ask('Decrypt', { CiphertextBlob }), { Plaintext: 'aGk=' })
    const sealed = await there.ask('Encrypt', { Plaintext: 'aGk=' })
    t.match(await east.ask('Decrypt', { CiphertextBlob: sealed.CiphertextBlob }), { Plaintext: 'aGk=' })
  }

  t.equal(await east.bring(third, NEW), 'ok')
  t.equal(await west.bring(third), 'ok')
  await west.ask('DeleteImportedKeyMaterial', {
    KeyMaterialId: (await west.ask('ListKeyRotations', ALL)).Rotations[2].KeyMaterialId,
  })
  t.equal(await west.state(), 'Enabled')
  t.same((await east.materials()).length, 3, 'a replica lets go of its own only')
  t.equal(await west.bring(third), 'ok')
  const waiting = (await east.ask('ListKeyRotations', ALL)).Rotations[2].KeyMaterialId
  await east.ask('DeleteImportedKeyMaterial', { KeyMaterialId: waiting })
  for (const there of [east, west, eu]) {
    t.equal((await there.materials()).length, 2, 'the primary lets go of it for all')
    t.equal(await there.state(), 'Enabled')
  }
  t.equal(await west.bring(third), 'IncorrectKeyMaterialException')
  await west.ask('ScheduleKeyDeletion', { PendingWindowInDays: 7 })
  await aws.advance(7 * DAY)
  for (const there of [east, eu]) t.match(await there.ask('Decrypt', { CiphertextBlob }), { Plaintext: 'aGk=' })
  t.same(aws.failures, [])
})
