/** The steps of the random sequence: each asks the service and the model, and throws where they differ. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import type { Random, Weighted } from '../support/random.ts'
import { currentOf, type Dates, datesFit, type Model, type ModelKey, type ModelVersion } from './reference-model.ts'
import { type Answer, b64, type TestAzure } from './support.ts'

type Backup = { readonly name: string; readonly value: string; readonly key: ModelKey }
type Signature = { readonly version: string; readonly digest: string; readonly value: string }
export type Sequence = {
  readonly azure: TestAzure
  readonly model: Model
  readonly random: Random
  readonly log: string[]
  readonly backups: Backup[]
  readonly signatures: Signature[]
}
export type Action = (sequence: Sequence) => Promise<void>

export const DAY = 86_400
/** The clock rotates generated keys only, so that some names are never imported to. */
export const GENERATED = ['a', 'b', 'c']
const IMPORTED = ['d', 'e']
const NAMES = [...GENERATED, ...IMPORTED]
const OPS = [undefined, ['sign', 'verify'], ['sign'], ['verify']] as const
const DEFAULT_OPS = ['sign', 'verify']
const FAST_AND_REPEATABLE = Array.from({ length: 3 }, () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return privateKey.export({ format: 'jwk' })
})

const idOf = (answer: Answer): string => String(answer.body.key.kid).split('/').at(-1) ?? ''

/** Asks, writes down, and checks the status and the code. */
async function ask(s: Sequence, method: string, path: string, body: unknown, expected: string): Promise<Answer> {
  const answer = await s.azure.ask(method, path, body)
  await s.azure.due.settle()
  const { error } = answer.body as { error?: { code: string; innererror?: { code: string } } }
  const seen = error === undefined ? String(answer.status) : `${answer.status} ${error.innererror?.code ?? error.code}`
  s.log.push(`${method} ${path} ${JSON.stringify(body ?? null).slice(0, 160)} → ${seen}`)
  assert.equal(seen, expected, `${method} ${path}`)
  return answer
}

function dates({ random, model }: Sequence): Dates {
  const nbf = random.chance(0.2) ? model.now + random.between(-5 * DAY, 5 * DAY) : undefined
  const exp = random.chance(0.3) ? model.now + random.between(-5 * DAY, 20 * DAY) : undefined
  return { ...(nbf !== undefined && { nbf }), ...(exp !== undefined && { exp }) }
}

/** A version made by rotation does what the one before may. */
const successor = (key: ModelKey) => ({ enabled: true, ops: currentOf(key).ops })

/** What the clock has done: of a step that passes time, or that makes a date that is past count. */
async function followClock(s: Sequence): Promise<void> {
  for (const key of s.model.due()) {
    const name = [...s.model.keys].find(([, other]) => other === key)?.[0] ?? ''
    const { body } = await s.azure.ask('GET', `/keys/${name}`)
    const id = String(body.key.kid).split('/').at(-1) ?? ''
    assert.ok(!key.versions.some((version) => version.id === id), `${name} was due and got no version`)
    key.versions.push({ ...successor(key), id, created: s.model.now })
    s.model.rotated++
  }
}

export async function put(
  s: Sequence,
  imported: boolean,
  name = s.random.pick(imported ? IMPORTED : NAMES),
): Promise<void> {
  const { model, random } = s
  const enabled = random.chance(0.9)
  const ops = random.pick(OPS)
  const when = dates(s)
  const attributes = { enabled, ...when }
  const known = model.keys.get(name)
  const forbidden = !imported && known?.imported === true
  const expected = !datesFit(when)
    ? '400 BadParameter'
    : known?.deletedAt !== undefined
      ? '409 ObjectIsDeletedButRecoverable'
      : forbidden
        ? '403 KeyOperationForbidden'
        : '200'
  const answer = imported
    ? await ask(
        s,
        'PUT',
        `/keys/${name}`,
        { key: { ...random.pick(FAST_AND_REPEATABLE), key_ops: ops }, attributes },
        expected,
      )
    : await ask(s, 'POST', `/keys/${name}/create`, { kty: 'EC', key_ops: ops, attributes }, expected)
  if (expected !== '200') return
  const key: ModelKey = known ?? { versions: [], imported }
  key.versions.push({ id: idOf(answer), enabled, ops: ops ?? DEFAULT_OPS, ...when, created: model.now })
  key.imported = imported
  model.keys.set(name, key)
}

