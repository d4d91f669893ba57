/**
 * The ciphertext format of envelope algorithms:
 *
 *   format 0x01 | algorithm | version id (16, the UUID's bytes) | nonce (16) | iv (12) | ciphertext ‖ tag (16)
 *
 * The header is bound as AAD. AES-GCM does not commit to its key; the plaintext is therefore preceded by 32 zero bytes
 * that decryption checks ("padding fix", Albertini et al., USENIX Security 2022), so that no ciphertext opens under two
 * keys. Backends see only nonce, iv and AAD, so both kinds commit alike.
 */
import { randomFillSync, timingSafeEqual } from 'node:crypto'
import { ALGORITHMS, type Algorithm } from './algorithm.ts'
import { KmsError } from './error.ts'
import { andThen, type Eventually } from './eventually.ts'
import type { CallContext, CryptoBackend, KeyHandle } from './ports.ts'

const FORMAT = 1
const ID_BYTES = 16
const NONCE_BYTES = 16
const IV_BYTES = 12
const TAG_BYTES = 16
const HEADER_BYTES = 2 + ID_BYTES + NONCE_BYTES + IV_BYTES
const COMMITMENT_BYTES = 32
const COMMITMENT = new Uint8Array(COMMITMENT_BYTES)

export type EnvelopeAlgorithm = {
  [A in Algorithm]: (typeof ALGORITHMS)[A] extends { scheme: 'envelope' } ? A : never
}[Algorithm]

const BY_WIRE: ReadonlyMap<number, EnvelopeAlgorithm> = new Map(
  Object.entries(ALGORITHMS).flatMap(([name, row]) =>
    row.op === 'encrypt' && row.scheme === 'envelope' ? [[row.wire, name as EnvelopeAlgorithm] as const] : [],
  ),
)

export const isEnvelope = (algorithm: Algorithm): algorithm is EnvelopeAlgorithm => {
  const row = ALGORITHMS[algorithm]
  return row.op === 'encrypt' && row.scheme === 'envelope'
}

/** Additional authenticated data as the dialects have it: AWS a map, GCP bytes. */
export type EncryptionContext =
  | { readonly kind: 'none' }
  | { readonly kind: 'map'; readonly entries: Readonly<Record<string, string>> }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
export const NO_CONTEXT: EncryptionContext = { kind: 'none' }

/**
 * Injective: entries sorted by their UTF-8 bytes, each part preceded by its length, so that {a: 'bc'} never equals
 * {ab: 'c'}. An empty map and empty bytes are no context at all, whichever dialect says so.
 */
export function encodeContext(context: EncryptionContext): Uint8Array {
  if (context.kind === 'none') return new Uint8Array(0)
  if (context.kind === 'bytes') {
    return context.bytes.length === 0 ? new Uint8Array(0) : Buffer.concat([Buffer.of(0), context.bytes])
  }
  const entries = Object.entries(context.entries).map(
    ([name, value]) => [Buffer.from(name), Buffer.from(value)] as const,
  )
  if (entries.length === 0) return new Uint8Array(0)
  entries.sort(([a], [b]) => Buffer.compare(a, b))
  const parts: Uint8Array[] = [Buffer.of(1)]
  for (const [name, value] of entries) {
    for (const part of [name, value]) {
      const length = Buffer.alloc(4)
      length.writeUInt32BE(part.length)
      parts.push(length, part)
    }
  }
  return Buffer.concat(parts)
}

export type EnvelopeHeader = {
  readonly algorithm: EnvelopeAlgorithm
  /** UUID of the version that encrypted. */
  readonly versionId: string
}

const HYPHEN = 0x2d
const digitOf = (code: number): number => (code > 0x39 ? (code | 0x20) - 0x57 : code - 0x30)

