/** What is read of a request before any binding sees it. */
import type { FastifyRequest } from 'fastify'
import { invalidArgument } from '../../core/error.ts'
import type { SurfaceSettings } from '../surface.ts'
import { hostOf, parseHost, type VaultHost } from './names.ts'

export type Origin = {
  readonly host: VaultHost
  /** Scheme and authority that names handed out start with: as requested, so that clients find their way back. */
  readonly base: string
  /** True where the caller speaks TLS to us or to a proxy in front. */
  readonly secure: boolean
  /** TCP port the request came in on; undefined without a socket. */
  readonly localPort: number | undefined
}

export function originOf(request: FastifyRequest, settings: SurfaceSettings): Origin {
  const host = parseHost(hostOf(request.headers), settings.vaultDomain)
  const { publicUrl } = settings
  const secure = publicUrl === undefined ? request.client.secure : publicUrl.startsWith('https:')
  const authority = `${host.hostname}${host.port}`
  // A vault is named by its host, which a single public URL cannot say: it stands in for bare hosts only.
  const base =
    host.domain === undefined && publicUrl !== undefined ? publicUrl : `${secure ? 'https' : 'http'}://${authority}`
  return { host, base, secure, localPort: request.socket?.localPort }
}

const NUMBERED = /^7\.[0-9]{1,2}(?:-preview(?:\.[0-9]{1,2})?)?$/
const DATED = /^20[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])(?:-preview)?$/
/** The first version named by a date; later ones only add, so that each SDK release keeps working unasked. */
const FIRST_DATED = '2025-06-01'
/** Named in refusals. */
const NEWEST = '2026-04-01'

/** @throws KmsError invalid_argument when it is missing, given twice or not a version of the service */
export function checkApiVersion(value: unknown): string {
  if (value === undefined || value === '') {
    throw invalidArgument('request', 'api-version must be specified')
  }
  if (typeof value !== 'string') throw invalidArgument('request', 'api-version must be specified once')
  if (NUMBERED.test(value) || (DATED.test(value) && value >= FIRST_DATED)) return value
  const shown = /^[0-9A-Za-z.-]{1,32}$/.test(value) ? value : '?'
  throw invalidArgument(
    'request',
    `The specified version (${shown}) is not recognized. Consider using the latest supported version (${NEWEST}).`,
  )
}

export const MAX_RESULTS = 25

/** `maxresults`: 1 to 25, 25 when absent. */
export function checkMaxResults(value: unknown): number {
  if (value === undefined) return MAX_RESULTS
  const count = typeof value === 'string' && /^[0-9]{1,2}$/.test(value) ? Number(value) : 0
  if (count < 1 || count > MAX_RESULTS) throw invalidArgument('maxresults', `must be between 1 and ${MAX_RESULTS}`)
  return count
}

const CURSOR_LIMIT = 2048

/** `$skiptoken`: what an earlier page's nextLink said. */
export function checkSkipToken(value: unknown): string | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'string' || value.length > CURSOR_LIMIT || !/^[A-Za-z0-9_-]+$/.test(value)) {
    throw invalidArgument('$skiptoken', 'not a continuation of this service')
  }
  return Buffer.from(value, 'base64url').toString('utf8')
}

export const skipToken = (cursor: string): string => Buffer.from(cursor, 'utf8').toString('base64url')