/** A version of the key, by its path: the current one, one of its own, or none there is. */
function pickVersion(
  { random }: Sequence,
  key: ModelKey | undefined,
): { path: string; version: ModelVersion | undefined } {
  if (key === undefined || random.chance(0.4)) return { path: '', version: key && currentOf(key) }
  if (random.chance(0.05)) return { path: '0'.repeat(32), version: undefined }
  const version = random.pick(key.versions)
  return { path: version.id, version }
}

const update: Action = async (s) => {
  const { model, random } = s
  const name = random.pick(NAMES)
  const key = model.live(name)
  const { path, version } = pickVersion(s, key)
  const enabled = random.chance(0.5) ? random.chance(0.6) : undefined
  const ops = random.pick(OPS)
  const when = dates(s)
  const fits = version === undefined || datesFit({ ...version, ...when })
  const missing = version === undefined ? '404 KeyNotFound' : '200'
  const expected = !datesFit(when) || !fits ? '400 BadParameter' : missing
  await ask(s, 'PATCH', `/keys/${name}/${path}`, { key_ops: ops, attributes: { enabled, ...when } }, expected)
  if (expected !== '200' || version === undefined || key === undefined) return
  Object.assign(version, when, enabled === undefined ? {} : { enabled }, ops === undefined ? {} : { ops })
}

const rotate: Action = async (s) => {
  const name = s.random.pick(NAMES)
  const key = s.model.live(name)
  const expected = key === undefined ? '404 KeyNotFound' : key.imported ? '400 BadParameter' : '200'
  const answer = await ask(s, 'POST', `/keys/${name}/rotate`, undefined, expected)
  if (expected === '200') key?.versions.push({ ...successor(key), id: idOf(answer), created: s.model.now })
}

export async function setPolicy(s: Sequence, name: string, days: number | undefined): Promise<void> {
  const key = s.model.live(name)
  const action = { trigger: { timeAfterCreate: `P${days}D` }, action: { type: 'Rotate' } }
  const expected = key === undefined ? '404 KeyNotFound' : key.imported ? '400 BadParameter' : '200'
  await ask(s, 'PUT', `/keys/${name}/rotationpolicy`, { lifetimeActions: days === undefined ? [] : [action] }, expected)
  if (expected !== '200' || key === undefined) return
  delete key.rotateAfter
  if (days !== undefined) key.rotateAfter = days
  await followClock(s)
}

export async function remove(s: Sequence, name: string): Promise<void> {
  const key = s.model.live(name)
  await ask(s, 'DELETE', `/keys/${name}`, undefined, key === undefined ? '404 KeyNotFound' : '200')
  if (key !== undefined) key.deletedAt = s.model.now
}

export async function recover(s: Sequence, name: string): Promise<void> {
  const key = s.model.deleted(name)
  await ask(s, 'POST', `/deletedkeys/${name}/recover`, undefined, key === undefined ? '404 KeyNotFound' : '200')
  if (key === undefined) return
  delete key.deletedAt
  s.model.recovered++
  await followClock(s)
}

export async function purge(s: Sequence, name: string): Promise<void> {
  const key = s.model.deleted(name)
  await ask(s, 'DELETE', `/deletedkeys/${name}`, undefined, key === undefined ? '404 KeyNotFound' : '204')
  if (key !== undefined) s.model.remove(name)
}

export async function backup(s: Sequence, name: string): Promise<void> {
  const key = s.model.live(name)
  const answer = await ask(s, 'POST', `/keys/${name}/backup`, undefined, key === undefined ? '404 KeyNotFound' : '200')
  if (key !== undefined) s.backups.push({ name, value: answer.body.value, key: structuredClone(key) })
}

export async function restore(s: Sequence, { name, value, key }: Backup): Promise<void> {
  const known = s.model.keys.get(name)
  const taken = known?.deletedAt === undefined ? '409 Conflict' : '409 ObjectIsDeletedButRecoverable'
  await ask(s, 'POST', '/keys/restore', { value }, known === undefined ? '200' : taken)
  if (known !== undefined) return
  s.model.keys.set(name, structuredClone(key))
  s.model.restored++
  await followClock(s)
}

