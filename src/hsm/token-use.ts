/** One use of a key of the token: its Init and the call itself, by pkcs11js or by the add-on (native-use.ts). */
import type { AesCBC, AesGCM, Mechanism as Pkcs11jsMechanism, RsaOAEP, RsaPSS, Template } from 'pkcs11js'
import { HASH_BYTES, type Hash } from '../core/algorithm.ts'
import type { Eventually } from '../core/eventually.ts'
import { CKM, CKZ_DATA_SPECIFIED, HASH_PARAMS, PARAMS } from './mechanisms.ts'
import { destroyQuietly, type Handle } from './objects.ts'
import { CIPHERTEXT_REFUSED } from './return-codes.ts'
import { CiphertextRefused, ckrOf, type Session } from './token.ts'

// pkcs11js gives an empty Buffer of its own a null pointer, which modules refuse.
const EMPTY = Buffer.alloc(1).subarray(0, 0)
export const buffer = (bytes: Uint8Array): Buffer =>
  bytes.length === 0 ? EMPTY : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)

export type Parameter =
  | { readonly kind: 'bytes'; readonly bytes: Buffer }
  | { readonly kind: 'pss'; readonly hash: Hash }
  | { readonly kind: 'oaep'; readonly hash: Hash }
  | { readonly kind: 'gcm'; readonly iv: Buffer; readonly aad: Buffer; readonly tagBytes: number }
  /** Of a signature (PKCS#11 v3.2). */
  | { readonly kind: 'context'; readonly hedge: number; readonly context: Buffer }

export type Mechanism = { readonly type: number; readonly parameter?: Parameter }

/** By CKM_AES_CBC_ENCRYPT_DATA a key that lives for one use. */
export type Derivation = { readonly iv: Buffer; readonly data: Buffer; readonly template: Template }

export type Use = {
  readonly operation: 'sign' | 'encrypt' | 'decrypt'
  readonly session: Session
  readonly key: Handle
  readonly mechanism: Mechanism
  readonly input: Buffer
  /** As large as it can get. */
  readonly output: Buffer
  readonly derivation?: Derivation | undefined
}

/** What came out is the part of `output` that is used. Decryption fails with CiphertextRefused for whatever the token dislikes. */
export interface TokenUser {
  now(use: Use): Buffer
  /** While other sessions are served; `took` is told how long, without the wait for a thread where that is known. */
  later(use: Use, took: (milliseconds: number) => void): Promise<Buffer>
}

const CALLS = {
  sign: { init: 'C_SignInit', now: 'C_Sign', later: 'C_SignAsync' },
  encrypt: { init: 'C_EncryptInit', now: 'C_Encrypt', later: 'C_EncryptAsync' },
  decrypt: { init: 'C_DecryptInit', now: 'C_Decrypt', later: 'C_DecryptAsync' },
} as const

/**
 * CK_SIGN_ADDITIONAL_CONTEXT (PKCS#11 v3.2): the hedge variant, a pointer to the context and its length. pkcs11js has no such
 * parameter, but one of the same layout where an unsigned long has 8 bytes: that of CKM_DES_CBC_ENCRYPT_DATA, 8 bytes of IV,
 * a pointer and a length.
 */
const contextParameter = (hedge: number, context: Buffer) => ({
  type: PARAMS.DES_CBC_DATA,
  iv: Buffer.from(BigUint64Array.of(BigInt(hedge)).buffer),
  data: context,
})

type Pkcs11jsParameter = Buffer | AesGCM | RsaOAEP | RsaPSS | ReturnType<typeof contextParameter>

