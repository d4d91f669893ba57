/** The steps of the random sequences: each asks the service and the reference model, and compares. */
import type { Weighted } from '../support/random.ts'
import { type Action, ALIASES, ask, checkMaterial, pickId, type Sequence, same, symmetric, word } from './model-ask.ts'
import { USES } from './model-uses.ts'
import { DAY, type Kind, type Model, type ModelKey, USAGES, unknownAlias, unknownKey } from './reference-model.ts'
import { ACCOUNT, arnOf, REGION } from './support.ts'

const MAX_KEYS = 12
const TAGS = ['one', 'two', 'Two', 'three']
const SPECS = { symmetric: 'SYMMETRIC_DEFAULT', signing: 'ECC_NIST_P256', mac: 'HMAC_256' } as const
export const rotating = (key: ModelKey): boolean => symmetric(key) && key.state === 'Enabled'

async function describe(sequence: Sequence, id = pickId(sequence)): Promise<void> {
  const key = sequence.model.keys.get(id)
  const body = await ask(sequence, 'DescribeKey', { KeyId: id }, sequence.model.unlessThere(id))
  if (body === undefined || key === undefined) return
  const { Arn, KeyState, Enabled, Description, DeletionDate, CreationDate, CurrentKeyMaterialId } = body.KeyMetadata
  same(
    { Arn, KeyState, Enabled, Description, DeletionDate, CreationDate },
    {
      Arn: arnOf(id),
      KeyState: key.state,
      Enabled: key.state === 'Enabled',
      Description: key.description,
      DeletionDate: key.state === 'PendingDeletion' ? key.dueAt / 1000 : undefined,
      CreationDate: key.created / 1000,
    },
    'metadata',
  )
  if (key.kind === 'symmetric') checkMaterial(key, key.rotations.length, CurrentKeyMaterialId)
}

export async function createKey(sequence: Sequence, kind: Kind): Promise<ModelKey> {
  const { model, random } = sequence
  const spec = { KeySpec: SPECS[kind], KeyUsage: USAGES[kind] }
  const Description = word(random)
  const { KeyMetadata } = await ask(sequence, 'CreateKey', { ...spec, Description })
  return model.create(KeyMetadata.KeyId, kind, Description)
}

const create: Action = async (sequence) => {
  if (sequence.model.keys.size >= MAX_KEYS) return
  await createKey(sequence, sequence.random.pick(['symmetric', 'symmetric', 'signing', 'mac']))
}

const setState =
  (operation: string, state: 'Enabled' | 'Disabled'): Action =>
  async (sequence) => {
    const id = pickId(sequence)
    const body = await ask(sequence, operation, { KeyId: id }, sequence.model.unlessLive(id))
    const key = sequence.model.keys.get(id)
    if (body !== undefined && key !== undefined) key.state = state
  }

export async function schedule(sequence: Sequence, id = pickId(sequence)): Promise<void> {
  const { model, random } = sequence
  const days = random.between(7, 30)
  const input = { KeyId: id, PendingWindowInDays: days }
  const body = await ask(sequence, 'ScheduleKeyDeletion', input, model.unlessLive(id))
  const key = model.keys.get(id)
  if (body === undefined || key === undefined) return
  key.state = 'PendingDeletion'
  key.dueAt = model.now + days * DAY
  const DeletionDate = key.dueAt / 1000
  same(body, { KeyId: arnOf(id), DeletionDate, KeyState: 'PendingDeletion', PendingWindowInDays: days }, 'answer')
}

const pending = (key: ModelKey): boolean => key.state === 'PendingDeletion'
export async function cancel(sequence: Sequence, id = pickId(sequence, pending)): Promise<void> {
  const body = await ask(sequence, 'CancelKeyDeletion', { KeyId: id }, sequence.model.unlessPending(id))
  const key = sequence.model.keys.get(id)
  if (body === undefined || key === undefined) return
  key.state = 'Disabled'
  sequence.model.recovered++
}

export async function pass({ aws, model, log }: Sequence, ms: number): Promise<void> {
  log.push(`clock +${ms} ms`)
  await aws.advance(ms)
  model.advance(ms)
}

const clock: Action = (sequence) =>
  pass(sequence, sequence.random.pick([0, 1000, 15 * 60_000, DAY, DAY, 5 * DAY, 9 * DAY, 60 * DAY, 400 * DAY]))

const createAlias: Action = async (sequence) => {
  const { model, random } = sequence
  const [AliasName, id] = [random.pick(ALIASES), pickId(sequence)]
  const taken = `AlreadyExistsException: An alias with the name arn:aws:kms:${REGION}:${ACCOUNT}:${AliasName} already exists`
  const refused = model.unlessLive(id) ?? (model.aliases.has(AliasName) ? taken : undefined)
  await ask(sequence, 'CreateAlias', { AliasName, TargetKeyId: id }, refused)
  if (refused === undefined) model.aliases.set(AliasName, { keyId: id, created: model.now, updated: model.now })
}

