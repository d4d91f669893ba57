/**
 * What a caller keeps for the service: opaque to him, and opened only by the installation that made it, in the realm it
 * was made in. Backups, and import tokens. format 0x01 | length of the sealed key (2) | data key, sealed under a key of the
 * installation | IV (12) | AES-256-GCM ciphertext | tag (16). The payload begins with 32 zero bytes that are checked, so
 * that no blob opens under two keys.
 */
import { createCipheriv, createDecipheriv, randomBytes, timingSafeEqual } from 'node:crypto'
import { KmsError } from './error.ts'
import type { Sealer } from './ports.ts'

const FORMAT = 1
const KEY_BYTES = 32
const IV_BYTES = 12
const TAG_BYTES = 16
const COMMITMENT = Buffer.alloc(32)

/** What is backed up, and where it may go back to. */
export type BackupScope = { readonly kind: 'key' | 'secret' | 'import'; readonly realmId: string }

const contextOf = ({ kind, realmId }: BackupScope): string => `backup:${kind}:${realmId}`

export async function sealBackup(sealer: Sealer, scope: BackupScope, payload: Uint8Array): Promise<Uint8Array> {
  const key = randomBytes(KEY_BYTES)
  try {
    const sealedKey = await sealer.seal(key, contextOf(scope))
    const head = Buffer.alloc(3)
    head[0] = FORMAT
    head.writeUInt16BE(sealedKey.length, 1)
    const iv = randomBytes(IV_BYTES)
    const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES })
    cipher.setAAD(Buffer.concat([head, sealedKey]))
    const parts = [cipher.update(COMMITMENT), cipher.update(payload), cipher.final(), cipher.getAuthTag()]
    return Buffer.concat([head, sealedKey, iv, ...parts])
  } finally {
    key.fill(0)
  }
}

async function unsealKey(sealer: Sealer, scope: BackupScope, sealedKey: Uint8Array): Promise<Uint8Array> {
  try {
    return await sealer.unseal(sealedKey, contextOf(scope))
  } catch (cause) {
    // A seal that does not open is the caller's blob; a token that is away is not.
    if (KmsError.from(cause).code !== 'internal') throw cause
    throw new KmsError('invalid_backup', {}, { cause })
  }
}

/** @throws KmsError invalid_backup for what this installation did not make for this scope */
export async function openBackup(sealer: Sealer, scope: BackupScope, blob: Uint8Array): Promise<Buffer> {
  const bytes = Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength)
  const keyEnd = bytes.length < 3 ? 0 : 3 + bytes.readUInt16BE(1)
  const bodyAt = keyEnd + IV_BYTES
  if (bytes[0] !== FORMAT || keyEnd === 0 || bytes.length < bodyAt + COMMITMENT.length + TAG_BYTES) {
    throw new KmsError('invalid_backup')
  }
  const key = await unsealKey(sealer, scope, bytes.subarray(3, keyEnd))
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(keyEnd, bodyAt), { authTagLength: TAG_BYTES })
    decipher.setAAD(bytes.subarray(0, keyEnd))
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
    const opened = Buffer.concat([decipher.update(bytes.subarray(bodyAt, -TAG_BYTES)), decipher.final()])
    if (!timingSafeEqual(opened.subarray(0, COMMITMENT.length), COMMITMENT)) throw new KmsError('invalid_backup')
    return opened.subarray(COMMITMENT.length)
  } catch (cause) {
    throw new KmsError('invalid_backup', {}, { cause })
  } finally {
    key.fill(0)
  }
}