const sign: Action = async (s) => {
  const name = s.random.pick(NAMES)
  const key = s.model.live(name)
  const { path, version } = pickVersion(s, key)
  const refused = version && s.model.refusal(version, 'sign')
  const expected = version === undefined ? '404 KeyNotFound' : refused === undefined ? '200' : `403 ${refused}`
  const digest = b64(s.random.bytes(32))
  const answer = await ask(s, 'POST', `/keys/${name}/${path}/sign`, { alg: 'ES256', value: digest }, expected)
  if (expected === '200' && version) s.signatures.push({ version: version.id, digest, value: answer.body.value })
}

const verify: Action = async (s) => {
  if (s.signatures.length === 0) return
  const { version: id, digest, value } = s.random.pick(s.signatures)
  const [name, key] = [...s.model.keys].find(([, { versions }]) => versions.some((version) => version.id === id)) ?? []
  if (name === undefined || key === undefined) return
  const version = key.versions.find((candidate) => candidate.id === id) as ModelVersion
  const refused = s.model.refusal(version, 'verify')
  const usable = refused === undefined ? '200' : `403 ${refused}`
  const expected = key.deletedAt === undefined ? usable : '404 KeyNotFound'
  const forged = s.random.chance(0.3)
  const shown = forged ? b64(s.random.bytes(32)) : digest
  const answer = await ask(s, 'POST', `/keys/${name}/${id}/verify`, { alg: 'ES256', digest: shown, value }, expected)
  if (expected === '200') assert.equal(answer.body.value, !forged)
}

const restoreAny: Action = async (s) => {
  if (s.backups.length > 0) await restore(s, s.random.pick(s.backups))
}

export async function pass(s: Sequence, seconds: number): Promise<void> {
  s.model.now += seconds
  s.log.push(`${seconds} s pass`)
  await s.azure.advance(seconds * 1000)
  await followClock(s)
}

const wait: Action = (s) => pass(s, s.random.chance(0.3) ? s.random.between(1, 40 * DAY) : s.random.between(1, 3600))
const somePolicy: Action = (s) =>
  setPolicy(s, s.random.pick(NAMES), s.random.chance(0.7) ? s.random.between(7, 60) : undefined)
const some =
  (step: (s: Sequence, name: string) => Promise<void>): Action =>
  (s) =>
    step(s, s.random.pick(NAMES))

export const ACTIONS: Weighted<Action> = [
  [12, (s) => put(s, false)],
  [5, (s) => put(s, true)],
  [14, update],
  [8, rotate],
  [5, somePolicy],
  [9, some(remove)],
  [7, some(recover)],
  [5, some(purge)],
  [5, some(backup)],
  [6, restoreAny],
  [14, sign],
  [10, verify],
  [8, wait],
]
/** All lists, and every version as a whole. */
export async function checkEverything(s: Sequence): Promise<void> {
  const { azure, model } = s
  const namesOf = async (path: string) => {
    const names: string[] = []
    for (let next: string | null = path; next !== null; ) {
      const { body } = await azure.ask('GET', next)
      names.push(...body.value.map(({ kid }: { kid: string }) => kid.split('/').at(-1) ?? ''))
      next = body.nextLink === null ? null : body.nextLink.replace(/^https?:\/\/[^/]+/, '')
    }
    return names
  }
  assert.deepEqual(await namesOf('/keys?maxresults=2'), model.names(false).sort())
  assert.deepEqual(await namesOf('/deletedkeys?maxresults=2'), model.names(true).sort())
  for (const name of model.names(false)) {
    const key = model.live(name) as ModelKey
    assert.deepEqual(
      await namesOf(`/keys/${name}/versions?maxresults=3`),
      key.versions.map(({ id }) => id),
    )
    for (const { id, enabled, ops, nbf, exp, created } of key.versions.slice(-5)) {
      const { body } = await azure.ask('GET', `/keys/${name}/${id}`)
      const { attributes } = body
      const seen = [attributes.enabled, attributes.nbf, attributes.exp, attributes.created, body.key.key_ops]
      assert.deepEqual(seen, [enabled, nbf, exp, created, DEFAULT_OPS.filter((op) => ops.includes(op))])
    }
  }
}
