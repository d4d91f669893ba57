/** Using keys: the hot calls, made on the pkcs11js handle under graphene. */
import { createHash } from 'node:crypto'
import type { Mechanism } from 'pkcs11js'
import { type Algorithm, algorithmRow, HASH_BYTES, type Hash, type KeySpec, specRow } from '../core/algorithm.ts'
import { KmsError } from '../core/error.ts'
import type { EncryptParams, SignInput } from '../core/ports.ts'
import { digestInfo } from '../core/rsa-encoding.ts'
import { checkSignInput, contextOf, hashedInput, messageOf } from '../core/sign-input.ts'
import { AesModes, openGcm, sealGcm, withMessageKey } from './aes.ts'
import { CKH, CKM, HASH_PARAMS, HMAC_MECHANISMS, PARAMS } from './mechanisms.ts'
import type { Handle } from './objects.ts'
import type { WorkerConfig } from './protocol.ts'
import { RsaDecryption } from './rsa-decryption.ts'
import { buffer, TimedCalls } from './timed-calls.ts'
import type { Session } from './token.ts'

const unsupported = (algorithm: Algorithm, spec: KeySpec): KmsError =>
  new KmsError('unsupported_algorithm', { algorithm, spec })

export class Operations {
  readonly #calls = new TimedCalls()
  readonly #rsa = new RsaDecryption(this.#calls)
  readonly #aes = new AesModes(this.#calls)
  readonly #deterministic: boolean

  /** `mlDsa`: whether its signatures are hedged (FIPS 204 section 3.4). */
  constructor({ mlDsa = 'hedged' }: Pick<WorkerConfig, 'mlDsa'> = {}) {
    this.#deterministic = mlDsa === 'deterministic'
  }

  async sign(
    session: Session,
    key: Handle,
    spec: KeySpec,
    algorithm: Algorithm,
    input: SignInput,
  ): Promise<Uint8Array> {
    const { mechanism, data, size } = signingCall(spec, algorithm, input, this.#deterministic)
    return await this.#calls.sign(session, mechanism, key, data, size)
  }

  mac(session: Session, key: Handle, spec: KeySpec, algorithm: Algorithm, message: Uint8Array): Promise<Uint8Array> {
    const row = algorithmRow(algorithm)
    if (row.op !== 'mac') throw unsupported(algorithm, spec)
    return this.#calls.sign(
      session,
      { mechanism: HMAC_MECHANISMS[row.hash] },
      key,
      buffer(message),
      HASH_BYTES[row.hash],
    )
  }

  async encrypt(
    session: Session,
    key: Handle,
    spec: KeySpec,
    algorithm: Algorithm,
    plaintext: Uint8Array,
    params: EncryptParams,
  ): Promise<Uint8Array> {
    const row = algorithmRow(algorithm)
    if (row.scheme === 'aes') return await this.#aes.encrypt(session, key, row, plaintext, params)
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
    if (row.scheme === 'aes') return await this.#aes.decrypt(session, key, row, ciphertext, params)
    if (row.scheme === 'rsa-oaep') return await this.#rsa.oaep(session, key, spec, row.hash, ciphertext)
    if (row.scheme === 'rsa-pkcs1') return await this.#rsa.pkcs1(session, key, spec, ciphertext)
    if (row.scheme !== 'envelope' || row.kdf !== 'aes-cbc') throw unsupported(algorithm, spec)
    return withMessageKey(session, key, params.nonce, (messageKey) => openGcm(session, messageKey, ciphertext, params))
  }
}

type SigningCall = { readonly mechanism: Mechanism; readonly data: Buffer; readonly size: number }

/**
 * CK_SIGN_ADDITIONAL_CONTEXT (PKCS#11 v3.2): the hedge variant, a pointer to the context and its length. pkcs11js has no such
 * parameter, but one of the same layout where an unsigned long has 8 bytes: that of CKM_DES_CBC_ENCRYPT_DATA, 8 bytes of IV,
 * a pointer and a length.
 */
function mlDsa(context: Uint8Array, deterministic: boolean): Mechanism {
  const variant = deterministic ? CKH.DETERMINISTIC_REQUIRED : CKH.HEDGE_PREFERRED
  if (context.length === 0 && variant === CKH.HEDGE_PREFERRED) return { mechanism: CKM.ML_DSA }
  const iv = Buffer.from(BigUint64Array.of(BigInt(variant)).buffer)
  const parameter = { type: PARAMS.DES_CBC_DATA, iv, data: buffer(context) }
  return { mechanism: CKM.ML_DSA, parameter }
}

function signingCall(spec: KeySpec, algorithm: Algorithm, input: SignInput, deterministic: boolean): SigningCall {
  const key = specRow(spec)
  const row = algorithmRow(algorithm)
  if (row.op !== 'sign' || !key.algorithms.includes(algorithm)) throw unsupported(algorithm, spec)
  checkSignInput(spec, algorithm, input)
  if (row.scheme === 'ed25519') return { mechanism: { mechanism: CKM.EDDSA }, data: buffer(messageOf(input)), size: 64 }
  if (row.scheme === 'ml-dsa' && key.type === 'ml-dsa') {
    const mechanism = mlDsa(contextOf(input), deterministic)
    return { mechanism, data: buffer(messageOf(input)), size: key.signatureBytes }
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
