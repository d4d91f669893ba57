/** Opaque page markers, with enough of a checksum that garbage is told from a marker. They hold no secret and grant nothing. */
import { createHash } from 'node:crypto'
import { AwsError, validationError } from './aws-error.ts'

const CHECK_BYTES = 8
const checksum = (list: string, position: string): Buffer =>
  createHash('sha256').update(`trefoil:${list}\0${position}`).digest().subarray(0, CHECK_BYTES)

/** `list` names what is being listed, so that a marker of one list is garbage to another. */
export const writeMarker = (list: string, position: string): string =>
  Buffer.concat([checksum(list, position), Buffer.from(position)]).toString('base64url')

/** @throws AwsError InvalidMarkerException */
export function readMarker(list: string, marker: string | undefined): string | undefined {
  if (marker === undefined) return undefined
  const bytes = Buffer.from(marker, 'base64url')
  const position = bytes.subarray(CHECK_BYTES).toString()
  const valid = bytes.subarray(0, CHECK_BYTES).equals(checksum(list, position))
  if (!valid || bytes.toString('base64url') !== marker) throw new AwsError('InvalidMarkerException')
  return position
}

export type PageLimits = { readonly byDefault: number; readonly max: number }

/** The model allows every list 1000; the service refuses above each list's own maximum. @throws AwsError */
export function readLimit(limit: number | undefined, { byDefault, max }: PageLimits): number {
  if (limit !== undefined && limit > max) {
    throw validationError(
      `1 validation error detected: Value '${limit}' at 'limit' failed to satisfy constraint: Member must have value less than or equal to ${max}`,
    )
  }
  return limit ?? byDefault
}

/** Truncated and NextMarker of an answer. */
export const pageEnd = (list: string, next: string | undefined) =>
  next === undefined ? { Truncated: false } : { Truncated: true, NextMarker: writeMarker(list, next) }
