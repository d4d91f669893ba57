/**
 * What a request's head says of its signature, before its body is read: who claims to have signed, when, for what, and
 * which headers. Everything that needs no secret is refused here.
 */
import { canonicalPath, canonicalQuery, queryParameters } from './encode.ts'
import { incomplete, invalid, SignatureFault } from './fault.ts'
import { type HeaderList, headersFor, readHeaders } from './headers.ts'
import { parseTimestamp, type Timestamp } from './timestamp.ts'

const ALGORITHM = 'AWS4-HMAC-SHA256'
const TERMINATOR = 'aws4_request'
const MAX_EXPIRES = 7 * 24 * 60 * 60
const QUERY_PARAMETERS = ['X-Amz-Algorithm', 'X-Amz-Credential', 'X-Amz-Signature', 'X-Amz-SignedHeaders', 'X-Amz-Date']

/** The request as it came off the wire; text is one character a byte. */
export type SignedHead = {
  readonly method: string
  /** Path and query. */
  readonly url: string
  /** Names and values by turns, with duplicates. */
  readonly rawHeaders: readonly string[]
  /** The host that has to be signed, whatever name a proxy in front asks for; undefined: the request's own. */
  readonly host?: string | undefined
}

export type ClaimRules = {
  /** Names that a credential's scope may have for the service; the first is named in refusals. */
  readonly services: readonly string[]
  /** Undefined: any that has the form of one. */
  readonly region?: string
  /** Headers that must be signed where they are there. */
  mustSign(name: string): boolean
  /** Dot segments and empty ones are taken out of the path before it is signed: all services but S3 do. */
  readonly normalizePath: boolean
  /** A session token in the query is added after signing. */
  readonly tokenAfterSigning?: boolean
  readonly skewMs: number
}

export type Claim = {
  readonly accessKeyId: string
  readonly date: string
  readonly region: string
  readonly service: string
  readonly signature: string
  readonly token: string | undefined
  /** Of the string to sign, up to the canonical request's hash. */
  readonly preamble: string
  /** The canonical request up to the body's hash. */
  readonly canonicalHead: string
}

type Parts = {
  readonly credential: string
  readonly signedHeaders: string
  readonly signature: string
  readonly date: Timestamp
  readonly token: string | undefined
  /** Seconds that a query's signature lasts; undefined: the skew decides. */
  readonly expires: number | undefined
}

/**
 * @returns undefined where the request has no signature of any kind
 * @throws SignatureFault
 */
export function readClaim(head: SignedHead, rules: ClaimRules, now: number): Claim | undefined {
  const mark = head.url.indexOf('?')
  const query = mark === -1 ? '' : head.url.slice(mark + 1)
  const headers = readHeaders(head.rawHeaders)
  const inQuery = query.includes('X-Amz-Algorithm') ? queryParameters(query) : undefined
  const presigned = inQuery?.has('X-Amz-Algorithm') === true ? inQuery : undefined
  if (headers.authorization === undefined && presigned === undefined) return undefined
  if (headers.authorization !== undefined && presigned !== undefined) {
    throw invalid("Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.")
  }
  const parts = presigned === undefined ? fromHeader(headers) : fromQuery(presigned)
  checkTime(parts, rules.skewMs, now)
  const signed = headersFor(parts.signedHeaders, headers, rules, head.host)
  const scope = checkScope(parts.credential, parts.date, rules)
  const without = new Set(presigned === undefined ? [] : ['X-Amz-Signature'])
  if (rules.tokenAfterSigning === true) without.add('X-Amz-Security-Token')
  const path = canonicalPath(mark === -1 ? head.url : head.url.slice(0, mark), rules.normalizePath)
  return {
    ...scope,
    signature: parts.signature,
    token: parts.token,
    preamble: `${ALGORITHM}\n${parts.date.text}\n${scope.date}/${scope.region}/${scope.service}/${TERMINATOR}\n`,
    canonicalHead: `${head.method}\n${path}\n${canonicalQuery(query, without)}\n${signed.lines}\n${signed.names}\n`,
  }
}

/** As every SDK writes it; other spacings and orders take the long way. */
const USUAL = /^AWS4-HMAC-SHA256 Credential=([^\s,=]+), ?SignedHeaders=([^\s,=]+), ?Signature=([^\s,=]+)$/

