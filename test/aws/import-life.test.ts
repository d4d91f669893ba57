/** Imported material: its end by the clock and by its owner, its way back, and its successor. */
import { randomBytes } from 'node:crypto'
import t from 'tap'
import { arnOf, makeAws } from './support.ts'
import { bring, encrypts, external, FOREVER, metadata, pendingImport, SHA_256, wrapped } from './wrapping.ts'

const DAY = 86_400_000

t.test('dates', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const KeyId = await external(aws)
  const material = randomBytes(32)
  const now = aws.clock.now() / 1000
  const refusal = (more: object) => bring(aws, KeyId, material, more)
  const missing = 'ValidationException: A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES'
  t.equal(await refusal({}), missing, 'as recorded; they expire by default')
  t.equal(await refusal({ ExpirationModel: 'KEY_MATERIAL_EXPIRES' }), missing)
  t.match(await refusal({ ...FOREVER, ValidTo: now + 10 }), /^ValidationException/)
  t.match(await refusal({ ValidTo: now }), /^ValidationException/)
  t.match(await refusal({ ValidTo: now + 365 * 86_400 + 1 }), /^ValidationException/)
  t.match(await metadata(aws, KeyId), { KeyState: 'PendingImport' })
  t.equal(await refusal({ ValidTo: now + 365 * 86_400 }), 'ok')
  t.match(await metadata(aws, KeyId), { ExpirationModel: 'KEY_MATERIAL_EXPIRES', ValidTo: now + 365 * 86_400 })
  t.equal(await refusal({ ValidTo: now + 100 }), 'ok', 'the same material with another date')
  t.match(await metadata(aws, KeyId), { ValidTo: now + 100, KeyState: 'Enabled' })
  const { CiphertextBlob } = (await aws.ask('Encrypt', { KeyId, Plaintext: 'aGk=' })).body
  aws.clock.time += 100_000
  t.equal(await encrypts(aws, KeyId), pendingImport(KeyId), 'from that very moment')
  await aws.advance(0)
  const expired = await metadata(aws, KeyId)
  t.match(expired, { KeyState: 'PendingImport', Enabled: false })
  t.same([expired.ExpirationModel, expired.ValidTo], [undefined, undefined])
  t.equal(await aws.refusal('Decrypt', { CiphertextBlob }), pendingImport(KeyId))
  t.match(aws.audit.records.filter(({ operation }) => operation === 'ExpireMaterial').at(-1), {
    outcome: 'ok',
    principal: 'system:clock',
    version: 1,
  })
  t.equal(await bring(aws, KeyId, randomBytes(32)), 'IncorrectKeyMaterialException', 'other material')
  t.equal(await refusal(FOREVER), 'ok')
  t.match((await aws.ask('Decrypt', { CiphertextBlob })).body, { Plaintext: 'aGk=' })
  await aws.advance(800 * DAY)
  t.equal(await encrypts(aws, KeyId), 'ok')
  t.same(aws.failures, [])
})

