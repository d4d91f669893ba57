/** Keys of several Regions with one material: made, replicated, rotated, moved and deleted. */
import { createSecretKey, randomBytes } from 'node:crypto'
import t from 'tap'
import { AesSealer } from '../../src/core/seal.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { ACCOUNT, makeAws, REGION, type TestAws, UNNAMED } from './support.ts'

const DAY = 86_400_000
const [EAST, WEST, EU] = [REGION, 'us-west-2', 'eu-central-1']
const arnIn = (region: string, id: string): string => `arn:aws:kms:${region}:${ACCOUNT}:key/${id}`
const member = (region: string, id: string) => ({ Arn: arnIn(region, id), Region: region })
const inRegion = (aws: TestAws, region: string) => ({
  ask: async (operation: string, body: object = {}) => (await aws.ask(operation, body, { region })).body,
  refusal: (operation: string, body: object = {}) => aws.refusal(operation, body, { region }),
  describe: async (KeyId: string) => (await aws.ask('DescribeKey', { KeyId }, { region })).body.KeyMetadata,
})

/** A primary in the east with replicas in the other Regions. */
async function makeSet(aws: TestAws, input: object = {}, replicas: readonly string[] = [WEST]) {
  const id = await aws.createKey({ MultiRegion: true, ...input })
  for (const ReplicaRegion of replicas) {
    const { status, text } = await aws.ask('ReplicateKey', { KeyId: id, ReplicaRegion })
    if (status !== 200) throw new Error(text)
  }
  return { id, east: inRegion(aws, EAST), west: inRegion(aws, WEST), eu: inRegion(aws, EU) }
}

t.test('a set of keys as AWS shows it', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const { KeyMetadata } = (await aws.ask('CreateKey', { MultiRegion: true, Description: 'the first' })).body
  const id = KeyMetadata.KeyId
  t.match(id, /^mrk-[0-9a-f]{32}$/)
  t.match(KeyMetadata, {
    Arn: arnIn(EAST, id),
    MultiRegion: true,
    MultiRegionConfiguration: { MultiRegionKeyType: 'PRIMARY', PrimaryKey: member(EAST, id), ReplicaKeys: [] },
  })
  const west = inRegion(aws, WEST)
  t.equal(
    await west.refusal('DescribeKey', { KeyId: id }),
    `NotFoundException: Key '${arnIn(WEST, id)}' does not exist`,
  )
  const Tags = [{ TagKey: 'team', TagValue: 'two' }]
  const asked = { KeyId: arnIn(EAST, id), ReplicaRegion: WEST, Description: 'the second', Tags }
  const replicated = (await aws.ask('ReplicateKey', asked)).body
  t.match(replicated.ReplicaKeyMetadata, {
    KeyId: id,
    Arn: arnIn(WEST, id),
    Description: 'the second',
    KeyState: 'Creating',
    MultiRegionConfiguration: {
      MultiRegionKeyType: 'REPLICA',
      PrimaryKey: member(EAST, id),
      ReplicaKeys: [member(WEST, id)],
    },
  })
  t.same(replicated.ReplicaTags, Tags)
  t.match(JSON.parse(replicated.ReplicaPolicy), { Id: 'key-default-1' })
  t.same(await west.describe(id), { ...replicated.ReplicaKeyMetadata, KeyState: 'Enabled', Enabled: true })
  await aws.ask('ReplicateKey', { KeyId: id, ReplicaRegion: EU })
  const seen = (await aws.ask('DescribeKey', { KeyId: id })).body.KeyMetadata
  t.same(seen.MultiRegionConfiguration, {
    MultiRegionKeyType: 'PRIMARY',
    PrimaryKey: member(EAST, id),
    ReplicaKeys: [member(EU, id), member(WEST, id)],
  })
  t.equal(seen.Description, 'the first')
  t.equal((await west.describe(id)).CurrentKeyMaterialId, seen.CurrentKeyMaterialId)
  t.same((await west.ask('ListKeys')).Keys, [{ KeyId: id, KeyArn: arnIn(WEST, id) }])

  await west.ask('CreateAlias', { AliasName: 'alias/here', TargetKeyId: id })
  t.match((await west.ask('ListAliases')).Aliases, [{ TargetKeyId: id }])
  t.equal((await west.describe('alias/here')).KeyId, id)
  t.match(
    await aws.refusal('DescribeKey', { KeyId: 'alias/here' }),
    /^NotFoundException/,
    'aliases are each Region’s own',
  )
  await west.ask('UpdateKeyDescription', { KeyId: id, Description: 'changed' })
  await west.ask('TagResource', { KeyId: id, Tags: [{ TagKey: 'x', TagValue: 'y' }] })
  t.equal((await aws.ask('DescribeKey', { KeyId: id })).body.KeyMetadata.Description, 'the first')
  t.same((await aws.ask('ListResourceTags', { KeyId: id })).body.Tags, [])
})