function aliasRefusal(model: Model, name: string, id: string): string | undefined {
  const alias = model.aliases.get(name)
  const old = model.keys.get(alias?.keyId ?? '')
  const dead = model.unlessLive(id)
  if (dead !== undefined) return dead
  if (alias === undefined) return unknownAlias(name)
  if (old === undefined || old.kind === model.keys.get(id)?.kind) return undefined
  return `ValidationException: Invalid key: its type or use is not that of the key that ${name} stands for`
}

const updateAlias: Action = async (sequence) => {
  const { model, random } = sequence
  const [AliasName, id] = [random.pick(ALIASES), pickId(sequence)]
  const refused = aliasRefusal(model, AliasName, id)
  await ask(sequence, 'UpdateAlias', { AliasName, TargetKeyId: id }, refused)
  const alias = model.aliases.get(AliasName)
  if (refused === undefined && alias !== undefined) Object.assign(alias, { keyId: id, updated: model.now })
}

const deleteAlias: Action = async (sequence) => {
  const { model, random } = sequence
  const AliasName = random.pick(ALIASES)
  const refused = model.aliases.has(AliasName) ? undefined : unknownAlias(AliasName)
  await ask(sequence, 'DeleteAlias', { AliasName }, refused)
  model.aliases.delete(AliasName)
}

export const listAliases: Action = async (sequence) => {
  const { model } = sequence
  const body = await ask(sequence, 'ListAliases', {})
  const expected = [...model.aliases].sort(([a], [b]) => (a < b ? -1 : 1))
  same(
    body.Aliases,
    expected.map(([AliasName, { keyId, created, updated }]) => ({
      AliasName,
      AliasArn: `arn:aws:kms:${REGION}:${ACCOUNT}:${AliasName}`,
      TargetKeyId: keyId,
      CreationDate: created / 1000,
      LastUpdatedDate: updated / 1000,
    })),
    'aliases',
  )
}

const tag: Action = async (sequence) => {
  const { model, random } = sequence
  const id = pickId(sequence)
  const [TagKey, TagValue] = [random.pick(TAGS), word(random)]
  const body = await ask(sequence, 'TagResource', { KeyId: id, Tags: [{ TagKey, TagValue }] }, model.unlessLive(id))
  if (body !== undefined) model.keys.get(id)?.tags.set(TagKey, TagValue)
}

const untag: Action = async (sequence) => {
  const { model, random } = sequence
  const id = pickId(sequence)
  const TagKey = random.pick(TAGS)
  const body = await ask(sequence, 'UntagResource', { KeyId: id, TagKeys: [TagKey] }, model.unlessLive(id))
  if (body !== undefined) model.keys.get(id)?.tags.delete(TagKey)
}

async function listTags(sequence: Sequence, id = pickId(sequence)): Promise<void> {
  const body = await ask(sequence, 'ListResourceTags', { KeyId: id }, sequence.model.unlessThere(id))
  if (body === undefined) return
  const tags = [...(sequence.model.keys.get(id)?.tags ?? [])].sort(([a], [b]) => (a < b ? -1 : 1))
  const Tags = tags.map(([TagKey, TagValue]) => ({ TagKey, TagValue }))
  same(body, { Tags, Truncated: false }, 'tags')
}

const changeDescription: Action = async (sequence) => {
  const id = pickId(sequence)
  const Description = word(sequence.random)
  const body = await ask(sequence, 'UpdateKeyDescription', { KeyId: id, Description }, sequence.model.unlessLive(id))
  const key = sequence.model.keys.get(id)
  if (body !== undefined && key !== undefined) key.description = Description
}

const putPolicy: Action = async (sequence) => {
  const { model, random } = sequence
  const id = pickId(sequence)
  const statement = { Sid: word(random), Effect: 'Allow', Principal: { AWS: '*' }, Action: 'kms:*', Resource: '*' }
  const Policy = JSON.stringify({ Statement: [statement] })
  const body = await ask(sequence, 'PutKeyPolicy', { KeyId: id, Policy }, model.unlessThere(id))
  const key = model.keys.get(id)
  if (body === undefined || key === undefined) return
  key.policy = Policy
  same((await ask(sequence, 'GetKeyPolicy', { KeyId: id })).Policy, Policy, 'policy')
}

export async function enableRotation(sequence: Sequence, id = pickId(sequence, rotating)): Promise<void> {
  const { model, random } = sequence
  const period = random.pick([90, 365, 2560])
  const input = { KeyId: id, RotationPeriodInDays: period }
  const body = await ask(sequence, 'EnableKeyRotation', input, model.unlessRotatable(id))
  const key = model.keys.get(id)
  if (body !== undefined && key !== undefined) Object.assign(key, { period, nextAt: model.now + period * DAY })
}

