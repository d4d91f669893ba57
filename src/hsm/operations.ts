/** Using keys: the hot calls, made on the pkcs11js handle under graphene. */
import { createHash, createHmac, createPublicKey } from 'node:crypto'
import graphene from 'graphene-pk11'
import type { AesCBC, AesGCM, Mechanism } from 'pkcs11js'
import { type Algorithm, algorithmRow, HASH_BYTES, type Hash, type KeySpec, specRow } from '../core/algorithm.ts'
import { KmsError } from '../core/error.ts'
import type { EncryptParams, SignInput } from '../core/ports.ts'
import { digestInfo } from '../core/rsa-encoding.ts'
import { checkSignInput, hashedInput, messageOf } from '../core/sign-input.ts'
import { CKK, CKM, CKO, CKZ_DATA_SPECIFIED, HASH_PARAMS, HMAC_MECHANISMS, PARAMS } from './mechanisms.ts'
import { destroyQuietly, type Handle, readRsaSpki } from './objects.ts'
import { CIPHERTEXT_REFUSED, PARAMETERS_REFUSED } from './return-codes.ts'
import { CiphertextRefused, ckrOf, type Session } from './token.ts'
import { unpadOaep, unpadPkcs1 } from './unpad.ts'

const TAG_BYTES = 16
// pkcs11js gives an empty Buffer of its own a null pointer, which modules refuse.
const EMPTY = Buffer.alloc(1).subarray(0, 0)
const buffer = (bytes: Uint8Array): Buffer =>
  bytes.length === 0 ? EMPTY : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)

const unsupported = (algorithm: Algorithm, spec: KeySpec): KmsError =>
  new KmsError('unsupported_algorithm', { algorithm, spec })

/** Above this, ms, a call goes through the thread pool (50 µs dearer), so that other sessions are served meanwhile. */
const SLOW = 0.3
const WEIGHT = 0.1

export class Operations {
  /** Running mean of what a call took, ms, by mechanism. */
  readonly #took = new Map<number, number>()
  /** Buffers of calls in flight; pkcs11js does not hold them (issue 121). */
  readonly #held = new Set<readonly Buffer[]>()
  /** OAEP hashes that the token has refused; their padding is removed here. */
  readonly #rawOaep = new Set<Hash>()
  /** Secrets for implicit rejection. */
  readonly #rejection = new WeakMap<Handle, Uint8Array>()

  async sign(
    session: Session,
    key: Handle,
    spec: KeySpec,
    algorithm: Algorithm,
    input: SignInput,
  ): Promise<Uint8Array> {
    const { mechanism, data, size } = signingCall(spec, algorithm, input)
    return await this.#sign(session, mechanism, key, data, size)
  }

  mac(session: Session, key: Handle, spec: KeySpec, algorithm: Algorithm, message: Uint8Array): Promise<Uint8Array> {
    const row = algorithmRow(algorithm)
    if (row.op !== 'mac') throw unsupported(algorithm, spec)
    return this.#sign(session, { mechanism: HMAC_MECHANISMS[row.hash] }, key, buffer(message), HASH_BYTES[row.hash])
  }

  async encrypt(
    session: Session,
    key: Handle,
    spec: KeySpec,
    algorithm: Algorithm,
    plaintext: Uint8Array,
    params: EncryptParams,
  ) {
    if (algorithm !== 'envelope_cbc_kdf') throw unsupported(algorithm, spec)
    return withMessageKey(session, key, params.nonce, (messageKey) => sealGcm(session, messageKey, plaintext, params))
  }

  async decrypt(
    session: Session,
    key: Handle,
    spec: KeySpec,
    algorithm: Algorithm,
    ciphertext: Uint8Array,
    params: EncryptParams,
  ): Promise<Uint8Array> {
    const row = algorithmRow(algorithm)
    if (row.op !== 'encrypt') throw unsupported(algorithm, spec)
    if (row.scheme === 'rsa-oaep') return await this.#oaep(session, key, spec, row.hash, ciphertext)
    if (row.scheme === 'rsa-pkcs1') return await this.#pkcs1(session, key, spec, ciphertext)
    if (row.scheme !== 'envelope' || row.kdf !== 'aes-cbc') throw unsupported(algorithm, spec)
    return withMessageKey(session, key, params.nonce, (messageKey) => openGcm(session, messageKey, ciphertext, params))
  }

