/** Index entries: how tuples of strings become keys, ranges and cursors that every store orders alike. */
import { invalidArgument } from '../core/error.ts'
import type { Order } from '../core/ports.ts'
import { type CollectionName, type IndexName, indexesOf, SCHEMA } from '../core/schema.ts'
import type { AnyRow } from './codec.ts'

/** A row's place in one index. `key` is unique in it: that of a unique index is its tuple, of another its tuple and the id. */
export type Entry = { readonly index: string; readonly unique: boolean; readonly key: string }

const START = '\u0000'
const END = '\u0000'
/** Starts no component, so that no prefix of components reaches into the id. */
const ID_MARK = '\u0001\u0000'
// biome-ignore lint/suspicious/noControlCharactersInRegex: the two characters that keys use themselves
const RESERVED = /[\u0000\u0001]/g

const escapeReserved = (text: string): string =>
  text.replace(RESERVED, (unit) => (unit === '\u0000' ? '\u0001\u0001' : '\u0001\u0002'))

/**
 * Injective, in the order of the tuples' UTF-16 code units, and one encoding is a prefix of another exactly where the
 * tuple is.
 */
export function encodeTuple(tuple: readonly string[]): string {
  let key = START
  for (const component of tuple) key += escapeReserved(component) + END
  return key
}

/** Keys that start with the tuple are those from its encoding up to, but without, this. */
export const endOfPrefix = (encoded: string): string => `${encoded.slice(0, -1)}\u0001`

/** The first key after this one. */
export const nextKey = (key: string): string => `${key}\u0000`

export function entriesOf(collection: CollectionName, row: AnyRow): readonly Entry[] {
  const entries: Entry[] = []
  // The row is of this collection by the type of `Write`, which a loop over names can't carry.
  for (const [index, { unique, key }] of Object.entries(
    indexesOf(collection) as ReturnType<typeof indexesOf<CollectionName>>,
  )) {
    const tuple = key(row as never)
    if (tuple === undefined) continue
    const encoded = encodeTuple(tuple)
    entries.push({ index, unique, key: unique ? encoded : encoded + ID_MARK + encodeTuple([row.id]) })
  }
  return entries
}

export function isUniqueIndex<C extends CollectionName>(collection: C, index: IndexName<C>): boolean {
  return indexesOf(collection)[index]?.unique === true
}

/** Key bytes whose memcmp order is the order of the strings: UTF-16, big endian. */
export const keyBytes = (key: string): Buffer => Buffer.from(key, 'utf16le').swap16()

export const encodeCursor = (key: string): string => keyBytes(key).toString('base64url')

/** @throws KmsError `invalid_argument` for what is no cursor; a forged one only moves inside the prefix */
export function decodeCursor(cursor: string): string {
  const bytes = Buffer.from(cursor, 'base64url')
  if (bytes.length === 0 || bytes.length % 2 !== 0 || bytes.toString('base64url') !== cursor) {
    throw invalidArgument('after', 'not a cursor')
  }
  return bytes.swap16().toString('utf16le')
}

export function checkLimit(limit: number): void {
  if (!Number.isInteger(limit) || limit < 1) throw invalidArgument('limit', 'not a positive integer')
}

export type Range = { readonly from: string; readonly to: string; readonly order: Order }

/** Where a page starts and ends: `from` is in, `to` is not. */
export function pageRange(prefix: readonly string[], after: string | undefined, order: Order = 'ascending'): Range {
  const start = encodeTuple(prefix)
  const end = endOfPrefix(start)
  if (after === undefined) return { from: start, to: end, order }
  const last = decodeCursor(after)
  const before = last < start
  const behind = last >= end
  if (order === 'descending') return { from: start, to: behind ? end : last, order }
  return { from: before ? start : nextKey(last), to: end, order }
}

/** Changes when an index does, so that a store can tell that its entries are of another make. */
export const indexFingerprint = (): string =>
  JSON.stringify(
    Object.entries(SCHEMA).map(([collection, indexes]) => [
      collection,
      Object.entries(indexes as Record<string, { unique: boolean; key: unknown }>).map(([name, { unique, key }]) => [
        name,
        unique,
        String(key),
      ]),
    ]),
  )
