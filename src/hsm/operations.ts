/** Using keys: the hot calls, made on the pkcs11js handle under graphene. */
import { createHash } from 'node:crypto'
import { type Algorithm, algorithmRow, HASH_BYTES, type Hash, type KeySpec, specRow } from '../core/algorithm.ts'
import { KmsError } from '../core/error.ts'
import type { Eventually } from '../core/eventually.ts'
import type { EncryptParams, SignInput } from '../core/ports.ts'
import { digestInfo } from '../core/rsa-encoding.ts'
import { checkSignInput, contextOf, hashedInput, messageOf } from '../core/sign-input.ts'
import { AesModes, messageKey, openGcm, sealGcm } from './aes.ts'
import { CKH, CKM, HMAC_MECHANISMS } from './mechanisms.ts'
import type { Handle } from './objects.ts'
import type { WorkerConfig } from './protocol.ts'
import { RsaDecryption } from './rsa-decryption.ts'
import type { Session } from './token.ts'
import { buffer, type Mechanism, type TimedUser } from './token-use.ts'

const unsupported = (algorithm: Algorithm, spec: KeySpec): KmsError =>
  new KmsError('unsupported_algorithm', { algorithm, spec })

export class Operations {
  readonly #user: TimedUser
  readonly #rsa: RsaDecryption
  readonly #aes: AesModes
  readonly #deterministic: boolean

  /** `mlDsa`: whether its signatures are hedged (FIPS 204 section 3.4). */
  constructor(user: TimedUser, { mlDsa = 'hedged' }: Pick<WorkerConfig, 'mlDsa'> = {}) {
    this.#user = user
    this.#rsa = new RsaDecryption(user)
    this.#aes = new AesModes(user)
    this.#deterministic = mlDsa === 'deterministic'
  }

  sign(session: Session, key: Handle, spec: KeySpec, algorithm: Algorithm, input: SignInput): Eventually<Uint8Array> {
    const { mechanism, data, size } = signingCall(spec, algorithm, input, this.#deterministic)
    return this.#sign(session, key, mechanism, data, size)
  }

  mac(session: Session, key: Handle, spec: KeySpec, algorithm: Algorithm, message: Uint8Array): Eventually<Uint8Array> {
    const row = algorithmRow(algorithm)
    if (row.op !== 'mac') throw unsupported(algorithm, spec)
    const mechanism = { type: HMAC_MECHANISMS[row.hash] }
    return this.#sign(session, key, mechanism, buffer(message), HASH_BYTES[row.hash])
  }

  #sign(session: Session, key: Handle, mechanism: Mechanism, input: Buffer, size: number): Eventually<Buffer> {
    return this.#user.use({ operation: 'sign', session, key, mechanism, input, output: Buffer.alloc(size) })
  }

  encrypt(
    session: Session,
    key: Handle,
    spec: KeySpec,
    algorithm: Algorithm,
    plaintext: Uint8Array,
    params: EncryptParams,
  ): Eventually<Uint8Array> {
    const row = algorithmRow(algorithm)
    if (row.scheme === 'aes') return this.#aes.encrypt(session, key, row, plaintext, params)
    if (algorithm !== 'envelope_cbc_kdf') throw unsupported(algorithm, spec)
    return sealGcm(this.#user, { session, key, params, derivation: messageKey(params.nonce) }, plaintext)
  }

  decrypt(
    session: Session,
    key: Handle,
    spec: KeySpec,
    algorithm: Algorithm,
    ciphertext: Uint8Array,
    params: EncryptParams,
  ): Eventually<Uint8Array> {
    const row = algorithmRow(algorithm)
    if (row.op !== 'encrypt') throw unsupported(algorithm, spec)
    if (row.scheme === 'aes') return this.#aes.decrypt(session, key, row, ciphertext, params)
    if (row.scheme === 'rsa-oaep') return this.#rsa.oaep(session, key, spec, row.hash, ciphertext)
    if (row.scheme === 'rsa-pkcs1') return this.#rsa.pkcs1(session, key, spec, ciphertext)
    if (row.scheme !== 'envelope' || row.kdf !== 'aes-cbc') throw unsupported(algorithm, spec)
    return openGcm(this.#user, { session, key, params, derivation: messageKey(params.nonce) }, ciphertext)
  }
}

type SigningCall = { readonly mechanism: Mechanism; readonly data: Buffer; readonly size: number }

function mlDsa(context: Uint8Array, deterministic: boolean): Mechanism {
  const hedge = deterministic ? CKH.DETERMINISTIC_REQUIRED : CKH.HEDGE_PREFERRED
  if (context.length === 0 && hedge === CKH.HEDGE_PREFERRED) return { type: CKM.ML_DSA }
  return { type: CKM.ML_DSA, parameter: { kind: 'context', hedge, context: buffer(context) } }
}

function signingCall(spec: KeySpec, algorithm: Algorithm, input: SignInput, deterministic: boolean): SigningCall {
  const key = specRow(spec)
  const row = algorithmRow(algorithm)
  if (row.op !== 'sign' || !key.algorithms.includes(algorithm)) throw unsupported(algorithm, spec)
  checkSignInput(spec, algorithm, input)
  if (row.scheme === 'ed25519') return { mechanism: { type: CKM.EDDSA }, data: buffer(messageOf(input)), size: 64 }
  if (row.scheme === 'ml-dsa' && key.type === 'ml-dsa') {
    const mechanism = mlDsa(contextOf(input), deterministic)
    return { mechanism, data: buffer(messageOf(input)), size: key.signatureBytes }
  }
  if (row.scheme === 'rsa-pkcs1-raw' && key.type === 'rsa') {
    return { mechanism: { type: CKM.RSA_PKCS }, data: buffer(messageOf(input)), size: key.bits / 8 }
  }
  if (!('hash' in row)) throw unsupported(algorithm, spec)
  const digest = digestOf(row.hash, input)
  if (key.type === 'ec') return { mechanism: { type: CKM.ECDSA }, data: digest, size: 2 * key.coordinate }
  if (key.type !== 'rsa') throw unsupported(algorithm, spec)
  const size = key.bits / 8
  if (row.scheme === 'rsa-pss') {
    const mechanism = { type: CKM.RSA_PKCS_PSS, parameter: { kind: 'pss', hash: row.hash } } as const
    return { mechanism, data: digest, size }
  }
  return { mechanism: { type: CKM.RSA_PKCS }, data: buffer(digestInfo(row.hash, digest)), size }
}

function digestOf(hash: Hash, given: SignInput): Buffer {
  const input = hashedInput(given)
  return 'message' in input ? createHash(hash).update(input.message).digest() : buffer(input.digest)
}
