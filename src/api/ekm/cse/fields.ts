/** The members of a request's body, each bounded. What is not known is ignored. */
import { isRecord } from '../../../core/record.ts'
import { decodeBase64 } from '../../codec/base64.ts'
import { badField } from './errors.ts'

/** base64 of so many bytes. */
const encoded = (bytes: number): number => Math.ceil(bytes / 3) * 4

export class Fields {
  readonly #members: Readonly<Record<string, unknown>>

  /** @throws CseFault */
  constructor(body: unknown) {
    if (!isRecord(body)) throw badField('body', 'is no JSON object')
    this.#members = body
  }

  /** @param max bytes of UTF-8 */
  optional(name: string, max: number): string | undefined {
    const value = this.#members[name]
    if (value === undefined || value === null) return undefined
    if (typeof value !== 'string') throw badField(name, 'is no text')
    if (Buffer.byteLength(value) > max) throw badField(name, `has more than ${max} bytes`)
    return value
  }

  text(name: string, max: number): string {
    const value = this.optional(name, max)
    if (value === undefined || value === '') throw badField(name, 'is missing')
    return value
  }

  /** Base64 of 1 to `max` bytes. */
  bytes(name: string, max: number): Uint8Array {
    const bytes = decodeBase64(this.text(name, encoded(max) + 4))
    if (bytes === undefined || bytes.length === 0) throw badField(name, 'is no base64')
    if (bytes.length > max) throw badField(name, `has more than ${max} bytes`)
    return bytes
  }

  /** Empty where it is not there. */
  optionalBytes(name: string, max: number): Uint8Array {
    const value = this.#members[name]
    return value === undefined || value === null || value === '' ? new Uint8Array(0) : this.bytes(name, max)
  }

  integer(name: string): number | undefined {
    const value = this.#members[name]
    if (value === undefined || value === null) return undefined
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
      throw badField(name, 'is no whole number')
    return value
  }
}
