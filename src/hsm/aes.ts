/** AES in the token: the modes whose IV the caller sees, and GCM under a key of the message's own. */
import graphene from 'graphene-pk11'
import type { AesCBC, AesGCM, Mechanism } from 'pkcs11js'
import { type AesRow, isTooShort } from '../core/aes-input.ts'
import { KmsError } from '../core/error.ts'
import type { EncryptParams } from '../core/ports.ts'
import * as keyWrap from './key-wrap.ts'
import { CKK, CKM, CKO, PARAMS } from './mechanisms.ts'
import { destroyQuietly, type Handle } from './objects.ts'
import { CIPHERTEXT_REFUSED } from './return-codes.ts'
import { buffer, type TimedCalls } from './timed-calls.ts'
import { CiphertextRefused, ckrOf, type Session } from './token.ts'

const BLOCK_BYTES = 16
const TAG_BYTES = 16

/** What the key derivation encrypts under the version's key, with the nonce as IV; 32 bytes. */
const KDF_LABEL = Buffer.from('trefoil envelope aes-cbc-kdf 256')
const MESSAGE_KEY = graphene.Template.toPkcs11({
  class: CKO.SECRET_KEY,
  keyType: CKK.AES,
  token: false,
  private: true,
  sensitive: true,
  extractable: false,
  encrypt: true,
  decrypt: true,
  valueLen: 32,
})

/** Derives the per-message key as a session object and destroys it after. Derivation leaks when asynchronous (pkcs11js issue 120). */
export function withMessageKey(
  session: Session,
  key: Handle,
  nonce: Uint8Array,
  use: (messageKey: Handle) => Buffer,
): Buffer {
  const { lib, handle } = session
  const parameter: AesCBC = { type: PARAMS.CBC_DATA, iv: buffer(nonce), data: KDF_LABEL }
  const messageKey = lib.C_DeriveKey(handle, { mechanism: CKM.AES_CBC_ENCRYPT_DATA, parameter }, key, MESSAGE_KEY)
  try {
    return use(messageKey)
  } finally {
    destroyQuietly(session, messageKey)
  }
}

type GcmParams = Pick<EncryptParams, 'iv' | 'aad' | 'tagBytes'>

function gcm({ iv, aad, tagBytes = TAG_BYTES }: GcmParams): Mechanism {
  const sizes = { ivBits: iv.length * 8, tagBits: tagBytes * 8 }
  const parameter: AesGCM = { type: PARAMS.GCM, iv: buffer(iv), aad: buffer(aad), ...sizes }
  return { mechanism: CKM.AES_GCM, parameter }
}

/** AES-GCM in the token: ciphertext, then the tag. */
export function sealGcm(session: Session, key: Handle, plaintext: Uint8Array, params: GcmParams): Buffer {
  const { lib, handle } = session
  lib.C_EncryptInit(handle, gcm(params), key)
  return lib.C_Encrypt(handle, buffer(plaintext), Buffer.alloc(plaintext.length + TAG_BYTES))
}

/** @throws CiphertextRefused for whatever the token dislikes */
export function openGcm(session: Session, key: Handle, sealed: Uint8Array, params: GcmParams): Buffer {
  if (sealed.length < (params.tagBytes ?? TAG_BYTES)) throw new KmsError('invalid_ciphertext')
  const { lib, handle } = session
  lib.C_DecryptInit(handle, gcm(params), key)
  try {
    return lib.C_Decrypt(handle, buffer(sealed), Buffer.alloc(sealed.length))
  } catch (error) {
    const ckr = ckrOf(error)
    throw ckr !== undefined && CIPHERTEXT_REFUSED.has(ckr) ? new CiphertextRefused(ckr) : error
  }
}

/** CK_AES_CTR_PARAMS as a 64-bit little-endian machine lays it out: all 128 bits count. */
const CTR_BITS = Buffer.from('8000000000000000', 'hex')

/** Bytes until the counter starts over. Tokens refuse to go beyond (SoftHSM: DATA_LEN_RANGE). */
function untilOverflow(iv: Uint8Array, length: number): number {
  const left = (1n << 128n) - BigInt(`0x${Buffer.from(iv).toString('hex')}`)
  return left * BigInt(BLOCK_BYTES) < BigInt(length) ? Number(left) * BLOCK_BYTES : length
}

/** The raw modes. Input was checked by core/aes-input.ts. */
export class AesModes {
  readonly #calls: TimedCalls

  constructor(calls: TimedCalls) {
    this.#calls = calls
  }

  async encrypt(
    session: Session,
    key: Handle,
    { mode }: AesRow,
    plaintext: Uint8Array,
    params: EncryptParams,
  ): Promise<Uint8Array> {
    switch (mode) {
      case 'gcm':
        return sealGcm(session, key, plaintext, params)
      case 'ctr':
        return this.#counter('encrypt', session, key, plaintext, params.iv)
      case 'kw':
        return keyWrap.wrap((block) => this.#block('encrypt', session, key, block), plaintext)
      case 'kwp':
        return keyWrap.wrapPadded((block) => this.#block('encrypt', session, key, block), plaintext)
      case 'cbc':
      case 'cbc-pad':
        return this.#calls.encrypt(session, cbc(mode, params.iv), key, plaintext, plaintext.length + BLOCK_BYTES)
    }
  }

  async decrypt(
    session: Session,
    key: Handle,
    row: AesRow,
    ciphertext: Uint8Array,
    params: EncryptParams,
  ): Promise<Uint8Array> {
    if (isTooShort(row, ciphertext)) throw new KmsError('invalid_ciphertext')
    switch (row.mode) {
      case 'gcm':
        return openGcm(session, key, ciphertext, params)
      case 'ctr':
        return this.#counter('decrypt', session, key, ciphertext, params.iv)
      case 'kw':
        return keyWrap.unwrap((block) => this.#block('decrypt', session, key, block), ciphertext)
      case 'kwp':
        return keyWrap.unwrapPadded((block) => this.#block('decrypt', session, key, block), ciphertext)
      case 'cbc':
      case 'cbc-pad':
        return this.#calls.decrypt(session, cbc(row.mode, params.iv), key, ciphertext)
    }
  }

  #block(way: 'encrypt' | 'decrypt', session: Session, key: Handle, block: Buffer): Promise<Buffer> {
    const mechanism = { mechanism: CKM.AES_ECB }
    return way === 'encrypt'
      ? this.#calls.encrypt(session, mechanism, key, block, BLOCK_BYTES)
      : this.#calls.decrypt(session, mechanism, key, block)
  }

  async #counter(
    way: 'encrypt' | 'decrypt',
    session: Session,
    key: Handle,
    text: Uint8Array,
    iv: Uint8Array,
  ): Promise<Buffer> {
    const first = untilOverflow(iv, text.length)
    const call = (part: Uint8Array, counter: Uint8Array): Promise<Buffer> => {
      const mechanism = { mechanism: CKM.AES_CTR, parameter: Buffer.concat([CTR_BITS, counter]) }
      return way === 'encrypt'
        ? this.#calls.encrypt(session, mechanism, key, part, part.length)
        : this.#calls.decrypt(session, mechanism, key, part)
    }
    const head = await call(text.subarray(0, first), iv)
    if (first === text.length) return head
    return Buffer.concat([head, await call(text.subarray(first), Buffer.alloc(BLOCK_BYTES))])
  }
}

const cbc = (mode: 'cbc' | 'cbc-pad', iv: Uint8Array): Mechanism => ({
  mechanism: mode === 'cbc' ? CKM.AES_CBC : CKM.AES_CBC_PAD,
  parameter: buffer(iv),
})
