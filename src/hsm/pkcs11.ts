/** The backend whose keys live in a PKCS#11 token: born there or imported, non-extractable, used by a child process. */
import { createPublicKey, type KeyObject, randomUUID } from 'node:crypto'
import { checkAesLength, checkAesParams } from '../core/aes-input.ts'
import {
  type Algorithm,
  type AlgorithmRow,
  algorithmRow,
  type KeySpec,
  maxPlaintext,
  purposesOf,
  specHas,
} from '../core/algorithm.ts'
import { invalidArgument, KmsError } from '../core/error.ts'
import { Lru } from '../core/lru.ts'
import type {
  CallContext,
  CryptoBackend,
  EncryptParams,
  KeyHandle,
  KeyHome,
  KeyRef,
  NewKeyHome,
  SignInput,
} from '../core/ports.ts'
import type { Secret } from '../core/secret.ts'
import { checkSignInput } from '../core/sign-input.ts'
import { type HsmConfig, type TokenCalls, TokenClient } from './client.ts'
import { decodeRef, encodeRef, isWrapped, labelOf, newObjectId, type TokenObject } from './key-ref.ts'
import { peerPoint } from './material.ts'
import { needs } from './needs.ts'
import { TokenPair } from './pair.ts'
import type { MadeKey, NewKey } from './protocol.ts'
import { encryptRsa } from './rsa-encryption.ts'

export type { HsmConfig, HsmEvent } from './client.ts'

const CACHED_PUBLIC_KEYS = 4096
const CACHED_ADDRESSES = 4096
type KnownAddress = Pick<KeyHandle, 'ringId' | 'versionId' | 'spec'> & { readonly object: TokenObject }

const REMEMBERED_DESTROYED = 4096
const refName = (ref: KeyRef): string => Buffer.from(ref.buffer, ref.byteOffset, ref.length).toString('latin1')

export class Pkcs11Backend implements CryptoBackend {
  readonly name: string
  readonly protection = 'hsm'
  readonly portable = undefined
  readonly client: TokenCalls
  readonly #installation: string
  readonly #publicKeys = new Lru<KeyObject>(CACHED_PUBLIC_KEYS)
  /** References that were found to be their home's; a decoded one costs a hash. */
  readonly #addresses = new Lru<KnownAddress>(CACHED_ADDRESSES)
  /** A request that read the row before its destruction must not use the key afterwards, though it is wrapped in the row. */
  readonly #destroyed = new Lru<true>(REMEMBERED_DESTROYED)

  /** `installation` marks the objects that it makes as its own. */
  constructor(client: TokenCalls, installation: string) {
    this.name = `pkcs11:${client.name}`
    this.client = client
    this.#installation = installation
  }

  /**
   * What the token showed when it was opened. Until it was opened once nothing is known, and everything that a token
   * could do is answered with yes, so that callers hear of the token's absence instead of a lacking algorithm.
   */
  supports(spec: KeySpec, algorithm: Algorithm): boolean {
    const { profile } = this.client
    if (profile === undefined) return specHas(spec, algorithm) && needs(algorithm) !== undefined
    return profile.algorithms[spec]?.includes(algorithm) ?? false
  }

  async generateKey(spec: KeySpec, home: NewKeyHome, ctx: CallContext): Promise<{ ref: KeyRef; spki?: Uint8Array }> {
    this.#requireSpec(spec)
    return this.#made(await this.client.call('generateKey', this.#newKey(spec, home), ctx), home, spec)
  }

  async importKey(
    spec: KeySpec,
    material: Secret,
    home: NewKeyHome,
    ctx: CallContext,
  ): Promise<{ ref: KeyRef; spki?: Uint8Array }> {
    this.#requireSpec(spec)
    const key = this.#newKey(spec, home)
    const copy = material.use((bytes) => Uint8Array.from(bytes))
    try {
      return this.#made(await this.client.call('importKey', { ...key, material: copy }, ctx), home, spec)
    } finally {
      copy.fill(0)
    }
  }