t.test('what is refused', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const { id, east, west } = await makeSet(aws)
  const single = await aws.createKey()
  const replicate = (KeyId: string, ReplicaRegion: string, more: object = {}) =>
    aws.refusal('ReplicateKey', { KeyId, ReplicaRegion, ...more })
  t.equal(
    await replicate(single, WEST),
    `UnsupportedOperationException: ${arnIn(EAST, single)} is not a multi-region primary key.`,
  )
  const notPrimary = `UnsupportedOperationException: ${arnIn(WEST, id)} is not a multi-region primary key.`
  t.equal(await west.refusal('ReplicateKey', { KeyId: id, ReplicaRegion: EU }), notPrimary, 'as recorded')
  t.match(await replicate(id, WEST), /^AlreadyExistsException/)
  t.match(await replicate(id, EAST), /^AlreadyExistsException/)
  t.match(await replicate(id, 'cn-north-1'), /^UnsupportedOperationException/)
  t.match(await replicate(id, 'nowhere'), /^ValidationException/)
  t.match(await replicate(id, EU, { Policy: '{}' }), /^MalformedPolicyDocumentException/)
  t.match(await replicate(id, EU, { Tags: [{ TagKey: 'aws:x', TagValue: '' }] }), /^TagException/)
  t.match(await inRegion(aws, EU).refusal('DescribeKey', { KeyId: id }), /^NotFoundException/, 'nothing half-made')
  for (const operation of ['EnableKeyRotation', 'DisableKeyRotation', 'RotateKeyOnDemand']) {
    t.equal(await west.refusal(operation, { KeyId: id }), notPrimary, operation)
  }
  const move = (body: object) => east.refusal('UpdatePrimaryRegion', { KeyId: id, ...body })
  t.equal(await west.refusal('UpdatePrimaryRegion', { KeyId: id, PrimaryRegion: WEST }), notPrimary)
  for (const PrimaryRegion of [EU, EAST]) t.match(await move({ PrimaryRegion }), /^NotFoundException/, PrimaryRegion)
  await west.ask('DisableKey', { KeyId: id })
  t.match(await move({ PrimaryRegion: WEST }), /^DisabledException/)
  await west.ask('EnableKey', { KeyId: id })
  await east.ask('DisableKey', { KeyId: id })
  t.equal(await move({ PrimaryRegion: WEST }), `DisabledException: ${arnIn(EAST, id)} is disabled.`)
  t.equal(await replicate(id, EU), `DisabledException: ${arnIn(EAST, id)} is disabled.`)
  t.match(await west.describe(id), { KeyState: 'Enabled' }, 'states are each key’s own')
})

