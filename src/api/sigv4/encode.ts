/**
 * How Signature Version 4 writes paths and queries. Text from the request's head is what Node makes of its bytes, one
 * character a byte, so that nothing here depends on an encoding.
 */
import { invalid } from './fault.ts'

const UNRESERVED = /[A-Za-z0-9_.~-]/
const HEX = '0123456789ABCDEF'

/** What each byte becomes. */
const ESCAPED: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  const text = String.fromCharCode(byte)
  return UNRESERVED.test(text) ? text : `%${HEX[byte >> 4]}${HEX[byte & 15]}`
})

const escapeByte = (character: string): string => ESCAPED[character.charCodeAt(0)] ?? ''

/** Bytes that are not ASCII only become so after `escapeByte`; what is beyond a byte can't come from a request's head. */
const escapeAll = (text: string): string => text.replace(/[^A-Za-z0-9_.~-]/g, escapeByte)

const BROKEN_ESCAPE = /%(?![0-9A-Fa-f]{2}).{0,2}/
const badEscape = (text: string) => invalid(`Illegal hex character in escape % pattern: ${text}`)

/** Escapes that the client wrote stay, in capitals; everything else that needs one gets it. */
function canonicalComponent(text: string): string {
  const broken = BROKEN_ESCAPE.exec(text)
  if (broken !== null) throw badEscape(broken[0])
  const bytes = text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return escapeAll(bytes)
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** Parameters in the order of their names, then of their values, less those of `without`. */
export function canonicalQuery(query: string, without: ReadonlySet<string> = new Set()): string {
  if (query === '') return ''
  const parameters: (readonly [name: string, value: string])[] = []
  for (const part of query.split('&')) {
    if (part === '') continue
    const equals = part.indexOf('=')
    const name = canonicalComponent(equals === -1 ? part : part.slice(0, equals))
    if (without.has(name)) continue
    parameters.push([name, equals === -1 ? '' : canonicalComponent(part.slice(equals + 1))])
  }
  parameters.sort((a, b) => compare(a[0], b[0]) || compare(a[1], b[1]))
  return parameters.map(([name, value]) => `${name}=${value}`).join('&')
}

/** RFC 3986 section 5.2.4, and no empty segment. */
function normalize(path: string): string {
  const kept: string[] = []
  for (const segment of path.split('/')) {
    if (segment === '' || segment === '.') continue
    if (segment === '..') kept.pop()
    else kept.push(segment)
  }
  const open = kept.length > 0 && /\/\.{0,2}$/.test(path)
  return `/${kept.join('/')}${open ? '/' : ''}`
}

/**
 * The path as it came, escaped once more: what a client has escaped already is escaped twice, as every service but S3
 * wants it.
 */
export function canonicalPath(path: string, normalized: boolean): string {
  if (path === '/' || path === '') return '/'
  return (normalized ? normalize(path) : path).split('/').map(escapeAll).join('/')
}

/** A query's parameters, decoded; the first of a name counts. UTF-8 where they are not ASCII. */
export function queryParameters(query: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const part of query.split('&')) {
    const [name = '', ...value] = part.split('=')
    const decoded = decode(name)
    if (!found.has(decoded)) found.set(decoded, decode(value.join('=')))
  }
  return found
}

function decode(text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    throw badEscape(BROKEN_ESCAPE.exec(text)?.[0] ?? text.slice(0, 3))
  }
}
