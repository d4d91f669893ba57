/** Valid requests, and the same ones broken in one place each: nothing but Azure's own 4xx, and no half-made key. */
import t from 'tap'
import { Random, REPEAT } from '../support/random.ts'
import { type Answer, b64, HOST, makeAzure, type TestAzure, VERSION } from './support.ts'

const ROUNDS = 600

type Request = {
  method: string
  path: string
  query: string
  body: Record<string, unknown> | undefined
  raw?: string
  headers: Record<string, string>
}
const DIGEST = b64(Buffer.alloc(32, 7))
const get = (path: string): Request => ({ method: 'GET', path, query: VERSION, body: undefined, headers: {} })
const post = (path: string, body: Record<string, unknown>): Request => ({ ...get(path), method: 'POST', body })

/** Requests that succeed on a vault with the keys `ec` and `rsa`, and leave both usable. */
const VALID: readonly ((fresh: string, ciphertext: string) => Request)[] = [
  (fresh) =>
    post(`/keys/${fresh}/create`, {
      kty: 'EC',
      crv: 'P-256',
      key_ops: ['sign'],
      attributes: { enabled: true },
      tags: { a: 'b' },
    }),
  (fresh) => post(`/keys/${fresh}/create`, { kty: 'EC', attributes: { nbf: 1, exp: 4_000_000_000 } }),
  () => get('/keys/ec'),
  () => get('/keys/rsa/versions'),
  () => ({ ...get('/keys'), query: `${VERSION}&maxresults=7` }),
  () => get('/deletedkeys'),
  () => post('/keys/ec//sign', { alg: 'ES256', value: DIGEST }),
  () => post('/keys/rsa/verify', { alg: 'PS256', digest: DIGEST, value: DIGEST }),
  () => post('/keys/rsa/encrypt', { alg: 'RSA-OAEP-256', value: DIGEST }),
  () => post('/keys/rsa/wrapkey', { alg: 'RSA-OAEP', value: DIGEST }),
  (_, ciphertext) => post('/keys/rsa/decrypt', { alg: 'RSA-OAEP', value: ciphertext }),
  (_, ciphertext) => post('/keys/rsa/unwrapkey', { alg: 'RSA-OAEP', value: ciphertext }),
]

const JUNK: readonly unknown[] = [
  null,
  '',
  0,
  -1,
  1e300,
  1.5,
  true,
  [],
  [[]],
  {},
  { a: {} },
  'x',
  '\u0000',
  '\ud800',
  '../..',
  '%00',
  '__proto__',
  'constructor',
  'toString',
  'A'.repeat(5000),
  '\u{1f511}',
  [null],
  ['sign', 7],
  'ES256',
  'RSA',
  { enabled: 'no' },
]
const SEGMENTS = [
  '',
  '.',
  '..',
  '%2e%2e',
  '%',
  '%00',
  '%ff',
  '_',
  'a b',
  '%2F',
  'x'.repeat(300),
  '\u00e9',
  '*',
  ':name',
  'ec;x',
  '0'.repeat(32),
  'g'.repeat(32),
]
const QUERIES = [
  '',
  'api-version=',
  'api-version=1',
  `${VERSION}&${VERSION}`,
  `${VERSION}&maxresults=0`,
  `${VERSION}&maxresults=1e1`,
  `${VERSION}&$skiptoken=%`,
  `${VERSION}&$skiptoken=AA`,
  `${VERSION}&$skiptoken=${'A'.repeat(1900)}`,
  'api-version[]=7.4',
  '%',
  '&&&=',
  `${VERSION}&maxresults=5&maxresults=6`,
]

const members = (body: Record<string, unknown>, random: Random): Record<string, unknown> => {
  const name = random.pick(Object.keys(body))
  const inner = body[name]
  const deeper = typeof inner === 'object' && inner !== null && !Array.isArray(inner) && random.chance(0.5)
  if (deeper && Object.keys(inner).length > 0)
    return { ...body, [name]: members(inner as Record<string, unknown>, random) }
  if (random.chance(0.2)) return Object.fromEntries(Object.entries(body).filter(([key]) => key !== name))
  return { ...body, [name]: random.pick(JUNK) }
}

function breakPath(request: Request, random: Random): Request {
  const segments = request.path.split('/').slice(1)
  const at = random.below(segments.length)
  const put = random.chance(0.3)
    ? [...segments.slice(0, at), random.pick(SEGMENTS), ...segments.slice(at)]
    : segments.with(at, random.pick(SEGMENTS))
  return { ...request, path: `/${put.join('/')}` }
}