  async #oaep(session: Session, key: Handle, spec: KeySpec, hash: Hash, ciphertext: Uint8Array): Promise<Uint8Array> {
    checkRsaLength(spec, ciphertext)
    if (!this.#rawOaep.has(hash)) {
      const parameter = { type: PARAMS.OAEP, ...HASH_PARAMS[hash], source: CKZ_DATA_SPECIFIED }
      try {
        return await this.#decrypt(session, { mechanism: CKM.RSA_PKCS_OAEP, parameter }, key, ciphertext)
      } catch (error) {
        const ckr = ckrOf(error)
        if (error instanceof CiphertextRefused || ckr === undefined || !PARAMETERS_REFUSED.has(ckr)) throw error
        // Refused by the Init call, which leaves no operation behind. SoftHSM has OAEP with SHA-1 only.
        this.#rawOaep.add(hash)
      }
    }
    const block = await this.#rawRsa(session, key, ciphertext)
    const message = unpadOaep(block, hash)
    block.fill(0)
    if (message === undefined) throw new KmsError('invalid_ciphertext')
    return message
  }

  async #pkcs1(session: Session, key: Handle, spec: KeySpec, ciphertext: Uint8Array): Promise<Uint8Array> {
    checkRsaLength(spec, ciphertext)
    const secret = this.#rejection.get(key) ?? (await this.#rejectionSecret(session, key))
    const block = await this.#rawRsa(session, key, ciphertext)
    const message = unpadPkcs1(block, ciphertext, secret)
    block.fill(0)
    return message
  }

  /**
   * What only the holder of the private key can compute, and no call of ours gives away: the private operation on a
   * block that has neither padding, hashed. The block is a hash of the public key, below the modulus.
   */
  async #rejectionSecret(session: Session, key: Handle): Promise<Uint8Array> {
    const spki = readRsaSpki(session, key)
    const bits =
      createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }).asymmetricKeyDetails?.modulusLength ?? 0
    const seed = createHash('sha256').update('trefoil implicit rejection').update(spki).digest()
    const block = createHash('shake256', { outputLength: bits / 8 })
      .update(seed)
      .digest()
    block[0] = 0
    const result = await this.#rawRsa(session, key, block)
    const secret = createHmac('sha256', seed).update(result).digest()
    result.fill(0)
    this.#rejection.set(key, secret)
    return secret
  }

  #rawRsa(session: Session, key: Handle, ciphertext: Uint8Array): Promise<Buffer> {
    return this.#decrypt(session, { mechanism: CKM.RSA_X_509 }, key, ciphertext)
  }

  async #sign(session: Session, mechanism: Mechanism, key: Handle, data: Buffer, size: number): Promise<Uint8Array> {
    const { lib, handle } = session
    const output = Buffer.alloc(size)
    lib.C_SignInit(handle, mechanism, key)
    return await this.#timed(
      mechanism.mechanism,
      [data, output],
      () => lib.C_Sign(handle, data, output),
      () => lib.C_SignAsync(handle, data, output),
    )
  }

  async #decrypt(session: Session, mechanism: Mechanism, key: Handle, ciphertext: Uint8Array): Promise<Buffer> {
    const { lib, handle } = session
    const input = buffer(ciphertext)
    const output = Buffer.alloc(ciphertext.length)
    lib.C_DecryptInit(handle, mechanism, key)
    return await refusing(() =>
      this.#timed(
        mechanism.mechanism,
        [input, output],
        () => lib.C_Decrypt(handle, input, output),
        () => lib.C_DecryptAsync(handle, input, output),
      ),
    )
  }

  /** Makes the call at once or in the thread pool, whichever suits a mechanism of this speed. */
  async #timed(
    mechanism: number,
    held: readonly Buffer[],
    now: () => Buffer,
    later: () => Promise<Buffer>,
  ): Promise<Buffer> {
    const mean = this.#took.get(mechanism)
    const started = performance.now()
    this.#held.add(held)
    try {
      return mean !== undefined && mean > SLOW ? await later() : now()
    } finally {
      this.#held.delete(held)
      const took = performance.now() - started
      this.#took.set(mechanism, mean === undefined ? took : mean + WEIGHT * (took - mean))
    }
  }
}

/** Turns what the decrypting call itself answers about its input into one refusal. */
async function refusing(call: () => Promise<Buffer>): Promise<Buffer> {
  try {
    return await call()
  } catch (error) {
    const ckr = ckrOf(error)
    throw ckr !== undefined && CIPHERTEXT_REFUSED.has(ckr) ? new CiphertextRefused(ckr) : error
  }
}

