/** Rotation by the clock and on demand, through AWS's operations. */
import t from 'tap'
import { arnOf, makeAws, type TestAws, UNKNOWN_ID } from './support.ts'

const DAY = 86_400_000
const status = async (aws: TestAws, KeyId: string) => (await aws.ask('GetKeyRotationStatus', { KeyId })).body
const rotations = async (aws: TestAws, KeyId: string, input: object = {}) =>
  (await aws.ask('ListKeyRotations', { KeyId, ...input })).body
const materialOf = async (aws: TestAws, KeyId: string): Promise<string> =>
  (await aws.ask('DescribeKey', { KeyId })).body.KeyMetadata.CurrentKeyMaterialId

t.test('the clock rotates, and old ciphertexts open', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const KeyId = await aws.createKey()
  t.same(await status(aws, KeyId), { KeyId, KeyRotationEnabled: false })
  const first = await materialOf(aws, KeyId)
  t.equal((await aws.ask('EnableKeyRotation', { KeyId })).text, '')
  const start = aws.clock.now()
  t.same(await status(aws, KeyId), {
    KeyId,
    KeyRotationEnabled: true,
    RotationPeriodInDays: 365,
    NextRotationDate: (start + 365 * DAY) / 1000,
  })
  await aws.ask('EnableKeyRotation', { KeyId: arnOf(KeyId), RotationPeriodInDays: 90 })
  t.match(await status(aws, KeyId), { RotationPeriodInDays: 90, NextRotationDate: (start + 90 * DAY) / 1000 })
  const { CiphertextBlob } = (await aws.ask('Encrypt', { KeyId, Plaintext: 'aGk=' })).body
  await aws.advance(90 * DAY)
  const second = await materialOf(aws, KeyId)
  t.not(second, first)
  t.match(await status(aws, KeyId), { NextRotationDate: (start + 180 * DAY) / 1000 })
  t.match((await aws.ask('Decrypt', { CiphertextBlob })).body, { Plaintext: 'aGk=', KeyMaterialId: first })
  t.equal((await aws.ask('GenerateDataKey', { KeyId, KeySpec: 'AES_256' })).body.KeyMaterialId, second)

  await aws.ask('RotateKeyOnDemand', { KeyId })
  const third = await materialOf(aws, KeyId)
  t.match(await status(aws, KeyId), { NextRotationDate: (start + 180 * DAY) / 1000 }, 'the schedule stays')
  const at = (start + 90 * DAY) / 1000
  const rotated = [
    { KeyId, KeyMaterialId: second, KeyMaterialState: 'NON_CURRENT', RotationDate: at, RotationType: 'AUTOMATIC' },
    { KeyId, KeyMaterialId: third, KeyMaterialState: 'CURRENT', RotationDate: at, RotationType: 'ON_DEMAND' },
  ]
  t.same(await rotations(aws, KeyId), { Rotations: rotated, Truncated: false })
  t.same(await rotations(aws, KeyId, { IncludeKeyMaterial: 'ROTATIONS_ONLY' }), {
    Rotations: rotated,
    Truncated: false,
  })
  t.same(await rotations(aws, KeyId, { IncludeKeyMaterial: 'ALL_KEY_MATERIAL' }), {
    Rotations: [{ KeyId, KeyMaterialId: first, KeyMaterialState: 'NON_CURRENT' }, ...rotated],
    Truncated: false,
  })
  t.equal((await aws.ask('DisableKeyRotation', { KeyId })).text, '')
  t.same(await status(aws, KeyId), { KeyId, KeyRotationEnabled: false })
  await aws.advance(400 * DAY)
  t.equal(await materialOf(aws, KeyId), third)
})

t.test('disabled keys wait, deleted ones have no rotation', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const KeyId = await aws.createKey()
  await aws.ask('EnableKeyRotation', { KeyId, RotationPeriodInDays: 100 })
  const first = await materialOf(aws, KeyId)
  await aws.ask('DisableKey', { KeyId })
  t.match(await status(aws, KeyId), { KeyRotationEnabled: true, RotationPeriodInDays: 100 })
  await aws.advance(150 * DAY)
  t.equal(await materialOf(aws, KeyId), first)
  const disabled = `DisabledException: ${arnOf(KeyId)} is disabled.`
  for (const operation of ['EnableKeyRotation', 'DisableKeyRotation', 'RotateKeyOnDemand']) {
    t.equal(await aws.refusal(operation, { KeyId }), disabled, operation)
  }
  await aws.ask('EnableKey', { KeyId })
  await aws.advance(0)
  t.not(await materialOf(aws, KeyId), first, 'overdue, it is rotated when it is enabled')
  await aws.ask('ScheduleKeyDeletion', { KeyId })
  t.same(await status(aws, KeyId), { KeyId, KeyRotationEnabled: false })
  const pending = `KMSInvalidStateException: ${arnOf(KeyId)} is pending deletion.`
  for (const operation of ['EnableKeyRotation', 'DisableKeyRotation', 'RotateKeyOnDemand']) {
    t.equal(await aws.refusal(operation, { KeyId }), pending, operation)
  }
  t.equal((await rotations(aws, KeyId)).Rotations.length, 1, 'what was rotated is listed still')
  await aws.ask('CancelKeyDeletion', { KeyId })
  t.match(await status(aws, KeyId), { KeyRotationEnabled: true, RotationPeriodInDays: 100 })
})

