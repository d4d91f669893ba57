/**
 * Rows as text: JSON, with bytes as `{"$bytes": "<base64>"}` and every other key that starts with `$` doubled or encoded,
 * so that no row is mistaken for another. Values JSON would change silently (NaN, dates, class instances) are refused.
 */

import type { Stored } from '../core/ports.ts'
import type { CollectionName, Rows } from '../core/schema.ts'

export type AnyRow = Rows[CollectionName]
export type AnyStored = Stored<AnyRow>

/** A row of a table is of the table's type, which a map from names to tables can't say. */
export const asStored = <C extends CollectionName>(
  _collection: C,
  row: AnyStored | undefined,
): Stored<Rows[C]> | undefined => row as unknown as Stored<Rows[C]> | undefined

const BYTES = '$bytes'
/** In front of a name in base64 of its UTF-16. */
const ENCODED = '$='

/**
 * A name of tags may be any text. Those that JSON would write with an escape are encoded instead: V8's parser reads an
 * escaped name as another one (nodejs/node#63785).
 */
function nameToWire(name: string): string {
  if (JSON.stringify(name).includes('\\')) return `${ENCODED}${Buffer.from(name, 'utf16le').toString('base64')}`
  return name.startsWith('$') ? `$${name}` : name
}

function nameFromWire(name: string): string {
  if (!name.startsWith('$')) return name
  if (name.startsWith('$$')) return name.slice(1)
  if (name.startsWith(ENCODED)) return Buffer.from(name.slice(ENCODED.length), 'base64').toString('utf16le')
  throw new SyntaxError('a stored row has an unknown tag')
}

function toWire(value: unknown): unknown {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError('a row holds a number that JSON has no form for')
    return value
  }
  if (value instanceof Uint8Array) {
    return { [BYTES]: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') }
  }
  if (Array.isArray(value)) return value.map(toWire)
  if (typeof value === 'object' && isPlain(value)) {
    const entries = Object.entries(value).filter(([, member]) => member !== undefined)
    return Object.fromEntries(entries.map(([name, member]) => [nameToWire(name), toWire(member)]))
  }
  throw new TypeError(`a row holds a ${typeof value} that can't be stored`)
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** Everything it returns is frozen, but for the bytes, which JavaScript can't freeze. */
function fromWire(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return Object.freeze(value.map(fromWire))
  if (Object.hasOwn(value, BYTES)) return bytesFromWire(value as Record<string, unknown>)
  const entries = Object.entries(value).map(([name, member]) => [nameFromWire(name), fromWire(member)] as const)
  return Object.freeze(Object.fromEntries(entries))
}

function bytesFromWire(tagged: Record<string, unknown>): Uint8Array {
  const text = tagged[BYTES]
  if (typeof text !== 'string' || Object.keys(tagged).length !== 1)
    throw new SyntaxError('a stored row has malformed bytes')
  const bytes = Buffer.from(text, 'base64')
  if (bytes.toString('base64') !== text) throw new SyntaxError('a stored row has malformed bytes')
  // A copy of its own: small Buffers share a pool, whose `.buffer` would reach other rows' bytes.
  return new Uint8Array(bytes)
}

/** The row without its revision, which the store keeps beside it. @throws TypeError for what can't be stored */
export function encodeRow(row: AnyRow): string {
  const { revision: _, ...fields } = row as AnyRow & { readonly revision?: number }
  return JSON.stringify(toWire(fields))
}

/** @throws SyntaxError for anything but what `encodeRow` wrote for this id */
export function decodeRow(id: string, revision: number, body: string): AnyStored {
  const row = fromWire(JSON.parse(body))
  if (typeof row !== 'object' || row === null || !('id' in row) || row.id !== id) {
    throw new SyntaxError('a stored row is not the one its key names')
  }
  return Object.freeze({ ...row, revision }) as AnyStored
}