t.test('one material: what one Region seals, signs or authenticates, the others know', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const { id, east, west, eu } = await makeSet(aws, {}, [WEST, EU])
  const sealed = await east.ask('Encrypt', { KeyId: id, Plaintext: 'aGk=', EncryptionContext: { a: 'b' } })
  for (const [region, there] of [
    [WEST, west],
    [EU, eu],
  ] as const) {
    const input = { CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: { a: 'b' } }
    t.match(await there.ask('Decrypt', input), { Plaintext: 'aGk=', KeyId: arnIn(region, id) })
    t.match(await there.ask('Decrypt', { ...input, KeyId: id }), { Plaintext: 'aGk=' })
    t.equal(await there.refusal('Decrypt', { ...input, EncryptionContext: {} }), 'InvalidCiphertextException')
    const back = await there.ask('Encrypt', { KeyId: id, Plaintext: 'aGk=' })
    t.match(await east.ask('Decrypt', { CiphertextBlob: back.CiphertextBlob }), { KeyId: arnIn(EAST, id) })
  }
  await west.ask('DisableKey', { KeyId: id })
  t.equal(
    await west.refusal('Decrypt', { CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: { a: 'b' } }),
    `DisabledException: ${arnIn(WEST, id)} is disabled.`,
  )
  const other = await aws.createKey()
  const single = (await aws.ask('Encrypt', { KeyId: other, Plaintext: 'aGk=' })).body.CiphertextBlob
  t.equal(await eu.refusal('Decrypt', { CiphertextBlob: single }), UNNAMED, 'a key of one Region')

  const signing = await makeSet(aws, { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' })
  const signed = { KeyId: signing.id, Message: 'aGk=', SigningAlgorithm: 'ECDSA_SHA_256' }
  const { Signature } = await signing.west.ask('Sign', signed)
  t.equal((await signing.east.ask('Verify', { ...signed, Signature })).SignatureValid, true)
  t.equal(
    (await signing.west.ask('GetPublicKey', { KeyId: signing.id })).PublicKey,
    (await signing.east.ask('GetPublicKey', { KeyId: signing.id })).PublicKey,
  )
  const mac = await makeSet(aws, { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' })
  const authenticated = { KeyId: mac.id, Message: 'aGk=', MacAlgorithm: 'HMAC_SHA_256' }
  const { Mac } = await mac.east.ask('GenerateMac', authenticated)
  t.equal((await mac.west.ask('VerifyMac', { ...authenticated, Mac })).MacValid, true)
})

t.test('rotation is the primary’s, and everybody’s', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const { id, east, west, eu } = await makeSet(aws)
  await east.ask('EnableKeyRotation', { KeyId: id, RotationPeriodInDays: 90 })
  const status = await east.ask('GetKeyRotationStatus', { KeyId: id })
  t.match(status, { KeyId: id, KeyRotationEnabled: true, RotationPeriodInDays: 90 })
  t.same(await west.ask('GetKeyRotationStatus', { KeyId: id }), status)
  const old = (await west.ask('Encrypt', { KeyId: id, Plaintext: 'aGk=' })).CiphertextBlob
  const { CurrentKeyMaterialId: first } = await west.describe(id)
  await west.ask('DisableKey', { KeyId: id })
  await aws.advance(90 * DAY)
  await west.ask('EnableKey', { KeyId: id })
  const { CurrentKeyMaterialId: second } = await west.describe(id)
  t.not(second, first)
  t.equal((await east.describe(id)).CurrentKeyMaterialId, second)
  await east.ask('RotateKeyOnDemand', { KeyId: id })
  const rotations = (await east.ask('ListKeyRotations', { KeyId: id })).Rotations
  t.same(rotations.length, 2)
  t.same((await west.ask('ListKeyRotations', { KeyId: id })).Rotations, rotations)
  const page = await west.ask('ListKeyRotations', { KeyId: arnIn(WEST, id), Limit: 1 })
  t.same((await west.ask('ListKeyRotations', { KeyId: id, Marker: page.NextMarker })).Rotations, rotations.slice(1))
  for (const there of [east, west]) {
    t.match(await there.ask('Decrypt', { CiphertextBlob: old }), { Plaintext: 'aGk=', KeyMaterialId: first })
  }
  const sealed = await west.ask('Encrypt', { KeyId: id, Plaintext: 'aGk=' })
  t.match(await east.ask('Decrypt', { CiphertextBlob: sealed.CiphertextBlob }), { Plaintext: 'aGk=' })
  await east.ask('ReplicateKey', { KeyId: id, ReplicaRegion: EU })
  for (const CiphertextBlob of [old, sealed.CiphertextBlob]) {
    t.match(await eu.ask('Decrypt', { CiphertextBlob }), { Plaintext: 'aGk=' }, 'a late replica has all of it')
  }
  await east.ask('DisableKey', { KeyId: id })
  await aws.advance(400 * DAY)
  t.equal((await west.ask('ListKeyRotations', { KeyId: id })).Rotations.length, 2, 'it waits for the primary')
  t.same(aws.failures, [])
})

t.test('another primary, and the end of the first', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const { id, east, west } = await makeSet(aws)
  const sealed = (await east.ask('Encrypt', { KeyId: id, Plaintext: 'aGk=' })).CiphertextBlob
  await east.ask('EnableKeyRotation', { KeyId: id, RotationPeriodInDays: 100 })
  t.equal((await aws.ask('UpdatePrimaryRegion', { KeyId: id, PrimaryRegion: WEST })).text, '')
  for (const [there, MultiRegionKeyType] of [
    [east, 'REPLICA'],
    [west, 'PRIMARY'],
  ] as const) {
    t.match((await there.describe(id)).MultiRegionConfiguration, {
      MultiRegionKeyType,
      PrimaryKey: member(WEST, id),
      ReplicaKeys: [member(EAST, id)],
    })
  }
  t.match(await east.refusal('RotateKeyOnDemand', { KeyId: id }), /is not a multi-region primary key/)
  await aws.advance(100 * DAY)
  t.equal((await east.ask('ListKeyRotations', { KeyId: id })).Rotations.length, 1, 'by the new primary’s clock')
  const late = (await west.ask('Encrypt', { KeyId: id, Plaintext: 'aGk=' })).CiphertextBlob
  t.match(await east.ask('Decrypt', { CiphertextBlob: late }), { KeyId: arnIn(EAST, id) })
  await east.ask('ScheduleKeyDeletion', { KeyId: id, PendingWindowInDays: 7 })
  await aws.advance(7 * DAY)
  t.match(await east.refusal('DescribeKey', { KeyId: id }), /^NotFoundException/)
  t.equal(await east.refusal('Decrypt', { CiphertextBlob: sealed }), UNNAMED)
  for (const CiphertextBlob of [sealed, late]) {
    t.match(
      await west.ask('Decrypt', { CiphertextBlob }),
      { Plaintext: 'aGk=' },
      'its material outlives where it was made',
    )
  }
  t.same((await west.describe(id)).MultiRegionConfiguration.ReplicaKeys, [])
  await west.ask('ReplicateKey', { KeyId: id, ReplicaRegion: EAST })
  t.match(await east.ask('Decrypt', { CiphertextBlob: sealed }), { Plaintext: 'aGk=', KeyId: arnIn(EAST, id) })
  t.same(aws.failures, [])
})

t.test('a primary waits for the end of its replicas', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const { id, east, west, eu } = await makeSet(aws, {}, [WEST, EU])
  const scheduled = await east.ask('ScheduleKeyDeletion', { KeyId: id, PendingWindowInDays: 8 })
  t.same(scheduled, { KeyId: arnIn(EAST, id), KeyState: 'PendingReplicaDeletion', PendingWindowInDays: 8 })
  t.match(await east.describe(id), {
    KeyState: 'PendingReplicaDeletion',
    Enabled: false,
    PendingDeletionWindowInDays: 8,
  })
  const pending = `KMSInvalidStateException: ${arnIn(EAST, id)} is pending replica deletion.`
  for (const [operation, more] of [
    ['Encrypt', { Plaintext: 'aGk=' }],
    ['ReplicateKey', { ReplicaRegion: 'us-east-2' }],
    ['UpdatePrimaryRegion', { PrimaryRegion: WEST }],
    ['ScheduleKeyDeletion', {}],
    ['EnableKeyRotation', {}],
    ['EnableKey', {}],
    ['CreateAlias', { AliasName: 'alias/x', TargetKeyId: id }],
  ] as const) {
    t.equal(await east.refusal(operation, { KeyId: id, ...more }), pending, operation)
  }
  t.match(await east.ask('GetKeyRotationStatus', { KeyId: id }), { KeyRotationEnabled: false })
  t.equal(await west.refusal('Encrypt', { KeyId: id, Plaintext: 'aGk=' }), 'ok', 'replicas go on')
  await aws.advance(100 * DAY)
  t.match(await east.describe(id), { KeyState: 'PendingReplicaDeletion' }, 'for as long as there are any')
  for (const there of [west, eu]) await there.ask('ScheduleKeyDeletion', { KeyId: id, PendingWindowInDays: 7 })
  t.match(await east.describe(id), { KeyState: 'PendingReplicaDeletion' })
  await aws.advance(7 * DAY)
  t.match(await west.refusal('DescribeKey', { KeyId: id }), /^NotFoundException/)
  const due = (aws.clock.now() + 8 * DAY) / 1000
  t.match(await east.describe(id), { KeyState: 'PendingDeletion', DeletionDate: due })
  await aws.advance(8 * DAY - 1)
  t.match(await east.describe(id), { KeyState: 'PendingDeletion' })
  await aws.advance(1)
  t.match(await east.refusal('DescribeKey', { KeyId: id }), /^NotFoundException/)

  const other = await makeSet(aws)
  await other.east.ask('ScheduleKeyDeletion', { KeyId: other.id })
  t.same(await other.east.ask('CancelKeyDeletion', { KeyId: other.id }), { KeyId: arnIn(EAST, other.id) })
  t.match(await other.east.describe(other.id), { KeyState: 'Disabled' })
  await other.west.ask('ScheduleKeyDeletion', { KeyId: other.id, PendingWindowInDays: 7 })
  await aws.advance(7 * DAY)
  t.match(await other.east.describe(other.id), { KeyState: 'Disabled' }, 'no deletion is left to begin')
  t.same(aws.failures, [])
})