t.test('keys that do not rotate', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  for (const input of [
    { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' },
    { KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' },
    { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' },
  ]) {
    const KeyId = await aws.createKey(input)
    t.same(await status(aws, KeyId), { KeyId, KeyRotationEnabled: false })
    const operations = ['EnableKeyRotation', 'DisableKeyRotation', 'RotateKeyOnDemand', 'ListKeyRotations']
    for (const operation of operations) {
      t.equal(await aws.refusal(operation, { KeyId }), 'UnsupportedOperationException', `${operation} ${input.KeySpec}`)
    }
    await aws.ask('DisableKey', { KeyId })
    t.equal(
      await aws.refusal('RotateKeyOnDemand', { KeyId }),
      `DisabledException: ${arnOf(KeyId)} is disabled.`,
      'its state comes first, as recorded',
    )
  }
  const unknown = `NotFoundException: Key '${arnOf(UNKNOWN_ID)}' does not exist`
  t.equal(await aws.refusal('RotateKeyOnDemand', { KeyId: UNKNOWN_ID }), unknown)
  const KeyId = await aws.createKey()
  for (const [RotationPeriodInDays, bound] of [
    [89, 'greater than or equal to 90'],
    [2561, 'less than or equal to 2560'],
  ] as const) {
    t.equal(
      await aws.refusal('EnableKeyRotation', { KeyId, RotationPeriodInDays }),
      `ValidationException: 1 validation error detected: Value '${RotationPeriodInDays}' at 'rotationPeriodInDays' failed to satisfy constraint: Member must have value ${bound}`,
    )
  }
  for (const RotationPeriodInDays of [90, 2560]) {
    t.equal(await aws.refusal('EnableKeyRotation', { KeyId, RotationPeriodInDays }), 'ok')
    t.match(await status(aws, KeyId), { RotationPeriodInDays })
  }
})

t.test('rotations on demand: their limit, their pages, and the clock before them', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const KeyId = await aws.createKey()
  const seen: string[] = []
  for (let i = 0; i < 25; i++) {
    t.same((await aws.ask('RotateKeyOnDemand', { KeyId })).body, { KeyId })
    seen.push(await materialOf(aws, KeyId))
  }
  t.equal(
    await aws.refusal('RotateKeyOnDemand', { KeyId }),
    `LimitExceededException: The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can be performed for this key: ${arnOf(KeyId)}`,
  )
  await aws.ask('EnableKeyRotation', { KeyId, RotationPeriodInDays: 90 })
  const listed: string[] = []
  let Marker: string | undefined
  do {
    const page = await rotations(aws, KeyId, { Limit: 10, Marker })
    t.equal(page.Truncated, page.NextMarker !== undefined)
    listed.push(...page.Rotations.map(({ KeyMaterialId }: { KeyMaterialId: string }) => KeyMaterialId))
    Marker = page.NextMarker
    if (listed.length === 10) {
      await aws.advance(90 * DAY)
      seen.push(await materialOf(aws, KeyId))
    }
  } while (Marker !== undefined)
  t.same(listed, seen, 'each once, the one that was made meanwhile at its end')
  t.match(await aws.refusal('ListKeyRotations', { KeyId, Limit: 1001 }), /^ValidationException/)
  t.equal(await aws.refusal('ListKeyRotations', { KeyId, Marker: 'x' }), 'InvalidMarkerException')
  const other = await aws.createKey()
  const { NextMarker } = await rotations(aws, KeyId, { Limit: 1 })
  t.equal(await aws.refusal('ListKeyRotations', { KeyId: other, Marker: NextMarker }), 'InvalidMarkerException')

  await aws.ask('EnableKeyRotation', { KeyId: other, RotationPeriodInDays: 90 })
  await aws.advance(90 * DAY - 19 * 60_000)
  t.equal(await aws.refusal('RotateKeyOnDemand', { KeyId: other }), 'ConflictException', 'the clock is about to')
  await aws.advance(19 * 60_000)
  t.equal(await aws.refusal('RotateKeyOnDemand', { KeyId: other }), 'ok')
})
