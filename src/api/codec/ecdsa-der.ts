/** ECDSA signatures in DER (RFC 3279 section 2.2.3), as AWS and GCP speak it; the core only ever sees raw r‖s. */

const SEQUENCE = 0x30
const INTEGER = 0x02
const LONG_LENGTH = 0x81
/** First content length that takes the long form. */
const LONG_FORM = 0x80

/** Minimal two's complement of an unsigned number, with its header. */
function integerOf(bytes: Uint8Array): Buffer {
  let start = 0
  while (start < bytes.length - 1 && bytes[start] === 0) start++
  const magnitude = bytes.subarray(start)
  const sign = (magnitude[0] ?? 0) >= 0x80 ? [0] : []
  return Buffer.from([INTEGER, sign.length + magnitude.length, ...sign, ...magnitude])
}

/** `raw`: r‖s, both of the curve's field size. */
export function rawToDer(raw: Uint8Array): Uint8Array {
  const half = raw.length / 2
  const body = Buffer.concat([integerOf(raw.subarray(0, half)), integerOf(raw.subarray(half))])
  const header = body.length < LONG_FORM ? [SEQUENCE, body.length] : [SEQUENCE, LONG_LENGTH, body.length]
  return Buffer.concat([Buffer.from(header), body])
}

type Parsed = { readonly value: Uint8Array; readonly next: number }

/** The INTEGER at `offset`, left-padded to `size`; undefined unless it is minimal, not negative and fits. */
function readInteger(der: Uint8Array, offset: number, size: number): Parsed | undefined {
  const length = der[offset + 1] ?? 0
  const next = offset + 2 + length
  if (der[offset] !== INTEGER || length === 0 || length >= LONG_FORM || next > der.length) return undefined
  const [first = 0, second = 0] = der.subarray(offset + 2, next)
  if (first >= 0x80 || (length > 1 && first === 0 && second < 0x80)) return undefined
  const magnitude = der.subarray(first === 0 ? offset + 3 : offset + 2, next)
  if (magnitude.length > size) return undefined
  const value = new Uint8Array(size)
  value.set(magnitude, size - magnitude.length)
  return { value, next }
}

/**
 * Raw r‖s of a signature over a field of `size` bytes. Undefined for anything but the one DER encoding of two numbers:
 * whoever accepts a second one accepts changed signatures.
 */
export function derToRaw(der: Uint8Array, size: number): Uint8Array | undefined {
  const long = der[1] === LONG_LENGTH
  const start = long ? 3 : 2
  const length = der[long ? 2 : 1] ?? 0
  if (der[0] !== SEQUENCE || length >= LONG_FORM !== long || start + length !== der.length) return undefined
  const r = readInteger(der, start, size)
  const s = r && readInteger(der, r.next, size)
  if (r === undefined || s === undefined || s.next !== der.length) return undefined
  return Buffer.concat([r.value, s.value])
}
