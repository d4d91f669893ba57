/** Whether the numbers of an RSA private key belong together: OpenSSL takes them as they come. */
import { checkPrime, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'

const isPrime = promisify((candidate: bigint, done: (error: Error | null, prime: boolean) => void) =>
  checkPrime(candidate, done),
)
const integer = (base64url: string | undefined): bigint =>
  BigInt(`0x0${Buffer.from(base64url ?? '', 'base64url').toString('hex')}`)

/**
 * The pair-wise checks of NIST SP 800-56B (section 6.4.1.2), and an odd exponent above 2^16 (FIPS 186-5 section A.1.1).
 * With a wrong CRT exponent OpenSSL would notice at every signature, and fall back to a slow one.
 */
export async function isSoundRsa(key: KeyObject): Promise<boolean> {
  const jwk = key.export({ format: 'jwk' })
  const [n, e, d, p, q] = [integer(jwk.n), integer(jwk.e), integer(jwk.d), integer(jwk.p), integer(jwk.q)]
  const [dp, dq, qi] = [integer(jwk.dp), integer(jwk.dq), integer(jwk.qi)]
  if (e <= 65536n || e % 2n === 0n || p <= 2n || q <= 2n || p === q || p * q !== n) return false
  const isExponent = (exponent: bigint, prime: bigint): boolean => (exponent * e) % (prime - 1n) === 1n
  const exponents = isExponent(d, p) && isExponent(d, q) && isExponent(dp, p) && isExponent(dq, q)
  // Each reduced, so that a key has one encoding.
  if (!exponents || d >= n || dp >= p || dq >= q || qi >= p || (qi * q) % p !== 1n) return false
  return (await isPrime(p)) && (await isPrime(q))
}
