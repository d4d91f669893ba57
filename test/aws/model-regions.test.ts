/**
 * Random sequences over a key of several Regions, generated and imported, against a reference model: replicas come and go,
 * the primary moves, material is brought and taken away, and whatever opens in one Region opens in every other that may.
 * TREFOIL_TEST_SEED repeats a run, TEST_LONG makes it a long one.
 */
import { deepStrictEqual } from 'node:assert/strict'
import t from 'tap'
import { Deck, Random, REPEAT, type Weighted } from '../support/random.ts'
import { ACCOUNT, makeAws, REGION, type TestAws } from './support.ts'
import { SHA_256, wrapMaterial } from './wrapping.ts'

const STEPS = process.env.TEST_LONG === undefined ? 300 : 6_000
const SHOWN = 25
const DAY = 86_400_000
const REGIONS = [REGION, 'us-west-2', 'eu-central-1'] as const
type Region = (typeof REGIONS)[number]
type Origin = 'AWS_KMS' | 'EXTERNAL'

type Member = { disabled: boolean; deletedAt: number | undefined; filled: boolean }
type Sealed = { readonly blob: string; readonly plaintext: string }

/** One set of keys: what AWS documents of it, in plain data. */
class RegionSet {
  readonly id: string
  readonly origin: Origin
  readonly material: Buffer
  primary: Region = REGION
  readonly members = new Map<Region, Member>()
  readonly sealed: Sealed[] = []
  rotations = 0

  constructor(id: string, origin: Origin, material: Buffer) {
    this.id = id
    this.origin = origin
    this.material = material
    this.add(REGION)
  }

  add(region: Region): void {
    this.members.set(region, { disabled: false, deletedAt: undefined, filled: this.origin === 'AWS_KMS' })
  }

  state(region: Region): string | undefined {
    const member = this.members.get(region)
    if (member === undefined) return undefined
    if (member.deletedAt !== undefined) return 'PendingDeletion'
    if (!member.filled) return 'PendingImport'
    return member.disabled ? 'Disabled' : 'Enabled'
  }

  arn(region: Region): string {
    return `arn:aws:kms:${region}:${ACCOUNT}:key/${this.id}`
  }

  /** Why the key of that Region is not used; undefined where it is. */
  refusal(region: Region): string | undefined {
    const arn = this.arn(region)
    switch (this.state(region)) {
      case undefined:
        return `NotFoundException: Key '${arn}' does not exist`
      case 'PendingDeletion':
        return `KMSInvalidStateException: ${arn} is pending deletion.`
      case 'PendingImport':
        return `KMSInvalidStateException: ${arn} is pending import.`
      case 'Disabled':
        return `DisabledException: ${arn} is disabled.`
    }
    return undefined
  }

  unlessPrimary(region: Region): string | undefined {
    return region === this.primary
      ? undefined
      : `UnsupportedOperationException: ${this.arn(region)} is not a multi-region primary key.`
  }
}

type Sequence = {
  readonly aws: TestAws
  readonly random: Random
  readonly sets: RegionSet[]
  readonly log: string[]
  readonly done: Map<string, number>
}
type Action = (sequence: Sequence) => Promise<void>

const text = ({ status, body }: { status: number; body: { __type?: string; message?: string } | undefined }) => {
  if (status === 200) return undefined
  return body?.message === undefined ? body?.__type : `${body.__type}: ${body.message}`
}

async function ask(sequence: Sequence, region: Region, operation: string, body: object, refused?: string) {
  sequence.log.push(`${region} ${operation} ${JSON.stringify(body).slice(0, 100)}`)
  const answer = await sequence.aws.ask(operation, body, { region })
  deepStrictEqual(text(answer), refused, operation)
  if (refused === undefined) sequence.done.set(operation, (sequence.done.get(operation) ?? 0) + 1)
  return answer.status === 200 ? (answer.body ?? {}) : undefined
}

const anySet = ({ sets, random }: Sequence): RegionSet => random.pick(sets)
const anyRegion = ({ random }: Sequence): Region => random.pick(REGIONS)

/** Mostly the primary's, whose business most of it is. */
const askedIn = (sequence: Sequence, set: RegionSet): Region =>
  sequence.random.chance(0.7) ? set.primary : anyRegion(sequence)
/** Mostly one that has a key. */
const anyMember = (sequence: Sequence, set: RegionSet): Region =>
  sequence.random.chance(0.8) ? sequence.random.pick([...set.members.keys()]) : anyRegion(sequence)

