/**
 * JSON as strictly as a key service should read it: valid UTF-8, no duplicate names, nothing that reaches a prototype,
 * bounded depth, no lone surrogates (they would all encode to the same U+FFFD bytes, and two encryption contexts would
 * become one).
 */
import { isUtf8 } from 'node:buffer'
import { KmsError } from '../../core/error.ts'

/** A body that is not acceptable JSON; dialects that have an error of their own for it test for this class. */
export class JsonError extends KmsError {
  constructor(reason: string) {
    super('invalid_argument', { field: 'body', reason })
  }
}

export type JsonLimits = { readonly depth: number }

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a

/** Index after the string that starts at `start`; the text's length if it does not end. */
function skipString(text: string, start: number): number {
  let end = start
  for (;;) {
    end = text.indexOf('"', end + 1)
    if (end === -1) return text.length
    let backslashes = 0
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes++
    if (backslashes % 2 === 0) return end + 1
  }
}

type Scan = {
  readonly members: number
  /** Some member's name is written with an escape. */
  readonly escapedNames: boolean
}

/** Counts the members written in `text` and bounds its depth, before anything is built from it. */
function scan(text: string, maxDepth: number): Scan {
  const mayEscape = text.includes('\\')
  let [members, depth, escapedNames] = [0, 0, false]
  let [lastStart, lastEnd] = [0, 0]
  for (let i = 0; i < text.length; ) {
    const code = text.charCodeAt(i)
    if (code === QUOTE) {
      lastStart = i
      i = lastEnd = skipString(text, i)
      continue
    }
    if (code === COLON) {
      members++
      escapedNames ||= mayEscape && text.slice(lastStart, lastEnd).includes('\\')
    } else if (code === 0x7b || code === 0x5b) {
      if (++depth > maxDepth) throw new JsonError(`nested more than ${maxDepth} levels deep`)
    } else if (code === 0x7d || code === 0x5d) depth--
    i++
  }
  return { members, escapedNames }
}

const parseText = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    throw new JsonError('not valid JSON')
  }
}

function isColonNext(text: string, start: number): boolean {
  let i = start
  while (' \t\n\r'.includes(text.charAt(i)) && i < text.length) i++
  return text.charCodeAt(i) === COLON
}

/** Members of `value` are numbered; `names` has what they were. Recursion is bounded by the depth already checked. */
function rename(value: unknown, names: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((item) => rename(item, names))
  if (typeof value !== 'object' || value === null) return value
  const renamed: Record<string, unknown> = {}
  for (const [numbered, member] of Object.entries(value)) {
    const name = names[Number(numbered.slice(1))] ?? ''
    if (name === '__proto__') throw new JsonError('names __proto__')
    if (Object.hasOwn(renamed, name)) throw new JsonError('names a member twice')
    renamed[name] = rename(member, names)
  }
  return renamed
}

/**
 * V8 13 and 14 read an escaped name as another one that begins with a backslash, once any object had such a name:
 * `{"\u00e9":1}` becomes `{"\\":1}` (nodejs/node#63785). So names with escapes never reach its parser as names: all
 * names are numbered, parsed as values, and put back.
 */
function parseEscaped(text: string): unknown {
  const names: string[] = []
  let numbered = ''
  let copied = 0
  for (let i = text.indexOf('"'); i !== -1; i = text.indexOf('"', i)) {
    const end = skipString(text, i)
    if (isColonNext(text, end)) {
      const name = parseText(text.slice(i, end))
      numbered += `${text.slice(copied, i)}"n${names.length}"`
      names.push(String(name))
      copied = end
    }
    i = end
  }
  return rename(parseText(numbered + text.slice(copied)), names)
}

type Walk = { members: number; readonly checkText: boolean }

function checkName(name: string, value: unknown, checkText: boolean): void {
  if (name === '__proto__') throw new JsonError('names __proto__')
  if (name === 'constructor' && typeof value === 'object' && value !== null && Object.hasOwn(value, 'prototype')) {
    throw new JsonError('names constructor.prototype')
  }
  if (checkText && !name.isWellFormed()) throw new JsonError('contains a lone surrogate')
}

/** Counts the members that survived in `value`. Recursion is bounded by the depth already checked. */
function walk(value: unknown, state: Walk): void {
  if (typeof value === 'string') {
    if (state.checkText && !value.isWellFormed()) throw new JsonError('contains a lone surrogate')
  } else if (Array.isArray(value)) {
    for (const item of value) walk(item, state)
  } else if (typeof value === 'object' && value !== null) {
    for (const name of Object.keys(value)) {
      const member = (value as Record<string, unknown>)[name]
      checkName(name, member, state.checkText)
      state.members++
      walk(member, state)
    }
  }
}

/**
 * Parses one JSON text. A colon outside a string is one member; if fewer members are in the result than were written,
 * some name was written twice.
 * @throws JsonError, whose reason never quotes the text
 */
export function parseJson(bytes: Uint8Array, limits: JsonLimits): unknown {
  if (!isUtf8(bytes)) throw new JsonError('not valid UTF-8')
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
  const { members, escapedNames } = scan(text, limits.depth)
  const value = escapedNames ? parseEscaped(text) : parseText(text)
  const state: Walk = { members: 0, checkText: text.includes('\\u') }
  walk(value, state)
  if (state.members !== members) throw new JsonError('names a member twice')
  return value
}