function breakRaw(request: Request, random: Random): Request {
  const text = JSON.stringify(request.body ?? {})
  const at = random.below(text.length)
  const raw = random.pick([
    text.slice(0, at),
    `${text}${text}`,
    `${text.slice(0, at)}\u0001${text.slice(at)}`,
    '['.repeat(5000),
    text.replace('{', '{"alg":1,"kty":1,'),
    '',
  ])
  return { ...request, method: 'POST', raw }
}

const BREAKERS: readonly ((request: Request, random: Random) => Request)[] = [
  breakPath,
  (request, random) => ({ ...request, query: random.pick(QUERIES) }),
  (request, random) => ({ ...request, method: random.pick(['GET', 'PUT', 'PATCH', 'POST', 'HEAD']) }),
  (request, random) =>
    request.body === undefined ? breakPath(request, random) : { ...request, body: members(request.body, random) },
  (request, random) =>
    request.body === undefined ? breakPath(request, random) : { ...request, body: members(request.body, random) },
  breakRaw,
  (request, random) => ({
    ...request,
    headers: {
      'content-type': random.pick(['text/plain', 'application/xml', 'application/x-www-form-urlencoded', 'x']),
    },
  }),
  (request, random) => ({
    ...request,
    headers: {
      host: random.pick(['', 'a b', 'a.b.vault.localhost', `${'x'.repeat(300)}.vault.localhost`, '[::1', 'a:b:c']),
    },
  }),
  (request, random) => ({
    ...request,
    headers: { authorization: random.pick(['', 'Bearer', 'Basic x', 'Bearer \u00ff']) },
  }),
]

async function send(azure: TestAzure, { method, path, query, body, raw, headers }: Request): Promise<Answer> {
  const payload = raw ?? (body === undefined ? undefined : JSON.stringify(body))
  const response = await azure.app.inject({
    method: method as 'GET',
    url: `${path}?${query}`,
    headers: {
      host: HOST,
      authorization: 'Bearer x',
      ...(payload !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(payload !== undefined && method !== 'GET' && method !== 'HEAD' && { payload }),
  })
  const text = response.body
  return {
    status: response.statusCode,
    headers: response.headers,
    body: text.startsWith('{') ? JSON.parse(text) : text,
  }
}

t.test(`broken requests get Azure’s own 4xx (${REPEAT})`, async (t) => {
  const random = new Random()
  const azure = await makeAzure({}, { provision: false })
  await azure.create('ec')
  await azure.create('rsa', { kty: 'RSA' })
  const sealed = await azure.ask('POST', '/keys/rsa/encrypt', { alg: 'RSA-OAEP', value: DIGEST })
  const counts = { 2: 0, 4: 0 }
  const wrong: string[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const valid = random.pick(VALID)(`n${round}`, sealed.body.value)
    const whole = await send(azure, valid)
    if (whole.status !== 200)
      wrong.push(`valid ${JSON.stringify(valid)}: ${whole.status} ${JSON.stringify(whole.body)}`)
    const broken = random.pick(BREAKERS)(valid, random)
    const { status, body } = await send(azure, broken)
    const kind = Math.floor(status / 100)
    // A HEAD has no body; a host that is nobody's is the server's own business, not a dialect's.
    const silent = broken.method === 'HEAD' || broken.headers.host !== undefined
    const azures = silent || (typeof body.error?.code === 'string' && typeof body.error.message === 'string')
    if (kind === 2) counts[2]++
    else if (kind === 4 && azures) counts[4]++
    else wrong.push(`${JSON.stringify(broken).slice(0, 400)}: ${status} ${JSON.stringify(body).slice(0, 200)}`)
  }
  t.ok(counts[4] > ROUNDS / 2, `${counts[4]} refused, ${counts[2]} fine all the same`)
  const failed = azure.audit.records.filter(({ outcome }) => outcome === 'internal')
  t.same(failed, [], 'no internal error was recorded')
  for (let next = `/keys?${VERSION}`; next !== ''; ) {
    const page = await azure.ask('GET', next)
    for (const { kid } of page.body.value) {
      const whole = await azure.ask('GET', new URL(kid).pathname)
      if (whole.status !== 200) wrong.push(`listed but not whole: ${kid}`)
    }
    next = page.body.nextLink?.replace(`http://${HOST}`, '') ?? ''
  }
  t.same(wrong.slice(0, 5), [], `${ROUNDS} rounds`)
})
