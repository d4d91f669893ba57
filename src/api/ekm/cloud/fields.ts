/**
 * Proto3 JSON as it was seen to come: names in camel case, snake case or odd capitals, null for what is not there, base64
 * of either alphabet. What is not known is ignored.
 */
import { isRecord } from '../../../core/record.ts'
import { decodeBase64 } from '../../codec/base64.ts'
import { badField } from './errors.ts'

const fold = (name: string): string => name.replaceAll('_', '').toLowerCase()

export class Fields {
  readonly #members = new Map<string, unknown>()
  readonly #path: string

  /** @throws CloudFault for what is no object, or says a field twice */
  constructor(value: unknown, path = '') {
    this.#path = path
    if (!isRecord(value)) throw badField(path || 'body', 'is no JSON object')
    for (const [name, member] of Object.entries(value)) {
      if (member === null) continue
      const folded = fold(name)
      if (this.#members.has(folded)) throw badField(this.#named(name.slice(0, 64)), 'is there twice')
      this.#members.set(folded, member)
    }
  }

  #named(name: string): string {
    return this.#path === '' ? name : `${this.#path}.${name}`
  }

  #get(name: string): unknown {
    return this.#members.get(fold(name))
  }

  has(name: string): boolean {
    return this.#members.has(fold(name))
  }

  object(name: string): Fields | undefined {
    const value = this.#get(name)
    return value === undefined ? undefined : new Fields(value, this.#named(name))
  }

  text(name: string): string | undefined {
    const value = this.#get(name)
    if (value === undefined || typeof value === 'string') return value
    throw badField(this.#named(name), 'is no text')
  }

  texts(name: string): readonly string[] {
    const value = this.#get(name) ?? []
    if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value
    throw badField(this.#named(name), 'is no list of texts')
  }

  flag(name: string): boolean {
    const value = this.#get(name) ?? false
    if (typeof value === 'boolean') return value
    throw badField(this.#named(name), 'is neither true nor false')
  }

  bytes(name: string): Uint8Array | undefined {
    const text = this.text(name)
    const bytes = text === undefined ? undefined : decodeBase64(text)
    if (text !== undefined && bytes === undefined) throw badField(this.#named(name), 'is no base64')
    return bytes
  }

  /** A field whose absence would more likely be a mistake than mean nothing. */
  required(name: string): Uint8Array {
    const bytes = this.bytes(name)
    if (bytes === undefined) throw badField(this.#named(name), 'is missing')
    return bytes
  }
}
