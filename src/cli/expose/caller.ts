/** Requests as a cloud sends them: HTTP/1.1 over connections that are kept. */
import http from 'node:http'
import https, { type AgentOptions } from 'node:https'
import { isIP } from 'node:net'
import { Mismatch } from './report.ts'
import type { Identity, Target } from './target.ts'

const TIMEOUT_MS = 5000
const MAX_ANSWER = 256 * 1024

export type Answer = {
  readonly status: number
  readonly text: string
  readonly json: Readonly<Record<string, unknown>>
  readonly headers: http.IncomingHttpHeaders
  readonly ms: number
}
export type Sent = {
  readonly method?: string
  /** Path and query. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export const tlsOptions = ({ url, host, port, ca }: Target, identity: Identity | undefined): AgentOptions => {
  const name = url.hostname.replace(/^\[|\]$/g, '')
  return {
    host,
    port,
    ...(isIP(name) === 0 && { servername: name }),
    ...(ca !== undefined && { ca }),
    ...identity,
  }
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : {}
  } catch {
    return {}
  }
}

export class Caller {
  readonly target: Target
  readonly #agent: http.Agent
  readonly #lib: typeof http | typeof https
  /** Of each answer, ms. */
  readonly times: number[] = []

  constructor(target: Target, identity: Identity | undefined, more: AgentOptions = {}) {
    this.target = target
    const secure = target.url.protocol === 'https:'
    this.#lib = secure ? https : http
    const options = { keepAlive: true, maxSockets: 1 }
    this.#agent = secure
      ? new https.Agent({ ...options, ...tlsOptions(target, identity), ...more })
      : new http.Agent(options)
  }

  close(): void {
    this.#agent.destroy()
  }

  send({ method = 'POST', path, headers = {}, body }: Sent): Promise<Answer> {
    const { host, port, url } = this.target
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
    const started = performance.now()
    return new Promise((resolve, reject) => {
      const request = this.#lib.request(
        {
          agent: this.#agent,
          host,
          port,
          method,
          path,
          headers: {
            host: url.host,
            ...(body !== undefined && { 'content-type': 'application/json' }),
            ...length,
            ...headers,
          },
          signal: AbortSignal.timeout(TIMEOUT_MS),
        },
        (response) => {
          let text = ''
          response.setEncoding('utf8')
          response.on('data', (chunk: string) => {
            text += chunk
            if (text.length > MAX_ANSWER) response.destroy(new Mismatch('the answer is too long'))
          })
          response.once('error', reject)
          response.once('end', () => {
            const ms = performance.now() - started
            this.times.push(ms)
            resolve({ status: response.statusCode ?? 0, text, json: parse(text), headers: response.headers, ms })
          })
        },
      )
      request.once('error', reject)
      request.end(body)
    })
  }
}

/** @param name of a member and what it has to be */
export function expect(answer: Answer, status: number | readonly number[], name?: readonly [string, string]): Answer {
  const wanted = typeof status === 'number' ? [status] : status
  const said = Object.values(answer.json)
    .filter((value) => typeof value === 'string')
    .join(': ')
    .slice(0, 300)
  if (!wanted.includes(answer.status)) {
    throw new Mismatch(`answered ${answer.status} instead of ${wanted.join(' or ')}${said === '' ? '' : ` (${said})`}`)
  }
  if (name !== undefined && answer.json[name[0]] !== name[1]) {
    throw new Mismatch(`answered with ${name[0]} ${JSON.stringify(answer.json[name[0]])} instead of ${name[1]}`)
  }
  return answer
}

export function textMember({ json }: Answer, name: string): string {
  const value = json[name]
  if (typeof value === 'string' && value !== '') return value
  throw new Mismatch(`the answer has no ${name}`)
}
