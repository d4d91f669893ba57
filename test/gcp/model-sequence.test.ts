/**
 * Random sequences of what Google's clients do in a key's life, by either transport at random, against a small model of
 * it: every answer, and what each key looks like after it. SEED repeats a run.
 */
import { randomInt } from 'node:crypto'
import t, { type Test } from 'tap'
import {
  CryptoKeyVersion_CryptoKeyVersionAlgorithm as Algorithm,
  CryptoKey_CryptoKeyPurpose as Purpose,
  CryptoKeyVersion_CryptoKeyVersionState as State,
} from '../../src/api/gcp/gen/google/cloud/kms/v1/resources_pb.js'
import { type Client, grpcClient, restClient } from './clients.ts'
import { kms, RING, TEXT } from './fixture.ts'
import { Random } from './random.ts'
import { LOCATION, makeGcp, type TestGcp } from './support.ts'

const seed = Number(process.env.SEED ?? randomInt(2 ** 31))
const STEPS = process.env.TEST_LONG === undefined ? 400 : 10_000
const KEYS = 5
const HOUR = 3_600_000
const DAY = 24 * HOUR
const LAST_VERSION = 60

type Version = { state: State; destroyAt?: number | undefined }
type Model = {
  readonly name: string
  readonly encrypts: boolean
  readonly delay: number
  /** Undefined where one was deleted. */
  readonly versions: (Version | undefined)[]
  primary: number
  labels: Record<string, string>
  period: number | undefined
  next: number | undefined
}
type Sealed = { readonly key: Model; readonly version: number; readonly ciphertext: Uint8Array }
type World = {
  readonly gcp: TestGcp
  readonly clients: readonly Client[]
  readonly random: Random
  readonly keys: Map<string, Model>
  /** Names of deleted keys. */
  readonly retired: Set<string>
  readonly sealed: Sealed[]
}
type Step = {
  readonly what: string
  readonly expected: string
  readonly actual: string
  readonly key?: Model | undefined
}

const timestamp = (at: number) => ({ seconds: BigInt(Math.floor(at / 1000)), nanos: (at % 1000) * 1_000_000 })
const versionName = (key: Model, number: number) => `${key.name}/cryptoKeyVersions/${number}`
const client = ({ random, clients }: World): Client => random.pick(clients)
const isAlive = ({ keys }: World, key: Model): boolean => [...keys.values()].includes(key)
const usable = ({ state }: Version): boolean => state === State.ENABLED || state === State.DISABLED

/** What the clock does when it jumps to `now`: dates that were slept through are one rotation. */
function passTime(key: Model, now: number): void {
  if (key.next !== undefined && key.next <= now) {
    key.versions.push({ state: State.ENABLED })
    key.primary = key.versions.length
    while (key.period !== undefined && key.next <= now) key.next += key.period
    if (key.period === undefined) key.next = undefined
  }
  for (const version of key.versions) {
    if (version?.state === State.DESTROY_SCHEDULED && (version.destroyAt ?? 0) <= now) version.state = State.DESTROYED
  }
}

async function create(world: World): Promise<Step> {
  const { random, keys, retired } = world
  const again = retired.size > 0 && random.below(4) === 0
  const id = again ? random.pick([...retired]) : `k${retired.size + random.below(KEYS)}`
  const encrypts = random.below(3) > 0
  const bare = random.below(4) === 0
  const delay = (1 + random.below(30)) * DAY
  const outcome = await client(world).status(kms.createCryptoKey, {
    parent: RING,
    cryptoKeyId: id,
    skipInitialVersionCreation: bare,
    cryptoKey: {
      purpose: encrypts ? Purpose.ENCRYPT_DECRYPT : Purpose.ASYMMETRIC_SIGN,
      destroyScheduledDuration: { seconds: BigInt(delay / 1000) },
      ...(!encrypts && { versionTemplate: { algorithm: Algorithm.EC_SIGN_P256_SHA256 } }),
    },
  })
  const taken = keys.has(id) ? 'ALREADY_EXISTS' : 'OK'
  const expected = retired.has(id) ? 'INVALID_ARGUMENT' : taken
  if (expected === 'OK') {
    const versions = bare ? [] : [{ state: State.ENABLED }]
    const name = `${RING}/cryptoKeys/${id}`
    const none = { labels: {}, period: undefined, next: undefined }
    keys.set(id, { name, encrypts, delay, versions, primary: versions.length, ...none })
  }
  return { what: `create ${id}`, expected, actual: outcome, key: keys.get(id) }
}

