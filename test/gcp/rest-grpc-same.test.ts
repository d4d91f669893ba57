/**
 * REST and gRPC answer the same to the same request: each method's valid request and the same broken in one place, sent
 * by gRPC to one server and by REST to another in the same state, in one of the spellings that REST allows. Answers are
 * compared whole, errors with their details; what is random in them is opened, verified or measured. TREFOIL_TEST_SEED repeats a run.
 */
import { create, type DescMethod, fromBinary, fromJson, type Message, toBinary } from '@bufbuild/protobuf'
import t, { type Test } from 'tap'
import type { BoundMethod } from '../../src/api/gcp/binding.ts'
import { BINDINGS } from '../../src/api/gcp/bindings/index.ts'
import { REGISTRY } from '../../src/api/gcp/json.ts'
import { STATUS } from '../../src/api/gcp/status.ts'
import { Random, REPEAT } from '../support/random.ts'
import { grpcClient } from './clients.ts'
import { brokenMessages } from './mutate.ts'
import { makeWorld, validRequests, type World } from './requests.ts'
import { detailsOf, settle, withoutUuids } from './settle.ts'
import { type HttpRequest, Speller, Unspeakable } from './spell.ts'
import { frame } from './support.ts'

/** Broken requests of each method, and spellings of its valid one. */
const SAMPLE = process.env.TEST_LONG === undefined ? 40 : 1000
const SPELLINGS = 6

type Answer = { readonly code: number; readonly message: string; readonly details: unknown } | { readonly ok: unknown }

async function byGrpc(world: World, method: DescMethod, request: Message): Promise<Answer> {
  const bytes = frame(toBinary(method.input, request))
  const answer = await world.gcp.raw(`/${method.parent.typeName}/${method.name}`, bytes)
  if (answer.code !== 0) return { code: answer.code, message: answer.message, details: detailsOf(answer.details) }
  const message = fromBinary(method.output, answer.body.subarray(5))
  return { ok: await settle(world.client, method, request, message) }
}

async function byRest(world: World, method: DescMethod, request: Message, http: HttpRequest): Promise<Answer> {
  const { status, body } = await world.gcp.rest(http.method, http.path, http.body)
  if (status === 200)
    return { ok: await settle(world.client, method, request, fromJson(method.output, body, { registry: REGISTRY })) }
  const { code, message, details = [], status: name } = body.error
  const known = STATUS[name as keyof typeof STATUS]
  if (known.http !== status || code !== status) throw new Error(`HTTP ${status} says ${code} ${name}`)
  return { code: known.code, message, details }
}

type Sides = { readonly grpc: World; readonly rest: World; readonly speller: Speller }

/** Sends one request by both; `false` where REST has no words for it, and says so. */
async function compare(t: Test, sides: Sides, method: DescMethod, what: string, requests: readonly [Message, Message]) {
  let http: HttpRequest
  try {
    http = sides.speller.request(method, requests[1])
  } catch (error) {
    if (!(error instanceof Unspeakable)) throw error
    return false
  }
  const [grpc, rest] = [
    withoutUuids(await byGrpc(sides.grpc, method, requests[0])),
    withoutUuids(await byRest(sides.rest, method, requests[1], http)),
  ]
  if (JSON.stringify(grpc) === JSON.stringify(rest)) return true
  t.same(rest, grpc, `${REPEAT} ${method.name}: ${what}\n${http.method} ${http.path}\n${http.body?.slice(0, 2000)}`)
  return true
}

function sampled<T>(random: Random, count: number, items: readonly T[]): number[] {
  const indexes = items.map((_, index) => index)
  while (indexes.length > count) indexes.splice(random.below(indexes.length), 1)
  return indexes
}

async function compareMethod(t: Test, sides: Sides, { method }: BoundMethod, valid: readonly [Requests, Requests]) {
  const made = async (): Promise<[Message, Message]> => {
    const [one, other] = await Promise.all(valid.map((requests) => requests[method.name]?.()))
    return [create(method.input, one as Slots), create(method.input, other as Slots)]
  }
  for (let round = 0; round < SPELLINGS; round++) {
    t.ok(await compare(t, sides, method, 'valid', await made()), `${method.name}: spelling ${round}`)
  }
  const whole = await made()
  const random = new Random()
  const broken = whole.map((request) => [...brokenMessages(new Random(), method.input, request)])
  let compared = 0
  for (const index of sampled(random, SAMPLE, broken[0] ?? [])) {
    const [one, other] = [broken[0]?.[index], broken[1]?.[index]]
    if (one === undefined || other === undefined) throw new Error('the two sides are broken alike')
    if (await compare(t, sides, method, one.what, [one.request, other.request])) compared++
  }
  t.ok(compared > 0, `${method.name}: ${compared} broken requests`)
}
type Slots = Record<string, unknown>
type Requests = Awaited<ReturnType<typeof validRequests>>

t.comment(REPEAT)

t.test('every method', async (t) => {
  const sides = {
    grpc: await makeWorld(t, grpcClient),
    rest: await makeWorld(t, grpcClient),
    speller: new Speller(new Random()),
  }
  const valid = [await validRequests(sides.grpc), await validRequests(sides.rest)] as const
  for (const bound of BINDINGS) await compareMethod(t, sides, bound, valid)
  const contents = async ({ gcp: { store } }: World) => [
    await store.count('rings', 'all', []),
    await store.count('keys', 'realm', []),
    await store.count('versions', 'number', []),
  ]
  t.same(await contents(sides.rest), await contents(sides.grpc), 'and both made the same')
})
