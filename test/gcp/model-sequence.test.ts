/**
 * Random sequences of what Google's clients do in a key's life, by either transport at random, against a small model of
 * it: every answer, and what each key looks like after it. TREFOIL_TEST_SEED repeats a run.
 */
import t, { type Test } from 'tap'
import { CryptoKeyVersion_CryptoKeyVersionState as State } from '../../src/api/gcp/gen/google/cloud/kms/v1/resources_pb.js'
import { Deck, Random, REPEAT } from '../support/random.ts'
import { grpcClient, restClient } from './clients.ts'
import { kms } from './fixture.ts'
import { LIVES } from './model-lives.ts'
import { client, type Model, STEPS, timestamp, type World, type WorldStep } from './model-steps.ts'
import { LOCATION, makeGcp } from './support.ts'

const COUNT = process.env.TEST_LONG === undefined ? 400 : 10_000

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

async function check(t: Test, world: World, step: WorldStep, at: number): Promise<boolean> {
  const { what, expected, actual, key } = await step(world)
  const told = `${REPEAT} step ${at}: ${what} of ${key?.name ?? 'all'}`
  if (actual !== expected) return t.equal(actual, expected, told)
  for (const one of key === undefined ? world.keys.values() : [key]) {
    const [wanted, found] = [modelled(one), await shown(world, one)]
    if (!t.same(found, wanted, told)) return false
  }
  return true
}

t.test('random lives of keys', { timeout: COUNT * 200 }, async (t) => {
  t.comment(REPEAT)
  const gcp = await makeGcp()
  t.teardown(gcp.close)
  const clients = [grpcClient(gcp), restClient(gcp)]
  await clients[0]?.get(kms.createKeyRing, { parent: LOCATION, keyRingId: 'r' })
  const [random, tally] = [new Random(), { rotated: 0, destroyed: 0, restored: 0 }]
  const world: World = { gcp, clients, random, keys: new Map(), retired: new Set(), sealed: [], tally }
  const deck = new Deck(random, [...STEPS, ...LIVES])
  for (let at = 0; at < COUNT; at++) if (!(await check(t, world, deck.deal(), at))) return
  // Each deck that was dealt has one of each.
  const decks = Math.floor(COUNT / deck.size)
  t.ok(world.retired.size >= decks, `${world.retired.size} keys deleted`)
  for (const [what, times] of Object.entries(tally)) t.ok(times >= decks, `${times} ${what}`)
  t.same(gcp.failures, [], 'and the clock failed at nothing')
})
