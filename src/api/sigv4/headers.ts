/** The headers of a request as a signature sees them: in order, with duplicates, one character a byte. */
import { Lru } from '../../core/lru.ts'
import type { ClaimRules } from './claim.ts'
import { incomplete, invalid } from './fault.ts'

export type HeaderList = {
  /** Lower-case names and values by turns. */
  readonly list: readonly string[]
  readonly authorization: string | undefined
  readonly date: string | undefined
  readonly token: string | undefined
  /** The name that its host goes by: HTTP/2 has `:authority` for Host. */
  readonly hostName: 'host' | ':authority'
}

/** Of these a second one could make the server act on another than was signed. */
const SINGLE: ReadonlySet<string> = new Set([
  'authorization',
  'content-type',
  'host',
  'x-amz-content-sha256',
  'x-amz-date',
  'x-amz-security-token',
  'x-amz-target',
])

/** @throws SignatureFault where a header that decides something is there twice */
export function readHeaders(rawHeaders: readonly string[]): HeaderList {
  const list = new Array<string>(rawHeaders.length)
  const seen: Partial<Record<string, string>> = Object.create(null)
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? '').toLowerCase()
    const value = rawHeaders[index + 1] ?? ''
    list[index] = name
    list[index + 1] = value
    if (SINGLE.has(name)) {
      if (seen[name] !== undefined) throw incomplete(`The request has more than one '${name}' header.`)
      seen[name] = value
    } else if (name === 'date') seen.date ??= value
  }
  return {
    list,
    authorization: seen.authorization,
    date: seen['x-amz-date'] ?? seen.date,
    token: seen['x-amz-security-token'],
    hostName: seen.host === undefined ? ':authority' : 'host',
  }
}

type NameList = { readonly names: string; readonly places: ReadonlyMap<string, number> }

/** Clients sign the same few lists of headers over and over. */
const lists = new Lru<NameList>({ maxEntries: 512, maxCost: 256 * 1024 })

function nameList(text: string): NameList {
  const known = lists.get(text)
  if (known !== undefined) return known
  const names = [...new Set(text.toLowerCase().split(';'))].sort()
  const list = { names: names.join(';'), places: new Map(names.map((name, place) => [name, place])) }
  lists.set(text, list, text.length)
  return list
}

/** Node takes the outer white space off; what is left of it inside counts as one space. */
const tidy = (value: string): string =>
  /^[ \t\r\n]|[\t\r\n]| {2}| $/.test(value) ? value.replace(/[ \t\r\n]+/g, ' ').trim() : value

/**
 * The lines of the signed headers. A header that is signed and not there has an empty value.
 * @param host instead of the request's own
 * @throws SignatureFault where one that must be signed is not
 */
export function headersFor(
  signedHeaders: string,
  { list, hostName }: HeaderList,
  { mustSign }: Pick<ClaimRules, 'mustSign'>,
  host?: string,
): { readonly lines: string; readonly names: string } {
  const { names, places } = nameList(signedHeaders)
  const values = new Array<string | undefined>(places.size)
  // Whichever of its two names the client signed it under.
  const hostPlace = places.get('host') ?? places.get(':authority')
  if (hostPlace === undefined) {
    throw invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
  }
  for (let index = 0; index < list.length; index += 2) {
    const name = list[index] ?? ''
    const place = places.get(name) ?? (name === hostName ? hostPlace : undefined)
    if (place === undefined) {
      if (mustSign(name)) throw invalid(`'${name}' must be a 'SignedHeader' in the AWS Authorization.`)
      continue
    }
    const value = place === hostPlace && host !== undefined ? host : tidy(list[index + 1] ?? '')
    const before = values[place]
    values[place] = before === undefined ? value : `${before},${value}`
  }
  let lines = ''
  for (const [name, place] of places) lines += `${name}:${values[place] ?? ''}\n`
  return { lines, names }
}