t.test('rotations, replications and deletions at the same time leave every key with the same material', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const { id, east, west, eu } = await makeSet(aws, {}, [])
  await Promise.all([
    ...Array.from({ length: 6 }, () => east.refusal('RotateKeyOnDemand', { KeyId: id })),
    east.refusal('ReplicateKey', { KeyId: id, ReplicaRegion: WEST }),
    east.refusal('ReplicateKey', { KeyId: id, ReplicaRegion: WEST }),
    east.refusal('ReplicateKey', { KeyId: id, ReplicaRegion: EU }),
  ])
  const ALL = { KeyId: id, IncludeKeyMaterial: 'ALL_KEY_MATERIAL' }
  const { Rotations } = await east.ask('ListKeyRotations', ALL)
  t.equal(Rotations.length, 7)
  for (const there of [west, eu]) {
    t.same((await there.ask('ListKeyRotations', ALL)).Rotations, Rotations)
    const { CiphertextBlob } = await there.ask('Encrypt', { KeyId: id, Plaintext: 'aGk=' })
    t.match(await east.ask('Decrypt', { CiphertextBlob }), { Plaintext: 'aGk=' })
  }
  const message = randomBytes(16).toString('base64')
  const { CiphertextBlob } = await east.ask('Encrypt', { KeyId: id, Plaintext: message })
  await Promise.all([west, eu].map((there) => there.ask('ScheduleKeyDeletion', { KeyId: id, PendingWindowInDays: 7 })))
  await east.ask('ScheduleKeyDeletion', { KeyId: id, PendingWindowInDays: 7 })
  await aws.advance(7 * DAY)
  t.match(await east.describe(id), { KeyState: 'PendingDeletion' }, 'the last of them was noticed')
  await east.ask('CancelKeyDeletion', { KeyId: id })
  await east.ask('EnableKey', { KeyId: id })
  t.match(await east.ask('Decrypt', { CiphertextBlob }), { Plaintext: message }, 'nobody took its material along')
  t.same(aws.failures, [])
})

