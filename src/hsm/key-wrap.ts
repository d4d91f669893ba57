/**
 * AES key wrapping (RFC 3394) and its padded form (RFC 5649) over a token's block cipher. Tokens' own wrapping mechanisms
 * take key objects only, and several pad in ways of their own (SoftHSM 2.6.1 with zeros, openCryptoki as PKCS#7).
 */
import { timingSafeEqual } from 'node:crypto'
import { KmsError } from '../core/error.ts'
import type { Eventually } from '../core/eventually.ts'

/** One block through the block cipher, in one direction. */
export type Block = (block: Buffer) => Eventually<Uint8Array>

const HALF = 8
const ROUNDS = 6
const IV = Buffer.alloc(HALF, 0xa6)
/** RFC 5649 section 3: a constant, then the message length. */
const PADDED_IV = Buffer.from('a65959a6', 'hex')

/** The counter t of RFC 3394 section 2.2.1, xored into the register. */
function addCounter(register: Buffer, t: number): void {
  register.writeUInt32BE((register.readUInt32BE(4) ^ t) >>> 0, 4)
}

async function wrapHalves(encrypt: Block, iv: Buffer, data: Uint8Array): Promise<Buffer> {
  const output = Buffer.concat([iv, data])
  const register = output.subarray(0, HALF)
  const count = data.length / HALF
  for (let t = 1; t <= ROUNDS * count; t += 1) {
    const half = output.subarray((1 + ((t - 1) % count)) * HALF).subarray(0, HALF)
    const block = await encrypt(Buffer.concat([register, half]))
    register.set(block.subarray(0, HALF))
    half.set(block.subarray(HALF))
    addCounter(register, t)
  }
  return output
}

/** The register, which is to be the IV, then the data. */
async function unwrapHalves(decrypt: Block, wrapped: Uint8Array): Promise<{ iv: Buffer; data: Buffer }> {
  const output = Buffer.from(wrapped)
  const register = output.subarray(0, HALF)
  const count = wrapped.length / HALF - 1
  for (let t = ROUNDS * count; t >= 1; t -= 1) {
    const half = output.subarray((1 + ((t - 1) % count)) * HALF).subarray(0, HALF)
    addCounter(register, t)
    const block = await decrypt(Buffer.concat([register, half]))
    register.set(block.subarray(0, HALF))
    half.set(block.subarray(HALF))
  }
  return { iv: register, data: output.subarray(HALF) }
}

export const wrap = (encrypt: Block, data: Uint8Array): Promise<Uint8Array> => wrapHalves(encrypt, IV, data)

/** @throws KmsError invalid_ciphertext */
export async function unwrap(decrypt: Block, wrapped: Uint8Array): Promise<Uint8Array> {
  requireHalves(wrapped)
  const { iv, data } = await unwrapHalves(decrypt, wrapped)
  if (!timingSafeEqual(iv, IV)) refuse(data)
  return data
}

function lengthIv(length: number): Buffer {
  const iv = Buffer.concat([PADDED_IV, Buffer.alloc(4)])
  iv.writeUInt32BE(length, 4)
  return iv
}

export async function wrapPadded(encrypt: Block, data: Uint8Array): Promise<Uint8Array> {
  const iv = lengthIv(data.length)
  const padded = Buffer.concat([data, Buffer.alloc((HALF - (data.length % HALF)) % HALF)])
  return padded.length === HALF ? encrypt(Buffer.concat([iv, padded])) : wrapHalves(encrypt, iv, padded)
}

/** @throws KmsError invalid_ciphertext */
export async function unwrapPadded(decrypt: Block, wrapped: Uint8Array): Promise<Uint8Array> {
  requireHalves(wrapped)
  const { iv, data } =
    wrapped.length === 2 * HALF ? halves(await decrypt(Buffer.from(wrapped))) : await unwrapHalves(decrypt, wrapped)
  const length = iv.readUInt32BE(4)
  const shortest = data.length - HALF + 1
  let bad = length < shortest || length > data.length ? 1 : 0
  bad |= timingSafeEqual(iv.subarray(0, 4), PADDED_IV) ? 0 : 1
  // The padding is zeros; how many is only known once the length is.
  for (let i = shortest; i < data.length; i += 1) bad |= i >= length ? (data[i] ?? 1) : 0
  if (bad !== 0) refuse(data)
  return data.subarray(0, length)
}

const halves = (block: Uint8Array): { iv: Buffer; data: Buffer } => ({
  iv: Buffer.from(block.subarray(0, HALF)),
  data: Buffer.from(block.subarray(HALF)),
})

function requireHalves(wrapped: Uint8Array): void {
  if (wrapped.length % HALF !== 0 || wrapped.length < 2 * HALF) throw new KmsError('invalid_ciphertext')
}

function refuse(data: Buffer): never {
  data.fill(0)
  throw new KmsError('invalid_ciphertext')
}
