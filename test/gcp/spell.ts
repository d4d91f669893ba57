/** The HTTP requests that stand for one message: of all the ways that protocol buffers' JSON and google.api.http allow, one. */
import {
  type DescField,
  type DescMessage,
  type DescMethod,
  isFieldSet,
  type Message,
  ScalarType,
  toJson,
} from '@bufbuild/protobuf'
import { type FieldMask, FieldMaskSchema, isWrapperDesc } from '@bufbuild/protobuf/wkt'
import { RouteTree } from '../../src/api/gcp/http-rule.ts'
import { METHODS } from '../../src/api/gcp/services.ts'
import type { Random } from '../support/random.ts'

export type HttpRequest = { readonly method: string; readonly path: string; readonly body: string | undefined }
type Slots = Record<string, unknown>
type Json = Record<string, unknown>

const ROUTES = new RouteTree<DescMethod>()
for (const { method, rules } of METHODS) for (const rule of rules) ROUTES.add(rule, method)

const ALTS = [
  '',
  'alt=json',
  '%24alt=json',
  '$alt=json;enum-encoding=int',
  'alt=json;enum-encoding=string',
  '$prettyPrint=false&key=k',
]

const fieldValue = (message: Message, field: DescField): unknown => {
  const slots = message as unknown as Slots
  return field.oneof === undefined ? slots[field.localName] : (slots[field.oneof.localName] as Slots).value
}

/** What a message says where JSON can't; then the transports can't be compared. */
export class Unspeakable extends Error {}

