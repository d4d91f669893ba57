/**
 * KeyRef of a token's key. Format 0x01, an object of the token:
 *   0x01 | object class | home (8) | length of the serial | serial (UTF-8) | CKA_ID (16)
 * Format 0x02, a wrapped key, goes on behind that:
 *   CKA_ID of the wrapping key (16) | wrapping mechanism (4) | tag (32) | wrapped key
 */
import { createHash, randomBytes } from 'node:crypto'
import type { KeySpec } from '../core/algorithm.ts'
import { KmsError } from '../core/error.ts'
import type { KeyHome, KeyRef } from '../core/ports.ts'
import { CKO, type ObjectClass } from './mechanisms.ts'

export const ID_BYTES = 16
const FORMATS = { object: 1, wrapped: 2 } as const
const TAG_BYTES = 32
const WRAPPED_HEADER_BYTES = ID_BYTES + 4 + TAG_BYTES
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

/** A key that is kept outside its token. */
export type WrappedKey = {
  /** CKM_* that it was wrapped with. */
  readonly mechanism: number
  /** CKA_ID of the token's key that it is wrapped under. */
  readonly wrappingKey: Uint8Array
  readonly blob: Uint8Array
  /** Under another key of the token, over all of the reference and the version that it is for. */
  readonly tag: Uint8Array
}
export type WrappedRef = ObjectRef & { readonly wrapped: WrappedKey }
export type KeyAddress = ObjectRef | WrappedRef
export const isWrapped = (key: KeyAddress): key is WrappedRef => 'wrapped' in key

export type TokenObject = KeyAddress & {
  /** Serial number of the token that holds it. */
  readonly serial: string
}

/** Names the version; 40 characters, which is all that the smallest HSMs allow. */
export const labelOf = ({ versionId }: KeyHome): string => `trefoil:${versionId.replaceAll('-', '')}`

const MARK_BYTES = 8
export const isVersionLabel = (label: string): boolean => /^trefoil:[0-9a-f]{32}$/.test(label)

/** Of a CKA_ID's random part and its label; nobody else's objects have it but by a chance of 2^-64. */
const markOf = (installation: string, random: Uint8Array, label: string): Buffer =>
  createHash('sha256').update(`${installation}\0${label}\0`).update(random).digest().subarray(0, MARK_BYTES)

/** A new CKA_ID, by which `isMarked` knows the installation's objects again. */
export function newObjectId(installation: string, label: string): Uint8Array {
  const random = randomBytes(ID_BYTES - MARK_BYTES)
  return Buffer.concat([random, markOf(installation, random, label)])
}

/** Whether the installation made the object; another may have its keys in the same token. */
export function isMarked(installation: string, { id, label }: ObjectRef): boolean {
  if (id.length !== ID_BYTES || !isVersionLabel(label)) return false
  const mark = markOf(installation, id.subarray(0, ID_BYTES - MARK_BYTES), label)
  return Buffer.compare(id.subarray(ID_BYTES - MARK_BYTES), mark) === 0
}

/** Binds a reference to the place in the hierarchy it was made for, so that rows can't exchange theirs. */
function homeDigest({ ringId, versionId }: KeyHome, spec: KeySpec): Uint8Array {
  const text = [ringId, versionId, spec].join('\0')
  return createHash('sha256').update(text).digest().subarray(0, HOME_BYTES)
}

function encodeWrapped({ mechanism, wrappingKey, blob, tag }: WrappedKey): readonly Uint8Array[] {
  const type = Buffer.alloc(4)
  type.writeUInt32BE(mechanism)
  return [wrappingKey, type, tag, blob]
}

function decodeWrapped(bytes: Uint8Array): WrappedKey {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  return {
    wrappingKey: view.subarray(0, ID_BYTES),
    mechanism: view.readUInt32BE(ID_BYTES),
    tag: view.subarray(ID_BYTES + 4, WRAPPED_HEADER_BYTES),
    blob: view.subarray(WRAPPED_HEADER_BYTES),
  }
}

/** Whether the token holds no object for it. */
export const isWrappedRef = (ref: KeyRef): boolean => ref[0] === FORMATS.wrapped

type Made = Pick<TokenObject, 'serial' | 'objectClass' | 'id'> & { readonly wrapped?: WrappedKey }

export function encodeRef(key: Made, home: KeyHome, spec: KeySpec): KeyRef {
  const format = key.wrapped === undefined ? FORMATS.object : FORMATS.wrapped
  const serial = Buffer.from(key.serial)
  const header = [Buffer.of(format, key.objectClass), homeDigest(home, spec), Buffer.of(serial.length)]
  return Buffer.concat([...header, serial, key.id, ...(key.wrapped === undefined ? [] : encodeWrapped(key.wrapped))])
}

/** @throws KmsError internal for bytes that are no reference of this backend, or of another home or spec */
export function decodeRef(ref: KeyRef, home: KeyHome, spec: KeySpec): TokenObject {
  const [format, objectClass] = ref
  const idAt = HEADER_BYTES + (ref[HEADER_BYTES - 1] ?? 0)
  const rest = ref.length - idAt - ID_BYTES
  const whole = (format === FORMATS.object && rest === 0) || (format === FORMATS.wrapped && rest > WRAPPED_HEADER_BYTES)
  if (!whole || (objectClass !== CKO.PRIVATE_KEY && objectClass !== CKO.SECRET_KEY)) {
    throw new KmsError('internal', {}, { cause: new Error("not a reference to a token's key") })
  }
  if (Buffer.compare(ref.subarray(2, 2 + HOME_BYTES), homeDigest(home, spec)) !== 0) {
    throw new KmsError('internal', {}, { cause: new Error('a reference from elsewhere') })
  }
  const serial = Buffer.from(ref.subarray(HEADER_BYTES, idAt)).toString()
  const key = { serial, objectClass, id: ref.subarray(idAt, idAt + ID_BYTES), label: labelOf(home) }
  return format === FORMATS.object ? key : { ...key, wrapped: decodeWrapped(ref.subarray(idAt + ID_BYTES)) }
}
