/** Sizes, roles and the names of algorithms, as Google's reference has them. */
import type { Hash } from '../../../core/algorithm.ts'

export const MAX = {
  /** Bytes. */
  dek: 128,
  wrappedKey: 1024,
  wrappedPrivateKey: 8192,
  privateKey: 8192,
  resourceName: 128,
  perimeter: 128,
  reason: 1024,
  token: 16_384,
  digest: 128,
  encryptedDek: 1024,
  label: 1024,
  url: 512,
  body: 64 * 1024,
} as const

export const ROLES = ['reader', 'writer', 'upgrader', 'verifier', 'migrator', 'signer', 'decrypter'] as const
export type Role = (typeof ROLES)[number]

type Signature = { readonly hash: Hash; readonly scheme: 'pkcs1' | 'pss' }
export const SIGNATURES: ReadonlyMap<string, Signature> = new Map([
  ['SHA1withRSA', { hash: 'sha1', scheme: 'pkcs1' }],
  ['SHA256withRSA', { hash: 'sha256', scheme: 'pkcs1' }],
  ['SHA512withRSA', { hash: 'sha512', scheme: 'pkcs1' }],
  ['SHA1withRSA/PSS', { hash: 'sha1', scheme: 'pss' }],
  ['SHA256withRSA/PSS', { hash: 'sha256', scheme: 'pss' }],
  ['SHA512withRSA/PSS', { hash: 'sha512', scheme: 'pss' }],
])

/** `hash` undefined: PKCS #1 v1.5. */
type Decryption = { readonly hash: Hash | undefined }
export const DECRYPTIONS: ReadonlyMap<string, Decryption> = new Map([
  ['RSA/ECB/PKCS1Padding', { hash: undefined }],
  ['RSA/ECB/OAEPwithSHA-1andMGF1Padding', { hash: 'sha1' }],
  ['RSA/ECB/OAEPwithSHA-256andMGF1Padding', { hash: 'sha256' }],
  ['RSA/ECB/OAEPwithSHA-512andMGF1Padding', { hash: 'sha512' }],
])

/** Of the digest of a private key's public half. */
export const SPKI_HASHES: ReadonlyMap<string, Hash> = new Map([
  ['SHA-256', 'sha256'],
  ['SHA-384', 'sha384'],
  ['SHA-512', 'sha512'],
])

/** Google's application, for the record: `drive` of gsuitecse-tokenissuer-drive@system.gserviceaccount.com. */
export const applicationOf = (issuer: string): string =>
  /^gsuitecse-tokenissuer-([a-z-]{1,32})@/.exec(issuer)?.[1] ?? issuer.slice(0, 128)

/** Anything may be in it: what is recorded has no line of its own to make. */
export const sanitized = (reason: string): string =>
  reason.replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/gu, ' ').slice(0, MAX.reason)

export const sameUrl = (a: string, b: string): boolean => a.replace(/\/$/, '') === b.replace(/\/$/, '')
