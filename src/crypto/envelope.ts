/** `envelope_hmac_kdf`: a key per message, so that no version key has a limit of messages (design section 5.3). */
import { createCipheriv, createHmac, createSecretKey, type KeyObject } from 'node:crypto'
import { invalidArgument, KmsError } from '../core/error.ts'
import type { EncryptParams } from '../core/ports.ts'
import { openGcm } from './gcm.ts'
import type { NativeEnvelopes } from './native.ts'

const NONCE_BYTES = 16
const IV_BYTES = 12
const TAG_BYTES = 16

/** SP 800-108r1 section 4.1, with 32-bit counter and length: [i] ‖ Label ‖ 0x00 ‖ Context ‖ [L]; Context is the nonce. */
const KDF_HEAD = Buffer.concat([
  Buffer.from([0, 0, 0, 1]),
  Buffer.from('trefoil envelope aes-256-gcm'),
  Buffer.from([0]),
])
const KDF_TAIL = Buffer.from([0, 0, 1, 0])
/** Written anew for every message, which is over before the next. */
const derivation = Buffer.concat([KDF_HEAD, Buffer.alloc(NONCE_BYTES), KDF_TAIL])

function derivationOf(nonce: Uint8Array): Uint8Array {
  derivation.set(nonce, KDF_HEAD.length)
  return derivation
}

export function messageKey(key: KeyObject, nonce: Uint8Array): KeyObject {
  const bytes = createHmac('sha256', key).update(derivationOf(nonce)).digest()
  const derived = createSecretKey(bytes)
  bytes.fill(0)
  return derived
}

/** Ciphertext followed by its tag. @param native does the same where it is there */
export function encrypt(
  key: KeyObject,
  plaintext: Uint8Array,
  params: EncryptParams,
  native?: NativeEnvelopes,
): Uint8Array {
  requireParams(params)
  if (native !== undefined) return native.seal(key, derivationOf(params.nonce), plaintext, params)
  const cipher = createCipheriv('aes-256-gcm', messageKey(key, params.nonce), params.iv, { authTagLength: TAG_BYTES })
  cipher.setAAD(params.aad)
  const body = cipher.update(plaintext)
  return Buffer.concat([body, cipher.final(), cipher.getAuthTag()])
}

/** @throws KmsError invalid_ciphertext */
export function decrypt(
  key: KeyObject,
  ciphertext: Uint8Array,
  params: EncryptParams,
  native?: NativeEnvelopes,
): Uint8Array {
  requireParams(params)
  if (native === undefined) return openGcm('aes-256-gcm', messageKey(key, params.nonce), ciphertext, params, TAG_BYTES)
  const plaintext = native.open(key, derivationOf(params.nonce), ciphertext, params)
  if (plaintext === undefined) throw new KmsError('invalid_ciphertext')
  return plaintext
}

function requireParams({ nonce, iv }: EncryptParams): void {
  if (nonce.length !== NONCE_BYTES) throw invalidArgument('nonce', `must be ${NONCE_BYTES} bytes`)
  if (iv.length !== IV_BYTES) throw invalidArgument('iv', `must be ${IV_BYTES} bytes`)
}
