/** What an exposure lets a caller do with what the path names, and for which reason. */
import {
  ACCESS_REASONS,
  type AccessReason,
  type CloudEkmConfig,
  type CloudEkmRules,
} from '../../../config/exposures/cloud-ekm.ts'
import type { KeyReference } from '../../../core/reference.ts'
import type { Fields } from './fields.ts'
import type { Place } from './names.ts'

const USES: ReadonlySet<string> = new Set(['encrypt', 'decrypt', 'sign', 'get-public-key'])
const COORDINATED: ReadonlySet<string> = new Set([...USES, 'schedule-deletion'])
const IN_SPACE: ReadonlySet<string> = new Set(['create-key', 'get-ring'])

export type CryptoSpace = CloudEkmConfig['cryptoSpaces'][number]

export type Grant = {
  readonly key: KeyReference
  readonly space: CryptoSpace | undefined
  readonly actions: ReadonlySet<string>
  readonly reasons: CloudEkmRules['reasons']
}

/** What is asked of a crypto space is of none. */
const NO_KEY: KeyReference = { by: 'id', id: '' }

export class Rules {
  readonly #keys: ReadonlyMap<string, CloudEkmConfig['keys'][number]>
  readonly #spaces: ReadonlyMap<string, CryptoSpace>
  readonly #callers: ReadonlySet<string>

  constructor({ keys, cryptoSpaces }: CloudEkmConfig) {
    this.#keys = new Map(keys.map((key) => [key.id, key]))
    this.#spaces = new Map(cryptoSpaces.map((space) => [space.name, space]))
    this.#callers = new Set([...keys, ...cryptoSpaces].flatMap(({ callers }) => [...callers]))
  }

  /** Whether the caller may do anything at all here; to others every path is denied alike. */
  knows(email: string): boolean {
    return this.#callers.has(email)
  }

  /** Undefined: nothing. What is another caller's is as little there as what is nobody's. */
  grant(place: Place, email: string): Grant | undefined {
    if (place.on === 'host') return undefined
    if (place.on === 'key' && place.space === undefined) {
      const entry = this.#keys.get(place.id)
      if (entry === undefined || !entry.callers.has(email)) return undefined
      return { key: entry.key, space: undefined, actions: USES, reasons: entry.reasons }
    }
    const space = this.#spaces.get(place.space ?? '')
    if (space === undefined || !space.callers.has(email)) return undefined
    const { reasons } = space
    if (place.on === 'space') return { key: NO_KEY, space, actions: IN_SPACE, reasons }
    // The ring is the crypto space's own: whatever is in it is the space's.
    const key = { by: 'name', ring: { by: 'name', name: space.ring }, name: place.id } as const
    return { key, space, actions: COORDINATED, reasons }
  }
}

const KNOWN: ReadonlySet<string> = new Set(ACCESS_REASONS)
export const REASON_FIELD = 'additionalContext.accessReasonContext.reason'

/** proto3 leaves the first value of an enumeration out; a reason that is new here is known to be that. */
export function reasonOf(context: Fields | undefined): AccessReason {
  if (context === undefined) return 'UNAVAILABLE'
  const reason = context.text('reason') ?? 'REASON_UNSPECIFIED'
  return KNOWN.has(reason) ? (reason as AccessReason) : 'UNKNOWN'
}
