/**
 * Keys of external key stores. Everything is encrypted twice: under material of the installation's own, then by the
 * external key manager, so that neither opens it alone.
 *
 * KeyRef: 0x01 | lengths and texts of store id, external key id, key id | the inner backend's reference.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Algorithm, KeySpec } from '../../core/algorithm.ts'
import { KmsError } from '../../core/error.ts'
import type { Realm } from '../../core/key.ts'
import { externalFailure, type GatewayContext, type Opened, type ProxyPlace } from '../../core/key-store.ts'
import type { CallContext, CryptoBackend, EncryptParams, KeyHandle, KeyHome, KeyRef } from '../../core/ports.ts'
import type { ProxyClient } from './proxy-client.ts'

export const EXTERNAL_BACKEND = 'external'
const ALGORITHM = 'envelope_hmac_kdf'
const FORMAT = 1
const TAG_BYTES = 16
const MAX_METADATA = 20
/** What the specification has every proxy take. */
const MAX_PLAINTEXT = 4300

type ExternalKey = { readonly storeId: string; readonly externalKeyId: string; readonly keyId: string }

function writeRef({ storeId, externalKeyId, keyId }: ExternalKey, inner: KeyRef): KeyRef {
  const parts = [storeId, externalKeyId, keyId].flatMap((text) => [Buffer.of(text.length), Buffer.from(text)])
  return Uint8Array.from(Buffer.concat([Buffer.of(FORMAT), ...parts, inner]))
}

function readRef(ref: KeyRef): ExternalKey & { readonly inner: KeyRef } {
  if (ref[0] !== FORMAT) throw new KmsError('internal')
  let at = 1
  const next = (): string => {
    const end = at + 1 + (ref[at] ?? 0)
    const text = Buffer.from(ref.subarray(at + 1, end)).toString()
    at = end
    return text
  }
  const [storeId, externalKeyId, keyId] = [next(), next(), next()]
  return { storeId, externalKeyId, keyId, inner: ref.subarray(at) }
}

/** What the manager made: lengths and bytes of metadata and IV, the tag, the ciphertext. */
type Sealed = {
  readonly metadata: Uint8Array
  readonly iv: Uint8Array
  readonly tag: Uint8Array
  readonly ciphertext: Uint8Array
}

const writeSealed = ({ metadata, iv, tag, ciphertext }: Sealed): Uint8Array =>
  Buffer.concat([Buffer.of(metadata.length), metadata, Buffer.of(iv.length), iv, tag, ciphertext])

