/** Operations that make keys and change what is kept of them. */
import {
  CreateAliasCommand,
  CreateGrantCommand,
  type CreateGrantCommandInput,
  ImportKeyMaterialCommand,
  type ImportKeyMaterialCommandInput,
  ReplicateKeyCommand,
  RotateKeyOnDemandCommand,
} from '@aws-sdk/client-kms'
import { lastingState } from '../aws-client.ts'
import { aboutKey, bytes, fails, type Request, type Row, succeeds, type Table, UNKNOWN } from './table.ts'
import { ELSEWHERE, type Kind, type World, wrap } from './world.ts'

const ACCOUNT = '000000000000'
const PRINCIPAL = `arn:aws:iam::${ACCOUNT}:user/acceptance`
const LARGE = JSON.stringify({ Version: '2012-10-17', Statement: [], Id: 'x'.repeat(33_000) })
const named = (_world: World, KeyId: string): Request => ({ KeyId })
const own =
  (kind: Kind) =>
  async (world: World): Promise<Request> => ({ KeyId: await world.key(kind) })
const another =
  (kind: Kind, more: Request = {}) =>
  async (world: World): Promise<Request> => ({
    KeyId: await world.fresh(kind),
    ...more,
  })

const READ = ['NotFoundException', 'InvalidArnException'] as const
const CHANGE = [...READ, 'KMSInvalidStateException'] as const
const LIVE = [...CHANGE, 'DisabledException'] as const

/** A list that is asked for its first row only, with what was got then, and with what is no marker. */
const marked = (request: (world: World) => Promise<Request>): Row =>
  fails('InvalidMarkerException', async (world) => ({ ...(await request(world)), Marker: 'no marker' }))

const rotationStatus = ['KeyId', 'KeyRotationEnabled']

const KEYS: Table = {
  CreateKey: [
    succeeds(['KeyMetadata'], () => ({ Description: 'one more' })),
    fails('MalformedPolicyDocumentException', () => ({ Policy: '{}' })),
    fails('LimitExceededException', () => ({ Policy: LARGE })),
    fails('TagException', () => ({ Tags: [{ TagKey: 'aws:reserved', TagValue: '' }] })),
    fails('UnsupportedOperationException', () => ({ KeySpec: 'SM2', KeyUsage: 'SIGN_VERIFY' })),
    fails('CustomKeyStoreNotFoundException', () => ({
      Origin: 'AWS_CLOUDHSM',
      CustomKeyStoreId: `cks-${'0'.repeat(17)}`,
    })),
  ],
  DescribeKey: [succeeds(['KeyMetadata'], own('symmetric')), fails('NotFoundException', () => ({ KeyId: UNKNOWN }))],
  ListKeys: [
    succeeds(['Keys', 'Truncated'], () => ({ Limit: 1000 })),
    succeeds(['Keys', 'NextMarker', 'Truncated'], () => ({ Limit: 1 }), 'a page'),
    marked(async () => ({})),
  ],
  EnableKey: [succeeds([], own('symmetric')), ...aboutKey('symmetric', named, CHANGE)],
  DisableKey: [succeeds([], another('symmetric')), ...aboutKey('symmetric', named, CHANGE)],
  UpdateKeyDescription: [
    succeeds([], another('symmetric', { Description: 'new' })),
    ...aboutKey('symmetric', (_world, KeyId) => ({ KeyId, Description: 'new' }), CHANGE),
  ],
  ScheduleKeyDeletion: [
    succeeds(['DeletionDate', 'KeyId', 'KeyState', 'PendingWindowInDays'], another('symmetric')),
    ...aboutKey('symmetric', named, CHANGE),
  ],
  CancelKeyDeletion: [
    succeeds(['KeyId'], async (world) => ({ KeyId: await world.fresh('symmetric', 'deleted') })),
    ...aboutKey('symmetric', named, READ),
    fails('KMSInvalidStateException', own('symmetric')),
  ],
  GetKeyLastUsage: [
    succeeds(['KeyCreationDate', 'KeyId', 'KeyLastUsage', 'TrackingStartDate'], another('symmetric')),
    ...aboutKey('symmetric', named, READ),
  ],
  GetKeyPolicy: [succeeds(['Policy', 'PolicyName'], own('symmetric')), ...aboutKey('symmetric', named, READ)],
  ListKeyPolicies: [succeeds(['PolicyNames', 'Truncated'], own('symmetric')), ...aboutKey('symmetric', named, READ)],
  PutKeyPolicy: [
    succeeds([], another('symmetric', { Policy: keyPolicy() })),
    ...aboutKey('symmetric', (_world, KeyId) => ({ KeyId, Policy: keyPolicy() }), READ),
    fails('MalformedPolicyDocumentException', another('symmetric', { Policy: '{}' })),
    fails('LimitExceededException', another('symmetric', { Policy: LARGE })),
  ],
}

