/** encrypt, decrypt, wrapkey and unwrapkey: the core's encryption for RSA keys, its raw encryption for AES keys. */
import type { Static } from '@sinclair/typebox'
import type { KeyUse } from '../../core/algorithm.ts'
import { invalidArgument } from '../../core/error.ts'
import type { Key } from '../../core/key.ts'
import { decrypt } from '../../core/ops/decrypt.ts'
import { encrypt } from '../../core/ops/encrypt.ts'
import { rawDecrypt } from '../../core/ops/raw-decrypt.ts'
import { rawEncrypt } from '../../core/ops/raw-encrypt.ts'
import { encodeBase64url } from '../codec/base64url.ts'
import { encryptionAlgorithm, isOctAlgorithm, octAlgorithm } from './algorithms.ts'
import { type AzureRequest, type BoundOperation, bindBody, bindEither } from './binding.ts'
import { type KeyOp, keyId, keyReference, useOfKey, versionReference } from './names.ts'
import { bytesOf, CipherBody } from './schemas.ts'

type Body = Static<typeof CipherBody>
/** `wraps`: whether it is for keys instead of data. */
type Cipher = { readonly wire: KeyOp; readonly segment: string; readonly wraps: boolean }

const GCM_TAG_BYTES = 16

const routeOf = ({ wire, segment }: Cipher) =>
  ({
    wire,
    method: 'POST',
    paths: [`/keys/:name/:version/${segment}`, `/keys/:name/${segment}`],
  }) as const

const targetOf = ({ name, version }: AzureRequest<Body>) => ({
  key: keyReference(name),
  version: versionReference(version),
})

const useFor =
  ({ wire }: Cipher) =>
  (key: Key): KeyUse =>
    useOfKey(wire, key)

const isOct = ({ alg }: Readonly<Record<string, unknown>>): boolean => typeof alg === 'string' && isOctAlgorithm(alg)

const optional = (field: 'iv' | 'aad', { [field]: text }: Body) =>
  text === undefined ? undefined : bytesOf(field, text)

/** AES-GCM's ciphertext and tag, which Azure keeps apart, as one. */
function sealedOf(gcm: boolean, { value, tag }: Body): Uint8Array {
  const ciphertext = bytesOf('value', value)
  if (!gcm && tag !== undefined) throw invalidArgument('tag', 'only AES-GCM has one')
  if (!gcm) return ciphertext
  if (tag === undefined) throw invalidArgument('tag', 'is missing')
  const bytes = bytesOf('tag', tag)
  if (bytes.length !== GCM_TAG_BYTES) throw invalidArgument('tag', `must have ${GCM_TAG_BYTES} bytes`)
  return Buffer.concat([ciphertext, bytes])
}

function sealedParts(gcm: boolean, sealed: Uint8Array): { readonly value: string; readonly tag?: string } {
  if (!gcm) return { value: encodeBase64url(sealed) }
  const end = sealed.length - GCM_TAG_BYTES
  return { value: encodeBase64url(sealed.subarray(0, end)), tag: encodeBase64url(sealed.subarray(end)) }
}

const octEncrypt = (cipher: Cipher) =>
  bindBody(
    rawEncrypt,
    CipherBody,
  )({
    ...routeOf(cipher),
    toInput(request) {
      const { apiVersion, body } = request
      const { choose, mode, ivBytes } = octAlgorithm(apiVersion, body.alg, cipher.wraps)
      // Azure draws AES-GCM's and leaves the others to the caller.
      if (mode !== 'gcm' && ivBytes > 0 && body.iv === undefined) throw invalidArgument('iv', 'is missing')
      return {
        ...targetOf(request),
        algorithm: choose,
        plaintext: bytesOf('value', body.value),
        iv: optional('iv', body),
        aad: optional('aad', body),
        use: useFor(cipher),
      }
    },
    toOutput: ({ key, version, algorithm, ciphertext, iv }, { base, body }) => ({
      kid: keyId(base, key, version),
      ...sealedParts(algorithm === 'aes_gcm', ciphertext),
      ...(iv.length > 0 && { iv: encodeBase64url(iv) }),
      ...(body.aad !== undefined && { aad: body.aad }),
    }),
  })

const octDecrypt = (cipher: Cipher) =>
  bindBody(
    rawDecrypt,
    CipherBody,
  )({
    ...routeOf(cipher),
    toInput(request) {
      const { apiVersion, body } = request
      const { choose, mode } = octAlgorithm(apiVersion, body.alg, cipher.wraps)
      return {
        ...targetOf(request),
        algorithm: choose,
        ciphertext: sealedOf(mode === 'gcm', body),
        iv: optional('iv', body),
        aad: optional('aad', body),
        use: useFor(cipher),
      }
    },
    toOutput: ({ key, version, plaintext }, { base }) => ({
      kid: keyId(base, key, version),
      value: encodeBase64url(plaintext),
    }),
  })

const rsaEncrypt = (cipher: Cipher) =>
  bindBody(
    encrypt,
    CipherBody,
  )({
    ...routeOf(cipher),
    toInput: (request) => ({
      ...targetOf(request),
      algorithm: encryptionAlgorithm(request.body.alg),
      plaintext: bytesOf('value', request.body.value),
      use: useFor(cipher),
    }),
    toOutput: ({ key, version, ciphertext }, { base }) => ({
      kid: keyId(base, key, version),
      value: encodeBase64url(ciphertext),
    }),
  })

const rsaDecrypt = (cipher: Cipher) =>
  bindBody(
    decrypt,
    CipherBody,
  )({
    ...routeOf(cipher),
    toInput: (request) => ({
      ...targetOf(request),
      algorithm: encryptionAlgorithm(request.body.alg),
      ciphertext: bytesOf('value', request.body.value),
      use: useFor(cipher),
    }),
    toOutput: ({ key, version, plaintext }, { base }) => ({
      kid: keyId(base, key, version),
      value: encodeBase64url(plaintext),
    }),
  })

export const encrypting = (cipher: Cipher): BoundOperation => bindEither(rsaEncrypt(cipher), octEncrypt(cipher), isOct)
export const decrypting = (cipher: Cipher): BoundOperation => bindEither(rsaDecrypt(cipher), octDecrypt(cipher), isOct)
