/** Multi-Region keys: the unmodified JavaScript SDK, and the AWS Encryption SDK's keyrings for them, against the real process. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  buildAwsKmsMrkAwareDiscoveryMultiKeyringNode,
  buildAwsKmsMrkAwareStrictMultiKeyringNode,
  buildClient,
  CommitmentPolicy,
  getClient,
  KMS,
  type KmsNodeClientSupplier,
} from '@aws-crypto/client-node'
import {
  AlreadyExistsException,
  CreateKeyCommand,
  DecryptCommand,
  DescribeKeyCommand,
  DisabledException,
  DisableKeyCommand,
  EnableKeyCommand,
  EncryptCommand,
  GetKeyRotationStatusCommand,
  KMSClient,
  KMSInvalidStateException,
  NotFoundException,
  ReplicateKeyCommand,
  RotateKeyOnDemandCommand,
  ScheduleKeyDeletionCommand,
  UnsupportedOperationException,
  UpdatePrimaryRegionCommand,
} from '@aws-sdk/client-kms'
import t from 'tap'
import { startTrefoil } from '../support/process.ts'
import { lastingState } from './aws-client.ts'
import { CREDENTIALS, enforcing } from './aws-tools.ts'

const [EAST, WEST] = ['us-east-1', 'us-west-2']
const SECRET = Buffer.from('what every Region keeps')

t.test('one key in two Regions, over a restart', async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'trefoil-regions-'))
  let trefoil = await startTrefoil(enforcing({ dataDir }))
  const clientIn = (region: string) =>
    new KMSClient({ endpoint: trefoil.plainUrl, region, credentials: CREDENTIALS, maxAttempts: 1 })
  let [east, west] = [clientIn(EAST), clientIn(WEST)]
  const destroy = () => {
    for (const client of [east, west]) client.destroy()
  }
  t.teardown(async () => {
    destroy()
    await trefoil.stop()
    rmSync(dataDir, { recursive: true })
  })
  const created = await east.send(new CreateKeyCommand({ MultiRegion: true }))
  const { KeyId = '', Arn = '' } = created.KeyMetadata ?? {}
  const { ReplicaKeyMetadata } = await east.send(new ReplicateKeyCommand({ KeyId, ReplicaRegion: WEST }))
  const replica = ReplicaKeyMetadata?.Arn ?? ''
  t.equal(replica, Arn.replace(EAST, WEST))
  t.equal(ReplicaKeyMetadata?.KeyState, 'Creating')
  t.equal(await lastingState(west, KeyId), 'Enabled')
  await t.rejects(east.send(new ReplicateKeyCommand({ KeyId, ReplicaRegion: WEST })), AlreadyExistsException)
  await t.rejects(west.send(new ReplicateKeyCommand({ KeyId, ReplicaRegion: EAST })), UnsupportedOperationException)
  await t.rejects(east.send(new DescribeKeyCommand({ KeyId: replica })), NotFoundException)
  const { CiphertextBlob } = await east.send(new EncryptCommand({ KeyId, Plaintext: SECRET }))
  await east.send(new RotateKeyOnDemandCommand({ KeyId }))

  // The two packages' types differ in what may be undefined.
  const clientProvider: KmsNodeClientSupplier = getClient(KMS as never, {
    endpoint: trefoil.plainUrl,
    credentials: CREDENTIALS,
    maxAttempts: 1,
  })
  const { encrypt, decrypt } = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
  const strict = (generatorKeyId: string) =>
    buildAwsKmsMrkAwareStrictMultiKeyringNode({ clientProvider, generatorKeyId })
  const discovery = (region: string) =>
    buildAwsKmsMrkAwareDiscoveryMultiKeyringNode({
      clientProvider,
      regions: [region],
      discoveryFilter: { accountIDs: ['000000000000'], partition: 'aws' },
    })
  const { result } = await encrypt(strict(Arn), SECRET)
  for (const keyring of [strict(Arn), strict(replica), discovery(EAST), discovery(WEST)]) {
    t.same((await decrypt(keyring, result)).plaintext, SECRET)
  }
  const single = (await east.send(new CreateKeyCommand({}))).KeyMetadata?.Arn ?? ''
  const elsewhere = await encrypt(strict(single), SECRET)
  await t.rejects(decrypt(discovery(WEST), elsewhere.result), 'a key of one Region')
  await west.send(new DisableKeyCommand({ KeyId }))
  await t.rejects(decrypt(strict(replica), result), 'disabled there')
  t.same((await decrypt(strict(Arn), result)).plaintext, SECRET)
  await west.send(new EnableKeyCommand({ KeyId }))

  await east.send(new UpdatePrimaryRegionCommand({ KeyId, PrimaryRegion: WEST }))
  t.equal(await lastingState(east, KeyId), 'Enabled')
  t.equal(await lastingState(west, KeyId), 'Enabled')
  destroy()
  await trefoil.stop()
  trefoil = await startTrefoil(enforcing({ dataDir }))
  ;[east, west] = [clientIn(EAST), clientIn(WEST)]
  for (const [client, type] of [
    [east, 'REPLICA'],
    [west, 'PRIMARY'],
  ] as const) {
    const { KeyMetadata } = await client.send(new DescribeKeyCommand({ KeyId }))
    t.match(KeyMetadata?.MultiRegionConfiguration, { MultiRegionKeyType: type, PrimaryKey: { Arn: replica } })
    const opened = await client.send(new DecryptCommand({ CiphertextBlob }))
    t.same(Buffer.from(opened.Plaintext ?? []), SECRET)
    t.match(await client.send(new GetKeyRotationStatusCommand({ KeyId })), { KeyRotationEnabled: false })
  }
  const pending = await west.send(new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 }))
  t.equal(pending.KeyState, 'PendingReplicaDeletion')
  await t.rejects(west.send(new EncryptCommand({ KeyId, Plaintext: SECRET })), KMSInvalidStateException)
  await east.send(new DisableKeyCommand({ KeyId }))
  await t.rejects(east.send(new EncryptCommand({ KeyId, Plaintext: SECRET })), DisabledException)
})