function keyPolicy(): string {
  const Principal = { AWS: `arn:aws:iam::${ACCOUNT}:root` }
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: { Effect: 'Allow', Principal, Action: 'kms:*', Resource: '*' },
  })
}

const TAGS: Table = {
  TagResource: [
    succeeds([], another('symmetric', { Tags: [{ TagKey: 'a', TagValue: 'b' }] })),
    ...aboutKey('symmetric', (_world, KeyId) => ({ KeyId, Tags: [{ TagKey: 'a', TagValue: 'b' }] }), CHANGE),
    fails('TagException', another('symmetric', { Tags: [{ TagKey: 'aws:a', TagValue: 'b' }] })),
    fails('LimitExceededException', async (world) => {
      const Tags = (prefix: string) =>
        Array.from({ length: 30 }, (_, index) => ({ TagKey: `${prefix}${index}`, TagValue: '' }))
      const KeyId = await world.once('a key with 30 tags', () =>
        world.fresh('symmetric', 'enabled', { Tags: Tags('a') }),
      )
      return { KeyId, Tags: Tags('b') }
    }),
  ],
  UntagResource: [
    succeeds([], another('symmetric', { TagKeys: ['a'] })),
    ...aboutKey('symmetric', (_world, KeyId) => ({ KeyId, TagKeys: ['a'] }), CHANGE),
    fails('TagException', another('symmetric', { TagKeys: ['aws:a'] })),
  ],
  ListResourceTags: [
    succeeds(['Tags', 'Truncated'], own('symmetric')),
    ...aboutKey('symmetric', named, READ),
    marked(own('symmetric')),
  ],
}

const target = async (world: World, TargetKeyId: string): Promise<Request> => ({
  AliasName: `alias/${world.name('new')}`,
  TargetKeyId,
})
const alias = (world: World): Promise<string> =>
  world.once('alias', async () => {
    const AliasName = 'alias/known'
    await world.client.send(new CreateAliasCommand({ AliasName, TargetKeyId: await world.key('symmetric') }))
    return AliasName
  })
const moved = async (world: World, TargetKeyId: string): Promise<Request> => ({
  AliasName: await alias(world),
  TargetKeyId,
})
const full = (world: World): Promise<string> =>
  world.once('a key with 50 aliases', async () => {
    const TargetKeyId = await world.fresh('symmetric')
    const names = Array.from({ length: 50 }, (_, index) => `alias/full-${index}`)
    await Promise.all(names.map((AliasName) => world.client.send(new CreateAliasCommand({ AliasName, TargetKeyId }))))
    return TargetKeyId
  })

