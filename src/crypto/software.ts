/** Keys in this process, sealed under their ring's key wherever they are stored. */
import { createHmac, type KeyObject } from 'node:crypto'
import {
  type Algorithm,
  type AlgorithmRow,
  algorithmRow,
  type KeySpec,
  type KeySpecRow,
  specHas,
  specRow,
} from '../core/algorithm.ts'
import { KmsError } from '../core/error.ts'
import { andThen, type Eventually } from '../core/eventually.ts'
import type {
  CallContext,
  CryptoBackend,
  EncryptParams,
  KeyHandle,
  KeyHome,
  KeyRef,
  PortableKeys,
  SignInput,
} from '../core/ports.ts'
import { Secret } from '../core/secret.ts'
import { checkSignInput, hashedInput } from '../core/sign-input.ts'
import type { NativeAddon } from '../native/addon.ts'
import * as aesRaw from './aes-raw.ts'
import { agree } from './agree.ts'
import * as ecdsa from './ecdsa.ts'
import * as envelope from './envelope.ts'
import { decapsulate } from './kem.ts'
import { KeyCache } from './key-cache.ts'
import { generateMaterial, importMaterial, loadMaterial, type Material } from './material.ts'
import { type Signers, signModern } from './modern-signatures.ts'
import { NativeEnvelopes, NativeSigner } from './native.ts'
import { RandomPool } from './random-pool.ts'
import * as rsa from './rsa.ts'
import { openKey, sealKey } from './sealed-key.ts'
import { SlowSigner } from './slow-signer.ts'

type SignRow = Extract<AlgorithmRow, { op: 'sign' }>

const CACHED_KEYS = 4096

/** The AES-256 key of a ring. */
export interface RingKeySource {
  get(ringId: string): Promise<KeyObject>
}

