/** Requests that nobody sends: whatever is in them, the answer is one of the protocol's own, and never a fault of ours. */
import t from 'tap'
import { XKS_ERRORS } from '../../src/api/xks/errors.ts'
import { Random, REPEAT } from '../support/random.ts'
import { b64, decryptBody, encryptBody, type Json, requestMetadata } from '../support/xks-kms.ts'
import { makeXks } from './support.ts'

const ROUNDS = process.env.TEST_LONG === undefined ? 600 : 20_000
const VALUES: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1e300,
  '',
  ' ',
  'AAAA',
  'A'.repeat(3),
  '='.repeat(8),
  'é'.repeat(40),
  '\u0000',
  '😀'.repeat(20),
  'x'.repeat(3000),
  b64(Buffer.alloc(4301)),
  b64(Buffer.alloc(20)),
  [],
  [[[[[[[[[]]]]]]]]],
  {},
  { toString: 1 },
  { length: 1 },
]
const NAMES = ['constructor', 'hasOwnProperty', '', 'plaintext', 'requestMetadata', 'ciphertextMetadata', 'é']

/** One member somewhere below gets another value, another name, or goes. */
function mutate(random: Random, value: Json): Json {
  const copy = structuredClone(value)
  let at: Json = copy
  for (;;) {
    const names = Object.keys(at)
    const name = names[random.below(Math.max(1, names.length))] ?? 'x'
    const inner = at[name]
    if (typeof inner === 'object' && inner !== null && !Array.isArray(inner) && random.below(3) > 0) {
      at = inner as Json
      continue
    }
    const kind = random.below(4)
    if (kind === 0) delete at[name]
    else if (kind === 1) at[NAMES[random.below(NAMES.length)] ?? ''] = inner
    else at[name] = VALUES[random.below(VALUES.length)]
    return copy
  }
}

t.test('bodies', { timeout: 600_000 }, async (t) => {
  const xks = await makeXks()
  t.teardown(xks.close)
  const random = new Random()
  const parts = (await xks.ask('keys/k/encrypt', encryptBody(b64('text')))).json
  const bodies: Readonly<Record<string, Json>> = {
    'keys/k/encrypt': encryptBody(b64('text'), { additionalAuthenticatedData: b64('aad') }),
    'keys/e/encrypt': encryptBody(b64('text'), { ciphertextDataIntegrityValueAlgorithm: 'SHA_256' }),
    'keys/k/decrypt': decryptBody(parts),
    'keys/e/decrypt': decryptBody(parts),
    'keys/k/metadata': { requestMetadata: requestMetadata('DescribeKey') },
    health: { requestMetadata: { kmsOperation: 'KmsHealthCheck', kmsRequestId: 'r' } },
  }
  const routes = Object.keys(bodies)
  for (let round = 0; round < ROUNDS; round++) {
    const route = routes[random.below(routes.length)] ?? 'health'
    let body = bodies[route] ?? {}
    for (let times = random.between(1, 3); times > 0; times--) body = mutate(random, body)
    const { status, json, text } = await xks.ask(route, body)
    const known = XKS_ERRORS[json.errorName as keyof typeof XKS_ERRORS]
    const fine =
      status === 200 || (status !== 500 && known === status && /^[ -~]{1,511}$/.test(String(json.errorMessage)))
    if (!fine) t.fail(`${route} ${status} ${text} for ${JSON.stringify(body)}; ${REPEAT}`)
  }
  t.same(xks.logged, [], `nothing went wrong here; ${REPEAT}`)
  t.equal((await xks.ask('keys/k/decrypt', decryptBody(parts))).status, 200)
})
