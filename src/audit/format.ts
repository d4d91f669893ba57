/**
 * The log's bytes. A record is one line of JSON that ends with its MAC:
 *
 *     {"seq":7,"id":"…","time":…,…,"mac":"<43 characters of base64url>"}
 *
 * MAC = HMAC-SHA256(key, MAC of the record before, as written, then the line up to `,"mac"`). It is taken over bytes as
 * they stand in the file, so that nothing needs a canonical form. The first record of a file names the MAC before it as
 * `prev`; the first of all has zeros there.
 *
 * A checkpoint is a line {"seq","mac","time","signature"}: Ed25519 over a label and the line up to `,"signature"`.
 */
import { createHmac, type KeyObject, sign, timingSafeEqual, verify } from 'node:crypto'
import type { AuditRecord } from '../core/ports.ts'

/** Where the chain stands: the last record's number and MAC. */
export type Head = { readonly seq: number; readonly mac: string }

export const GENESIS: Head = { seq: 0, mac: Buffer.alloc(32).toString('base64url') }

/** In the order they are written. `id` comes first: `recordIds` looks for it. */
const FIELDS = [
  'id',
  'time',
  'requestId',
  'clientRequestId',
  'dialect',
  'wire',
  'operation',
  'action',
  'principal',
  'method',
  'identity',
  'exposure',
  'exposedKey',
  'behalfPrincipal',
  'behalfCorrelation',
  'behalfOperation',
  'behalfKey',
  'behalfService',
  'behalfNetwork',
  'behalfEndpoint',
  'behalfReason',
  'rule',
  'address',
  'about',
  'realm',
  'ring',
  'key',
  'secret',
  'version',
  'sourceKey',
  'sourceVersion',
  'algorithm',
  'decision',
  'grant',
  'leftOut',
  'outcome',
  'durationMs',
] as const satisfies readonly (keyof AuditRecord)[]

/** Fails to compile when a field of the record is not in the list. */
type Unlisted = Exclude<keyof AuditRecord, (typeof FIELDS)[number]>
const HEADS: readonly {
  readonly field: keyof AuditRecord | Unlisted
  readonly head: string
  readonly quoted: string
}[] = FIELDS.map((field) => ({ field, head: `,"${field}":`, quoted: `,"${field}":"` }))

const MAC_HEAD = ',"mac":"'
const MAC_LENGTH = 43
const MAC_TAIL = '"}'
const MAC_SUFFIX = MAC_HEAD.length + MAC_LENGTH + MAC_TAIL.length
/** Of any one field, in UTF-16 units. Nothing that a surface lets through is longer. */
const MAX_FIELD = 2048
/** Of a line, in bytes: every field at its longest, every character escaped. */
export const MAX_LINE = FIELDS.length * (MAX_FIELD * 6 + 32) + 256

const macOf = (key: KeyObject, previous: string, body: string | Uint8Array): string =>
  createHmac('sha256', key).update(previous).update(body).digest('base64url')

/** Text that JSON writes as it stands: most of a record's fields. */
const PLAIN = /^[\w:./@+-]*$/

const numberText = (value: number): string => (Number.isFinite(value) ? String(value) : 'null')

function stringText(value: string): string {
  return JSON.stringify(value.length > MAX_FIELD ? value.slice(0, MAX_FIELD) : value)
}

/** Each from its comma on. The texts are looked at once, all together: nearly always none needs an escape. */
function fieldsText(record: AuditRecord): string {
  let text = ''
  let strings = ''
  for (const { field, head, quoted } of HEADS) {
    const value = record[field]
    if (typeof value === 'string') {
      strings += value
      text += `${quoted + value}"`
    } else if (value !== undefined) text += head + numberText(value)
  }
  return strings.length <= MAX_FIELD && PLAIN.test(strings) ? text : escapedFieldsText(record)
}

function escapedFieldsText(record: AuditRecord): string {
  let text = ''
  for (const { field, head } of HEADS) {
    const value = record[field]
    if (value !== undefined) text += head + (typeof value === 'string' ? stringText(value) : numberText(value))
  }
  return text
}

