/** Using keys: the hot calls, made on the pkcs11js handle under graphene. */
import { createHash } from 'node:crypto'
import type { Mechanism } from 'pkcs11js'
import { type Algorithm, algorithmRow, HASH_BYTES, type Hash, type KeySpec, specRow } from '../core/algorithm.ts'
import { KmsError } from '../core/error.ts'
import type { EncryptParams, SignInput } from '../core/ports.ts'
import { digestInfo } from '../core/rsa-encoding.ts'
import { checkSignInput, hashedInput, messageOf } from '../core/sign-input.ts'
import { AesModes, openGcm, sealGcm, withMessageKey } from './aes.ts'
import { CKM, HASH_PARAMS, HMAC_MECHANISMS, PARAMS } from './mechanisms.ts'
import type { Handle } from './objects.ts'
import { RsaDecryption } from './rsa-decryption.ts'
import { buffer, TimedCalls } from './timed-calls.ts'
import type { Session } from './token.ts'

const unsupported = (algorithm: Algorithm, spec: KeySpec): KmsError =>
  new KmsError('unsupported_algorithm', { algorithm, spec })

export class Operations {
  readonly #calls = new TimedCalls()
  readonly #rsa = new RsaDecryption(this.#calls)
  readonly #aes = new AesModes(this.#calls)

  async sign(
    session: Session,
    key: Handle,
    spec: KeySpec,
    algorithm: Algorithm,
    input: SignInput,
  ): Promise<Uint8Array> {
    const { mechanism, data, size } = signingCall(spec, algorithm, input)
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
