/** One JSON document over HTTPS: no redirects, one deadline, a bounded size. */
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
  readonly ca?: string
  readonly plainLoopback: boolean
}

/** Rejects with an Error that says what went wrong, for the log. */
export async function fetchJson(url: string, rules: FetchRules): Promise<unknown> {
  // The second URL of a discovery is the issuer's word: it is held to the same.
  if (!isKeyUrl(url, rules.plainLoopback)) throw new Error('the URL is not of https')
  return parseJson(await get(url, rules.ca), { depth: MAX_DEPTH })
}

function get(url: string, ca: string | undefined): Promise<Buffer> {
  const request = url.startsWith('https:') ? tlsRequest : plainRequest
  return new Promise((resolve, reject) => {
    const options = {
      headers: { accept: 'application/json' },
      signal: AbortSignal.timeout(DEADLINE_MS),
      agent: false,
      ...(ca !== undefined && { ca }),
    } as const
    const sent = request(url, options, (response) => {
      if (response.statusCode !== 200) {
        response.destroy()
        return reject(new Error(`the answer is ${response.statusCode}`))
      }
      const chunks: Buffer[] = []
      let size = 0
      response.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size > MAX_BYTES) response.destroy(new Error(`the answer is larger than ${MAX_BYTES} bytes`))
        else chunks.push(chunk)
      })
      response.on('error', reject)
      response.on('end', () => resolve(Buffer.concat(chunks)))
    })
    sent.on('error', reject)
    sent.end()
  })
}
