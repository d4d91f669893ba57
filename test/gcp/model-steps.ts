/** The steps of the random lives of Google's keys: each asks the service, and changes the model. */
import {
  CryptoKeyVersion_CryptoKeyVersionAlgorithm as Algorithm,
  CryptoKey_CryptoKeyPurpose as Purpose,
  CryptoKeyVersion_CryptoKeyVersionState as State,
} from '../../src/api/gcp/gen/google/cloud/kms/v1/resources_pb.js'
import type { Random, Weighted } from '../support/random.ts'
import type { Client } from './clients.ts'
import { kms, RING, TEXT } from './fixture.ts'
import type { TestGcp } from './support.ts'

const KEYS = 5
export const HOUR = 3_600_000
export const DAY = 24 * HOUR
const LAST_VERSION = 60

export type Version = { state: State; destroyAt?: number | undefined }
export type Model = {
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
export type World = {
  readonly gcp: TestGcp
  readonly clients: readonly Client[]
  readonly random: Random
  readonly keys: Map<string, Model>
  /** Names of deleted keys. */
  readonly retired: Set<string>
  readonly sealed: Sealed[]
  /** What the clock did, and what was taken back before it could. */
  readonly tally: { rotated: number; destroyed: number; restored: number }
}
export type Step = {
  readonly what: string
  readonly expected: string
  readonly actual: string
  readonly key?: Model | undefined
}

export const timestamp = (at: number) => ({ seconds: BigInt(Math.floor(at / 1000)), nanos: (at % 1000) * 1_000_000 })
const versionName = (key: Model, number: number) => `${key.name}/cryptoKeyVersions/${number}`
export const client = ({ random, clients }: World): Client => random.pick(clients)
export const isAlive = ({ keys }: World, key: Model): boolean => [...keys.values()].includes(key)
export const usable = ({ state }: Version): boolean => state === State.ENABLED || state === State.DISABLED

/** What the clock does when it jumps to `now`: dates that were slept through are one rotation. */
function age({ tally }: World, key: Model, now: number): void {
  if (key.next !== undefined && key.next <= now) {
    key.versions.push({ state: State.ENABLED })
    key.primary = key.versions.length
    tally.rotated++
    while (key.period !== undefined && key.next <= now) key.next += key.period
    if (key.period === undefined) key.next = undefined
  }
  for (const version of key.versions) {
    if (version?.state !== State.DESTROY_SCHEDULED || (version.destroyAt ?? 0) > now) continue
    version.state = State.DESTROYED
    tally.destroyed++
  }
}

export async function pass(world: World, ms: number): Promise<void> {
  await world.gcp.advance(ms)
  for (const key of world.keys.values()) age(world, key, world.gcp.clock.now())
}

type Kind = { readonly encrypts: boolean; readonly bare: boolean }

export async function create(world: World): Promise<Step> {
  const { random, retired } = world
  const again = retired.size > 0 && random.below(4) === 0
  const id = again ? random.pick([...retired]) : `k${retired.size + random.below(KEYS)}`
  return createKey(world, id, { encrypts: random.below(3) > 0, bare: random.below(4) === 0 })
}

export async function createKey(world: World, id: string, { encrypts, bare }: Kind): Promise<Step> {
  const { random, keys, retired } = world
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

export type WorldStep = (world: World) => Promise<Step>
export type KeyStep = (world: World, key: Model, number: number, version: Version | undefined) => Promise<Step>

export const addVersion: KeyStep = async (world, key) => {
  const actual = await client(world).status(kms.createCryptoKeyVersion, { parent: key.name, cryptoKeyVersion: {} })
  key.versions.push({ state: State.ENABLED })
  return { what: 'create a version', expected: 'OK', actual }
}

const addAnother: KeyStep = async (world, key, number, version) =>
  key.versions.length < LAST_VERSION
    ? addVersion(world, key, number, version)
    : { what: 'enough versions', expected: '', actual: '' }

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

export const destroy: KeyStep = async (world, key, number, version) => {
  const actual = await client(world).status(kms.destroyCryptoKeyVersion, { name: versionName(key, number) })
  const what = `destroy ${number}`
  if (version === undefined) return { what, expected: 'NOT_FOUND', actual }
  if (!usable(version)) return { what, expected: 'FAILED_PRECONDITION', actual }
  version.state = State.DESTROY_SCHEDULED
  version.destroyAt = world.gcp.clock.now() + key.delay
  return { what, expected: 'OK', actual }
}

export const restore: KeyStep = async (world, key, number, version) => {
  const actual = await client(world).status(kms.restoreCryptoKeyVersion, { name: versionName(key, number) })
  const what = `restore ${number}`
  if (version === undefined) return { what, expected: 'NOT_FOUND', actual }
  if (version.state !== State.DESTROY_SCHEDULED) return { what, expected: 'FAILED_PRECONDITION', actual }
  version.state = State.DISABLED
  world.tally.restored++
  return { what, expected: 'OK', actual }
}

export const deleteVersion: KeyStep = async (world, key, number, version) => {
  const actual = await client(world).status(kms.deleteCryptoKeyVersion, { name: versionName(key, number) })
  const what = `delete ${number}`
  if (version === undefined) return { what, expected: 'NOT_FOUND', actual }
  if (version.state !== State.DESTROYED) return { what, expected: 'FAILED_PRECONDITION', actual }
  key.versions[number - 1] = undefined
  if (key.primary === number) key.primary = 0
  return { what, expected: 'OK', actual }
}

export const deleteKey: KeyStep = async (world, key) => {
  const actual = await client(world).status(kms.deleteCryptoKey, { name: key.name })
  const what = 'delete the key'
  if (key.versions.some((version) => version !== undefined)) return { what, expected: 'FAILED_PRECONDITION', actual }
  const id = key.name.slice(`${RING}/cryptoKeys/`.length)
  world.keys.delete(id)
  world.retired.add(id)
  return { what, expected: 'OK', actual }
}

const setLabels: KeyStep = async (world, key) => {
  const count = world.random.below(3)
  const labels = Object.fromEntries(Array.from({ length: count }, (_, at) => [`l${at}`, `v${world.random.below(9)}`]))
  const request = { cryptoKey: { name: key.name, labels }, updateMask: { paths: ['labels'] } }
  const actual = await client(world).status(kms.updateCryptoKey, request)
  key.labels = labels
  return { what: 'labels', expected: 'OK', actual }
}

const PERIOD = 'rotation_period'
const NEXT = 'next_rotation_time'
export const WHOLE_SCHEDULE = [PERIOD, NEXT]
type Schedule = { readonly period: number | undefined; readonly next: number | undefined }

const setSchedule: KeyStep = async (world, key) => {
  const { random } = world
  const now = world.gcp.clock.now()
  const period = random.pick([undefined, DAY, 2 * DAY, 30 * DAY, DAY - 1000])
  const next = random.pick([undefined, now, now + HOUR, now + 3 * DAY, now + 40 * DAY])
  return reschedule(world, key, { period, next }, random.pick([[PERIOD], [NEXT], WHOLE_SCHEDULE]))
}

export async function reschedule(world: World, key: Model, { period, next }: Schedule, paths: string[]): Promise<Step> {
  const now = world.gcp.clock.now()
  const actual = await client(world).status(kms.updateCryptoKey, {
    cryptoKey: {
      name: key.name,
      ...(period !== undefined && { rotationSchedule: { case: 'rotationPeriod', value: timestamp(period) } }),
      ...(next !== undefined && { nextRotationTime: timestamp(next) }),
    },
    updateMask: { paths },
  })
  const after = {
    period: paths.includes(PERIOD) ? period : key.period,
    next: paths.includes(NEXT) ? next : key.next,
  }
  const what = `schedule ${paths} ${after.period} ${after.next}`
  const short = paths.includes(PERIOD) && period === DAY - 1000
  const past = paths.includes(NEXT) && next === now
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
  await pass(world, ms)
  return { what: `wait ${ms} ms`, expected: '', actual: '' }
}

/** Of any key and any of its versions, or the next, which is not there. */
const some =
  (step: KeyStep): WorldStep =>
  async (world) => {
    if (world.keys.size === 0) return create(world)
    const key = world.random.pick([...world.keys.values()])
    const number = 1 + world.random.below(key.versions.length + 1)
    const told = await step(world, key, number, key.versions[number - 1])
    return { ...told, ...(isAlive(world, key) && { key }) }
  }

export const STEPS: Weighted<WorldStep> = [
  [2, create],
  [2, wait],
  [2, decrypt],
  [1, some(addAnother)],
  [1, some(setPrimary)],
  [2, some(setState)],
  [1, some(destroy)],
  [1, some(restore)],
  [1, some(setLabels)],
  [1, some(setSchedule)],
  [2, some(deleteVersion)],
  [1, some(deleteKey)],
  [2, some(encrypt)],
  [2, some(sign)],
]
