/** The resource key hash: Google compares it, and learns nothing of the key. */
import { createHmac } from 'node:crypto'

export const resourceKeyHash = (dek: Uint8Array, resource: string, perimeter: string): string =>
  createHmac('sha256', dek).update(`ResourceKeyDigest:${resource}:${perimeter}`).digest('base64')
