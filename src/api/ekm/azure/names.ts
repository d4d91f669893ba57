/** Paths and names of the EKM proxy API. */
import type { Algorithm, KeySpec } from '../../../core/algorithm.ts'
import { EkmFault } from './errors.ts'

export const API_VERSION = '0.1-preview'

export const VERBS = ['metadata', 'wrapkey', 'unwrapkey'] as const
export type Verb = (typeof VERBS)[number]
/** `prefix`: empty, or with the slash that it starts with. */
export type Place = { readonly prefix: string } & (
  | { readonly on: 'proxy' }
  | { readonly on: 'key'; readonly id: string; readonly verb: Verb }
)

const PREFIX = '((?:/[A-Za-z0-9-]+)*)'
const INFO = new RegExp(`^${PREFIX}/info$`)
const KEY = new RegExp(`^${PREFIX}/([A-Za-z0-9-]{1,64})/(${VERBS.join('|')})$`)
const MAX_PREFIX = 65

/** Read from its end, so that the prefix is whatever is left. Undefined for what is no path of this API. */
export function placeOf(path: string): Place | undefined {
  const [, proxy] = INFO.exec(path) ?? []
  if (proxy !== undefined) return proxy.length > MAX_PREFIX ? undefined : { prefix: proxy, on: 'proxy' }
  const [, prefix, id, verb] = KEY.exec(path) ?? []
  if (prefix === undefined || id === undefined || prefix.length > MAX_PREFIX) return undefined
  return { prefix, on: 'key', id, verb: verb as Verb }
}

/** RFC 3394 and RFC 5649, and OAEP with one hash for both of its uses. */
const ALGORITHMS = {
  A256KW: 'aes_kw',
  A256KWP: 'aes_kwp',
  'RSA-OAEP-256': 'rsa_oaep_sha256',
  'RSA-OAEP': 'rsa_oaep_sha1',
} as const satisfies Record<string, Algorithm>

/** @throws EkmFault for a name that is not one of the API's */
export function knownAlgorithm(alg: string): Algorithm {
  if (Object.hasOwn(ALGORITHMS, alg)) return ALGORITHMS[alg as keyof typeof ALGORITHMS]
  throw new EkmFault('algorithm', `Known are ${Object.keys(ALGORITHMS).join(', ')}.`)
}
export const isOct = (algorithm: Algorithm): boolean => algorithm === 'aes_kw' || algorithm === 'aes_kwp'

/** Types of keys that Managed HSM takes. */
export const KINDS: Readonly<Partial<Record<KeySpec, { readonly type: 'oct' | 'RSA'; readonly size: number }>>> = {
  aes_256: { type: 'oct', size: 256 },
  rsa_2048: { type: 'RSA', size: 2048 },
  rsa_3072: { type: 'RSA', size: 3072 },
  rsa_4096: { type: 'RSA', size: 4096 },
}