/** By hand, because taking the hyphens out and decoding hexadecimal are two calls that cost more than the sixteen bytes. */
function writeUuid(uuid: string, target: Uint8Array, offset: number): void {
  let at = offset
  for (let i = 0; i < uuid.length; i += 2) {
    if (uuid.charCodeAt(i) === HYPHEN) i++
    target[at++] = digitOf(uuid.charCodeAt(i)) * 16 + digitOf(uuid.charCodeAt(i + 1))
  }
}
const uuidText = (hex: string): string =>
  `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`

/** @throws KmsError invalid_ciphertext for anything that is not an envelope */
export function parseEnvelope(envelope: Uint8Array): EnvelopeHeader {
  const algorithm = BY_WIRE.get(envelope[1] ?? 0)
  const whole = envelope.length >= HEADER_BYTES + COMMITMENT_BYTES + TAG_BYTES
  if (!whole || envelope[0] !== FORMAT || algorithm === undefined) throw new KmsError('invalid_ciphertext')
  const id = Buffer.from(envelope.buffer, envelope.byteOffset + 2, ID_BYTES)
  return { algorithm, versionId: uuidText(id.toString('hex')) }
}

// A call to the generator costs 3 to 4 µs whatever its size; one call fills many nonces and IVs.
const POOL_BYTES = (NONCE_BYTES + IV_BYTES) * 512
const pool = Buffer.alloc(POOL_BYTES)
let poolOffset = POOL_BYTES

/** Fresh bytes for one header; never handed out twice. */
function freshNonceAndIv(target: Buffer, offset: number): void {
  if (poolOffset === POOL_BYTES) {
    randomFillSync(pool)
    poolOffset = 0
  }
  pool.copy(target, offset, poolOffset, poolOffset + NONCE_BYTES + IV_BYTES)
  poolOffset += NONCE_BYTES + IV_BYTES
}

function paramsOf(envelope: Uint8Array, context: EncryptionContext) {
  const header = envelope.subarray(0, HEADER_BYTES)
  const nonceAt = 2 + ID_BYTES
  return {
    nonce: header.subarray(nonceAt, nonceAt + NONCE_BYTES),
    iv: header.subarray(nonceAt + NONCE_BYTES, HEADER_BYTES),
    aad: context.kind === 'none' ? header : Buffer.concat([header, encodeContext(context)]),
  }
}

export function sealEnvelope(
  backend: CryptoBackend,
  key: KeyHandle,
  algorithm: Algorithm,
  plaintext: Uint8Array,
  context: EncryptionContext,
  ctx: CallContext,
): Eventually<Uint8Array> {
  const row = ALGORITHMS[algorithm]
  if (row.op !== 'encrypt' || row.scheme !== 'envelope') throw new KmsError('internal')
  const header = Buffer.allocUnsafe(HEADER_BYTES)
  header[0] = FORMAT
  header[1] = row.wire
  writeUuid(key.versionId, header, 2)
  freshNonceAndIv(header, 2 + ID_BYTES)
  const committed = Buffer.concat([COMMITMENT, plaintext])
  return andThen(backend.encrypt(key, algorithm, committed, paramsOf(header, context), ctx), (sealed) => {
    committed.fill(0)
    return Buffer.concat([header, sealed])
  })
}

/** @throws KmsError invalid_ciphertext, whatever was wrong */
export function openEnvelope(
  backend: CryptoBackend,
  key: KeyHandle,
  envelope: Uint8Array,
  context: EncryptionContext,
  ctx: CallContext,
): Eventually<Uint8Array> {
  const { algorithm, versionId } = parseEnvelope(envelope)
  if (versionId !== key.versionId) throw new KmsError('invalid_ciphertext')
  const body = envelope.subarray(HEADER_BYTES)
  return andThen(backend.decrypt(key, algorithm, body, paramsOf(envelope, context), ctx), (committed) => {
    const commitment = committed.subarray(0, COMMITMENT_BYTES)
    if (commitment.length !== COMMITMENT_BYTES || !timingSafeEqual(commitment, COMMITMENT)) {
      throw new KmsError('invalid_ciphertext')
    }
    return committed.subarray(COMMITMENT_BYTES)
  })
}
