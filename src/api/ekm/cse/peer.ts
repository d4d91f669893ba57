/** The other key service, when documents come here: it is asked to unwrap, under our own name. */
import { isRecord } from '../../../core/record.ts'
import { decodeBase64 } from '../../codec/base64.ts'
import { exchangeJson, type FetchRules } from '../../oidc/fetch.ts'
import { CseFault } from './errors.ts'
import { MAX } from './names.ts'

export type PeerRequest = {
  readonly authentication: string
  readonly wrapped_key: string
  readonly resource_name: string
  readonly reason: string
}

/** Only to where the configuration allows, without redirects. @throws CseFault */
export async function unwrapAt(
  url: string,
  rules: FetchRules,
  request: PeerRequest,
  signal: AbortSignal,
): Promise<Uint8Array> {
  let answer: Awaited<ReturnType<typeof exchangeJson>>
  try {
    answer = await exchangeJson(`${url}/privilegedunwrap`, rules, { body: JSON.stringify(request), signal })
  } catch (cause) {
    throw new CseFault('transient', 'the original key service can not be reached', { cause })
  }
  const { status, value } = answer
  if (status >= 500 || status === 429) throw new CseFault('transient', `the original key service answered ${status}`)
  if (status !== 200) throw new CseFault('ciphertext', `the original key service answered ${status}`)
  const key = isRecord(value) && typeof value.key === 'string' ? decodeBase64(value.key) : undefined
  if (key === undefined || key.length === 0 || key.length > MAX.dek) {
    throw new CseFault('transient', 'the original key service answered with no key')
  }
  return key
}