const ALIASES: Table = {
  CreateAlias: [
    succeeds([], async (world) => target(world, await world.fresh('symmetric'))),
    fails('NotFoundException', (world) => target(world, UNKNOWN)),
    fails('KMSInvalidStateException', async (world) => target(world, await world.key('symmetric', 'deleted'))),
    fails('AlreadyExistsException', async (world) => ({
      AliasName: await alias(world),
      TargetKeyId: await world.key('symmetric'),
    })),
    fails('LimitExceededException', async (world) => target(world, await full(world))),
  ],
  UpdateAlias: [
    succeeds([], async (world) => moved(world, await world.key('symmetric'))),
    fails('NotFoundException', (world) => moved(world, UNKNOWN)),
    fails('KMSInvalidStateException', async (world) => moved(world, await world.key('symmetric', 'deleted'))),
    fails('LimitExceededException', async (world) => moved(world, await full(world))),
  ],
  DeleteAlias: [
    succeeds([], async (world) => {
      const AliasName = `alias/${world.name('short')}`
      await world.client.send(new CreateAliasCommand({ AliasName, TargetKeyId: await world.key('symmetric') }))
      return { AliasName }
    }),
    fails('NotFoundException', () => ({ AliasName: 'alias/unknown' })),
  ],
  ListAliases: [
    succeeds(['Aliases', 'Truncated'], own('symmetric')),
    ...aboutKey('symmetric', named, READ),
    marked(async () => ({})),
  ],
}

const grantOf = (_world: World, KeyId: string): Request => ({
  KeyId,
  GranteePrincipal: PRINCIPAL,
  Operations: ['Decrypt'],
})
async function grant(
  world: World,
): Promise<{ readonly KeyId: string; readonly GrantId: string; readonly GrantToken: string }> {
  const KeyId = await world.key('symmetric')
  const input = { ...grantOf(world, KeyId), RetiringPrincipal: PRINCIPAL } as unknown as CreateGrantCommandInput
  const { GrantId = '', GrantToken = '' } = await world.client.send(new CreateGrantCommand(input))
  return { KeyId, GrantId, GrantToken }
}
const GRANT_ID = '0'.repeat(64)
const ended = (_world: World, KeyId: string): Request => ({ KeyId, GrantId: GRANT_ID })
const byId = async (world: World, more: Request = {}): Promise<Request> => {
  const { KeyId, GrantId } = await grant(world)
  return { KeyId, GrantId, ...more }
}
/** AWS's quota of grants of a key. */
const MAX_GRANTS = 50_000

async function manyGrants(world: World): Promise<string> {
  const KeyId = await world.fresh('symmetric')
  const command = () => new CreateGrantCommand(grantOf(world, KeyId) as unknown as CreateGrantCommandInput)
  let left = MAX_GRANTS
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1
      await world.client.send(command())
    }
  }
  await Promise.all(Array.from({ length: 32 }, worker))
  return KeyId
}

/** Takes as long as that many requests take. */
export const LONG: Table = {
  CreateGrant: [
    fails('LimitExceededException', async (world) =>
      grantOf(world, await world.once('grants', () => manyGrants(world))),
    ),
  ],
}

const GRANTS: Table = {
  CreateGrant: [
    succeeds(['GrantId', 'GrantToken'], async (world) => grantOf(world, await world.key('symmetric'))),
    ...aboutKey('symmetric', grantOf, LIVE),
    fails(
      'InvalidArnException',
      async (world) => ({
        ...grantOf(world, await world.key('symmetric')),
        GranteePrincipal: 'nobody',
      }),
      'InvalidArnException of a principal',
    ),
    fails('InvalidGrantTokenException', async (world) => ({
      ...grantOf(world, await world.key('symmetric')),
      GrantTokens: ['no token'],
    })),
    fails('DryRunOperationException', async (world) => ({
      ...grantOf(world, await world.key('symmetric')),
      DryRun: true,
    })),
  ],
  ListGrants: [
    succeeds(['Grants', 'Truncated'], own('symmetric')),
    ...aboutKey('symmetric', named, READ),
    marked(own('symmetric')),
    fails('InvalidGrantIdException', async (world) => ({ KeyId: await world.key('symmetric'), GrantId: 'no id' })),
  ],
  ListRetirableGrants: [
    succeeds(['Grants', 'Truncated'], () => ({ RetiringPrincipal: `arn:aws:iam::${ACCOUNT}:user/nobody` })),
    fails('InvalidArnException', () => ({ RetiringPrincipal: 'nobody' })),
    marked(async () => ({ RetiringPrincipal: PRINCIPAL })),
  ],
  RetireGrant: [
    succeeds([], (world) => byId(world)),
    succeeds([], async (world) => ({ GrantToken: (await grant(world)).GrantToken }), 'success by token'),
    ...aboutKey('symmetric', ended, READ),
    fails('InvalidGrantIdException', async (world) => ({ KeyId: await world.key('symmetric'), GrantId: 'no id' })),
    fails('InvalidGrantTokenException', () => ({ GrantToken: 'no token' })),
    fails('DryRunOperationException', (world) => byId(world, { DryRun: true })),
  ],
  RevokeGrant: [
    succeeds([], (world) => byId(world)),
    ...aboutKey('symmetric', ended, READ),
    fails('InvalidGrantIdException', async (world) => ({ KeyId: await world.key('symmetric'), GrantId: 'no id' })),
    fails('DryRunOperationException', (world) => byId(world, { DryRun: true })),
  ],
}