const describe = async (sequence: Sequence, set: RegionSet, region: Region): Promise<void> => {
  const state = set.state(region)
  const absent = state === undefined ? set.refusal(region) : undefined
  const body = await ask(sequence, region, 'DescribeKey', { KeyId: set.id }, absent)
  if (body === undefined) return
  const { KeyState, MultiRegionConfiguration: shown } = body.KeyMetadata
  deepStrictEqual(
    [KeyState, shown.MultiRegionKeyType, shown.PrimaryKey.Region],
    [state, region === set.primary ? 'PRIMARY' : 'REPLICA', set.primary],
    'what is shown',
  )
  const others = [...set.members.keys()].filter((other) => other !== set.primary).sort()
  deepStrictEqual(
    shown.ReplicaKeys.map(({ Region }: { Region: string }) => Region),
    others,
    'replicas',
  )
}

const replicate: Action = async (sequence) => {
  const set = anySet(sequence)
  const [from, ReplicaRegion] = [askedIn(sequence, set), anyRegion(sequence)]
  const busy = set.state(from) === 'PendingImport' ? undefined : set.refusal(from)
  const refused =
    busy ?? set.unlessPrimary(from) ?? (set.members.has(ReplicaRegion) ? 'AlreadyExistsException' : undefined)
  await ask(sequence, from, 'ReplicateKey', { KeyId: set.id, ReplicaRegion }, refused)
  if (refused === undefined) set.add(ReplicaRegion)
}

const move: Action = async (sequence) => {
  const set = anySet(sequence)
  const [from, PrimaryRegion] = [askedIn(sequence, set), anyRegion(sequence)]
  const passive = (region: Region) => (set.state(region) === 'PendingImport' ? undefined : set.refusal(region))
  const own = passive(from) ?? set.unlessPrimary(from)
  const there = set.members.has(PrimaryRegion) && PrimaryRegion !== from
  const refused =
    own ??
    (there ? passive(PrimaryRegion)?.replace(set.arn(PrimaryRegion), set.arn(from)) : undefined) ??
    (there ? undefined : `NotFoundException: ${set.arn(from)} has no replica key in the Region.`)
  await ask(sequence, from, 'UpdatePrimaryRegion', { KeyId: set.id, PrimaryRegion }, refused)
  if (refused === undefined) set.primary = PrimaryRegion
}

const setState =
  (operation: 'EnableKey' | 'DisableKey'): Action =>
  async (sequence) => {
    const set = anySet(sequence)
    const region = anyMember(sequence, set)
    const state = set.state(region)
    const refused = state === 'Enabled' || state === 'Disabled' ? undefined : set.refusal(region)
    await ask(sequence, region, operation, { KeyId: set.id }, refused)
    const member = set.members.get(region)
    if (refused === undefined && member !== undefined) member.disabled = operation === 'DisableKey'
  }

const encrypt: Action = async (sequence) => {
  const set = anySet(sequence)
  const region = anyMember(sequence, set)
  const plaintext = sequence.random.bytes(9).toString('base64')
  const body = await ask(sequence, region, 'Encrypt', { KeyId: set.id, Plaintext: plaintext }, set.refusal(region))
  if (body !== undefined) set.sealed.push({ blob: body.CiphertextBlob, plaintext })
}

const decrypt: Action = async (sequence) => {
  const set = anySet(sequence)
  const region = anyMember(sequence, set)
  if (set.sealed.length === 0) return
  const { blob, plaintext } = sequence.random.pick(set.sealed)
  const body = await ask(sequence, region, 'Decrypt', { KeyId: set.id, CiphertextBlob: blob }, set.refusal(region))
  if (body !== undefined) deepStrictEqual([body.Plaintext, body.KeyId], [plaintext, set.arn(region)], 'opened')
}

const MAX_ROTATIONS = 20
const rotate: Action = async (sequence) => {
  const set = sequence.sets.find(({ origin }) => origin === 'AWS_KMS')
  const region = set === undefined ? REGION : askedIn(sequence, set)
  if (set === undefined || set.rotations >= MAX_ROTATIONS) return
  const refused = set.refusal(region) ?? set.unlessPrimary(region)
  await ask(sequence, region, 'RotateKeyOnDemand', { KeyId: set.id }, refused)
  if (refused === undefined) set.rotations += 1
}

const imported = ({ sets }: Sequence): RegionSet => {
  const set = sets.find(({ origin }) => origin === 'EXTERNAL')
  if (set === undefined) throw new Error('no imported set')
  return set
}

/** A wrapping key serves a key of one Region. */
const parameters = new Map<
  string,
  { readonly PublicKey: string; readonly ImportToken: string; readonly until: number }