const disableRotation: Action = async (sequence) => {
  const id = pickId(sequence, rotating)
  const body = await ask(sequence, 'DisableKeyRotation', { KeyId: id }, sequence.model.unlessRotatable(id))
  const key = sequence.model.keys.get(id)
  if (body !== undefined && key !== undefined) key.period = undefined
}

const rotate: Action = async (sequence) => {
  const { model } = sequence
  const id = pickId(sequence, rotating)
  const body = await ask(sequence, 'RotateKeyOnDemand', { KeyId: id }, model.unlessOnDemand(id))
  const key = model.keys.get(id)
  if (body !== undefined && key !== undefined) model.rotate(key, 'ON_DEMAND')
}

async function rotationStatus(sequence: Sequence, id = pickId(sequence)): Promise<void> {
  const body = await ask(sequence, 'GetKeyRotationStatus', { KeyId: id }, sequence.model.unlessThere(id))
  const key = sequence.model.keys.get(id)
  if (body === undefined || key === undefined) return
  const on = key.period !== undefined && key.state !== 'PendingDeletion'
  const dates = on ? { RotationPeriodInDays: key.period, NextRotationDate: key.nextAt / 1000 } : {}
  same(body, { KeyId: id, KeyRotationEnabled: on, ...dates }, 'rotation status')
}

async function listRotations(sequence: Sequence, id = pickId(sequence)): Promise<void> {
  const { model, random } = sequence
  const key = model.keys.get(id)
  const all = random.chance(0.5)
  const input = { KeyId: id, IncludeKeyMaterial: all ? 'ALL_KEY_MATERIAL' : 'ROTATIONS_ONLY', Limit: 1000 }
  const refused =
    key === undefined ? unknownKey(id) : key.kind === 'symmetric' ? undefined : 'UnsupportedOperationException'
  const body = await ask(sequence, 'ListKeyRotations', input, refused)
  if (body === undefined || key === undefined) return
  const shown = all ? body.Rotations : [{ RotationDate: undefined, RotationType: undefined }, ...body.Rotations]
  same(
    shown.map(({ RotationDate, RotationType }: Record<string, unknown>) => [RotationType, RotationDate]),
    [[undefined, undefined], ...key.rotations.map(({ type, at }) => [type, at / 1000])],
    'rotations',
  )
  for (const [index, { KeyMaterialId, KeyMaterialState }] of shown.entries()) {
    if (KeyMaterialId === undefined) continue
    checkMaterial(key, index, KeyMaterialId)
    same(KeyMaterialState, index === key.rotations.length ? 'CURRENT' : 'NON_CURRENT', 'state')
  }
}

async function lastUsage(sequence: Sequence, id = pickId(sequence)): Promise<void> {
  const body = await ask(sequence, 'GetKeyLastUsage', { KeyId: id }, sequence.model.unlessThere(id))
  const key = sequence.model.keys.get(id)
  if (body === undefined || key === undefined) return
  const { Operation, Timestamp } = body.KeyLastUsage
  const expected = key.lastUse && [key.lastUse.operation, key.lastUse.at / 1000]
  same(Operation === undefined ? undefined : [Operation, Timestamp], expected, 'last use')
}

/** All that the service says, against all that the model knows. */
export async function checkEverything(sequence: Sequence): Promise<void> {
  const { model } = sequence
  const { Keys } = await ask(sequence, 'ListKeys', { Limit: 1000 })
  same(Keys.map(({ KeyId }: { KeyId: string }) => KeyId).sort(), [...model.keys.keys()].sort(), 'keys')
  await listAliases(sequence)
  for (const key of model.keys.values()) {
    await describe(sequence, key.id)
    await listTags(sequence, key.id)
    await rotationStatus(sequence, key.id)
    await listRotations(sequence, key.id)
    await lastUsage(sequence, key.id)
    if (key.policy === undefined) continue
    same((await ask(sequence, 'GetKeyPolicy', { KeyId: key.id })).Policy, key.policy, 'policy')
  }
}

export const ACTIONS: Weighted<Action> = [
  ...USES,
  [6, create],
  [2, (sequence) => describe(sequence)],
  [4, setState('EnableKey', 'Enabled')],
  [2, setState('DisableKey', 'Disabled')],
  [2, (sequence) => schedule(sequence)],
  [2, (sequence) => cancel(sequence)],
  [4, clock],
  [2, createAlias],
  [2, updateAlias],
  [1, deleteAlias],
  [1, listAliases],
  [2, tag],
  [2, untag],
  [1, listTags],
  [1, changeDescription],
  [1, putPolicy],
  [3, (sequence) => enableRotation(sequence)],
  [1, disableRotation],
  [4, rotate],
  [1, rotationStatus],
  [1, listRotations],
  [1, lastUsage],
]
