/**
 * What Google keeps: the perimeter in plain, since whoever unwraps by privilege does not know it, and the envelope.
 *
 *   format 0x01 | length of the perimeter | perimeter | envelope
 *
 * Resource and perimeter are the envelope's context, so that it opens for them alone; the kind of what is inside is too.
 */
import type { EncryptionContext } from '../../../core/envelope.ts'
import { CseFault } from './errors.ts'

const FORMAT = 1

/** A private key is of no resource. */
export type Bound =
  | { readonly kind: 'dek'; readonly resource: string; readonly perimeter: string }
  | { readonly kind: 'private-key'; readonly perimeter: string }

export const contextOf = (bound: Bound): EncryptionContext => ({
  kind: 'map',
  entries: {
    'cse:kind': bound.kind,
    perimeter_id: bound.perimeter,
    ...(bound.kind === 'dek' && { resource_name: bound.resource }),
  },
})

export function writeBlob(perimeter: string, envelope: Uint8Array): Uint8Array {
  const name = Buffer.from(perimeter)
  return Buffer.concat([Buffer.of(FORMAT, name.length), name, envelope])
}

/** @throws CseFault */
export function readBlob(blob: Uint8Array): { readonly perimeter: string; readonly envelope: Uint8Array } {
  const start = 2 + (blob[1] ?? 0)
  if (blob[0] !== FORMAT || blob.length <= start) throw new CseFault('ciphertext', '')
  return { perimeter: Buffer.from(blob.subarray(2, start)).toString(), envelope: blob.subarray(start) }
}
