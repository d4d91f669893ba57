/** JSON over HTTPS to another service: no redirects, one deadline, a bounded size. */
import { readFile } from 'node:fs/promises'
import { request as plainRequest } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { isKeyUrl } from '../../config/issuer.ts'
import { parseJson } from '../http/json.ts'

const DEADLINE_MS = 5000
/** The largest of the clouds' key sets, with certificate chains, is about a tenth of it. */
const MAX_BYTES = 256 * 1024
const MAX_DEPTH = 8

export type FetchRules = {
  /** PEM; absent: the public authorities. */
  readonly caFile?: string
  readonly plainLoopback: boolean
}
export type Sent = { readonly body?: string; readonly signal?: AbortSignal }
type RawAnswer = { readonly status: number; readonly bytes: Buffer }

/** `value` of an answer that is no JSON: undefined, unless it is a success. Rejects with an Error, for the log. */
export async function exchangeJson(
  url: string,
  rules: FetchRules,
  sent: Sent = {},
): Promise<{ readonly status: number; readonly value: unknown }> {
  // The second URL of a discovery is the issuer's word: it is held to the same.
  if (!isKeyUrl(url, rules.plainLoopback)) throw new Error('the URL is not of https')
  const ca = rules.caFile === undefined ? undefined : await readFile(rules.caFile, 'utf8')
  const { status, bytes } = await exchange(url, ca, sent)
  return { status, value: status === 200 ? parseJson(bytes, { depth: MAX_DEPTH }) : undefined }
}

/** Rejects with an Error, for the log. */
export async function fetchJson(url: string, rules: FetchRules): Promise<unknown> {
  const { status, value } = await exchangeJson(url, rules)
  if (status !== 200) throw new Error(`the answer is ${status}`)
  return value
}

function exchange(url: string, ca: string | undefined, { body, signal }: Sent): Promise<RawAnswer> {
  const request = url.startsWith('https:') ? tlsRequest : plainRequest
  const deadline = AbortSignal.timeout(DEADLINE_MS)
  const options = {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      accept: 'application/json',
      ...(body !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
    },
    signal: signal === undefined ? deadline : AbortSignal.any([deadline, signal]),
    agent: false,
    ...(ca !== undefined && { ca }),
  } as const
  return new Promise((resolve, reject) => {
    const sent = request(url, options, (response) => {
      const chunks: Buffer[] = []
      let size = 0
      response.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size > MAX_BYTES) response.destroy(new Error(`the answer is larger than ${MAX_BYTES} bytes`))
        else chunks.push(chunk)
      })
      response.on('error', reject)
      response.on('end', () => resolve({ status: response.statusCode ?? 0, bytes: Buffer.concat(chunks) }))
    })
    sent.on('error', reject)
    sent.end(body)
  })
}
