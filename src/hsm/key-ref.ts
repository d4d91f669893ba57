/** KeyRef of a token object: format 0x01 | object class | home (8) | length of the serial | serial (UTF-8) | CKA_ID (16). */
import { createHash } from 'node:crypto'
import type { KeySpec } from '../core/algorithm.ts'
import { KmsError } from '../core/error.ts'
import type { KeyHome, KeyRef } from '../core/ports.ts'
import { CKO, type ObjectClass } from './mechanisms.ts'

export const ID_BYTES = 16
const FORMAT = 1
const HOME_BYTES = 8
const HEADER_BYTES = 3 + HOME_BYTES

/** An object in a token; found only if id, class and label all fit. */
export type ObjectRef = {
  readonly objectClass: ObjectClass
  /** CKA_ID. */
  readonly id: Uint8Array
  /** CKA_LABEL. */
  readonly label: string
}
export type TokenObject = ObjectRef & {
  /** Serial number of the token that holds it. */
  readonly serial: string
}

/** Names the version; 40 characters, which is all that the smallest HSMs allow. */
export const labelOf = ({ versionId }: KeyHome): string => `trefoil:${versionId.replaceAll('-', '')}`

/** Binds a reference to the place in the hierarchy it was made for, so that rows can't exchange theirs. */
function homeDigest({ ringId, versionId }: KeyHome, spec: KeySpec): Uint8Array {
  const text = [ringId, versionId, spec].join('\0')
  return createHash('sha256').update(text).digest().subarray(0, HOME_BYTES)
}

export function encodeRef(object: Omit<TokenObject, 'label'>, home: KeyHome, spec: KeySpec): KeyRef {
  const serial = Buffer.from(object.serial)
  const header = [Buffer.of(FORMAT, object.objectClass), homeDigest(home, spec), Buffer.of(serial.length)]
  return Buffer.concat([...header, serial, object.id])
}

/** @throws KmsError internal for bytes that are no reference of this backend, or of another home or spec */
export function decodeRef(ref: KeyRef, home: KeyHome, spec: KeySpec): TokenObject {
  const [format, objectClass] = ref
  const length = ref[HEADER_BYTES - 1] ?? 0
  const whole = ref.length === HEADER_BYTES + length + ID_BYTES
  if (format !== FORMAT || !whole || (objectClass !== CKO.PRIVATE_KEY && objectClass !== CKO.SECRET_KEY)) {
    throw new KmsError('internal', {}, { cause: new Error('not a reference to a token object') })
  }
  if (Buffer.compare(ref.subarray(2, 2 + HOME_BYTES), homeDigest(home, spec)) !== 0) {
    throw new KmsError('internal', {}, { cause: new Error('a reference from elsewhere') })
  }
  const serial = Buffer.from(ref.subarray(HEADER_BYTES, HEADER_BYTES + length)).toString()
  return { serial, objectClass, id: ref.subarray(HEADER_BYTES + length), label: labelOf(home) }
}
