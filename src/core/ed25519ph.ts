/**
 * Ed25519ph (RFC 8032 section 5.1) over a ready SHA-512 digest: neither node:crypto nor @noble's own wrapper takes one.
 */
import { hash } from 'node:crypto'
import { eddsa } from '@noble/curves/abstract/edwards.js'
import { ed25519 } from '@noble/curves/ed25519.js'

/** dom2(1, ""): the prefix that tells pre-hashed signatures from pure ones. */
const DOMAIN = Buffer.concat([Buffer.from('SigEd25519 no Ed25519 collisions'), Buffer.of(1, 0)])

const scheme = eddsa(ed25519.Point, (message: Uint8Array) => Uint8Array.from(hash('sha512', message, 'buffer')), {
  adjustScalarBytes(scalar: Uint8Array) {
    scalar[0] = (scalar[0] ?? 0) & 0xf8
    scalar[31] = ((scalar[31] ?? 0) & 0x7f) | 0x40
    return scalar
  },
  domain: (data: Uint8Array) => Uint8Array.from(Buffer.concat([DOMAIN, data])),
})

/** `privateKey` and `publicKey` are the raw 32 bytes. */
export const signDigest = (privateKey: Uint8Array, digest: Uint8Array): Uint8Array => scheme.sign(digest, privateKey)

/** Strict: no small-order key, no encoding that is not canonical. */
export const verifyDigest = (publicKey: Uint8Array, digest: Uint8Array, signature: Uint8Array): boolean =>
  scheme.verify(signature, digest, publicKey, { zip215: false })
