/** Base64 as protocol buffers' JSON reads it: both alphabets, padded or not, and nothing else. */

export const encodeBase64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')

/** Undefined for anything that is not base64 (RFC 4648 section 4 or 5). */
export function decodeBase64(text: string): Uint8Array | undefined {
  // Node reads a character beyond Latin-1 by its low byte.
  if (Buffer.byteLength(text) !== text.length) return undefined
  let digits = text.length
  if (text.endsWith('=')) {
    if (text.length % 4 !== 0) return undefined
    digits -= text.endsWith('==') ? 2 : 1
  }
  if (digits % 4 === 1) return undefined
  const bytes = Buffer.from(text, 'base64')
  // Node skips or stops at what is no digit, so that each such character leaves the output short.
  return bytes.length === Math.floor((digits * 3) / 4) ? bytes : undefined
}