function fromHeader(headers: HeaderList): Parts {
  const { authorization = '', date, token } = headers
  const [, credential, signedHeaders, signature] = USUAL.exec(authorization) ?? []
  if (credential !== undefined && signedHeaders !== undefined && signature !== undefined && date !== undefined) {
    return { credential, signedHeaders, signature, date: parseTimestamp(date), token, expires: undefined }
  }
  const [, algorithm = '', rest = ''] = /^(\S*)\s*(.*)$/s.exec(authorization) ?? []
  if (algorithm !== ALGORITHM) {
    if (!algorithm.startsWith('AWS')) throw new SignatureFault('missing', 'Missing Authentication Token')
    throw incomplete(`Unsupported AWS 'algorithm': '${algorithm}'.`)
  }
  const pairs = headerPairs(rest)
  const missing = ['Credential', 'Signature', 'SignedHeaders']
    .filter((name) => !pairs.get(name))
    .map((name) => `Authorization header requires '${name}' parameter. `)
  if (date === undefined) {
    missing.push("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ")
  }
  if (missing.length > 0 || date === undefined) throw incomplete(`${missing.join('')}Authorization=${ALGORITHM}`)
  return {
    credential: pairs.get('Credential') ?? '',
    signedHeaders: pairs.get('SignedHeaders') ?? '',
    signature: pairs.get('Signature') ?? '',
    date: parseTimestamp(date),
    token,
    expires: undefined,
  }
}

function headerPairs(text: string): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>()
  for (const pair of text.split(/[,\s]+/)) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    // What stands there may be another scheme's secret, so it is not repeated.
    if (equals === -1)
      throw incomplete('Authorization header has a part that is not a valid key=value pair (missing equal-sign).')
    const name = pair.slice(0, equals)
    if (pairs.has(name)) throw incomplete(`Authorization header has more than one '${name}' parameter.`)
    pairs.set(name, pair.slice(equals + 1))
  }
  return pairs
}

function fromQuery(query: ReadonlyMap<string, string>): Parts {
  const missing = QUERY_PARAMETERS.filter((name) => !query.get(name))
  if (missing.length > 0) {
    const each = missing.map((name) => `AWS query-string parameters must include '${name}'. `)
    throw incomplete(`${each.join('')}Re-examine the query-string parameters.`)
  }
  const algorithm = query.get('X-Amz-Algorithm')
  if (algorithm !== ALGORITHM) throw incomplete(`Unsupported AWS 'algorithm': '${algorithm}'.`)
  const expires = query.get('X-Amz-Expires')
  if (expires !== undefined && !(/^\d{1,6}$/.test(expires) && Number(expires) >= 1 && Number(expires) <= MAX_EXPIRES)) {
    throw incomplete(`X-Amz-Expires must be between 1 and ${MAX_EXPIRES} seconds`)
  }
  return {
    credential: query.get('X-Amz-Credential') ?? '',
    signedHeaders: query.get('X-Amz-SignedHeaders') ?? '',
    signature: query.get('X-Amz-Signature') ?? '',
    date: parseTimestamp(query.get('X-Amz-Date') ?? ''),
    token: query.get('X-Amz-Security-Token'),
    expires: expires === undefined ? undefined : Number(expires),
  }
}

const basic = (time: number): string => `${new Date(time).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`
const minutes = (ms: number): string => `${ms / 60_000} min.`

function checkTime({ date, expires }: Parts, skewMs: number, now: number): void {
  const life = expires === undefined ? skewMs : expires * 1000
  if (date.time < now - life) {
    throw invalid(
      `Signature expired: ${date.text} is now earlier than ${basic(now - life)} (${basic(now)} - ${minutes(life)})`,
    )
  }
  if (date.time > now + skewMs) {
    throw invalid(
      `Signature not yet current: ${date.text} is still later than ${basic(now + skewMs)} (${basic(now)} + ${minutes(skewMs)})`,
    )
  }
}

const REGION = /^[a-z0-9-]{1,32}$/

function checkScope(credential: string, date: Timestamp, rules: ClaimRules) {
  const elements = credential.split('/')
  const [accessKeyId = '', day = '', region = '', service = '', terminator = ''] = elements
  if (elements.length !== 5 || accessKeyId === '') {
    throw incomplete(
      `Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '${credential.slice(0, 256)}'`,
    )
  }
  const wrong: string[] = []
  if (rules.region === undefined ? !REGION.test(region) : region !== rules.region) {
    wrong.push(`Credential should be scoped to a valid region, not '${region}'. `)
  }
  if (!rules.services.includes(service)) {
    wrong.push(`Credential should be scoped to correct service: '${rules.services[0]}'. `)
  }
  if (terminator !== TERMINATOR) {
    wrong.push(`Credential should be scoped with a valid terminator: '${TERMINATOR}', not '${terminator}'. `)
  }
  if (day !== date.text.slice(0, 8)) {
    wrong.push(
      `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${day}' != '${date.text.slice(0, 8)}', from '${date.text}'.`,
    )
  }
  if (wrong.length > 0) throw invalid(wrong.join('').trimEnd())
  return { accessKeyId, date: day, region, service }
}