export class Speller {
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  /** @throws Unspeakable where no URL or no JSON means the message */
  request(method: DescMethod, message: Message): HttpRequest {
    const { rules } = METHODS.find((candidate) => candidate.method === method) ?? { rules: [] }
    const rule = this.#random.pick(rules)
    const inPath = new Set<string>()
    const path = rule.template.replace(/\{([^=}]+)(?:=[^}]*)?\}/g, (_, name: string) => {
      inPath.add(name)
      return this.#segments(textAt(method.input, message, name))
    })
    const routed = ROUTES.match(rule.method, path)
    const arrives = routed?.variables.every(([name, text]) => text === textAt(method.input, message, name))
    // Dot segments are gone before a URL is sent.
    const dotted = path.split('/').some((segment) => /^(\.|%2e)+$/i.test(segment))
    if (routed?.target !== method || arrives !== true || dotted) throw new Unspeakable(path)
    let body: unknown
    const query: string[] = []
    for (const field of method.input.fields) {
      if (!isFieldSet(message, field) || inPath.has(field.name)) continue
      const value = fieldValue(message, field)
      if (rule.body === '*') {
        body = { ...(body as Json), [this.#name(field)]: this.#value(field, value, field.name, inPath) }
      } else if (rule.body === field.name) body = this.#value(field, value, field.name, inPath)
      else query.push(...this.#query(field, value, this.#name(field)))
    }
    if (rule.body === '*') body ??= {}
    const alt = this.#random.pick(ALTS)
    const text = [...query, ...(alt === '' ? [] : [alt])].join('&')
    return {
      method: rule.method,
      path: `${path.slice('/v1/'.length)}${text === '' ? '' : `?${text}`}`,
      body: body === undefined ? undefined : JSON.stringify(body),
    }
  }

  #chance(): boolean {
    return this.#random.below(2) === 0
  }

  #name(field: DescField): string {
    return this.#chance() ? field.name : field.jsonName
  }

  #segments(text: string): string {
    const quote = this.#chance()
      ? encodeURIComponent
      : (part: string) => encodeURI(part).replace(/[?#:]/g, encodeURIComponent)
    return text.split('/').map(quote).join('/')
  }

  /** @param omit paths that the URL says already */
  #message(desc: DescMessage, message: Message, path: string, omit: ReadonlySet<string>): unknown {
    if (desc.typeName === FieldMaskSchema.typeName) return this.#mask(message as FieldMask)
    if (desc.typeName.startsWith('google.protobuf.')) return wellKnown(desc, message)
    const entries: [string, unknown][] = []
    for (const field of desc.fields) {
      const at = `${path}.${field.name}`
      if (isFieldSet(message, field) && !(omit.has(at) && this.#chance())) {
        entries.push([this.#name(field), this.#value(field, fieldValue(message, field), at, omit)])
      } else if (!isFieldSet(message, field) && this.#random.below(8) === 0) entries.push([this.#name(field), null])
    }
    if (this.#chance()) entries.reverse()
    return Object.fromEntries(entries)
  }

  #value(field: DescField, value: unknown, path: string, omit: ReadonlySet<string>): unknown {
    if (field.fieldKind === 'list') return (value as unknown[]).map((one) => this.#element(field, one, path, omit))
    if (field.fieldKind !== 'map') return this.#element(field, value, path, omit)
    const entries = Object.entries(value as object)
    return Object.fromEntries(entries.map(([key, one]) => [key, this.#element(field, one, path, omit)]))
  }

  #element(field: DescField, value: unknown, path: string, omit: ReadonlySet<string>): unknown {
    if (field.scalar !== undefined) return this.#scalar(field.scalar, value)
    if (field.enum !== undefined) return (this.#chance() && field.enum.value[value as number]?.name) || value
    const desc = field.message
    if (field.fieldKind === 'message' && field.oneof === undefined && isWrapperDesc(desc)) {
      return this.#scalar((desc.fields[0] as DescField & { fieldKind: 'scalar' }).scalar, value)
    }
    return this.#message(desc, value as Message, path, omit)
  }

  #scalar(type: ScalarType, value: unknown): unknown {
    if (type === ScalarType.BYTES) {
      const text = Buffer.from(value as Uint8Array).toString(this.#chance() ? 'base64' : 'base64url')
      return this.#chance() ? text : text.replace(/=+$/, '')
    }
    if (type === ScalarType.STRING || type === ScalarType.BOOL) return value
    const number = Number(value)
    return Number.isSafeInteger(number) && this.#chance() ? number : String(value)
  }

  #mask({ paths }: FieldMask): string {
    if (paths.some((path) => !/^[a-z_.*]+$/.test(path))) throw new Unspeakable('a field mask')
    const camel = (path: string) => path.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
    return (this.#chance() ? paths : paths.map(camel)).join(',')
  }

  #query(field: DescField, value: unknown, name: string): string[] {
    if (field.fieldKind === 'map') throw new Unspeakable('a map in a query')
    if (field.fieldKind === 'list') return (value as unknown[]).map((one) => this.#pair(name, field, one))
    const desc = field.message
    const nested = desc !== undefined && !desc.typeName.startsWith('google.protobuf.')
    if (!nested) return [this.#pair(name, field, value)]
    const set = desc.fields.filter((inner) => isFieldSet(value as Message, inner))
    return set.flatMap((inner) =>
      this.#query(inner, fieldValue(value as Message, inner), `${name}.${this.#name(inner)}`),
    )
  }

  #pair(name: string, field: DescField, value: unknown): string {
    return `${encodeURIComponent(name)}=${encodeURIComponent(String(this.#element(field, value, name, new Set())))}`
  }
}

/** The text of a field that a path variable names, nested ones too. */
function textAt(desc: DescMessage, message: Message, path: string): string {
  const [head = '', ...rest] = path.split('.')
  const field = desc.fields.find(({ name }) => name === head)
  if (field === undefined || !isFieldSet(message, field)) return ''
  const value = fieldValue(message, field)
  if (rest.length > 0) return textAt(field.message as DescMessage, value as Message, rest.join('.'))
  return String(value).toWellFormed()
}

function wellKnown(desc: DescMessage, message: Message): unknown {
  try {
    return toJson(desc, message)
  } catch (error) {
    throw new Unspeakable(String(error))
  }
}
