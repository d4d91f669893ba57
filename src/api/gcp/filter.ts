/** The filter language of lists: https://cloud.google.com/kms/docs/sorting-and-filtering */
import type { DescMessage, Message } from '@bufbuild/protobuf'
import { type Comparator, type Operator, resolve } from './filter-field.ts'
import { badField } from './status.ts'

/** Characters, and nested parentheses and negations: both bound the work that one row can be. */
const MAX_LENGTH = 4096
const MAX_DEPTH = 32
const SHOWN = 60

type Token =
  | { readonly kind: 'open' | 'close' | 'minus' | 'end'; readonly text: string; readonly at: number }
  | { readonly kind: 'operator'; readonly text: Operator; readonly at: number }
  | { readonly kind: 'word' | 'text'; readonly text: string; readonly at: number }
export type Matches = (message: Message) => boolean

const SPACE = /[ \t\r\n]*/y
// `=>` is how Google's page spells "greater than or equal to".
const OPERATOR = /<=|>=|=>|!=|=|<|>|:/y
const PATH = /[A-Za-z_][A-Za-z0-9_]*(?:\.[^\s()"'=<>!:.]+)*/y
const VALUE = /[^\s()"'=<>!]+/y
const QUOTED = /"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'/sy

const refuse = (reason: string): Error => badField('filter', `Invalid filter: ${reason}.`)

class Parser {
  readonly #text: string
  readonly #desc: DescMessage
  #at = 0
  #depth = 0

  constructor(text: string, desc: DescMessage) {
    this.#text = text
    this.#desc = desc
  }

  parse(): Matches {
    const matches = this.#conjunction()
    const rest = this.#peek(PATH)
    if (rest.kind !== 'end') throw this.#unexpected(rest)
    return matches
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at
    return pattern.exec(this.#text)
  }

  /** The next token; `words` is what a word may be here. */
  #peek(words: RegExp): Token {
    this.#at += this.#match(SPACE)?.[0].length ?? 0
    const at = this.#at
    const character = this.#text[at]
    if (character === undefined) return { kind: 'end', text: '', at }
    if (character === '(') return { kind: 'open', text: character, at }
    if (character === ')') return { kind: 'close', text: character, at }
    if (character === '-' && words === PATH) return { kind: 'minus', text: character, at }
    const word = this.#match(words)
    if (word !== null) return { kind: 'word', text: word[0], at }
    const operator = this.#match(OPERATOR)
    if (operator !== null) return { kind: 'operator', text: operator[0] as Operator, at }
    const quoted = this.#match(QUOTED)
    if (quoted !== null) return { kind: 'text', text: quoted[0], at }
    throw refuse(`what starts at position ${at} is not of the filter language`)
  }

  #take(token: Token): void {
    this.#at = token.at + token.text.length
  }

  #unexpected({ kind, text, at }: Token): Error {
    if (kind === 'end') return refuse('it ends too early')
    return refuse(`${JSON.stringify(text.slice(0, SHOWN))} is not expected at position ${at}`)
  }

  /** Factors side by side, with AND or without: OR binds tighter. */
  #conjunction(): Matches {
    const all = [this.#disjunction()]
    for (;;) {
      const next = this.#peek(PATH)
      if (next.kind === 'end' || next.kind === 'close') break
      if (next.kind === 'word' && next.text === 'AND') this.#take(next)
      all.push(this.#disjunction())
    }
    return all.length === 1 ? (all[0] as Matches) : (message) => all.every((matches) => matches(message))
  }

  #disjunction(): Matches {
    const any = [this.#term()]
    for (;;) {
      const next = this.#peek(PATH)
      if (next.kind !== 'word' || next.text !== 'OR') break
      this.#take(next)
      any.push(this.#term())
    }
    return any.length === 1 ? (any[0] as Matches) : (message) => any.some((matches) => matches(message))
  }

  #term(): Matches {
    const token = this.#peek(PATH)
    const negated = token.kind === 'minus' || (token.kind === 'word' && token.text === 'NOT')
    if (!negated && token.kind !== 'open') return this.#restriction()
    this.#depth += 1
    if (this.#depth > MAX_DEPTH) throw refuse(`it is nested deeper than ${MAX_DEPTH} levels`)
    this.#take(token)
    const matches = negated ? this.#term() : this.#conjunction()
    if (!negated) {
      const close = this.#peek(PATH)
      if (close.kind !== 'close') throw this.#unexpected(close)
      this.#take(close)
    }
    this.#depth -= 1
    return negated ? (message) => !matches(message) : matches
  }

  #restriction(): Matches {
    const path = this.#peek(PATH)
    if (path.kind !== 'word' || path.text === 'AND' || path.text === 'OR') throw this.#unexpected(path)
    this.#take(path)
    const operator = this.#peek(PATH)
    if (operator.kind !== 'operator') throw this.#unexpected(operator)
    this.#take(operator)
    const value = this.#peek(VALUE)
    if (value.kind !== 'word' && value.kind !== 'text') throw this.#unexpected(value)
    this.#take(value)
    const text = value.kind === 'word' ? value.text : value.text.slice(1, -1).replace(/\\(.)/gs, '$1')
    const compare: Comparator = resolve(this.#desc, path.text, operator.text, text, (reason) =>
      refuse(`${JSON.stringify(path.text.slice(0, SHOWN))} ${reason}`),
    )
    return compare
  }
}

/** @throws RpcError INVALID_ARGUMENT, naming what is wrong */
export function readFilter(text: string, desc: DescMessage): Matches | undefined {
  if (text.length > MAX_LENGTH) throw refuse(`it is longer than ${MAX_LENGTH} characters`)
  if (text.trim() === '') return undefined
  return new Parser(text, desc).parse()
}