>()
async function parametersFor(sequence: Sequence, set: RegionSet, region: Region) {
  const name = `${set.id} ${region}`
  const known = parameters.get(name)
  if (known !== undefined && known.until > sequence.aws.clock.now()) return known
  const body = await ask(sequence, region, 'GetParametersForImport', { KeyId: set.id, ...SHA_256 })
  const fresh = { ...body, until: body.ParametersValidTo * 1000 }
  parameters.set(name, fresh)
  return fresh
}

async function bring(sequence: Sequence, region: Region, material: Buffer, refused?: string): Promise<boolean> {
  const set = imported(sequence)
  const { PublicKey, ImportToken } = await parametersFor(sequence, set, region)
  const wrapped = wrapMaterial('RSAES_OAEP_SHA_256', Buffer.from(PublicKey, 'base64'), material)
  const body = {
    ...{ KeyId: set.id, ImportToken, EncryptedKeyMaterial: wrapped.toString('base64') },
    ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
  }
  return (await ask(sequence, region, 'ImportKeyMaterial', body, refused)) !== undefined
}

const importable = (sequence: Sequence): Region | undefined => {
  const set = imported(sequence)
  const live = [...set.members].filter(([, { deletedAt }]) => deletedAt === undefined).map(([region]) => region)
  return live.length === 0 ? undefined : sequence.random.pick(live)
}

const importSame: Action = async (sequence) => {
  const region = importable(sequence)
  const set = imported(sequence)
  if (region === undefined) return
  const member = set.members.get(region)
  if (!(await bring(sequence, region, set.material)) || member === undefined) return
  // What was taken away comes back enabled.
  if (!member.filled) Object.assign(member, { filled: true, disabled: false })
}

const importOther: Action = async (sequence) => {
  const region = importable(sequence)
  if (region !== undefined) await bring(sequence, region, sequence.random.bytes(32), 'IncorrectKeyMaterialException')
}

const takeAway: Action = async (sequence) => {
  const region = importable(sequence)
  const set = imported(sequence)
  if (region === undefined) return
  await ask(sequence, region, 'DeleteImportedKeyMaterial', { KeyId: set.id })
  const member = set.members.get(region)
  if (member !== undefined) member.filled = false
}

/** Replicas only: a set is there for good. */
const end: Action = async (sequence) => {
  const set = anySet(sequence)
  const replicas = [...set.members.keys()].filter((region) => region !== set.primary)
  if (replicas.length === 0) return
  const region = sequence.random.pick(replicas)
  const refused = set.state(region) === 'PendingDeletion' ? set.refusal(region) : undefined
  await ask(sequence, region, 'ScheduleKeyDeletion', { KeyId: set.id, PendingWindowInDays: 7 }, refused)
  const member = set.members.get(region)
  if (refused === undefined && member !== undefined) member.deletedAt = sequence.aws.clock.now() + 7 * DAY
}

const pass: Action = async ({ aws, random, sets, log }) => {
  const ms = random.pick([0, DAY, 4 * DAY, 8 * DAY])
  log.push(`clock +${ms} ms`)
  await aws.advance(ms)
  for (const { members } of sets) {
    for (const [region, { deletedAt }] of members) {
      if (deletedAt !== undefined && deletedAt <= aws.clock.now()) members.delete(region)
    }
  }
}

const ACTIONS: Weighted<Action> = [
  [4, replicate],
  [3, move],
  [1, setState('DisableKey')],
  [3, setState('EnableKey')],
  [4, encrypt],
  [6, decrypt],
  [2, rotate],
  [4, importSame],
  [1, importOther],
  [1, takeAway],
  [2, end],
  [1, pass],
]

t.test(`${STEPS} steps, ${REPEAT}`, { timeout: 600_000 }, async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const random = new Random()
  const sets: RegionSet[] = []
  const sequence: Sequence = { aws, random, sets, log: [], done: new Map() }
  for (const Origin of ['AWS_KMS', 'EXTERNAL'] as const) {
    const id = await aws.createKey({ MultiRegion: true, Origin })
    sets.push(new RegionSet(id, Origin, random.bytes(32)))
  }
  await bring(sequence, REGION, imported(sequence).material)
  Object.assign(imported(sequence).members.get(REGION) ?? {}, { filled: true })
  const deck = new Deck(random, ACTIONS)
  for (let step = 1; step <= STEPS; step++) {
    try {
      await deck.deal()(sequence)
      for (const region of REGIONS) await describe(sequence, random.pick(sets), region)
    } catch (error) {
      t.fail(`${REPEAT}, step ${step}: ${String(error)}\n${sequence.log.slice(-SHOWN).join('\n')}`)
      return
    }
  }
  t.same(aws.failures, [], 'what fell due was done')
  t.same(
    aws.audit.records.filter(({ outcome }) => outcome === 'internal'),
    [],
    'no internal error',
  )
  t.comment(Object.fromEntries(sequence.done))
})
