/**
 * A secret's value at rest: format 0x01 | nonce (32) | commitment (32) | AES-256-GCM ciphertext | tag (16). Key and
 * commitment are HMACs under the ring key of the nonce and of the place the value is kept in, so that a seal moved
 * elsewhere does not open, and none opens under two keys.
 */
import { createCipheriv, createDecipheriv, createHmac, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto'
import { KmsError } from './error.ts'

const FORMAT = 1
const NONCE_BYTES = 32
const COMMITMENT_BYTES = 32
const TAG_BYTES = 16
const HEAD_BYTES = 1 + NONCE_BYTES + COMMITMENT_BYTES
/** Every seal has a key of its own. */
const IV = Buffer.alloc(12)

/** Where a value is kept. */
export type SecretHome = { readonly ringId: string; readonly secretId: string; readonly versionId: string }

/** Injective: every part is preceded by its length. */
function derive(ringKey: KeyObject, label: string, nonce: Uint8Array, home: SecretHome): Buffer {
  const hmac = createHmac('sha256', ringKey)
  for (const part of [label, home.ringId, home.secretId, home.versionId]) {
    const bytes = Buffer.from(part)
    const length = Buffer.alloc(4)
    length.writeUInt32BE(bytes.length)
    hmac.update(length).update(bytes)
  }
  return hmac.update(nonce).digest()
}

export function sealSecret(ringKey: KeyObject, home: SecretHome, value: Uint8Array): Uint8Array {
  const nonce = randomBytes(NONCE_BYTES)
  const key = derive(ringKey, 'trefoil secret key', nonce, home)
  const head = Buffer.concat([Buffer.of(FORMAT), nonce, derive(ringKey, 'trefoil secret commitment', nonce, home)])
  const cipher = createCipheriv('aes-256-gcm', key, IV, { authTagLength: TAG_BYTES })
  key.fill(0)
  cipher.setAAD(head)
  const body = cipher.update(value)
  return Uint8Array.from(Buffer.concat([head, body, cipher.final(), cipher.getAuthTag()]))
}

/** @throws KmsError internal, for a wrong ring key, another home or damage alike */
export function openSecret(ringKey: KeyObject, home: SecretHome, sealed: Uint8Array): Buffer {
  if (sealed.length < HEAD_BYTES + TAG_BYTES || sealed[0] !== FORMAT) throw new KmsError('internal')
  const nonce = sealed.subarray(1, 1 + NONCE_BYTES)
  const commitment = derive(ringKey, 'trefoil secret commitment', nonce, home)
  if (!timingSafeEqual(commitment, sealed.subarray(1 + NONCE_BYTES, HEAD_BYTES))) throw new KmsError('internal')
  const key = derive(ringKey, 'trefoil secret key', nonce, home)
  const decipher = createDecipheriv('aes-256-gcm', key, IV, { authTagLength: TAG_BYTES })
  key.fill(0)
  decipher.setAAD(sealed.subarray(0, HEAD_BYTES))
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES))
  const value = decipher.update(sealed.subarray(HEAD_BYTES, -TAG_BYTES))
  try {
    decipher.final()
  } catch (cause) {
    value.fill(0)
    throw new KmsError('internal', {}, { cause })
  }
  return value
}
