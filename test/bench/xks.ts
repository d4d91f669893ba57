/**
 * AWS KMS's load on an external key store: so many Encrypt requests a second, each signed, with additional data and an
 * integrity value that is proven by a trial decryption, over TLS, the audit log durable. Then three times as many, which
 * has to be refused quickly and to leave the server well. BENCH_XKS_SECONDS sets the length.
 */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { softHsmMissing, startSoftHsm } from '../support/softhsm.ts'
import { b64, encryptBody, type Json, requestMetadata, signedHeaders } from '../support/xks-kms.ts'
import { startXks, type XksServer } from '../support/xks-server.ts'
import { cpuSeconds } from './cpu.ts'
import { type OpenSample, openLoop } from './open-loop.ts'

const SECONDS = Number(process.env.BENCH_XKS_SECONDS ?? 10)
/** AWS KMS's own quota of an external key store. */
const PER_SECOND = Number(process.env.BENCH_XKS_PER_SECOND ?? 1800)
const OVERLOAD = 3
const CONNECTIONS = 256
/** Those that a signature is good for are several minutes. */
const SIGN_AGAIN_MS = 60_000
const REQUESTS = 64
const GIVES_UP_MS = 250

/** Requests that were signed beforehand: the generator has to leave the server its half of the machine. */
function signedRequests({ trefoil, first }: XksServer, key: string): (now: number) => Uint8Array {
  const { host } = new URL(trefoil.tlsUrl)
  const path = `/a/kms/xks/v1/keys/${key}/encrypt`
  const make = (at: number): Buffer => {
    const more = {
      additionalAuthenticatedData: b64(randomBytes(256)),
      ciphertextDataIntegrityValueAlgorithm: 'SHA_256',
    }
    const body = JSON.stringify(encryptBody(b64(randomBytes(128)), more))
    const headers = {
      ...signedHeaders({ path, body, at }, host, first),
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(body)),
    }
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    return Buffer.from(`POST ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`)
  }
  let made: { readonly at: number; readonly requests: readonly Buffer[] } | undefined
  let next = 0
  return (now) => {
    if (made === undefined || now - made.at > SIGN_AGAIN_MS) {
      made = { at: now, requests: Array.from({ length: REQUESTS }, () => make(now)) }
    }
    return made.requests[next++ % REQUESTS] ?? Buffer.alloc(0)
  }
}

const quantile = (values: readonly number[], q: number): number =>
  Number((values[Math.min(values.length - 1, Math.floor(values.length * q))] ?? Number.NaN).toFixed(1))
const sorted = (values: readonly number[] | undefined): readonly number[] => [...(values ?? [])].sort((a, b) => a - b)

function row(what: string, { latenciesMs, offered }: OpenSample, cpu: number) {
  const ok = sorted(latenciesMs.get(200))
  const refused = sorted(latenciesMs.get(429))
  const others = [...latenciesMs].filter(([status]) => status !== 200 && status !== 429)
  const late = [...latenciesMs.values()].flat().filter((ms) => ms > GIVES_UP_MS).length
  return {
    what,
    offered,
    'p50 ms': quantile(ok, 0.5),
    'p99 ms': quantile(ok, 0.99),
    'over 250 ms, of 10,000': Number(((late / offered) * 10_000).toFixed(2)),
    '200': ok.length,
    '429': refused.length,
    '429 p99 ms': quantile(refused, 0.99),
    others: others.map(([status, { length }]) => `${status}: ${length}`).join(' '),
    'CPU µs': Math.round((cpu / offered) * 1e6),
  }
}

/** Right after the overload. */
async function isWell(server: XksServer): Promise<string> {
  const kms = server.caller('a', server.first)
  const health = { requestMetadata: { kmsOperation: 'KmsHealthCheck', kmsRequestId: 'bench' } }
  const { status, json } = await kms.ask('health', health)
  const describe = { requestMetadata: requestMetadata('DescribeKey') }
  const metadata = await kms.ask('keys/raw/metadata', describe)
  const members = (json.ekmFleetDetails ?? []) as readonly Json[]
  return `${status} ${members.map(({ healthStatus }) => healthStatus).join(' ')} ${metadata.status}`
}

async function loads(place: string, server: XksServer, keys: readonly string[]) {
  const { trefoil } = server
  const common = {
    port: Number(new URL(trefoil.tlsUrl).port),
    ca: readFileSync(trefoil.caFile, 'utf8'),
    connections: CONNECTIONS,
  }
  const measure = async (what: string, key: string, perSecond: number, seconds: number) => {
    const before = cpuSeconds(trefoil.pid)
    const sample = await openLoop({ ...common, perSecond, seconds, request: signedRequests(server, key) })
    return row(`${place}, ${what}, ${perSecond}/s`, sample, cpuSeconds(trefoil.pid) - before)
  }
  const rows: (ReturnType<typeof row> & { afterwards?: string })[] = []
  for (const key of keys) {
    await measure('warming up', key, PER_SECOND / 2, 2)
    rows.push(await measure(key === 'raw' ? 'raw AES' : 'envelope', key, PER_SECOND, SECONDS))
  }
  const overload = await measure('overload', 'raw', OVERLOAD * PER_SECOND, Math.min(SECONDS, 30))
  rows.push({ ...overload, afterwards: await isWell(server) })
  return rows
}

/** What AWS KMS has: no more than 250 ms, and its quota. */
const EXPOSURE = { deadlineMs: 200 }

export async function xksLoad() {
  const software = await startXks({ exposure: EXPOSURE })
  const rows: object[] = []
  try {
    await software.makeRaw('raw')
    await software.make('envelope', 'ENCRYPT_DECRYPT', 'GOOGLE_SYMMETRIC_ENCRYPTION')
    rows.push(...(await loads('software', software, ['raw', 'envelope'])))
  } finally {
    await software.stop()
  }
  if (softHsmMissing !== undefined) return rows
  const token = await startSoftHsm()
  try {
    const inToken = await startXks({ env: token.env, config: token.config, exposure: EXPOSURE })
    try {
      await inToken.makeRaw('raw')
      rows.push(...(await loads('SoftHSM', inToken, ['raw'])))
    } finally {
      await inToken.stop()
    }
  } finally {
    await token.close()
  }
  return rows
}

if (import.meta.main) console.table(await xksLoad())
