/** What the real server counts, and what it has recorded, after a random run of three dialects' requests. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { startTrefoil } from '../support/process.ts'
import { Deck, Random, REPEAT } from '../support/random.ts'
import { metricsUrl, type Sample, scrape } from './support.ts'

const REQUESTS = 400
const PARALLEL = 8

type Asked = {
  readonly url: string
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: unknown
}

const aws = (target: string, body: unknown): Asked => ({
  url: '/',
  method: 'POST',
  headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `TrentService.${target}` },
  body,
})
const bearer = { authorization: 'Bearer any', 'content-type': 'application/json' }
const azure = (method: string, path: string, body?: unknown): Asked => ({
  url: `${path}?api-version=2025-07-01`,
  method,
  headers: bearer,
  body,
})
const RINGS = '/v1/projects/local/locations/global/keyRings'
const gcp = (method: string, path: string, body?: unknown): Asked => ({
  url: `${RINGS}${path}`,
  method,
  headers: bearer,
  body,
})

const PLAIN = Buffer.from('hi').toString('base64')
/** Each as likely to be refused as to work: names are drawn from a few, of which some are there. */
const kinds = (random: Random) => {
  const name = () => `key-${random.below(4)}`
  const alias = () => ({ KeyId: `alias/${name()}` })
  return [
    [4, () => aws('Encrypt', { ...alias(), Plaintext: PLAIN })],
    [1, () => aws('CreateKey', {})],
    [1, () => aws('DescribeKey', alias())],
    [1, () => aws('ListKeys', {})],
    [1, () => aws('GenerateRandom', { NumberOfBytes: 8 })],
    [1, () => aws('Encrypt', { KeyId: '' })],
    [2, () => azure('POST', `/keys/${name()}/create`, { kty: 'EC' })],
    [2, () => azure('GET', `/keys/${name()}`)],
    [2, () => azure('DELETE', `/keys/${name()}`)],
    [1, () => azure('GET', '/secrets')],
    [2, () => gcp('POST', `?keyRingId=${name()}`, {})],
    [2, () => gcp('GET', '')],
    [2, () => gcp('POST', `/${name()}/cryptoKeys?cryptoKeyId=${name()}`, { purpose: 'ENCRYPT_DECRYPT' })],
    [2, () => gcp('POST', `/${name()}/cryptoKeys/${name()}:encrypt`, { plaintext: PLAIN })],
  ] as const
}

function recorded(directory: string): Map<string, number> {
  const counts = new Map<string, number>()
  for (const file of readdirSync(directory)) {
    for (const line of readFileSync(join(directory, file), 'utf8').split('\n')) {
      if (line === '') continue
      const { dialect, operation, outcome } = JSON.parse(line)
      const name = `${dialect} ${operation} ${outcome}`
      counts.set(name, (counts.get(name) ?? 0) + 1)
    }
  }
  return counts
}

const counted = (samples: readonly Sample[]): Map<string, number> =>
  new Map(
    samples
      .filter(({ name }) => name === 'trefoil_requests_total')
      .map(({ labels, value }) => [`${labels.dialect} ${labels.operation} ${labels.result}`, value]),
  )

t.test('metrics and audit log agree', async (t) => {
  t.comment(REPEAT)
  const random = new Random()
  const server = await startTrefoil({ config: { metrics: { port: 0 }, log: { format: 'json' } } })
  t.teardown(() => server.stop())
  const url = await metricsUrl(server)
  const deck = new Deck(random, kinds(random))
  let left = REQUESTS
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      const { url: path, method = 'GET', headers = {}, body } = deck.deal()()
      const response = await fetch(server.plainUrl + path, {
        method,
        headers,
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
      t.ok(response.status < 500, `${path} ${response.status}`)
      await response.arrayBuffer()
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, worker))
  const samples = await scrape(url)
  const log = recorded(join(server.dataDir, 'audit'))
  t.same(Object.fromEntries([...counted(samples)].sort()), Object.fromEntries([...log].sort()))
  const [last] = samples.filter(({ name }) => name === 'trefoil_audit_last_record')
  t.equal(
    last?.value,
    [...log.values()].reduce((sum, count) => sum + count, 0),
  )
  const durations = samples.filter(({ name }) => name === 'trefoil_request_duration_seconds_count')
  t.equal(
    durations.reduce((sum, { value }) => sum + value, 0),
    last?.value,
    'and so many durations',
  )
  for (const { name, labels } of samples)
    for (const value of Object.values(labels))
      t.notMatch(value, /key-\d|arn:|[0-9a-f]{8}-/, `${name} names no key, ring or caller`)
})
