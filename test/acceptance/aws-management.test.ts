/** Aliases, tags, policies, rotation and last uses: the unmodified JavaScript SDK against the real process. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  CreateAliasCommand,
  CreateKeyCommand,
  DecryptCommand,
  DescribeKeyCommand,
  DisabledException,
  DisableKeyCommand,
  DisableKeyRotationCommand,
  EnableKeyRotationCommand,
  EncryptCommand,
  GetKeyLastUsageCommand,
  GetKeyPolicyCommand,
  GetKeyRotationStatusCommand,
  InvalidArnException,
  InvalidMarkerException,
  KMSInvalidStateException,
  LimitExceededException,
  ListAliasesCommand,
  ListKeyRotationsCommand,
  ListResourceTagsCommand,
  MalformedPolicyDocumentException,
  NotFoundException,
  PutKeyPolicyCommand,
  paginateListKeyPolicies,
  paginateListKeyRotations,
  paginateListResourceTags,
  RotateKeyOnDemandCommand,
  ScheduleKeyDeletionCommand,
  TagException,
  TagResourceCommand,
  UnsupportedOperationException,
  UntagResourceCommand,
  UpdateAliasCommand,
  UpdateKeyDescriptionCommand,
} from '@aws-sdk/client-kms'
import t from 'tap'
import { startTrefoil } from '../support/process.ts'
import { clientOf } from './aws-client.ts'
import { enforcing } from './aws-tools.ts'

t.test('facts of keys that change', async (t) => {
  const trefoil = await startTrefoil(enforcing())
  const client = clientOf(trefoil.plainUrl, 2)
  t.teardown(async () => {
    client.destroy()
    await trefoil.stop()
  })
  const newKey = async (input: ConstructorParameters<typeof CreateKeyCommand>[0] = {}): Promise<string> =>
    (await client.send(new CreateKeyCommand(input))).KeyMetadata?.KeyId ?? ''
  const describe = async (KeyId: string) => (await client.send(new DescribeKeyCommand({ KeyId }))).KeyMetadata
  const advance = async (by: string): Promise<void> => {
    const headers = { 'content-type': 'application/json' }
    const body = JSON.stringify({ advance: by })
    const response = await fetch(`${trefoil.plainUrl}/_/clock`, { method: 'POST', headers, body })
    t.equal(response.status, 200)
  }
  const signing = await newKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' })
  const deleted = await newKey()
  await client.send(new ScheduleKeyDeletionCommand({ KeyId: deleted }))

  await t.test('UpdateAlias and UpdateKeyDescription', async (t) => {
    const [one, two] = [await newKey(), await newKey()]
    await client.send(new CreateAliasCommand({ AliasName: 'alias/moving', TargetKeyId: one }))
    await client.send(new UpdateAliasCommand({ AliasName: 'alias/moving', TargetKeyId: two }))
    t.equal((await describe('alias/moving'))?.KeyId, two)
    const { Aliases } = await client.send(new ListAliasesCommand({ KeyId: two }))
    t.match(Aliases, [{ AliasName: 'alias/moving', CreationDate: Date, LastUpdatedDate: Date }])
    const move = (AliasName: string, TargetKeyId: string) =>
      client.send(new UpdateAliasCommand({ AliasName, TargetKeyId }))
    await t.rejects(move('alias/none', one), NotFoundException)
    await t.rejects(move('alias/moving', signing), { name: 'ValidationException' })
    await t.rejects(move('alias/moving', deleted), KMSInvalidStateException)
    await client.send(new UpdateKeyDescriptionCommand({ KeyId: one, Description: 'new' }))
    t.equal((await describe(one))?.Description, 'new')
    const late = new UpdateKeyDescriptionCommand({ KeyId: deleted, Description: 'new' })
    await t.rejects(client.send(late), KMSInvalidStateException)
  })

  await t.test('tags, in pages', async (t) => {
    const KeyId = await newKey({ Tags: [{ TagKey: 'kept', TagValue: 'x' }] })
    const Tags = Array.from({ length: 8 }, (_, index) => ({ TagKey: `k${index}`, TagValue: '' }))
    await client.send(new TagResourceCommand({ KeyId, Tags }))
    await client.send(new UntagResourceCommand({ KeyId, TagKeys: ['k0', 'absent'] }))
    const listed: (string | undefined)[] = []
    for await (const page of paginateListResourceTags({ client, pageSize: 3 }, { KeyId })) {
      t.ok((page.Tags ?? []).length <= 3)
      listed.push(...(page.Tags ?? []).map(({ TagKey }) => TagKey))
    }
    t.same(listed, ['k1', 'k2', 'k3', 'k4', 'k5', 'k6', 'k7', 'kept'])
    const tag = (TagKey: string, key = KeyId) =>
      client.send(new TagResourceCommand({ KeyId: key, Tags: [{ TagKey, TagValue: '' }] }))
    await t.rejects(tag('aws:reserved'), TagException)
    await t.rejects(tag('x', deleted), KMSInvalidStateException)
    await t.rejects(client.send(new UntagResourceCommand({ KeyId: deleted, TagKeys: ['x'] })), KMSInvalidStateException)
    await t.rejects(client.send(new ListResourceTagsCommand({ KeyId, Marker: 'x' })), InvalidMarkerException)
  })

  await t.test('policies', async (t) => {
    const KeyId = await newKey()
    const { Policy = '' } = await client.send(new GetKeyPolicyCommand({ KeyId }))
    const mine = Policy.replace('key-default-1', 'mine')
    await client.send(new PutKeyPolicyCommand({ KeyId, Policy: mine }))
    t.equal((await client.send(new GetKeyPolicyCommand({ KeyId, PolicyName: 'default' }))).Policy, mine)
    const names: string[] = []
    for await (const page of paginateListKeyPolicies({ client }, { KeyId })) names.push(...(page.PolicyNames ?? []))
    t.same(names, ['default'])
    const put = (text: string, BypassPolicyLockoutSafetyCheck = false) =>
      client.send(new PutKeyPolicyCommand({ KeyId, Policy: text, BypassPolicyLockoutSafetyCheck }))
    await t.rejects(put('{}'), MalformedPolicyDocumentException)
    const locking = Policy.replace('kms:*', 'kms:Encrypt')
    await t.rejects(put(locking), {
      name: 'MalformedPolicyDocumentException',
      message: 'The new key policy will not allow you to update the key policy in the future.',
    })
    await put(locking, true)
    await t.rejects(client.send(new GetKeyPolicyCommand({ KeyId, PolicyName: 'other' })), NotFoundException)
  })

  await t.test('rotation, by the clock and on demand', async (t) => {
    const KeyId = await newKey()
    const status = () => client.send(new GetKeyRotationStatusCommand({ KeyId }))
    const Plaintext = Buffer.from('sealed before any rotation')
    const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId, Plaintext }))
    await client.send(new EnableKeyRotationCommand({ KeyId, RotationPeriodInDays: 100 }))
    const { NextRotationDate, ...rest } = await status()
    t.match(rest, { KeyRotationEnabled: true, RotationPeriodInDays: 100 })
    const first = (await describe(KeyId))?.CurrentKeyMaterialId
    await advance('101d')
    const second = (await describe(KeyId))?.CurrentKeyMaterialId
    t.not(second, first)
    t.equal(((await status()).NextRotationDate?.getTime() ?? 0) - (NextRotationDate?.getTime() ?? 0), 100 * 86_400_000)
    const opened = await client.send(new DecryptCommand({ CiphertextBlob }))
    t.same(Buffer.from(opened.Plaintext ?? []), Plaintext)
    t.equal(opened.KeyMaterialId, first)

    for (let i = 0; i < 25; i++) await client.send(new RotateKeyOnDemandCommand({ KeyId }))
    await t.rejects(client.send(new RotateKeyOnDemandCommand({ KeyId })), LimitExceededException)
    const types: (string | undefined)[] = []
    const all = { KeyId, IncludeKeyMaterial: 'ALL_KEY_MATERIAL' } as const
    for await (const page of paginateListKeyRotations({ client, pageSize: 10 }, all)) {
      types.push(...(page.Rotations ?? []).map(({ RotationType }) => RotationType))
    }
    t.same(types, [undefined, 'AUTOMATIC', ...Array(25).fill('ON_DEMAND')])
    const { Rotations } = await client.send(new ListKeyRotationsCommand({ KeyId, Limit: 1 }))
    t.match(Rotations, [{ KeyId, KeyMaterialId: second, KeyMaterialState: 'NON_CURRENT', RotationDate: Date }])

    await client.send(new DisableKeyRotationCommand({ KeyId }))
    t.equal((await status()).KeyRotationEnabled, false)
    const leaving = await newKey()
    await client.send(new ScheduleKeyDeletionCommand({ KeyId: leaving }))
    for (const Command of [EnableKeyRotationCommand, DisableKeyRotationCommand, RotateKeyOnDemandCommand] as const) {
      await t.rejects(client.send(new Command({ KeyId: signing })), UnsupportedOperationException)
      await t.rejects(client.send(new Command({ KeyId: leaving })), KMSInvalidStateException)
    }
    await t.rejects(client.send(new ListKeyRotationsCommand({ KeyId: signing })), UnsupportedOperationException)
    const bad = new EnableKeyRotationCommand({ KeyId, RotationPeriodInDays: 89 })
    await t.rejects(client.send(bad), { name: 'ValidationException' })
    await client.send(new DisableKeyCommand({ KeyId }))
    await t.rejects(client.send(new RotateKeyOnDemandCommand({ KeyId })), DisabledException)
  })
})

t.test('the last use of a key outlives the process', async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'trefoil-last-use-'))
  t.teardown(() => rmSync(dataDir, { recursive: true }))
  const first = await startTrefoil(enforcing({ dataDir }))
  const client = clientOf(first.plainUrl)
  const { KeyMetadata } = await client.send(new CreateKeyCommand({}))
  const KeyId = KeyMetadata?.KeyId ?? ''
  t.same((await client.send(new GetKeyLastUsageCommand({ KeyId }))).KeyLastUsage, {})
  await client.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from('x') }))
  const used = await client.send(new GetKeyLastUsageCommand({ KeyId }))
  t.match(used, { KeyId, KeyLastUsage: { Operation: 'Encrypt', Timestamp: Date }, KeyCreationDate: Date })
  await t.rejects(client.send(new GetKeyLastUsageCommand({ KeyId: 'alias/none' })), InvalidArnException)
  client.destroy()
  t.equal(await first.stop(), 0)
  const second = await startTrefoil(enforcing({ dataDir }))
  const again = clientOf(second.plainUrl)
  t.teardown(async () => {
    again.destroy()
    await second.stop()
  })
  const { KeyLastUsage, TrackingStartDate } = await again.send(new GetKeyLastUsageCommand({ KeyId }))
  t.same(KeyLastUsage, used.KeyLastUsage)
  t.same(TrackingStartDate, used.TrackingStartDate)
})