type KeyStep = (world: World, key: Model, number: number, version: Version | undefined) => Promise<Step>

const addVersion: KeyStep = async (world, key) => {
  if (key.versions.length >= LAST_VERSION) return { what: 'enough versions', expected: '', actual: '' }
  const actual = await client(world).status(kms.createCryptoKeyVersion, { parent: key.name, cryptoKeyVersion: {} })
  key.versions.push({ state: State.ENABLED })
  return { what: 'create a version', expected: 'OK', actual }
}

const setPrimary: KeyStep = async (world, key, number, version) => {
  const request = { name: key.name, cryptoKeyVersionId: String(number) }
  const actual = await client(world).status(kms.updateCryptoKeyPrimaryVersion, request)
  const allowed = key.encrypts && version?.state === State.ENABLED
  if (allowed) key.primary = number
  const refused = version === undefined ? 'NOT_FOUND' : 'FAILED_PRECONDITION'
  return { what: `primary ${number}`, expected: allowed ? 'OK' : refused, actual }
}

const setState: KeyStep = async (world, key, number, version) => {
  const state = world.random.pick([State.ENABLED, State.DISABLED])
  const actual = await client(world).status(kms.updateCryptoKeyVersion, {
    cryptoKeyVersion: { name: versionName(key, number), state },
    updateMask: { paths: ['state'] },
  })
  const what = `${State[state]} ${number}`
  if (version === undefined) return { what, expected: 'NOT_FOUND', actual }
  if (!usable(version)) return { what, expected: 'FAILED_PRECONDITION', actual }
  version.state = state
  return { what, expected: 'OK', actual }
}

const destroy: KeyStep = async (world, key, number, version) => {
  const actual = await client(world).status(kms.destroyCryptoKeyVersion, { name: versionName(key, number) })
  const what = `destroy ${number}`
  if (version === undefined) return { what, expected: 'NOT_FOUND', actual }
  if (!usable(version)) return { what, expected: 'FAILED_PRECONDITION', actual }
  version.state = State.DESTROY_SCHEDULED
  version.destroyAt = world.gcp.clock.now() + key.delay
  return { what, expected: 'OK', actual }
}

const restore: KeyStep = async (world, key, number, version) => {
  const actual = await client(world).status(kms.restoreCryptoKeyVersion, { name: versionName(key, number) })
  const what = `restore ${number}`
  if (version === undefined) return { what, expected: 'NOT_FOUND', actual }
  if (version.state !== State.DESTROY_SCHEDULED) return { what, expected: 'FAILED_PRECONDITION', actual }
  version.state = State.DISABLED
  return { what, expected: 'OK', actual }
}

const deleteVersion: KeyStep = async (world, key, number, version) => {
  const actual = await client(world).status(kms.deleteCryptoKeyVersion, { name: versionName(key, number) })
  const what = `delete ${number}`
  if (version === undefined) return { what, expected: 'NOT_FOUND', actual }
  if (version.state !== State.DESTROYED) return { what, expected: 'FAILED_PRECONDITION', actual }
  key.versions[number - 1] = undefined
  if (key.primary === number) key.primary = 0
  return { what, expected: 'OK', actual }
}

const deleteKey: KeyStep = async (world, key) => {
  const actual = await client(world).status(kms.deleteCryptoKey, { name: key.name })
  const what = 'delete the key'
  if (key.versions.some((version) => version !== undefined)) return { what, expected: 'FAILED_PRECONDITION', actual }
  const id = key.name.slice(`${RING}/cryptoKeys/`.length)
  world.keys.delete(id)
  world.retired.add(id)
  return { what, expected: 'OK', actual }
}