t.test('deletion of material, under every state of its key', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const KeyId = await external(aws)
  const material = randomBytes(32)
  const remove = (more: object = {}) => aws.ask('DeleteImportedKeyMaterial', { KeyId, ...more })
  t.same((await remove()).body, { KeyId: arnOf(KeyId) }, 'there is none: no effect')
  await bring(aws, KeyId, material)
  const { CurrentKeyMaterialId: KeyMaterialId } = await metadata(aws, KeyId)
  const { CiphertextBlob } = (await aws.ask('Encrypt', { KeyId, Plaintext: 'aGk=' })).body
  t.match(
    await aws.refusal('DeleteImportedKeyMaterial', { KeyId, KeyMaterialId: 'a'.repeat(64) }),
    /^NotFoundException/,
  )
  t.same((await remove({ KeyMaterialId })).body, { KeyId: arnOf(KeyId), KeyMaterialId })
  t.match(await metadata(aws, KeyId), { KeyState: 'PendingImport', CurrentKeyMaterialId: KeyMaterialId })
  t.equal(await aws.refusal('Decrypt', { CiphertextBlob }), pendingImport(KeyId))
  for (const operation of ['EnableKey', 'DisableKey']) {
    t.equal(await aws.refusal(operation, { KeyId }), pendingImport(KeyId), operation)
  }
  t.same((await remove()).body, { KeyId: arnOf(KeyId), KeyMaterialId }, 'gone already: no effect')
  t.equal(
    await bring(aws, KeyId, material, { ...FOREVER, KeyMaterialId: 'b'.repeat(64) }),
    'IncorrectKeyMaterialException',
  )
  t.equal(await bring(aws, KeyId, material, { ...FOREVER, KeyMaterialId }), 'ok')
  t.match((await aws.ask('Decrypt', { CiphertextBlob })).body, { Plaintext: 'aGk=' })

  await aws.ask('DisableKey', { KeyId })
  t.equal(await bring(aws, KeyId, material), 'ok')
  t.match(await metadata(aws, KeyId), { KeyState: 'Disabled' }, 'nothing was missing, nothing is enabled')
  await remove()
  t.match(await metadata(aws, KeyId), { KeyState: 'PendingImport' })
  await bring(aws, KeyId, material)
  t.match(await metadata(aws, KeyId), { KeyState: 'Enabled' })

  const parameters = await wrapped(aws, KeyId, material)
  await aws.ask('ScheduleKeyDeletion', { KeyId, PendingWindowInDays: 7 })
  const pending = `KMSInvalidStateException: ${arnOf(KeyId)} is pending deletion.`
  t.equal(await aws.refusal('GetParametersForImport', { KeyId, ...SHA_256 }), pending)
  t.equal(await aws.refusal('ImportKeyMaterial', { ...parameters, ...FOREVER }), pending)
  await remove()
  t.match(await metadata(aws, KeyId), { KeyState: 'PendingDeletion' })
  await aws.ask('CancelKeyDeletion', { KeyId })
  t.match(await metadata(aws, KeyId), { KeyState: 'PendingImport' }, 'its material did not come back with it')
  await bring(aws, KeyId, material)
  t.match((await aws.ask('Decrypt', { CiphertextBlob })).body, { Plaintext: 'aGk=' })

  const empty = await external(aws)
  await aws.ask('ScheduleKeyDeletion', { KeyId: empty, PendingWindowInDays: 7 })
  await aws.ask('CancelKeyDeletion', { KeyId: empty })
  t.match(await metadata(aws, empty), { KeyState: 'PendingImport' })
  for (const id of [KeyId, empty]) await aws.ask('ScheduleKeyDeletion', { KeyId: id, PendingWindowInDays: 7 })
  await aws.advance(7 * DAY)
  for (const id of [KeyId, empty]) t.match(await aws.refusal('DescribeKey', { KeyId: id }), /^NotFoundException/)
  t.same(aws.failures, [])
})

