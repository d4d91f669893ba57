/** sign and verify of oct keys: a MAC over the digest that the caller gives in place of a message. */
import { type Algorithm, HASH_BYTES, type Hash } from '../../core/algorithm.ts'
import { invalidArgument, KmsError } from '../../core/error.ts'
import { generateMac } from '../../core/ops/generate-mac.ts'
import { verifyMac } from '../../core/ops/verify-mac.ts'
import { encodeBase64url } from '../codec/base64url.ts'
import { knows } from './api-version.ts'
import { type AzureRequest, bindBody } from './binding.ts'
import { keyId, keyReference, useOfKey, versionReference } from './names.ts'
import { bytesOf, SignBody, VerifyBody } from './schemas.ts'

export const MACS = {
  HS256: { algorithm: 'hmac_sha256', hash: 'sha256' },
  HS384: { algorithm: 'hmac_sha384', hash: 'sha384' },
  HS512: { algorithm: 'hmac_sha512', hash: 'sha512' },
} as const satisfies Record<string, { readonly algorithm: Algorithm; readonly hash: Hash }>
const isMacName = (alg: unknown): alg is keyof typeof MACS => typeof alg === 'string' && Object.hasOwn(MACS, alg)

/** Whether a request is about a MAC. */
export const isMac = ({ alg }: Readonly<Record<string, unknown>>): boolean => isMacName(alg)

/** @throws KmsError digest_length, invalid_argument */
function digested({ apiVersion }: AzureRequest<unknown>, alg: string | undefined, field: string, text = '') {
  if (!isMacName(alg) || !knows(apiVersion, 'hmac')) {
    throw invalidArgument('alg', 'not a signature algorithm of this service')
  }
  const { algorithm, hash } = MACS[alg]
  const message = bytesOf(field, text)
  const expected = HASH_BYTES[hash]
  if (message.length !== expected) {
    throw new KmsError('digest_length', { field, algorithm: alg, expected, actual: message.length })
  }
  return { algorithm, message }
}

export const macSign = bindBody(
  generateMac,
  SignBody,
)({
  wire: 'sign',
  method: 'POST',
  paths: ['/keys/:name/:version/sign', '/keys/:name/sign'],
  toInput: (request) => ({
    key: keyReference(request.name),
    version: versionReference(request.version),
    ...digested(request, request.body.alg, 'value', request.body.value),
    use: (key) => useOfKey('sign', key),
  }),
  toOutput: ({ key, version, mac }, { base }) => ({ kid: keyId(base, key, version), value: encodeBase64url(mac) }),
})

export const macVerify = bindBody(
  verifyMac,
  VerifyBody,
)({
  wire: 'verify',
  method: 'POST',
  paths: ['/keys/:name/:version/verify', '/keys/:name/verify'],
  toInput: (request) => ({
    key: keyReference(request.name),
    version: versionReference(request.version),
    ...digested(request, request.body.alg, 'digest', request.body.digest),
    mac: bytesOf('value', request.body.value),
    use: (key) => useOfKey('verify', key),
  }),
  toOutput: ({ valid }) => ({ value: valid }),
})
