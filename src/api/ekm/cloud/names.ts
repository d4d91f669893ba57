/** Paths, verbs, and Google's names of algorithms. */
import { type Algorithm, algorithmRow, type KeySpec } from '../../../core/algorithm.ts'
import type { KeyVersion } from '../../../core/key.ts'

/** What a path below an exposure's own names. */
export type Place =
  | { readonly on: 'key'; readonly id: string; readonly space?: string; readonly verb: string }
  | { readonly on: 'space'; readonly space: string; readonly verb: string }
  | { readonly on: 'host'; readonly verb: 'getInfo' }

const KEY = /^\/keys\/([A-Za-z0-9._-]{1,128}):([A-Za-z]{1,64})$/
const SPACE = /^\/cryptospaces\/([a-z0-9-]{1,63}):([A-Za-z]{1,64})$/
const SPACE_KEY = /^\/cryptospaces\/([a-z0-9-]{1,63})\/keys\/([A-Za-z0-9._-]{1,128}):([A-Za-z]{1,64})$/
const INFO = /^\/(?:info|\.well-known\/external-key-manager)\/?$/
/** The same at the root of the host. */
export const WELL_KNOWN = /^\/\.well-known\/external-key-manager\/?$/

/** Undefined for what no method lives at. */
export function placeOf(rest: string): Place | undefined {
  if (INFO.test(rest)) return { on: 'host', verb: 'getInfo' }
  const [, id, verb] = KEY.exec(rest) ?? []
  if (id !== undefined && verb !== undefined) return { on: 'key', id, verb }
  const [, space, spaceVerb] = SPACE.exec(rest) ?? []
  if (space !== undefined && spaceVerb !== undefined) return { on: 'space', space, verb: spaceVerb }
  const [, home, made, madeVerb] = SPACE_KEY.exec(rest) ?? []
  if (home === undefined || made === undefined || madeVerb === undefined) return undefined
  return { on: 'key', id: made, space: home, verb: madeVerb }
}

/** Of a key that was made in a crypto space, as Google stores it: without the host. */
export const keyPathOf = (exposurePath: string, space: string, id: string): string =>
  `${exposurePath.slice(1)}/cryptospaces/${space}/keys/${id}`

/** Of the asymmetric ones, those that Google offers for external keys. */
const SIGNING: readonly { readonly name: string; readonly spec: KeySpec; readonly algorithm: Algorithm }[] = [
  { name: 'EC_SIGN_P256_SHA256', spec: 'ec_p256', algorithm: 'ecdsa_sha256' },
  { name: 'EC_SIGN_P384_SHA384', spec: 'ec_p384', algorithm: 'ecdsa_sha384' },
  { name: 'EC_SIGN_SECP256K1_SHA256', spec: 'ec_secp256k1', algorithm: 'ecdsa_sha256' },
  { name: 'RSA_SIGN_PKCS1_2048_SHA256', spec: 'rsa_2048', algorithm: 'rsa_pkcs1_sha256' },
  { name: 'RSA_SIGN_PKCS1_3072_SHA256', spec: 'rsa_3072', algorithm: 'rsa_pkcs1_sha256' },
  { name: 'RSA_SIGN_PKCS1_4096_SHA256', spec: 'rsa_4096', algorithm: 'rsa_pkcs1_sha256' },
  { name: 'RSA_SIGN_PKCS1_4096_SHA512', spec: 'rsa_4096', algorithm: 'rsa_pkcs1_sha512' },
  { name: 'RSA_SIGN_PSS_2048_SHA256', spec: 'rsa_2048', algorithm: 'rsa_pss_sha256' },
  { name: 'RSA_SIGN_PSS_3072_SHA256', spec: 'rsa_3072', algorithm: 'rsa_pss_sha256' },
  { name: 'RSA_SIGN_PSS_4096_SHA256', spec: 'rsa_4096', algorithm: 'rsa_pss_sha256' },
  { name: 'RSA_SIGN_PSS_4096_SHA512', spec: 'rsa_4096', algorithm: 'rsa_pss_sha512' },
]
export type SigningRow = (typeof SIGNING)[number]
const SYMMETRIC = new Set(['EXTERNAL_SYMMETRIC_ENCRYPTION', 'GOOGLE_SYMMETRIC_ENCRYPTION'])

/** What a key that Google asks for is; undefined for a name that stands for none. */
export function wantedKey(algorithm: string): SigningRow | 'symmetric' | undefined {
  return SYMMETRIC.has(algorithm) ? 'symmetric' : SIGNING.find(({ name }) => name === algorithm)
}

/**
 * What a version signs with: the first of the table that it may, so that the algorithm is the same with every request
 * whoever made the key. A key without an algorithm of its own signs PKCS #1 v1.5 with SHA-256.
 */
export const signingRow = ({ spec, algorithms }: Pick<KeyVersion, 'spec' | 'algorithms'>): SigningRow | undefined =>
  SIGNING.find((row) => row.spec === spec && algorithms?.includes(row.algorithm) !== false)

/** `sha256` for the field of google.cloud.kms.v1.Digest. */
export function hashField(algorithm: Algorithm): string | undefined {
  const row = algorithmRow(algorithm)
  return row.op === 'sign' && 'hash' in row ? row.hash : undefined
}