/** @throws KmsError invalid_ciphertext */
function readSealed(bytes: Uint8Array): Sealed {
  const metadataEnd = 1 + (bytes[0] ?? 0)
  const ivEnd = metadataEnd + 1 + (bytes[metadataEnd] ?? 0)
  if (bytes.length <= ivEnd + TAG_BYTES) throw new KmsError('invalid_ciphertext')
  return {
    metadata: bytes.subarray(1, metadataEnd),
    iv: bytes.subarray(metadataEnd + 1, ivEnd),
    tag: bytes.subarray(ivEnd, ivEnd + TAG_BYTES),
    ciphertext: bytes.subarray(ivEnd + TAG_BYTES),
  }
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
/** @throws KmsError external_manager (malformed) */
function bytesOf(answer: Readonly<Record<string, unknown>>, name: string, fits: (length: number) => boolean): Buffer {
  const value = answer[name]
  if (typeof value !== 'string' || !BASE64.test(value)) throw externalFailure('malformed', new Error(name))
  const bytes = Buffer.from(value, 'base64')
  if (!fits(bytes.length)) throw externalFailure('malformed', new Error(`length of ${name}`))
  return bytes
}

function readEncryption(answer: Readonly<Record<string, unknown>>, aad: Uint8Array, length: number): Sealed {
  const metadata =
    answer.ciphertextMetadata === undefined
      ? new Uint8Array(0)
      : bytesOf(answer, 'ciphertextMetadata', (n) => n > 0 && n <= MAX_METADATA)
  const sealed = {
    metadata,
    iv: bytesOf(answer, 'initializationVector', (n) => n === 12 || n === 16),
    tag: bytesOf(answer, 'authenticationTag', (n) => n === TAG_BYTES),
    ciphertext: bytesOf(answer, 'ciphertext', (n) => n === length),
  }
  const expected = createHash('sha256')
  for (const part of [aad, metadata, sealed.iv, sealed.ciphertext, sealed.tag]) expected.update(part)
  const integrity = bytesOf(answer, 'ciphertextDataIntegrityValue', (n) => n === 32)
  if (!timingSafeEqual(integrity, expected.digest())) throw externalFailure('malformed', new Error('integrity value'))
  return sealed
}

export type ExternalBackendOptions = {
  /** Holds the inner material; the software backend. */
  readonly inner: CryptoBackend
  readonly client: ProxyClient
  /** @throws KmsError key_store_disconnected */
  open(storeId: string): Promise<{ readonly place: Opened<ProxyPlace>; readonly realm: Realm }>
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
/** The manager's share of the context: bounded whatever its size is, and bound whole by the inner layer. */
const digest = (aad: Uint8Array): Buffer => createHash('sha256').update(aad).digest()

export class ExternalBackend implements CryptoBackend {
  readonly name = EXTERNAL_BACKEND
  readonly protection = 'external'
  readonly portable = undefined
  readonly #options: ExternalBackendOptions

  constructor(options: ExternalBackendOptions) {
    this.#options = options
  }

  supports(spec: KeySpec, algorithm: Algorithm): boolean {
    return spec === 'aes_256' && algorithm === ALGORITHM
  }

  async generateKey(spec: KeySpec, home: KeyHome, ctx: CallContext): Promise<{ ref: KeyRef }> {
    if (home.external === undefined || spec !== 'aes_256')
      throw new KmsError('unsupported_spec', { spec, backend: this.name })
    const { ref } = await this.#options.inner.generateKey(spec, home, ctx)
    return { ref: writeRef(home.external, ref) }
  }

  async encrypt(
    handle: KeyHandle,
    algorithm: Algorithm,
    plaintext: Uint8Array,
    params: EncryptParams,
    ctx: CallContext,
  ): Promise<Uint8Array> {
    const { key, inner } = this.#keyOf(handle, algorithm)
    const once = await this.#options.inner.encrypt(inner, algorithm, plaintext, params, ctx)
    if (once.length > MAX_PLAINTEXT) {
      throw new KmsError('plaintext_too_large', { algorithm, limit: MAX_PLAINTEXT - (once.length - plaintext.length) })
    }
    const aad = digest(params.aad)
    const answer = await this.#ask(key, 'encrypt', ctx, {
      plaintext: base64(once),
      encryptionAlgorithm: 'AES_GCM',
      additionalAuthenticatedData: base64(aad),
      ciphertextDataIntegrityValueAlgorithm: 'SHA_256',
    })
    return writeSealed(readEncryption(answer, aad, once.length))
  }

  async decrypt(
    handle: KeyHandle,
    algorithm: Algorithm,
    ciphertext: Uint8Array,
    params: EncryptParams,
    ctx: CallContext,
  ): Promise<Uint8Array> {
    const { key, inner } = this.#keyOf(handle, algorithm)
    const sealed = readSealed(ciphertext)
    const answer = await this.#ask(key, 'decrypt', ctx, {
      ciphertext: base64(sealed.ciphertext),
      ...(sealed.metadata.length > 0 && { ciphertextMetadata: base64(sealed.metadata) }),
      initializationVector: base64(sealed.iv),
      authenticationTag: base64(sealed.tag),
      encryptionAlgorithm: 'AES_GCM',
      additionalAuthenticatedData: base64(digest(params.aad)),
    })
    const once = bytesOf(answer, 'plaintext', (length) => length === sealed.ciphertext.length)
    return this.#options.inner.decrypt(inner, algorithm, once, params, ctx)
  }

  async destroyKey(handle: KeyHandle, ctx: CallContext): Promise<void> {
    const { inner } = readRef(handle.ref)
    await this.#options.inner.destroyKey({ ...handle, ref: inner }, ctx)
  }

  random(bytes: number, ctx: CallContext): Promise<Uint8Array> {
    return this.#options.inner.random(bytes, ctx)
  }

  importKey(spec: KeySpec): Promise<never> {
    return refuse('unsupported_spec', { spec, backend: this.name })
  }
  sign(handle: KeyHandle, algorithm: Algorithm): Promise<never> {
    return refuse('unsupported_algorithm', { algorithm, spec: handle.spec })
  }
  mac(handle: KeyHandle, algorithm: Algorithm): Promise<never> {
    return refuse('unsupported_algorithm', { algorithm, spec: handle.spec })
  }
  agree(handle: KeyHandle, algorithm: Algorithm): Promise<never> {
    return refuse('unsupported_algorithm', { algorithm, spec: handle.spec })
  }
  decapsulate(handle: KeyHandle, algorithm: Algorithm): Promise<never> {
    return refuse('unsupported_algorithm', { algorithm, spec: handle.spec })
  }

  /** Each store has a state of its own; none of them makes the service unready. */
  async health(): Promise<void> {}

  async close(): Promise<void> {
    this.#options.client.close()
  }

  #keyOf(handle: KeyHandle, algorithm: Algorithm): { readonly key: ExternalKey; readonly inner: KeyHandle } {
    if (!this.supports(handle.spec, algorithm)) {
      throw new KmsError('unsupported_algorithm', { algorithm, spec: handle.spec })
    }
    const { inner, ...key } = readRef(handle.ref)
    return { key, inner: { ...handle, ref: inner } }
  }

  async #ask(
    { storeId, externalKeyId, keyId }: ExternalKey,
    operation: 'encrypt' | 'decrypt',
    ctx: CallContext,
    body: Readonly<Record<string, unknown>>,
  ): Promise<Readonly<Record<string, unknown>>> {
    const { place, realm } = await this.#options.open(storeId)
    const context: GatewayContext = { ...ctx, region: realm.aws?.region ?? '' }
    const arn = `arn:aws:kms:${realm.aws?.region}:${realm.aws?.account}:key/${keyId}`
    try {
      return await this.#options.client.ask(place, { externalKeyId, arn }, operation, body, context)
    } finally {
      place.secret.wipe()
    }
  }
}

const refuse = async (...[code, params]: ConstructorParameters<typeof KmsError>): Promise<never> => {
  throw new KmsError(code, params)
}
