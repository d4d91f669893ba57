/** Base64url without padding, RFC 7515 section 2, and nothing else. */

export const encodeBase64url = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url')

const DIGITS = /^[A-Za-z0-9_-]*$/

/** Undefined for anything that is not the one encoding of some bytes: padding and stray low bits are refused too. */
export function decodeBase64url(text: string): Uint8Array | undefined {
  if (!DIGITS.test(text) || text.length % 4 === 1) return undefined
  const bytes = Buffer.from(text, 'base64url')
  return text.length % 4 === 0 || bytes.toString('base64url') === text ? new Uint8Array(bytes) : undefined
}
