/**
 * Protocol buffers' JSON, as Google's front end reads and writes it: every offence of a request is listed in its words,
 * both spellings of a field are read, enums come by name or number. The library's own mapping stops at the first
 * offence and reads no snake_case masks; it still does the well-known types.
 */
import {
  create,
  createRegistry,
  type DescEnum,
  type DescField,
  type DescMessage,
  fromJson,
  isFieldSet,
  type JsonObject,
  type JsonValue,
  type Message,
  type MessageShape,
  ScalarType,
  toJson,
} from '@bufbuild/protobuf'
import { EmptySchema, FieldMaskSchema, isWrapperDesc } from '@bufbuild/protobuf/wkt'
import { decodeBase64, encodeBase64 } from '../codec/base64.ts'
import { file_google_cloud_kms_v1_service } from './gen/google/cloud/kms/v1/service_pb.js'
import { file_google_rpc_error_details } from './gen/google/rpc/error_details_pb.js'
import { badRequest, type FieldViolation } from './status.ts'

/** What an Any may hold in an answer. */
export const REGISTRY = createRegistry(file_google_cloud_kms_v1_service, file_google_rpc_error_details, EmptySchema)
/** Types whose JSON is not that of their fields; google.protobuf.Empty is. */
const wellKnown = (desc: DescMessage): boolean =>
  desc.typeName.startsWith('google.protobuf.') && desc.typeName !== 'google.protobuf.Empty'

export type Slots = Record<string, unknown>
/** A message's fields by their local names, which the generated types don't index. */
export const slotsOf = (message: Message): Slots => message as unknown as Slots

const indexes = new WeakMap<DescMessage, ReadonlyMap<string, DescField>>()
/** Fields by both of their names. */
function fieldsOf(desc: DescMessage): ReadonlyMap<string, DescField> {
  let index = indexes.get(desc)
  if (index === undefined) {
    index = new Map(desc.fields.flatMap((field) => [[field.name, field] as const, [field.jsonName, field] as const]))
    indexes.set(desc, index)
  }
  return index
}

const INT_RANGES: Partial<Record<ScalarType, readonly [bigint, bigint]>> = {
  [ScalarType.INT32]: [-(2n ** 31n), 2n ** 31n - 1n],
  [ScalarType.UINT32]: [0n, 2n ** 32n - 1n],
  [ScalarType.INT64]: [-(2n ** 63n), 2n ** 63n - 1n],
  [ScalarType.UINT64]: [0n, 2n ** 64n - 1n],
}
const isLong = (scalar: ScalarType): boolean => scalar === ScalarType.INT64 || scalar === ScalarType.UINT64

/** Undefined where the value is not of the type. Strings stand for numbers, and in a URL for booleans, too. */
function scalarFrom(scalar: ScalarType, value: unknown, inUrl: boolean): unknown {
  if (scalar === ScalarType.STRING) return typeof value === 'string' && value.isWellFormed() ? value : undefined
  if (scalar === ScalarType.BYTES) return typeof value === 'string' ? decodeBase64(value) : undefined
  if (scalar === ScalarType.BOOL) {
    if (typeof value === 'boolean') return value
    return inUrl && (value === 'true' || value === 'false') ? value === 'true' : undefined
  }
  const range = INT_RANGES[scalar]
  if (range === undefined) return undefined
  const integral =
    typeof value === 'number' ? Number.isSafeInteger(value) : typeof value === 'string' && /^-?\d{1,20}$/.test(value)
  if (!integral) return undefined
  const number = BigInt(value as number | string)
  if (number < range[0] || number > range[1]) return undefined
  return isLong(scalar) ? number : Number(number)
}

function enumFrom(desc: DescEnum, value: unknown, inUrl: boolean): number | undefined {
  // Open enums (proto3): a number without a name is kept, and refused where it means nothing.
  if (typeof value === 'number') return value === Math.trunc(value) && Math.abs(value) < 2 ** 31 ? value : undefined
  if (typeof value !== 'string') return undefined
  const named = desc.values.find((candidate) => candidate.name === value)
  if (named !== undefined) return named.number
  return inUrl && /^-?\d{1,9}$/.test(value) ? Number(value) : undefined
}