/** A rotation in between leaves a version, and the key. */
const empty: KeyStep = async (world, key, number, version) => {
  for (const [at, one] of key.versions.entries()) if (one && usable(one)) await destroy(world, key, at + 1, one)
  await world.gcp.advance(31 * DAY)
  for (const one of world.keys.values()) passTime(one, world.gcp.clock.now())
  for (const [at, one] of key.versions.entries()) await deleteVersion(world, key, at + 1, one)
  return deleteKey(world, key, number, version)
}

const setLabels: KeyStep = async (world, key) => {
  const count = world.random.below(3)
  const labels = Object.fromEntries(Array.from({ length: count }, (_, at) => [`l${at}`, `v${world.random.below(9)}`]))
  const request = { cryptoKey: { name: key.name, labels }, updateMask: { paths: ['labels'] } }
  const actual = await client(world).status(kms.updateCryptoKey, request)
  key.labels = labels
  return { what: 'labels', expected: 'OK', actual }
}

const setSchedule: KeyStep = async (world, key) => {
  const { random } = world
  const now = world.gcp.clock.now()
  const period = random.pick([undefined, DAY, 2 * DAY, 30 * DAY, DAY - 1000])
  const next = random.pick([undefined, now, now + HOUR, now + 3 * DAY, now + 40 * DAY])
  const paths = random.pick([['rotation_period'], ['next_rotation_time'], ['rotation_period', 'next_rotation_time']])
  const actual = await client(world).status(kms.updateCryptoKey, {
    cryptoKey: {
      name: key.name,
      ...(period !== undefined && { rotationSchedule: { case: 'rotationPeriod', value: timestamp(period) } }),
      ...(next !== undefined && { nextRotationTime: timestamp(next) }),
    },
    updateMask: { paths },
  })
  const after = {
    period: paths.includes('rotation_period') ? period : key.period,
    next: paths.includes('next_rotation_time') ? next : key.next,
  }
  const what = `schedule ${paths} ${after.period} ${after.next}`
  const short = paths.includes('rotation_period') && period === DAY - 1000
  const past = paths.includes('next_rotation_time') && next === now
  const dateless = after.period !== undefined && after.next === undefined
  if (short || past || dateless) return { what, expected: 'INVALID_ARGUMENT', actual }
  if (!key.encrypts && after.next !== undefined) return { what, expected: 'FAILED_PRECONDITION', actual }
  Object.assign(key, after)
  return { what, expected: 'OK', actual }
}

const encrypt: KeyStep = async (world, key) => {
  const outcome = await client(world).call(kms.encrypt, { name: key.name, plaintext: TEXT })
  const allowed = key.encrypts && key.versions[key.primary - 1]?.state === State.ENABLED
  if (!outcome.ok) return { what: 'encrypt', expected: allowed ? 'OK' : 'FAILED_PRECONDITION', actual: outcome.status }
  world.sealed.push({ key, version: key.primary, ciphertext: outcome.message.ciphertext })
  const expected = allowed ? versionName(key, key.primary) : 'FAILED_PRECONDITION'
  return { what: 'encrypt', expected, actual: outcome.message.name }
}

const sign: KeyStep = async (world, key, number, version) => {
  const actual = await client(world).status(kms.asymmetricSign, { name: versionName(key, number), data: TEXT })
  const allowed = !key.encrypts && version?.state === State.ENABLED
  const refused = version === undefined ? 'NOT_FOUND' : 'FAILED_PRECONDITION'
  return { what: `sign ${number}`, expected: allowed ? 'OK' : refused, actual }
}

async function decrypt(world: World): Promise<Step> {
  if (world.sealed.length === 0) return { what: 'nothing to decrypt', expected: '', actual: '' }
  const { key, version, ciphertext } = world.random.pick(world.sealed)
  const alive = isAlive(world, key)
  const outcome = await client(world).call(kms.decrypt, { name: key.name, ciphertext })
  const allowed = key.versions[version - 1]?.state === State.ENABLED
  const actual = outcome.ok
    ? `${Buffer.from(outcome.message.plaintext)} ${outcome.message.usedPrimary}`
    : outcome.status
  const gone = key.versions[version - 1] === undefined ? 'INVALID_ARGUMENT' : 'FAILED_PRECONDITION'
  const refused = alive ? gone : 'NOT_FOUND'
  const expected = allowed ? `${TEXT} ${version === key.primary}` : refused
  return { what: `decrypt of ${version}`, expected, actual, ...(alive && { key }) }
}

