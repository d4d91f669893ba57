/** Data encryption keys: in and out of the blobs that Google keeps. */
import { decrypt } from '../../../core/ops/decrypt.ts'
import { encrypt } from '../../../core/ops/encrypt.ts'
import { encodeBase64 } from '../../codec/base64.ts'
import type { CseRequest } from './binding.ts'
import { type Bound, contextOf, readBlob, writeBlob } from './blob.ts'
import { CseFault } from './errors.ts'

/** Of one that is bound to it; `perimeter` is the blob's own where nothing says which one it has to be. */
type Wanted = { readonly perimeter?: string } & (
  | { readonly kind: 'dek'; readonly resource: string }
  | { readonly kind: 'private-key' }
)

/** @param secret wiped */
export async function wrapSecret(request: CseRequest, secret: Uint8Array, bound: Bound): Promise<string> {
  try {
    const { ciphertext } = await request.execute(encrypt, {
      key: request.tenant.config.key,
      algorithm: 'envelope',
      plaintext: secret,
      context: contextOf(bound),
    })
    return encodeBase64(writeBlob(bound.perimeter, ciphertext))
  } finally {
    secret.fill(0)
  }
}

/** What `use` makes of the unwrapped secret, which is wiped after. @throws CseFault, KmsError */
export async function withSecret<T>(
  request: CseRequest,
  blob: Uint8Array,
  wanted: Wanted,
  use: (secret: Buffer, perimeter: string) => T | Promise<T>,
): Promise<T> {
  const { perimeter, envelope } = readBlob(blob)
  if (wanted.perimeter !== undefined && wanted.perimeter !== perimeter) throw new CseFault('ciphertext', '')
  const { plaintext } = await request.execute(decrypt, {
    key: request.tenant.config.key,
    algorithm: 'envelope',
    ciphertext: envelope,
    context: contextOf({ ...wanted, perimeter }),
  })
  const secret = Buffer.from(plaintext.buffer, plaintext.byteOffset, plaintext.byteLength)
  try {
    return await use(secret, perimeter)
  } finally {
    secret.fill(0)
  }
}
