/**
 * Texts of a policy as tests of a value. In a pattern `*` stands for any text and `?` for any character; `${name}` is a
 * variable, `${name, 'default'}` one that falls back, and `${*}`, `${?}` and `${$}` are the characters themselves. What a
 * variable stands for is taken literally, wildcards in it included, and a text with a variable that the request has no
 * value of matches nothing.
 */

/** The value of a variable, whose name is in lower case; undefined: the request has none. */
export type Variables = (name: string) => string | undefined
export type Matcher = (value: string, variables: Variables) => boolean

/** UTF-16 units, and the two wildcards. */
type Glob = readonly number[]
const STAR = -1
const ANY = -2

type Part = { readonly text: string } | { readonly name: string; readonly fallback: string | undefined }

const ESCAPES: ReadonlySet<string> = new Set(['*', '?', '$'])
const VARIABLE = /\$\{([*?$]|[^{}]*)\}/g
const WITH_DEFAULT = /^([^,]*?)\s*,\s*'(.*)'$/

/** Literals apart from variables. An escaped character is a variable that stands for itself. */
function partsOf(text: string): readonly Part[] {
  const parts: Part[] = []
  let at = 0
  for (const match of text.matchAll(VARIABLE)) {
    if (match.index > at) parts.push({ text: text.slice(at, match.index) })
    const inside = match[1] ?? ''
    const [, name = inside, fallback] = WITH_DEFAULT.exec(inside) ?? []
    parts.push({ name: name.trim().toLowerCase(), fallback })
    at = match.index + match[0].length
  }
  if (at < text.length) parts.push({ text: text.slice(at) })
  return parts
}

function resolve({ name, fallback }: Exclude<Part, { text: string }>, variables: Variables): string | undefined {
  return ESCAPES.has(name) ? name : (variables(name) ?? fallback)
}

/** Whether there is something in a text that only a request gives a meaning to. */
const isDynamic = (text: string): boolean => text.includes('${')

function pushUnits(glob: number[], text: string): void {
  for (let index = 0; index < text.length; index++) glob.push(text.charCodeAt(index))
}

function pushPattern(glob: number[], text: string): void {
  for (let index = 0; index < text.length; index++) {
    const unit = text[index]
    if (unit === '*') glob.push(STAR)
    else if (unit === '?') glob.push(ANY)
    else glob.push(text.charCodeAt(index))
  }
}

/** Undefined where a variable has no value. */
function globOf(parts: readonly Part[], variables: Variables): Glob | undefined {
  const glob: number[] = []
  for (const part of parts) {
    if ('text' in part) {
      pushPattern(glob, part.text)
      continue
    }
    const value = resolve(part, variables)
    if (value === undefined) return undefined
    pushUnits(glob, value)
  }
  return glob
}

/** Never goes back beyond the last star, so that the work is bounded by the product of the lengths. */
function globMatches(glob: Glob, text: string): boolean {
  let at = 0
  let star = -1
  let resume = 0
  for (let position = 0; position < text.length; ) {
    const wanted = glob[at]
    if (wanted === STAR) {
      star = at++
      resume = position
    } else if (wanted === ANY || wanted === text.charCodeAt(position)) {
      at++
      position++
    } else if (star >= 0) {
      at = star + 1
      position = ++resume
    } else {
      return false
    }
  }
  while (glob[at] === STAR) at++
  return at === glob.length
}

const WILDCARD = /[*?]/

/** The commonest patterns need no walk. */
function staticPattern(text: string): Matcher {
  if (text === '*') return () => true
  if (!WILDCARD.test(text)) return (value) => value === text
  const prefix = text.slice(0, -1)
  if (text.endsWith('*') && !WILDCARD.test(prefix)) return (value) => value.startsWith(prefix)
  const glob: number[] = []
  pushPattern(glob, text)
  return (value) => globMatches(glob, value)
}

/** `dynamic`: whether `${…}` is a variable at all. */
export function pattern(text: string, dynamic: boolean): Matcher {
  if (!dynamic || !isDynamic(text)) return staticPattern(text)
  const parts = partsOf(text)
  return (value, variables) => {
    const glob = globOf(parts, variables)
    return glob !== undefined && globMatches(glob, value)
  }
}

/** A text without wildcards, for comparing with values; undefined where a variable has no value. */
export function template(text: string, dynamic: boolean): (variables: Variables) => string | undefined {
  if (!dynamic || !isDynamic(text)) return () => text
  const parts = partsOf(text)
  return (variables) => {
    const values = parts.map((part) => ('text' in part ? part.text : resolve(part, variables)))
    return values.includes(undefined) ? undefined : values.join('')
  }
}

const COLON = 58
const ARN_PARTS = 6

function split(glob: Glob): readonly Glob[] {
  const parts: number[][] = [[]]
  for (const unit of glob) {
    if (unit === COLON && parts.length < ARN_PARTS) parts.push([])
    else parts.at(-1)?.push(unit)
  }
  return parts
}

function splitText(text: string): readonly string[] {
  const parts = text.split(':')
  return [...parts.slice(0, ARN_PARTS - 1), parts.slice(ARN_PARTS - 1).join(':')]
}

/** ARNs are compared part by part, so that a wildcard never crosses a colon but in the last part. */
export function arnPattern(text: string, dynamic: boolean): Matcher {
  const parts = dynamic ? partsOf(text) : [{ text }]
  return (value, variables) => {
    const glob = globOf(parts, variables)
    if (glob === undefined) return false
    const wanted = split(glob)
    const given = splitText(value)
    if (wanted.length !== ARN_PARTS || given.length !== ARN_PARTS) return false
    return wanted.every((part, index) => globMatches(part, given[index] ?? ''))
  }
}