export class SoftwareBackend implements CryptoBackend {
  readonly name = 'software'
  readonly protection = 'software'
  readonly portable: PortableKeys = {
    exportKey: (handle, ctx) => asKmsErrors(() => this.#export(handle, ctx)),
    adoptKey: (spec, exported, home, ctx) => asKmsErrors(() => this.#adopt(spec, exported, home, ctx)),
  }
  readonly #ringKeys: RingKeySource
  readonly #cache = new KeyCache(CACHED_KEYS)
  readonly #random = new RandomPool()
  readonly #signers: Signers
  readonly #envelopes: NativeEnvelopes | undefined

  /** @param addon without it JavaScript does what node:crypto has no call for, slower */
  constructor(ringKeys: RingKeySource, addon?: NativeAddon) {
    this.#ringKeys = ringKeys
    this.#envelopes = addon && new NativeEnvelopes(addon)
    this.#signers = { native: addon && new NativeSigner(addon), slow: new SlowSigner() }
  }

  supports(spec: KeySpec, algorithm: Algorithm): boolean {
    return specHas(spec, algorithm) && algorithm !== 'envelope_cbc_kdf'
  }

  async generateKey(spec: KeySpec, home: KeyHome, ctx: CallContext): Promise<{ ref: KeyRef; spki?: Uint8Array }> {
    return asKmsErrors(async () => {
      requireLive(ctx)
      return this.#seal(spec, home, await generateMaterial(spec))
    })
  }

  async importKey(
    spec: KeySpec,
    material: Secret,
    home: KeyHome,
    ctx: CallContext,
  ): Promise<{ ref: KeyRef; spki?: Uint8Array }> {
    return asKmsErrors(async () => {
      requireLive(ctx)
      return this.#seal(spec, home, await material.use((bytes) => importMaterial(spec, bytes)))
    })
  }

  sign(handle: KeyHandle, algorithm: Algorithm, input: SignInput, ctx: CallContext): Eventually<Uint8Array> {
    return asRejections(() => {
      const row = this.#require(handle.spec, algorithm, 'sign')
      checkSignInput(handle.spec, algorithm, input)
      return andThen(this.#open(handle, ctx), (key) => this.#signWith(key, specRow(handle.spec), row, input))
    })
  }

  #signWith(key: KeyObject, spec: KeySpecRow, row: SignRow, input: SignInput): Eventually<Uint8Array> {
    if (row.scheme === 'ecdsa') {
      if (spec.type !== 'ec') throw new KmsError('internal')
      const hashed = hashedInput(input)
      return 'message' in hashed
        ? ecdsa.signMessage(spec, row.hash, key, hashed.message, this.#signers.native)
        : ecdsa.signDigest(spec, row.hash, key, hashed.digest, this.#signers.native)
    }
    if (row.scheme === 'rsa-pss' || row.scheme === 'rsa-pkcs1' || row.scheme === 'rsa-pkcs1-raw') {
      if (spec.type !== 'rsa') throw new KmsError('internal')
      return rsa.signInput(row, key, spec.bits / 8, input)
    }
    return signModern(spec, row, key, input, this.#signers)
  }

  encrypt(
    handle: KeyHandle,
    algorithm: Algorithm,
    plaintext: Uint8Array,
    params: EncryptParams,
    ctx: CallContext,
  ): Eventually<Uint8Array> {
    return asRejections(() => {
      const row = this.#require(handle.spec, algorithm, 'encrypt')
      return andThen(this.#open(handle, ctx), (key): Eventually<Uint8Array> => {
        if (row.scheme === 'envelope') return envelope.encrypt(key, plaintext, params, this.#envelopes)
        if (row.scheme === 'aes') return aesRaw.encrypt(row, key, plaintext, params)
        return rsa.encrypt(handle.spec, algorithm, row, key, plaintext, params)
      })
    })
  }

  decrypt(
    handle: KeyHandle,
    algorithm: Algorithm,
    ciphertext: Uint8Array,
    params: EncryptParams,
    ctx: CallContext,
  ): Eventually<Uint8Array> {
    return asRejections(() => {
      const row = this.#require(handle.spec, algorithm, 'encrypt')
      const spec = specRow(handle.spec)
      return andThen(this.#open(handle, ctx), (key): Eventually<Uint8Array> => {
        if (row.scheme === 'envelope') return envelope.decrypt(key, ciphertext, params, this.#envelopes)
        if (row.scheme === 'aes') return aesRaw.decrypt(row, key, ciphertext, params)
        if (spec.type !== 'rsa') throw new KmsError('internal')
        return rsa.decrypt(row, key, spec.bits / 8, ciphertext, params)
      })
    })
  }

  mac(handle: KeyHandle, algorithm: Algorithm, message: Uint8Array, ctx: CallContext): Eventually<Uint8Array> {
    return asRejections(() => {
      const row = this.#require(handle.spec, algorithm, 'mac')
      return andThen(this.#open(handle, ctx), (key) => createHmac(row.hash, key).update(message).digest())
    })
  }

  async agree(handle: KeyHandle, algorithm: Algorithm, peer: Uint8Array, ctx: CallContext): Promise<Uint8Array> {
    return asKmsErrors(async () => {
      this.#require(handle.spec, algorithm, 'agree')
      return agree(specRow(handle.spec), await this.#open(handle, ctx), peer)
    })
  }

  async decapsulate(
    handle: KeyHandle,
    algorithm: Algorithm,
    ciphertext: Uint8Array,
    ctx: CallContext,
  ): Promise<Uint8Array> {
    return asKmsErrors(async () => {
      this.#require(handle.spec, algorithm, 'decapsulate')
      const row = specRow(handle.spec)
      if (row.type !== 'ml-kem' && row.type !== 'x-wing') throw new KmsError('internal')
      return decapsulate(row, await this.#open(handle, ctx), ciphertext)
    })
  }

  /** The sealed blob goes with its row in the store; here the opened key is forgotten and the blob opens no more. */
  async destroyKey(handle: KeyHandle, _ctx: CallContext): Promise<void> {
    this.#cache.destroy(handle)
  }

  async random(bytes: number, ctx: CallContext): Promise<Uint8Array> {
    requireLive(ctx)
    return this.#random.take(bytes)
  }

  async health(ctx: CallContext): Promise<void> {
    requireLive(ctx)
  }

  async close(): Promise<void> {
    this.#cache.clear()
    await this.#signers.slow.close()
  }

  #require<O extends AlgorithmRow['op']>(spec: KeySpec, algorithm: Algorithm, op: O): Extract<AlgorithmRow, { op: O }> {
    const row = algorithmRow(algorithm)
    if (!isOp(row, op) || !this.supports(spec, algorithm))
      throw new KmsError('unsupported_algorithm', { algorithm, spec })
    return row
  }

  async #seal(spec: KeySpec, home: KeyHome, material: Material): Promise<{ ref: KeyRef; spki?: Uint8Array }> {
    try {
      const ref = sealKey(await this.#ringKeys.get(home.ringId), home, spec, material.bytes)
      this.#cache.put({ ...home, spec, ref }, material.key)
      return material.spki === undefined ? { ref } : { ref, spki: material.spki }
    } finally {
      material.bytes.fill(0)
    }
  }

  async #export(handle: KeyHandle, ctx: CallContext): Promise<Secret> {
    requireLive(ctx)
    const ringKey = await this.#ringKeys.get(handle.ringId)
    return new Secret(openKey(ringKey, handle, handle.spec, handle.ref))
  }

  async #adopt(spec: KeySpec, exported: Secret, home: KeyHome, ctx: CallContext): Promise<KeyRef> {
    requireLive(ctx)
    const ringKey = await this.#ringKeys.get(home.ringId)
    return exported.use((bytes) => sealKey(ringKey, home, spec, bytes))
  }

  #open(handle: KeyHandle, ctx: CallContext): Eventually<KeyObject> {
    requireLive(ctx)
    return this.#cache.get(handle) ?? this.#load(handle)
  }

  async #load(handle: KeyHandle): Promise<KeyObject> {
    const ringKey = await this.#ringKeys.get(handle.ringId)
    if (this.#cache.isDestroyed(handle)) throw new KmsError('internal')
    const bytes = openKey(ringKey, handle, handle.spec, handle.ref)
    try {
      const key = loadMaterial(handle.spec, bytes)
      this.#cache.put(handle, key)
      return key
    } finally {
      bytes.fill(0)
    }
  }
}

const isOp = <O extends AlgorithmRow['op']>(row: AlgorithmRow, op: O): row is Extract<AlgorithmRow, { op: O }> =>
  row.op === op

function requireLive(ctx: CallContext): void {
  if (ctx.signal.aborted) throw new KmsError('backend_timeout')
}

async function asKmsErrors<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw KmsError.from(error)
  }
}

/** For work that may be done at once; its errors are rejections all the same. */
function asRejections<T>(work: () => Eventually<T>): Eventually<T> {
  try {
    const done = work()
    return done instanceof Promise ? done.catch(rethrow) : done
  } catch (error) {
    return Promise.reject(KmsError.from(error))
  }
}

function rethrow(error: unknown): never {
  throw KmsError.from(error)
}