const SOON_MS = 10 * 60_000
const ROTATION: Table = {
  EnableKeyRotation: [
    succeeds([], another('symmetric')),
    ...aboutKey('symmetric', named, LIVE),
    fails('UnsupportedOperationException', own('signer')),
  ],
  DisableKeyRotation: [
    succeeds([], another('symmetric')),
    ...aboutKey('symmetric', named, LIVE),
    fails('UnsupportedOperationException', own('signer')),
  ],
  GetKeyRotationStatus: [succeeds(rotationStatus, own('symmetric')), ...aboutKey('symmetric', named, READ)],
  ListKeyRotations: [
    succeeds(['Rotations', 'Truncated'], own('symmetric')),
    ...aboutKey('symmetric', named, READ),
    fails('UnsupportedOperationException', own('signer')),
    marked(own('symmetric')),
  ],
  RotateKeyOnDemand: [
    succeeds(['KeyId'], another('symmetric')),
    ...aboutKey('symmetric', named, LIVE),
    fails('UnsupportedOperationException', own('signer')),
    fails('ConflictException', async (world) => {
      const KeyId = await world.fresh('symmetric')
      const nextRotationTime = new Date(Date.now() + SOON_MS).toISOString()
      await world.google(`/default/cryptoKeys/${KeyId}?updateMask=nextRotationTime`, { nextRotationTime }, 'PATCH')
      return { KeyId }
    }),
    fails('LimitExceededException', async (world) => ({
      KeyId: await world.once('rotated 25 times', async () => {
        const KeyId = await world.fresh('symmetric')
        for (let i = 0; i < 25; i++) await world.client.send(new RotateKeyOnDemandCommand({ KeyId }))
        return KeyId
      }),
    })),
  ],
}

const replicate = (_world: World, KeyId: string): Request => ({ KeyId, ReplicaRegion: ELSEWHERE })
async function replicated(world: World): Promise<string> {
  const KeyId = await world.fresh('multiRegion')
  await world.client.send(new ReplicateKeyCommand({ KeyId, ReplicaRegion: ELSEWHERE }))
  await lastingState(await world.clientIn(ELSEWHERE), KeyId)
  return KeyId
}
const move = (_world: World, KeyId: string): Request => ({ KeyId, PrimaryRegion: ELSEWHERE })

const REGIONS: Table = {
  ReplicateKey: [
    succeeds(['ReplicaKeyMetadata', 'ReplicaPolicy', 'ReplicaTags'], async (world) =>
      replicate(world, await world.fresh('multiRegion')),
    ),
    ...aboutKey('multiRegion', replicate, LIVE),
    fails('AlreadyExistsException', async (world) =>
      replicate(world, await world.once('replicated', () => replicated(world))),
    ),
    fails('MalformedPolicyDocumentException', async (world) => ({
      ...replicate(world, await world.key('multiRegion')),
      Policy: '{}',
    })),
    fails('LimitExceededException', async (world) => ({
      ...replicate(world, await world.key('multiRegion')),
      Policy: LARGE,
    })),
    fails('TagException', async (world) => ({
      ...replicate(world, await world.key('multiRegion')),
      Tags: [{ TagKey: 'aws:a', TagValue: '' }],
    })),
    fails('UnsupportedOperationException', async (world) => replicate(world, await world.key('symmetric'))),
  ],
  UpdatePrimaryRegion: [
    succeeds([], async (world) => move(world, await replicated(world))),
    ...aboutKey('multiRegion', move, LIVE),
    fails('UnsupportedOperationException', async (world) => move(world, await world.key('symmetric'))),
  ],
}

