/**
 * The software backend's KeyRef: version ‖ IV ‖ AES-256-GCM(ring key, material) ‖ tag. The seal is bound to the version,
 * its ring and its spec, so that a blob moved elsewhere does not open.
 */
import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto'
import type { KeySpec } from '../core/algorithm.ts'
import { KmsError } from '../core/error.ts'
import type { KeyHome, KeyRef } from '../core/ports.ts'

const VERSION = 1
const IV_BYTES = 12
const TAG_BYTES = 16
const HEAD_BYTES = 1 + IV_BYTES

/** Injective: every part is preceded by its length. */
function associatedData(home: KeyHome, spec: KeySpec): Uint8Array {
  const parts = ['trefoil software key', home.ringId, home.versionId, spec].map((text) => Buffer.from(text))
  return Buffer.concat(
    parts.flatMap((part) => {
      const length = Buffer.alloc(4)
      length.writeUInt32BE(part.length)
      return [length, part]
    }),
  )
}

export function sealKey(ringKey: KeyObject, home: KeyHome, spec: KeySpec, material: Uint8Array): KeyRef {
  const head = Buffer.concat([Buffer.from([VERSION]), randomBytes(IV_BYTES)])
  const cipher = createCipheriv('aes-256-gcm', ringKey, head.subarray(1), { authTagLength: TAG_BYTES })
  cipher.setAAD(Buffer.concat([head.subarray(0, 1), associatedData(home, spec)]))
  const body = cipher.update(material)
  return Uint8Array.from(Buffer.concat([head, body, cipher.final(), cipher.getAuthTag()]))
}

/**
 * The caller wipes what it gets.
 * @throws KmsError internal, for a wrong ring key, another home or damage alike
 */
export function openKey(ringKey: KeyObject, home: KeyHome, spec: KeySpec, ref: KeyRef): Buffer {
  if (ref.length <= HEAD_BYTES + TAG_BYTES || ref[0] !== VERSION) throw new KmsError('internal')
  const decipher = createDecipheriv('aes-256-gcm', ringKey, ref.subarray(1, HEAD_BYTES), { authTagLength: TAG_BYTES })
  decipher.setAAD(Buffer.concat([ref.subarray(0, 1), associatedData(home, spec)]))
  decipher.setAuthTag(ref.subarray(-TAG_BYTES))
  const material = decipher.update(ref.subarray(HEAD_BYTES, -TAG_BYTES))
  try {
    decipher.final()
  } catch (cause) {
    material.fill(0)
    throw new KmsError('internal', {}, { cause })
  }
  return material
}