t.test('new material for a symmetric key: imported, then rotated to', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const KeyId = await external(aws)
  const origin = `UnsupportedOperationException: ${arnOf(KeyId)} origin is EXTERNAL which is not valid for this operation.`
  t.equal(await aws.refusal('RotateKeyOnDemand', { KeyId }), origin, 'as recorded of a key without material')
  t.equal(await aws.refusal('EnableKeyRotation', { KeyId }), origin)
  const [first, second, third] = [randomBytes(32), randomBytes(32), randomBytes(32)]
  const NEW = { ...FOREVER, ImportType: 'NEW_KEY_MATERIAL' }
  t.equal(
    await bring(aws, KeyId, first, { ...FOREVER, ImportType: 'EXISTING_KEY_MATERIAL' }),
    'IncorrectKeyMaterialException',
    'there is none yet',
  )
  t.equal(await bring(aws, KeyId, first, { ...NEW, KeyMaterialDescription: 'the first' }), 'ok')
  const { CurrentKeyMaterialId: one } = await metadata(aws, KeyId)
  const old = (await aws.ask('Encrypt', { KeyId, Plaintext: 'aGk=' })).body.CiphertextBlob
  t.equal(
    await aws.refusal('RotateKeyOnDemand', { KeyId }),
    `KMSInvalidStateException: No available key material pending rotation for the key: ${arnOf(KeyId)}.`,
    'as recorded',
  )
  t.equal(await bring(aws, KeyId, first, NEW), 'IncorrectKeyMaterialException', 'it is not new')
  t.equal(await bring(aws, KeyId, second), 'IncorrectKeyMaterialException', 'it is new, and not said to be')
  const ValidTo = aws.clock.now() / 1000 + 1000
  const added = await aws.ask('ImportKeyMaterial', {
    ...(await wrapped(aws, KeyId, second)),
    ImportType: 'NEW_KEY_MATERIAL',
    ValidTo,
  })
  const two = added.body.KeyMaterialId
  t.match(await metadata(aws, KeyId), { CurrentKeyMaterialId: one, ...FOREVER, KeyState: 'Enabled' })
  t.match(
    await bring(aws, KeyId, third, NEW),
    new RegExp(
      `^KMSInvalidStateException: New key material \\(id: [0-9a-f]{64}\\) cannot be imported into KMS key ${KeyId}, because another key material \\(id: ${two}\\) is pending rotation.$`,
    ),
    'as recorded',
  )
  t.match(
    await aws.refusal('ImportKeyMaterial', { ...(await wrapped(aws, KeyId, second)), ...NEW, KeyMaterialId: two }),
    /^ValidationException/,
  )
  const list = async () =>
    (await aws.ask('ListKeyRotations', { KeyId, IncludeKeyMaterial: 'ALL_KEY_MATERIAL' })).body.Rotations
  const firstRow = {
    KeyId,
    KeyMaterialId: one,
    KeyMaterialDescription: 'the first',
    ImportState: 'IMPORTED',
    ...FOREVER,
  }
  t.same(await list(), [
    { ...firstRow, KeyMaterialState: 'CURRENT' },
    {
      KeyId,
      KeyMaterialId: two,
      KeyMaterialState: 'PENDING_ROTATION',
      ImportState: 'IMPORTED',
      ExpirationModel: 'KEY_MATERIAL_EXPIRES',
      ValidTo,
    },
  ])
  t.same((await aws.ask('ListKeyRotations', { KeyId })).body.Rotations, [])
  aws.clock.time += 500_000
  t.same((await aws.ask('RotateKeyOnDemand', { KeyId })).body, { KeyId })
  const rotated = { KeyId, KeyMaterialId: two, RotationType: 'ON_DEMAND', RotationDate: aws.clock.now() / 1000 }
  t.match(await list(), [
    { ...firstRow, KeyMaterialState: 'NON_CURRENT' },
    { ...rotated, KeyMaterialState: 'CURRENT' },
  ])
  t.match((await aws.ask('ListKeyRotations', { KeyId })).body.Rotations, [rotated])
  t.match(await metadata(aws, KeyId), { CurrentKeyMaterialId: two, ExpirationModel: 'KEY_MATERIAL_EXPIRES', ValidTo })
  t.match((await aws.ask('Decrypt', { CiphertextBlob: old })).body, { Plaintext: 'aGk=', KeyMaterialId: one })

  await aws.advance(500_000)
  t.equal(await aws.refusal('Decrypt', { CiphertextBlob: old }), pendingImport(KeyId), 'one is missing: all stops')
  t.match(await list(), [{ ImportState: 'IMPORTED' }, { ImportState: 'PENDING_IMPORT', KeyMaterialState: 'CURRENT' }])
  await aws.ask('DeleteImportedKeyMaterial', { KeyId, KeyMaterialId: one })
  t.equal(await bring(aws, KeyId, second), 'ok')
  t.match(await metadata(aws, KeyId), { KeyState: 'PendingImport' }, 'one is missing still')
  t.equal(await bring(aws, KeyId, first), 'ok')
  t.match(await metadata(aws, KeyId), { KeyState: 'Enabled' })
  t.match(await list(), [{ KeyMaterialDescription: 'the first' }, {}])
  t.match((await aws.ask('Decrypt', { CiphertextBlob: old })).body, { Plaintext: 'aGk=' })

  await bring(aws, KeyId, third, NEW)
  const waiting = (await list()).at(-1).KeyMaterialId
  await aws.ask('DeleteImportedKeyMaterial', { KeyId, KeyMaterialId: waiting })
  t.match(await metadata(aws, KeyId), { KeyState: 'Enabled' }, 'what never was current is not missed')
  t.equal((await list()).length, 2)
  await bring(aws, KeyId, third, { ImportType: 'NEW_KEY_MATERIAL', ValidTo: aws.clock.now() / 1000 + 10 })
  await aws.advance(10_000)
  t.equal((await list()).length, 2, 'nor when it expires')
  t.match(await aws.refusal('RotateKeyOnDemand', { KeyId }), /No available key material pending rotation/)
  t.match(await metadata(aws, KeyId), { KeyState: 'Enabled' })
  t.same(aws.failures, [])
})

t.test('imports at the same time make one material', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const KeyId = await external(aws)
  const material = randomBytes(32)
  const request = { ...(await wrapped(aws, KeyId, material)), ...FOREVER }
  const answers = await Promise.all(Array.from({ length: 8 }, () => aws.refusal('ImportKeyMaterial', request)))
  t.same(answers, Array(8).fill('ok'), 'the same again is no error')
  t.equal(await encrypts(aws, KeyId), 'ok')
  const rotations = await aws.ask('ListKeyRotations', { KeyId, IncludeKeyMaterial: 'ALL_KEY_MATERIAL' })
  t.equal(rotations.body.Rotations.length, 1)
  await aws.ask('DeleteImportedKeyMaterial', { KeyId })
  await Promise.all(Array.from({ length: 8 }, () => aws.refusal('ImportKeyMaterial', request)))
  t.equal(await encrypts(aws, KeyId), 'ok', 'the key of a rival that lost was not taken for this one')
})