const snake = (path: string): string => path.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
const at = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`)

/** Reads one request; gathers what is wrong with it. */
export class JsonReader {
  readonly violations: FieldViolation[] = []

  /** The message that `json` spells; whatever is wrong becomes a violation and stays unset. */
  message<Desc extends DescMessage>(desc: Desc, json: unknown, path = ''): MessageShape<Desc> {
    const message = create(desc)
    if (json === null || json === undefined) return message
    if (typeof json !== 'object' || Array.isArray(json)) {
      if (path === '')
        this.#refuse(path, 'Invalid JSON payload received. Unknown name "": Root element must be a message.')
      else this.#mismatch(path, `type.googleapis.com/${desc.typeName}`)
      return message
    }
    const seen = new Set<DescField>()
    for (const [name, value] of Object.entries(json)) {
      const field = fieldsOf(desc).get(name)
      if (field === undefined) this.#unknown(path, name)
      else if (seen.size === seen.add(field).size) this.#twice(at(path, field.name))
      else if (value !== null) this.#set(message, field, value, at(path, field.name))
    }
    return message
  }

  /** Sets one field from JSON of its own: a body that is a field's. */
  field(message: Message, field: DescField, json: unknown): void {
    if (json !== null) this.#set(message, field, json, field.name)
  }

  /** Sets the field that a path variable or a query parameter names, from its text. */
  text(message: Message, desc: DescMessage, name: string, text: string): void {
    const [head = '', ...rest] = name.split('.')
    const field = fieldsOf(desc).get(head)
    if (field !== undefined && rest.length === 0) {
      this.#textField(message, field, text, name)
    } else if (field?.fieldKind === 'message' && field.oneof === undefined && !wellKnown(field.message)) {
      const slots = slotsOf(message)
      slots[field.localName] ??= create(field.message)
      this.text(slots[field.localName] as Message, field.message, rest.join('.'), text)
    } else {
      this.unbound(name)
    }
  }

  /** @throws RpcError INVALID_ARGUMENT with all of them, where there are any */
  finish(): void {
    if (this.violations.length > 0) throw badRequest(this.violations)
  }

  #textField(message: Message, field: DescField, text: string, name: string): void {
    const slots = slotsOf(message)
    if (field.fieldKind === 'list') {
      const element = this.#element(field, text, name, true)
      if (element !== undefined) (slots[field.localName] as unknown[]).push(element)
    } else if (field.fieldKind === 'map' || (field.fieldKind === 'message' && !wellKnown(field.message))) {
      this.unbound(name)
    } else {
      this.#put(message, field, this.#element(field, text, name, true), name)
    }
  }

  #set(message: Message, field: DescField, json: unknown, path: string): void {
    if (field.fieldKind === 'list' && !Array.isArray(json)) {
      this.#mismatch(path, 'repeated')
    } else if (field.fieldKind === 'list') {
      const elements = (json as unknown[]).map((element, index) =>
        this.#element(field, element, `${path}[${index}]`, false),
      )
      slotsOf(message)[field.localName] = elements.filter((element) => element !== undefined)
    } else if (field.fieldKind === 'map') {
      this.#map(message, field, json, path)
    } else if (Array.isArray(json)) {
      const name = path.slice(path.lastIndexOf('.') + 1)
      this.#refuse(
        path,
        `Invalid JSON payload received. Unknown name "${name}"${within(path)}: Proto field is not repeating, cannot start list.`,
      )
    } else {
      this.#put(message, field, this.#element(field, json, path, false), path)
    }
  }

  #map(message: Message, field: DescField & { fieldKind: 'map' }, json: unknown, path: string): void {
    const map: Slots = {}
    if (typeof json !== 'object' || Array.isArray(json)) {
      this.#mismatch(path, 'map')
      return
    }
    for (const [key, value] of Object.entries(json as object)) {
      const element = this.#element(field, value, `${path}[${repeatable(key)}]`, false)
      if (element !== undefined) map[key] = element
    }
    slotsOf(message)[field.localName] = map
  }

  #put(message: Message, field: DescField, value: unknown, path: string): void {
    if (value === undefined) return
    const slots = slotsOf(message)
    if (field.oneof === undefined) {
      slots[field.localName] = value
      return
    }
    const taken = (slots[field.oneof.localName] as { case?: string }).case
    if (taken !== undefined && taken !== field.localName) {
      this.#refuse(
        path,
        `Invalid value at '${path}' (oneof), oneof field '${field.oneof.name}' is already set. Cannot set '${field.jsonName}'`,
      )
    } else {
      slots[field.oneof.localName] = { case: field.localName, value }
    }
  }

  /** One value of a field's type: the field's own, a list's element, a map's value. */
  #element(field: DescField, json: unknown, path: string, inUrl: boolean): unknown {
    if (field.scalar !== undefined) {
      const value = scalarFrom(field.scalar, json, inUrl)
      if (value === undefined) this.#mismatch(path, `TYPE_${ScalarType[field.scalar]}`, shown(field.scalar, json))
      return value
    }
    if (field.enum !== undefined) {
      const value = enumFrom(field.enum, json, inUrl)
      if (value === undefined) this.#mismatch(path, `type.googleapis.com/${field.enum.typeName}`, repeatable(json))
      return value
    }
    const desc = field.message
    if (!wellKnown(desc)) return this.message(desc, json, path)
    if (field.fieldKind === 'message' && field.oneof === undefined && isWrapperDesc(desc)) {
      return this.#element(desc.fields[0] as DescField, json, path, inUrl)
    }
    return this.#wellKnown(desc, json, path)
  }

  #wellKnown(desc: DescMessage, json: unknown, path: string): Message | undefined {
    try {
      if (desc.typeName !== FieldMaskSchema.typeName) return fromJson(desc, json as JsonValue)
      const paths = typeof json === 'string' ? json.split(',').filter((one) => one !== '') : []
      if (typeof json === 'string' && paths.every((one) => /^[A-Za-z0-9_.*]+$/.test(one))) {
        return create(FieldMaskSchema, { paths: paths.map(snake) })
      }
    } catch {
      // The library's words would repeat the value; Google's name the field and the type.
    }
    this.#mismatch(path, `type.googleapis.com/${desc.typeName}`)
    return undefined
  }

  #unknown(path: string, name: string): void {
    const where = path === '' ? '' : ` at '${path}'`
    this.#refuse(path, `Invalid JSON payload received. Unknown name ${repeatable(name)}${where}: Cannot find field.`)
  }

  /** A query parameter that is no field, or that its field can't come from. */
  unbound(name: string): void {
    const shown = snippet(name).slice(1, -1)
    this.#refuse(
      '',
      `Invalid JSON payload received. Unknown name "${shown}": Cannot bind query parameter. Field '${shown}' could not be found in request message.`,
    )
  }

  /** Its two spellings are two names of JSON, and one field. */
  #twice(path: string): void {
    this.#refuse(path, `Invalid value at '${path}', the field is given twice.`)
  }

  #mismatch(path: string, type: string, value?: string): void {
    this.#refuse(path, `Invalid value at '${path}' (${type})${value === undefined ? '' : `, ${value}`}`)
  }

  #refuse(field: string, description: string): void {
    // Bounded, so that an answer can't be made larger than its request.
    if (this.violations.length < 32) this.violations.push({ field, description })
  }
}

const within = (path: string): string => (path.includes('.') ? ` at '${path.slice(0, path.lastIndexOf('.'))}'` : '')
/** Enough of a value to recognise it. */
/** What has the form of a name, or is a number, is repeated to tell a slip of the pen; anything else may be a secret astray. */
const NAME = /^@?[A-Za-z_][0-9A-Za-z_]{0,40}$/
const repeatable = (value: unknown): string =>
  typeof value === 'number' || typeof value === 'boolean' || (typeof value === 'string' && NAME.test(value))
    ? snippet(value)
    : '"…"'

const snippet = (value: unknown): string => {
  const text = JSON.stringify(value) ?? 'null'
  return text.length <= 66 ? text : `${text.slice(0, 64)}…"`
}
/** Texts and bytes may be payloads, which no message repeats. */
function shown(scalar: ScalarType, value: unknown): string | undefined {
  if (scalar === ScalarType.BYTES) return 'Base64 decoding failed'
  return scalar === ScalarType.STRING ? undefined : repeatable(value)
}