function pkcs11jsParameter(parameter: Parameter): Pkcs11jsParameter {
  switch (parameter.kind) {
    case 'bytes':
      return parameter.bytes
    case 'pss':
      return { type: PARAMS.PSS, ...HASH_PARAMS[parameter.hash], saltLen: HASH_BYTES[parameter.hash] }
    case 'oaep':
      return { type: PARAMS.OAEP, ...HASH_PARAMS[parameter.hash], source: CKZ_DATA_SPECIFIED }
    case 'gcm': {
      const { iv, aad, tagBytes } = parameter
      return { type: PARAMS.GCM, iv, aad, ivBits: iv.length * 8, tagBits: tagBytes * 8 }
    }
    case 'context':
      return contextParameter(parameter.hedge, parameter.context)
  }
}

const pkcs11jsMechanism = ({ type, parameter }: Mechanism): Pkcs11jsMechanism =>
  parameter === undefined ? { mechanism: type } : { mechanism: type, parameter: pkcs11jsParameter(parameter) }

/** By pkcs11js, whose Init and derivation are synchronous. */
export class Pkcs11jsUser implements TokenUser {
  /** What calls in flight work on, which pkcs11js does not hold (issue 121). */
  readonly #flying = new Set<Use>()

  now(use: Use): Buffer {
    const { session, operation, input, output } = use
    const key = begin(use)
    try {
      return session.lib[CALLS[operation].now](session.handle, input, output)
    } catch (error) {
      throw refusedBy(operation, error)
    } finally {
      end(use, key)
    }
  }

  async later(use: Use, took: (milliseconds: number) => void): Promise<Buffer> {
    const { session, operation, input, output } = use
    const started = performance.now()
    const key = begin(use)
    this.#flying.add(use)
    try {
      return await session.lib[CALLS[operation].later](session.handle, input, output)
    } catch (error) {
      throw refusedBy(operation, error)
    } finally {
      this.#flying.delete(use)
      end(use, key)
      took(performance.now() - started)
    }
  }
}

function begin(use: Use): Handle {
  const { session, operation, mechanism } = use
  const key = use.derivation === undefined ? use.key : derive(use, use.derivation)
  try {
    session.lib[CALLS[operation].init](session.handle, pkcs11jsMechanism(mechanism), key)
    return key
  } catch (error) {
    end(use, key)
    throw error
  }
}

function derive({ session, key }: Use, { iv, data, template }: Derivation): Handle {
  const parameter: AesCBC = { type: PARAMS.CBC_DATA, iv, data }
  return session.lib.C_DeriveKey(session.handle, { mechanism: CKM.AES_CBC_ENCRYPT_DATA, parameter }, key, template)
}

function end({ session, derivation }: Use, key: Handle): void {
  if (derivation !== undefined) destroyQuietly(session, key)
}

/** What the decrypting call itself answers about its input is one refusal. */
function refusedBy(operation: Use['operation'], error: unknown): unknown {
  const ckr = ckrOf(error)
  const refused = operation === 'decrypt' && ckr !== undefined && CIPHERTEXT_REFUSED.has(ckr)
  return refused ? new CiphertextRefused(ckr) : error
}

/** Above this, ms, a use goes through the thread pool (50 µs dearer), so that other sessions are served meanwhile. */
const SLOW = 0.3
const WEIGHT = 0.1
const DERIVED = 2 ** 32

/** Uses of keys, at once or through the thread pool, whichever suits the token. */
export class TimedUser {
  readonly #user: TokenUser
  /** Running mean of what a use took, ms, by mechanism; under derived keys apart. */
  readonly #took = new Map<number, number>()

  constructor(user: TokenUser) {
    this.#user = user
  }

  use(use: Use): Eventually<Buffer> {
    const kind = use.mechanism.type + (use.derivation === undefined ? 0 : DERIVED)
    if ((this.#took.get(kind) ?? 0) > SLOW) return this.#user.later(use, (took) => this.#keep(kind, took))
    const started = performance.now()
    try {
      return this.#user.now(use)
    } finally {
      this.#keep(kind, performance.now() - started)
    }
  }

  #keep(kind: number, took: number): void {
    const mean = this.#took.get(kind)
    this.#took.set(kind, mean === undefined ? took : mean + WEIGHT * (took - mean))
  }
}
