/**
 * Grant tokens: they name a grant and its key, with enough of a checksum that garbage is told from a token. As with AWS
 * they hold no secret and allow nothing by themselves: whoever shows one must be the one whom the grant is to. Grants work
 * at once here, with a token or without.
 */
import { createHash, randomBytes } from 'node:crypto'
import type { Grant } from '../../core/policy/aws/grant.ts'
import { AwsError } from './aws-error.ts'

/** The same grant has as many tokens as were asked for. */
const NONCE_BYTES = 8
const CHECK_BYTES = 8
const FORM = /^(\d{12})\/([0-9a-z-]{36})\/([0-9a-f]{64})$/
/** What a token of ours is at most. */
const MAX_LENGTH = 256

const checksum = (body: Uint8Array): Buffer =>
  createHash('sha256').update('trefoil:grant\0').update(body).digest().subarray(0, CHECK_BYTES)

export function writeGrantToken({ account, keyId, id }: Grant): string {
  const body = Buffer.concat([randomBytes(NONCE_BYTES), Buffer.from(`${account}/${keyId}/${id}`)])
  return Buffer.concat([checksum(body), body]).toString('base64url')
}

export type GrantName = { readonly account: string; readonly keyId: string; readonly id: string }

/** @throws AwsError InvalidGrantTokenException */
export function readGrantToken(token: string): GrantName {
  const bytes = token.length <= MAX_LENGTH ? Buffer.from(token, 'base64url') : Buffer.alloc(0)
  const body = bytes.subarray(CHECK_BYTES)
  const valid = bytes.subarray(0, CHECK_BYTES).equals(checksum(body)) && bytes.toString('base64url') === token
  const [, account, keyId, id] = (valid && FORM.exec(body.subarray(NONCE_BYTES).toString())) || []
  if (account === undefined || keyId === undefined || id === undefined) throw new AwsError('InvalidGrantTokenException')
  return { account, keyId, id }
}

/** @throws AwsError InvalidGrantTokenException for what is no token */
export function checkGrantTokens(tokens: readonly string[] | undefined): void {
  if (tokens !== undefined) for (const token of tokens) readGrantToken(token)
}