function scalarTo(scalar: ScalarType, value: unknown): JsonValue {
  if (scalar === ScalarType.BYTES) return encodeBase64(value as Uint8Array)
  return isLong(scalar) ? String(value) : (value as JsonValue)
}

const enumTo = (desc: DescEnum, value: number, enumAsInteger: boolean): JsonValue =>
  enumAsInteger ? value : (desc.value[value]?.name ?? value)

function elementTo(field: DescField, value: unknown, enumAsInteger: boolean): JsonValue {
  if (field.scalar !== undefined) return scalarTo(field.scalar, value)
  if (field.enum !== undefined) return enumTo(field.enum, value as number, enumAsInteger)
  if (field.fieldKind === 'message' && field.oneof === undefined && isWrapperDesc(field.message)) {
    return elementTo(field.message.fields[0] as DescField, value, enumAsInteger)
  }
  return messageToJson(field.message, value as Message, enumAsInteger)
}

/** Proto3 JSON without default values, as Google answers. */
export function messageToJson(desc: DescMessage, message: Message, enumAsInteger: boolean): JsonValue {
  if (wellKnown(desc)) return toJson(desc, message, { registry: REGISTRY })
  const json: JsonObject = {}
  const slots = slotsOf(message)
  for (const field of desc.fields) {
    if (!isFieldSet(message, field)) continue
    const value = field.oneof === undefined ? slots[field.localName] : (slots[field.oneof.localName] as Slots).value
    if (field.fieldKind === 'list') {
      json[field.jsonName] = (value as unknown[]).map((element) => elementTo(field, element, enumAsInteger))
    } else if (field.fieldKind === 'map') {
      const entries = Object.entries(value as object)
      json[field.jsonName] = Object.fromEntries(
        entries.map(([key, one]) => [key, elementTo(field, one, enumAsInteger)]),
      )
    } else {
      json[field.jsonName] = elementTo(field, value, enumAsInteger)
    }
  }
  return json
}
