/** AES in the token: the modes whose IV the caller sees, and GCM under a key of the message's own. */
import graphene from 'graphene-pk11'
import { type AesRow, isTooShort } from '../core/aes-input.ts'
import { KmsError } from '../core/error.ts'
import type { Eventually } from '../core/eventually.ts'
import type { EncryptParams } from '../core/ports.ts'
import * as keyWrap from './key-wrap.ts'
import { CKK, CKM, CKO } from './mechanisms.ts'
import type { Handle } from './objects.ts'
import type { Session } from './token.ts'
import { buffer, type Derivation, type Mechanism, type TimedUser } from './token-use.ts'

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

/** The per-message key: a session object for one use. */
export const messageKey = (nonce: Uint8Array): Derivation => ({
  iv: buffer(nonce),
  data: KDF_LABEL,
  template: MESSAGE_KEY,
})

type GcmParams = Pick<EncryptParams, 'iv' | 'aad' | 'tagBytes'>

const gcm = ({ iv, aad, tagBytes = TAG_BYTES }: GcmParams): Mechanism => ({
  type: CKM.AES_GCM,
  parameter: { kind: 'gcm', iv: buffer(iv), aad: buffer(aad), tagBytes },
})

/** AES-GCM in the token, under `key` or what is derived from it. */
export type Gcm = {
  readonly session: Session
  readonly key: Handle
  readonly params: GcmParams
  readonly derivation?: Derivation
}

/** Ciphertext, then the tag. */
export function sealGcm(user: TimedUser, { params, ...use }: Gcm, plaintext: Uint8Array): Eventually<Buffer> {
  const output = Buffer.alloc(plaintext.length + TAG_BYTES)
  return user.use({ ...use, operation: 'encrypt', mechanism: gcm(params), input: buffer(plaintext), output })
}

/** Fails with CiphertextRefused for whatever the token dislikes. */
export function openGcm(user: TimedUser, { params, ...use }: Gcm, sealed: Uint8Array): Eventually<Buffer> {
  if (sealed.length < (params.tagBytes ?? TAG_BYTES)) throw new KmsError('invalid_ciphertext')
  const output = Buffer.alloc(sealed.length)
  return user.use({ ...use, operation: 'decrypt', mechanism: gcm(params), input: buffer(sealed), output })
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
  readonly #user: TimedUser

  constructor(user: TimedUser) {
    this.#user = user
  }

  encrypt(
    session: Session,
    key: Handle,
    { mode }: AesRow,
    plaintext: Uint8Array,
    params: EncryptParams,
  ): Eventually<Uint8Array> {
    switch (mode) {
      case 'gcm':
        return sealGcm(this.#user, { session, key, params }, plaintext)
      case 'ctr':
        return this.#counter('encrypt', session, key, plaintext, params.iv)
      case 'kw':
        return keyWrap.wrap((block) => this.#block('encrypt', session, key, block), plaintext)
      case 'kwp':
        return keyWrap.wrapPadded((block) => this.#block('encrypt', session, key, block), plaintext)
      case 'cbc':
      case 'cbc-pad':
        return this.#call('encrypt', session, cbc(mode, params.iv), key, plaintext, plaintext.length + BLOCK_BYTES)
    }
  }

  decrypt(
    session: Session,
    key: Handle,
    row: AesRow,
    ciphertext: Uint8Array,
    params: EncryptParams,
  ): Eventually<Uint8Array> {
    if (isTooShort(row, ciphertext)) throw new KmsError('invalid_ciphertext')
    switch (row.mode) {
      case 'gcm':
        return openGcm(this.#user, { session, key, params }, ciphertext)
      case 'ctr':
        return this.#counter('decrypt', session, key, ciphertext, params.iv)
      case 'kw':
        return keyWrap.unwrap((block) => this.#block('decrypt', session, key, block), ciphertext)
      case 'kwp':
        return keyWrap.unwrapPadded((block) => this.#block('decrypt', session, key, block), ciphertext)
      case 'cbc':
      case 'cbc-pad':
        return this.#call('decrypt', session, cbc(row.mode, params.iv), key, ciphertext, ciphertext.length)
    }
  }

  #call(
    operation: 'encrypt' | 'decrypt',
    session: Session,
    mechanism: Mechanism,
    key: Handle,
    text: Uint8Array,
    size: number,
  ): Eventually<Buffer> {
    return this.#user.use({ operation, session, mechanism, key, input: buffer(text), output: Buffer.alloc(size) })
  }

  #block(way: 'encrypt' | 'decrypt', session: Session, key: Handle, block: Buffer): Eventually<Buffer> {
    return this.#call(way, session, { type: CKM.AES_ECB }, key, block, BLOCK_BYTES)
  }

  async #counter(
    way: 'encrypt' | 'decrypt',
    session: Session,
    key: Handle,
    text: Uint8Array,
    iv: Uint8Array,
  ): Promise<Buffer> {
    const first = untilOverflow(iv, text.length)
    const call = (part: Uint8Array, counter: Uint8Array): Eventually<Buffer> => {
      const parameter = { kind: 'bytes', bytes: Buffer.concat([CTR_BITS, counter]) } as const
      return this.#call(way, session, { type: CKM.AES_CTR, parameter }, key, part, part.length)
    }
    const head = await call(text.subarray(0, first), iv)
    if (first === text.length) return head
    return Buffer.concat([head, await call(text.subarray(first), Buffer.alloc(BLOCK_BYTES))])
  }
}

const cbc = (mode: 'cbc' | 'cbc-pad', iv: Uint8Array): Mechanism => ({
  type: mode === 'cbc' ? CKM.AES_CBC : CKM.AES_CBC_PAD,
  parameter: { kind: 'bytes', bytes: buffer(iv) },
})