/** HMAC-SHA256 of a text under the chain's key, in base64url. */
export type Mac = (text: string) => string

export const macUnder =
  (key: KeyObject): Mac =>
  (text) =>
    createHmac('sha256', key).update(text).digest('base64url')

/** The line of the record that follows `head`, without its newline. `first`: it starts a file. */
export function encodeRecord(mac: Mac, head: Head, record: AuditRecord, first: boolean): { line: string; head: Head } {
  const seq = head.seq + 1
  const body = `{"seq":${seq}${first ? `,"prev":"${head.mac}"` : ''}${fieldsText(record)}`
  const next = mac(head.mac + body)
  return { line: body + MAC_HEAD + next + MAC_TAIL, head: { seq, mac: next } }
}

/** What the end of the file must be after the head's record. */
export const lineEnd = (head: Head): string => `${MAC_HEAD}${head.mac}${MAC_TAIL}\n`

/** A line taken apart, its MAC not looked at. */
export type ParsedLine = {
  readonly seq: number
  readonly mac: string
  readonly prev: string | undefined
  readonly body: Uint8Array
}

const PREFIX = /^\{"seq":([1-9]\d{0,15})(?:,"prev":"([\w-]{43})")?,"id":"/
const SUFFIX = /^,"mac":"([\w-]{43})"\}$/

/** Undefined for what `encodeRecord` can't have written. */
export function parseLine(line: Uint8Array): ParsedLine | undefined {
  const bytes = Buffer.from(line.buffer, line.byteOffset, line.byteLength)
  const body = bytes.subarray(0, Math.max(0, bytes.length - MAC_SUFFIX))
  const prefix = PREFIX.exec(body.toString('latin1', 0, 128))
  const suffix = SUFFIX.exec(bytes.toString('latin1', body.length))
  if (prefix?.[1] === undefined || suffix?.[1] === undefined) return undefined
  return { seq: Number(prefix[1]), mac: suffix[1], prev: prefix[2], body }
}

const sameText = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))

/** Whether the line is the record that follows one with this MAC. */
export const followsMac = (key: KeyObject, previous: string, line: ParsedLine): boolean =>
  (line.prev === undefined || line.prev === previous) && sameText(macOf(key, previous, line.body), line.mac)

/** Quotes inside strings are escaped, so that this stands nowhere but at a record's id. */
const ID_HEAD = '"id":"'

/** The ids of the records in a piece of a file, which may start and end anywhere. */
export function* recordIds(piece: Uint8Array): Generator<string> {
  const text = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength).toString('latin1')
  for (let at = text.indexOf(ID_HEAD); at !== -1; at = text.indexOf(ID_HEAD, at + 1)) {
    const start = at + ID_HEAD.length
    const end = text.indexOf('"', start)
    if (end !== -1) yield text.slice(start, end)
  }
}

export type Checkpoint = Head & {
  /** ms since the epoch. */
  readonly time: number
}

const CHECKPOINT_LABEL = 'trefoil audit checkpoint 1\n'
const CHECKPOINT = /^(\{"seq":([1-9]\d{0,15}),"mac":"([\w-]{43})","time":(\d{1,16}))(?:,"signature":"([\w-]{86})"\})$/

export function encodeCheckpoint(signer: KeyObject, { seq, mac, time }: Checkpoint): string {
  const body = `{"seq":${seq},"mac":"${mac}","time":${time}`
  const signature = sign(null, Buffer.from(CHECKPOINT_LABEL + body), signer).toString('base64url')
  return `${body},"signature":"${signature}"}\n`
}

/** Undefined unless the public key's owner signed it. */
export function openCheckpoint(publicKey: KeyObject, line: string): Checkpoint | undefined {
  const match = CHECKPOINT.exec(line)
  const [, body, seq, mac, time, signature] = match ?? []
  if (body === undefined || mac === undefined || signature === undefined) return undefined
  const genuine = verify(null, Buffer.from(CHECKPOINT_LABEL + body), publicKey, Buffer.from(signature, 'base64url'))
  return genuine ? { seq: Number(seq), mac, time: Number(time) } : undefined
}
