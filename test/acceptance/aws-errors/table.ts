/** Tables of how each operation ends: what is asked, after which preparation, and the error or the answer's members. */
import type { ErrorShape } from '../../../src/api/aws/gen/errors.ts'
import type { OperationName } from '../../../src/api/aws/gen/operations.ts'
import type { Kind, World } from './world.ts'

export type Request = Readonly<Record<string, unknown>>

export type Row = {
  readonly name: string
  /** Members of the answer; absent where the request is refused. */
  readonly answers?: readonly string[]
  /** Absent: it succeeds. */
  readonly error?: ErrorShape
  /** Absent: the home Region. */
  readonly region?: string
  /** Prepares what the request is about, anew for every client where a request would use it up. */
  request(world: World): Request | Promise<Request>
}
export type Table = { readonly [Name in OperationName]?: readonly Row[] }

type Ask = Row['request']
export const succeeds = (answers: readonly string[], request: Ask, name = 'success'): Row => ({
  name,
  answers,
  request,
})
export const fails = (error: ErrorShape, request: Ask, name: string = error): Row => ({ name, error, request })

export const UNKNOWN = '00000000-0000-4000-8000-000000000000'
export const bytes = (length: number): Uint8Array => new Uint8Array(length).fill(7)

/** What every request about one key is refused for. */
type Common = 'NotFoundException' | 'DisabledException' | 'KMSInvalidStateException' | 'InvalidArnException'
type OfKey = (world: World, KeyId: string) => Request | Promise<Request>

/** A key that is not there, is disabled or waits for its deletion, or an alias where only a key will do. */
export function aboutKey(kind: Kind, request: OfKey, errors: readonly Common[]): readonly Row[] {
  const ask: Readonly<Record<Common, Ask>> = {
    NotFoundException: (world) => request(world, UNKNOWN),
    DisabledException: async (world) => request(world, await world.key(kind, 'disabled')),
    KMSInvalidStateException: async (world) => request(world, await world.key(kind, 'deleted')),
    InvalidArnException: (world) => request(world, 'alias/any'),
  }
  return errors.map((error) => fails(error, ask[error]))
}

type Use = {
  readonly kind: Kind
  /** Of keys that don't have the operation. */
  readonly other: Kind
  /** Other than of requests about one key, and those of the use. */
  readonly request: OfKey
  readonly answers: readonly string[]
}

/** What every use of a key is refused for. */
export function usesKey({ kind, other, request, answers }: Use): readonly Row[] {
  const own = async (world: World, more: Request = {}) => ({
    ...(await request(world, await world.key(kind))),
    ...more,
  })
  return [
    succeeds(answers, (world) => own(world)),
    ...aboutKey(kind, request, ['NotFoundException', 'DisabledException', 'KMSInvalidStateException']),
    fails('InvalidKeyUsageException', async (world) => request(world, await world.key(other))),
    fails('InvalidGrantTokenException', (world) => own(world, { GrantTokens: ['no token'] })),
    fails('DryRunOperationException', (world) => own(world, { DryRun: true })),
  ]
}

/** Nothing has been made of the key's first version. */
export const unavailable = (kind: Kind, request: OfKey): Row =>
  fails('KeyUnavailableException', async (world) => request(world, await world.key(kind, 'empty')))
