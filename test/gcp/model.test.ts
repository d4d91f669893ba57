/**
 * Requests made from the descriptors, valid and then broken in one place each, over both transports: only Google's own
 * refusals, no internal error, nothing half made, and the server serves on. TREFOIL_TEST_SEED repeats a run.
 */
import { create, type DescMethodUnary, type JsonObject, type Message, toBinary, toJson } from '@bufbuild/protobuf'
import t, { type Test } from 'tap'
import { BINDINGS } from '../../src/api/gcp/bindings/index.ts'
import { METHODS } from '../../src/api/gcp/services.ts'
import { STATUS } from '../../src/api/gcp/status.ts'
import { Random, REPEAT } from '../support/random.ts'
import { grpcClient, restClient, toHttp } from './clients.ts'
import { brokenBytes, brokenJson, brokenMessages } from './mutate.ts'
import { randomMessage } from './random-message.ts'
import { makeWorld, validRequests, type World } from './requests.ts'
import { frame } from './support.ts'

const REFUSALS = new Set([
  'INVALID_ARGUMENT',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'FAILED_PRECONDITION',
  'RESOURCE_EXHAUSTED',
  'UNIMPLEMENTED',
  // Of a policy, by another etag than its own.
  'ABORTED',
])
/** Of each method's broken requests, over each transport. */
const SAMPLE = 60

/** What there is, less the realms that dev makes of unknown addresses, each with its default ring. */
async function contents({ gcp: { store } }: World): Promise<string> {
  const rings = (await store.count('rings', 'all', [])) - (await store.count('realms', 'all', []))
  return [rings, await store.count('keys', 'realm', []), await store.count('versions', 'number', [])].join()
}

/** Sends one broken request; what it did must be Google's to do, and all or nothing. */
async function check(t: Test, world: World, what: string, send: () => Promise<string>): Promise<boolean> {
  const before = await contents(world)
  const status = await send()
  const fine = status === 'OK' || REFUSALS.has(status)
  if (!fine) t.fail(`${REPEAT}: ${what}: ${status}`)
  if (status !== 'OK' && (await contents(world)) !== before)
    t.fail(`${REPEAT}: ${what}: ${status}, and something was made`)
  return status !== 'OK'
}

function sample<T>(random: Random, items: Iterable<T>, size: number): T[] {
  const all = [...items]
  while (all.length > size) all.splice(random.below(all.length), 1)
  return all
}

t.comment(REPEAT)

for (const make of [grpcClient, restClient]) {
  const transport = make === grpcClient ? 'gRPC' : 'REST'
  t.test(`messages (${transport})`, async (t) => {
    const random = new Random()
    const world = await makeWorld(t, make)
    const valid = await validRequests(world)
    t.same(Object.keys(valid).sort(), BINDINGS.map(({ method }) => method.name).sort(), 'every bound method is here')
    for (const { method } of BINDINGS) {
      const unary = method as DescMethodUnary
      const request = async (): Promise<Message> =>
        create(method.input, (await valid[method.name]?.()) as Record<string, unknown>)
      const whole = await request()
      t.equal(
        await world.client.status(unary, whole as Record<string, unknown>),
        'OK',
        `${method.name}: the valid request`,
      )
      let refused = 0
      for (const broken of sample(random, brokenMessages(random, method.input, await request()), SAMPLE)) {
        const send = () => world.client.status(unary, broken.request as Record<string, unknown>)
        if (await check(t, world, `${method.name}: ${broken.what}`, send)) refused++
      }
      t.ok(refused > 0, `${method.name}: ${refused} refused`)
      t.equal(
        await world.client.status(unary, (await request()) as Record<string, unknown>),
        'OK',
        `${method.name}: and a valid one after`,
      )
    }
  })
}

t.test('JSON', async (t) => {
  const random = new Random()
  const world = await makeWorld(t, restClient)
  const valid = await validRequests(world)
  for (const { method } of BINDINGS) {
    const json = toJson(
      method.input,
      create(method.input, (await valid[method.name]?.()) as Record<string, unknown>),
    ) as JsonObject
    const http = toHttp(method, json)
    if (http.body === undefined) continue
    for (const broken of sample(random, brokenJson(http.body as JsonObject), SAMPLE)) {
      await check(t, world, `${method.name}: ${broken.what}`, async () => {
        const { status, body } = await world.gcp.rest(http.method, http.path, broken.request)
        return status === 200 ? 'OK' : (body.error?.status ?? `HTTP ${status}`)
      })
    }
  }
  t.pass(REPEAT)
})

t.test('bytes', async (t) => {
  const random = new Random()
  const world = await makeWorld(t, grpcClient)
  const valid = await validRequests(world)
  const names = Object.fromEntries(Object.entries(STATUS).map(([name, { code }]) => [code, name]))
  for (const { method } of BINDINGS) {
    const bytes = toBinary(
      method.input,
      create(method.input, (await valid[method.name]?.()) as Record<string, unknown>),
    )
    for (const broken of brokenBytes(random, bytes, 12)) {
      await check(t, world, `${method.name}: ${broken.what}`, async () => {
        const answer = await world.gcp.raw(`/${method.parent.typeName}/${method.name}`, frame(broken.request))
        return names[answer.code] ?? `no status: ${answer.code}`
      })
    }
  }
  t.pass(REPEAT)
})

t.test('methods that are not there yet say so, whatever they are sent', async (t) => {
  const random = new Random()
  const world = await makeWorld(t, grpcClient)
  const bound = new Set(BINDINGS.map(({ method }) => method))
  for (const { method } of METHODS.filter((candidate) => !bound.has(candidate.method))) {
    const bytes = toBinary(method.input, randomMessage(random, method.input))
    const answer = await world.gcp.raw(`/${method.parent.typeName}/${method.name}`, frame(bytes))
    t.equal(answer.code, STATUS.UNIMPLEMENTED.code, method.name)
  }
})