t.test('what several Regions are at shows in the keys’ states, and is finished by the next process', async (t) => {
  const store = new MemoryStore()
  const sealer = new AesSealer(createSecretKey(randomBytes(32)))
  const before = await makeAws('off', { store, sealer })
  const { id, west } = await makeSet(before, {}, [])
  await before.ask('ReplicateKey', { KeyId: id, ReplicaRegion: WEST }, { settled: false })
  t.match(await west.describe(id), { KeyState: 'Creating', Enabled: false })
  const settling = (region: string, state: string) => `KMSInvalidStateException: ${arnIn(region, id)} is ${state}.`
  for (const [operation, body] of [
    ['Encrypt', { Plaintext: 'aGk=' }],
    ['DisableKey', {}],
    ['ScheduleKeyDeletion', {}],
    ['CreateGrant', { GranteePrincipal: `arn:aws:iam::${ACCOUNT}:root`, Operations: ['Decrypt'] }],
  ] as const) {
    t.equal(await west.refusal(operation, { KeyId: id, ...body }), settling(WEST, 'creating'), operation)
  }
  await before.close()

  const aws = await makeAws('off', { store, sealer })
  t.teardown(() => aws.close())
  await aws.due.settle()
  const [here, there] = [inRegion(aws, EAST), inRegion(aws, WEST)]
  t.match(await there.describe(id), { KeyState: 'Enabled' })
  await aws.ask('UpdatePrimaryRegion', { KeyId: id, PrimaryRegion: WEST }, { settled: false })
  for (const [region, at] of [
    [EAST, here],
    [WEST, there],
  ] as const) {
    t.match(await at.describe(id), { KeyState: 'Updating' })
    t.equal(await at.refusal('Encrypt', { KeyId: id, Plaintext: 'aGk=' }), 'ok', 'it stays in use')
    t.equal(await at.refusal('ScheduleKeyDeletion', { KeyId: id }), settling(region, 'updating'))
    t.equal(await at.refusal('DisableKey', { KeyId: id }), settling(region, 'updating'))
  }
  t.equal(await there.refusal('ReplicateKey', { KeyId: id, ReplicaRegion: EU }), settling(WEST, 'updating'))
  await aws.due.settle()
  t.match(await here.describe(id), { KeyState: 'Enabled', MultiRegionConfiguration: { MultiRegionKeyType: 'REPLICA' } })
  t.match(await there.describe(id), {
    KeyState: 'Enabled',
    MultiRegionConfiguration: { MultiRegionKeyType: 'PRIMARY' },
  })
  t.same(aws.failures, [])
})