const importing = { WrappingAlgorithm: 'RSAES_OAEP_SHA_256', WrappingKeySpec: 'RSA_2048' } as const
const FOREVER = { ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' } as const
const parametersFor = (world: World, KeyId: string) =>
  world.once(`parameters for ${KeyId}`, () => world.importParameters(KeyId))
async function bring(world: World, KeyId: string, material: Uint8Array): Promise<Request> {
  const parameters = await parametersFor(world, KeyId)
  return {
    KeyId,
    ImportToken: parameters.ImportToken,
    EncryptedKeyMaterial: wrap(parameters, material),
    ...FOREVER,
  }
}
const waiting = (world: World): Promise<string> => world.key('imported')
const MATERIAL = bytes(32)
const filled = (world: World): Promise<string> =>
  world.once('a key with material', async () => {
    const KeyId = await world.fresh('imported')
    const input = (await bring(world, KeyId, MATERIAL)) as unknown as ImportKeyMaterialCommandInput
    await world.client.send(new ImportKeyMaterialCommand(input))
    return KeyId
  })
/** Made at a time that is more than its lifetime ago. */
const lateToken = (world: World): Promise<Request> =>
  world.once('a late token', async () => {
    const KeyId = await world.fresh('imported')
    const now = Date.now()
    await world.clock({ now: now - 25 * 3_600_000 })
    const parameters = await world.importParameters(KeyId)
    await world.clock({ now: Date.now() })
    await world.key('symmetric')
    return {
      KeyId,
      ImportToken: parameters.ImportToken,
      EncryptedKeyMaterial: wrap(parameters, MATERIAL),
      ...FOREVER,
    }
  })
const wants = (_world: World, KeyId: string): Request => ({
  KeyId,
  ImportToken: bytes(64),
  EncryptedKeyMaterial: bytes(256),
  ...FOREVER,
})

const IMPORT: Table = {
  GetParametersForImport: [
    succeeds(['ImportToken', 'KeyId', 'ParametersValidTo', 'PublicKey'], async (world) => ({
      KeyId: await waiting(world),
      ...importing,
    })),
    ...aboutKey('imported', (_world, KeyId) => ({ KeyId, ...importing }), CHANGE),
    fails('UnsupportedOperationException', async (world) => ({ KeyId: await world.key('symmetric'), ...importing })),
  ],
  ImportKeyMaterial: [
    succeeds(['KeyId', 'KeyMaterialId'], async (world) => bring(world, await filled(world), MATERIAL)),
    ...aboutKey('imported', wants, CHANGE),
    fails('UnsupportedOperationException', async (world) => wants(world, await world.key('symmetric'))),
    fails('InvalidImportTokenException', async (world) => wants(world, await waiting(world))),
    fails('ExpiredImportTokenException', lateToken),
    fails('InvalidCiphertextException', async (world) => ({
      ...(await bring(world, await waiting(world), MATERIAL)),
      EncryptedKeyMaterial: bytes(256),
    })),
    fails('IncorrectKeyMaterialException', async (world) =>
      bring(
        world,
        await filled(world),
        bytes(32).map((byte) => byte ^ 1),
      ),
    ),
  ],
  DeleteImportedKeyMaterial: [
    succeeds(['KeyId', 'KeyMaterialId'], async (world) => {
      const KeyId = await world.fresh('imported')
      const input = (await bring(world, KeyId, MATERIAL)) as unknown as ImportKeyMaterialCommandInput
      await world.client.send(new ImportKeyMaterialCommand(input))
      return { KeyId }
    }),
    ...aboutKey('imported', named, READ),
    fails('UnsupportedOperationException', own('symmetric')),
  ],
}

export const KEY_TABLES: readonly Table[] = [KEYS, TAGS, ALIASES, GRANTS, ROTATION, REGIONS, IMPORT]