  async sign(handle: KeyHandle, algorithm: Algorithm, input: SignInput, ctx: CallContext): Promise<Uint8Array> {
    const { spec } = handle
    this.#require(spec, algorithm, 'sign')
    checkSignInput(spec, algorithm, input)
    return this.client.call('sign', { key: this.#object(handle), spec, algorithm, input }, ctx)
  }

  async mac(handle: KeyHandle, algorithm: Algorithm, message: Uint8Array, ctx: CallContext): Promise<Uint8Array> {
    const { spec } = handle
    this.#require(spec, algorithm, 'mac')
    return this.client.call('mac', { key: this.#object(handle), spec, algorithm, message }, ctx)
  }

  async agree(handle: KeyHandle, algorithm: Algorithm, peer: Uint8Array, ctx: CallContext): Promise<Uint8Array> {
    const { spec } = handle
    this.#require(spec, algorithm, 'agree')
    const point = peerPoint(spec, peer)
    return this.client.call('agree', { key: this.#object(handle), spec, algorithm, point }, ctx)
  }

  async decapsulate(handle: KeyHandle, algorithm: Algorithm): Promise<Uint8Array> {
    throw new KmsError('unsupported_algorithm', { algorithm, spec: handle.spec })
  }

  async encrypt(
    handle: KeyHandle,
    algorithm: Algorithm,
    plaintext: Uint8Array,
    params: EncryptParams,
    ctx: CallContext,
  ): Promise<Uint8Array> {
    const { spec } = handle
    const row = this.#require(spec, algorithm, 'encrypt')
    const key = this.#object(handle)
    if (row.scheme === 'aes') {
      checkAesParams(row, params)
      checkAesLength(row, plaintext)
    }
    if (row.scheme === 'aes' || row.scheme === 'envelope')
      return this.client.call('encrypt', { key, spec, algorithm, plaintext, params }, ctx)
    requireNoAad(params)
    const limit = maxPlaintext(spec, algorithm) ?? 0
    if (plaintext.length > limit) throw new KmsError('plaintext_too_large', { limit, algorithm })
    return encryptRsa(row, await this.#publicKey(handle, key, ctx), plaintext)
  }

  async decrypt(
    handle: KeyHandle,
    algorithm: Algorithm,
    ciphertext: Uint8Array,
    params: EncryptParams,
    ctx: CallContext,
  ): Promise<Uint8Array> {
    const { spec } = handle
    const row = this.#require(spec, algorithm, 'encrypt')
    if (row.scheme === 'aes') checkAesParams(row, params)
    else if (row.scheme !== 'envelope') requireNoAad(params)
    return this.client.call('decrypt', { key: this.#object(handle), spec, algorithm, ciphertext, params }, ctx)
  }

  async destroyKey(handle: KeyHandle, ctx: CallContext): Promise<void> {
    const name = refName(handle.ref)
    const key = this.#address(handle, name)
    this.#publicKeys.delete(name)
    this.#destroyed.set(name, true)
    await this.client.call('destroyKey', { key }, ctx).catch((error: unknown) => {
      // What the store kept is destroyed with its row; a token out of reach has nothing of it.
      if (isWrapped(key) && error instanceof KmsError && error.code === 'backend_unavailable') return
      this.#destroyed.delete(name)
      throw error
    })
    this.#publicKeys.delete(name)
  }

  async random(bytes: number, ctx: CallContext): Promise<Uint8Array> {
    return this.client.call('random', { bytes }, ctx)
  }

  health(ctx: CallContext): Promise<void> {
    return this.client.health(ctx)
  }

  close(): Promise<void> {
    return this.client.close()
  }

  #newKey(spec: KeySpec, home: NewKeyHome): NewKey {
    const label = labelOf(home)
    const { purposes = purposesOf(spec) } = home
    return { spec, purposes, id: newObjectId(this.#installation, label), label }
  }

  #requireSpec(spec: KeySpec): void {
    const { profile } = this.client
    if (profile !== undefined && profile.algorithms[spec] === undefined) {
      throw new KmsError('unsupported_spec', { spec, backend: this.name })
    }
  }

  #require<O extends AlgorithmRow['op']>(spec: KeySpec, algorithm: Algorithm, op: O): Extract<AlgorithmRow, { op: O }> {
    const row = algorithmRow(algorithm)
    if (!isOp(row, op) || !this.supports(spec, algorithm))
      throw new KmsError('unsupported_algorithm', { algorithm, spec })
    return row
  }

  #made({ spki, ...key }: MadeKey, home: KeyHome, spec: KeySpec): { ref: KeyRef; spki?: Uint8Array } {
    const serial = this.client.token?.serial
    if (serial === undefined) throw new KmsError('internal')
    const ref = encodeRef({ serial, ...key }, home, spec)
    return spki === undefined ? { ref } : { ref, spki }
  }

  #object(handle: KeyHandle): TokenObject {
    const name = refName(handle.ref)
    if (this.#destroyed.get(name) === undefined) return this.#address(handle, name)
    throw new KmsError('internal', {}, { cause: new Error('a destroyed key') })
  }

  /** Where another token than the key's answers, the key is out of reach, not gone. */
  #address(handle: KeyHandle, name: string): TokenObject {
    const object = this.#decoded(handle, name)
    if (this.client.holds(object.serial)) return object
    const cause = new Error(`the key is in token ${object.serial}, this is ${this.client.token?.serial}`)
    throw new KmsError('backend_unavailable', { backend: this.name }, { cause })
  }

  #decoded({ ref, ringId, versionId, spec }: KeyHandle, name: string): TokenObject {
    const known = this.#addresses.get(name)
    if (known?.versionId === versionId && known.ringId === ringId && known.spec === spec) return known.object
    const object = decodeRef(ref, { ringId, versionId }, spec)
    this.#addresses.set(name, { ringId, versionId, spec, object })
    return object
  }

  /** Encryption is public-key work; only the key itself comes from the token, once. */
  async #publicKey(handle: KeyHandle, key: TokenObject, ctx: CallContext): Promise<KeyObject> {
    if (ctx.signal.aborted) throw new KmsError('backend_timeout', { backend: this.name })
    const name = refName(handle.ref)
    const known = this.#publicKeys.get(name)
    if (known !== undefined) return known
    const spki = await this.client.call('publicKey', { key, spec: handle.spec }, ctx)
    const publicKey = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })
    this.#publicKeys.set(name, publicKey)
    return publicKey
  }
}

const isOp = <O extends AlgorithmRow['op']>(row: AlgorithmRow, op: O): row is Extract<AlgorithmRow, { op: O }> =>
  row.op === op

function requireNoAad({ aad }: EncryptParams): void {
  if (aad.length > 0) throw invalidArgument('aad', 'RSA encryption binds no associated data')
}

function clientOf(config: HsmConfig): TokenCalls {
  const first = new TokenClient(config)
  return config.standby === undefined ? first : new TokenPair(first, new TokenClient(config.standby), config.onEvent)
}

/**
 * Starts the token's child process. Resolves when the first attempt to open the token has ended: a token that is not
 * there yet is no reason not to start, `health` says what is wrong and the attempts go on. The exception is a refused
 * PIN, which is not tried again. `installation` is in the objects that it makes, by which it knows them again.
 */
export async function openPkcs11Backend(
  config: HsmConfig,
  installation: string = randomUUID(),
): Promise<Pkcs11Backend> {
  const client = clientOf(config)
  await client.start()
  return new Pkcs11Backend(client, installation)
}