async function wait(world: World): Promise<Step> {
  const ms = world.random.pick([HOUR, DAY, 3 * DAY, 20 * DAY]) + world.random.below(1000)
  await world.gcp.advance(ms)
  for (const key of world.keys.values()) passTime(key, world.gcp.clock.now())
  return { what: `wait ${ms} ms`, expected: '', actual: '' }
}

const KEY_STEPS = [
  ...[addVersion, setPrimary, setState, setState, destroy, restore, setLabels, setSchedule],
  ...[deleteVersion, deleteVersion, deleteKey, empty],
  ...[encrypt, encrypt, sign, sign],
]

async function takeStep(world: World): Promise<Step> {
  const { random, keys } = world
  const kind = random.below(10)
  if (keys.size === 0 || kind === 0) return create(world)
  if (kind === 1) return wait(world)
  if (kind === 2) return decrypt(world)
  const key = random.pick([...keys.values()])
  const number = 1 + random.below(key.versions.length + 1)
  const step = await random.pick(KEY_STEPS)(world, key, number, key.versions[number - 1])
  return { ...step, ...(isAlive(world, key) && { key }) }
}

/** What a key and its versions look like, in the model and in the answers. */
const modelled = ({ encrypts, versions, primary, labels, period, next }: Model) => ({
  labels,
  period: period === undefined ? undefined : BigInt(period / 1000),
  next: next === undefined ? undefined : timestamp(next),
  primary: encrypts && primary > 0 ? [primary, State[versions[primary - 1]?.state ?? 0]] : undefined,
  versions: versions.flatMap((version) => (version === undefined ? [] : [State[version.state]])).join(),
})

async function shown(world: World, { name }: Model) {
  const key = await client(world).get(kms.getCryptoKey, { name })
  const states: (string | undefined)[] = []
  let pageToken = ''
  do {
    const request = { parent: name, pageSize: 1 + world.random.below(40), pageToken }
    const page = await client(world).get(kms.listCryptoKeyVersions, request)
    states.push(...page.cryptoKeyVersions.map(({ state }) => State[state]))
    pageToken = page.nextPageToken
  } while (pageToken !== '')
  const { primary, nextRotationTime: next } = key
  return {
    labels: key.labels,
    period: key.rotationSchedule.value?.seconds,
    next: next && { seconds: next.seconds, nanos: next.nanos },
    primary: primary && [Number(primary.name.split('/').at(-1)), State[primary.state]],
    versions: states.join(),
  }
}

async function check(t: Test, world: World, at: number): Promise<boolean> {
  const { what, expected, actual, key } = await takeStep(world)
  const told = `SEED=${seed} step ${at}: ${what} of ${key?.name ?? 'all'}`
  if (actual !== expected) return t.equal(actual, expected, told)
  for (const one of key === undefined ? world.keys.values() : [key]) {
    const [wanted, found] = [modelled(one), await shown(world, one)]
    if (!t.same(found, wanted, told)) return false
  }
  return true
}

t.test('random lives of keys', { timeout: STEPS * 200 }, async (t) => {
  t.comment(`SEED=${seed}`)
  const gcp = await makeGcp()
  t.teardown(gcp.close)
  const clients = [grpcClient(gcp), restClient(gcp)]
  await clients[0]?.get(kms.createKeyRing, { parent: LOCATION, keyRingId: 'r' })
  const world: World = { gcp, clients, random: new Random(seed), keys: new Map(), retired: new Set(), sealed: [] }
  for (let at = 0; at < STEPS; at++) if (!(await check(t, world, at))) break
  t.comment(`${world.retired.size} keys deleted`)
  t.same(gcp.failures, [], 'and the clock failed at nothing')
})