function checkRsaLength(spec: KeySpec, ciphertext: Uint8Array): void {
  const row = specRow(spec)
  if (row.type !== 'rsa' || ciphertext.length !== row.bits / 8) throw new KmsError('invalid_ciphertext')
}

type SigningCall = { readonly mechanism: Mechanism; readonly data: Buffer; readonly size: number }

function signingCall(spec: KeySpec, algorithm: Algorithm, input: SignInput): SigningCall {
  const key = specRow(spec)
  const row = algorithmRow(algorithm)
  if (row.op !== 'sign' || !key.algorithms.includes(algorithm)) throw unsupported(algorithm, spec)
  checkSignInput(spec, algorithm, input)
  if (row.scheme === 'ed25519' || row.scheme === 'ml-dsa') {
    const message = messageOf(input)
    const mechanism = { mechanism: row.scheme === 'ed25519' ? CKM.EDDSA : CKM.ML_DSA }
    return { mechanism, data: buffer(message), size: key.type === 'ml-dsa' ? key.signatureBytes : 64 }
  }
  if (row.scheme === 'rsa-pkcs1-raw' && key.type === 'rsa') {
    return { mechanism: { mechanism: CKM.RSA_PKCS }, data: buffer(messageOf(input)), size: key.bits / 8 }
  }
  if (!('hash' in row)) throw unsupported(algorithm, spec)
  const digest = digestOf(row.hash, input)
  if (key.type === 'ec') return { mechanism: { mechanism: CKM.ECDSA }, data: digest, size: 2 * key.coordinate }
  if (key.type !== 'rsa') throw unsupported(algorithm, spec)
  const size = key.bits / 8
  if (row.scheme === 'rsa-pss') {
    const parameter = { type: PARAMS.PSS, ...HASH_PARAMS[row.hash], saltLen: HASH_BYTES[row.hash] }
    return { mechanism: { mechanism: CKM.RSA_PKCS_PSS, parameter }, data: digest, size }
  }
  return { mechanism: { mechanism: CKM.RSA_PKCS }, data: buffer(digestInfo(row.hash, digest)), size }
}

function digestOf(hash: Hash, given: SignInput): Buffer {
  const input = hashedInput(given)
  return 'message' in input ? createHash(hash).update(input.message).digest() : buffer(input.digest)
}

/** What the per-message key is the CBC encryption of, under the version's key with the nonce as IV; 32 bytes. */
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
function withMessageKey(session: Session, key: Handle, nonce: Uint8Array, use: (messageKey: Handle) => Buffer): Buffer {
  const { lib, handle } = session
  const parameter: AesCBC = { type: PARAMS.CBC_DATA, iv: buffer(nonce), data: KDF_LABEL }
  const messageKey = lib.C_DeriveKey(handle, { mechanism: CKM.AES_CBC_ENCRYPT_DATA, parameter }, key, MESSAGE_KEY)
  try {
    return use(messageKey)
  } finally {
    destroyQuietly(session, messageKey)
  }
}

function gcm(iv: Uint8Array, aad: Uint8Array): Mechanism {
  const sizes = { ivBits: iv.length * 8, tagBits: TAG_BYTES * 8 }
  const parameter: AesGCM = { type: PARAMS.GCM, iv: buffer(iv), aad: buffer(aad), ...sizes }
  return { mechanism: CKM.AES_GCM, parameter }
}

/** AES-256-GCM in the token: ciphertext, then the tag. */
export function sealGcm(
  session: Session,
  key: Handle,
  plaintext: Uint8Array,
  params: { iv: Uint8Array; aad: Uint8Array },
): Buffer {
  const { lib, handle } = session
  lib.C_EncryptInit(handle, gcm(params.iv, params.aad), key)
  return lib.C_Encrypt(handle, buffer(plaintext), Buffer.alloc(plaintext.length + TAG_BYTES))
}

/** @throws CiphertextRefused for whatever the token dislikes */
export function openGcm(
  session: Session,
  key: Handle,
  sealed: Uint8Array,
  params: { iv: Uint8Array; aad: Uint8Array },
): Buffer {
  if (sealed.length < TAG_BYTES) throw new KmsError('invalid_ciphertext')
  const { lib, handle } = session
  lib.C_DecryptInit(handle, gcm(params.iv, params.aad), key)
  try {
    return lib.C_Decrypt(handle, buffer(sealed), Buffer.alloc(sealed.length))
  } catch (error) {
    const ckr = ckrOf(error)
    throw ckr !== undefined && CIPHERTEXT_REFUSED.has(ckr) ? new CiphertextRefused(ckr) : error
  }
}
