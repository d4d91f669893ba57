/** DER SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7). */

type Element = { readonly tag: number; readonly start: number; readonly end: number }

/** The element at `offset`. The input is this program's own encoding: a malformed one is a mistake, not an input error. */
function elementAt(der: Uint8Array, offset: number): Element {
  const first = der[offset + 1] ?? 0
  const extra = first < 0x80 ? 0 : first & 0x7f
  let length = extra === 0 ? first : 0
  for (let index = 0; index < extra; index++) length = length * 256 + (der[offset + 2 + index] ?? 0)
  const start = offset + 2 + extra
  if (start + length > der.length) throw new TypeError('a public key is not DER')
  return { tag: der[offset] ?? 0, start, end: start + length }
}

/** The key itself, as its own standard encodes it: the content of the BIT STRING. */
export function rawPublicKey(spki: Uint8Array): Uint8Array {
  const algorithm = elementAt(spki, elementAt(spki, 0).start)
  const key = elementAt(spki, algorithm.end)
  if (key.tag !== 0x03 || spki[key.start] !== 0) throw new TypeError('a public key is no whole number of bytes')
  return spki.subarray(key.start + 1, key.end)
}
