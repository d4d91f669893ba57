/**
 * Two tokens with the same keys as one: the vendor clones what is in them, here is chosen which one is asked. The choice is
 * sticky: it changes when the token that serves can't, not when the other one is back.
 */
import { randomUUID } from 'node:crypto'
import type { Algorithm, KeySpec } from '../core/algorithm.ts'
import { KmsError } from '../core/error.ts'
import type { CallContext } from '../core/ports.ts'
import type { HsmConfig, TokenCalls, TokenClient, TokenUse } from './client.ts'
import type { CallName, Calls, Profile, TokenIdentity } from './protocol.ts'

/** A token that went away in silence is noticed before it is needed. */
const CHECK_MS = 5000
/** What changes both: a key that is destroyed in one of them only would live on. */
const ON_BOTH: ReadonlySet<CallName> = new Set(['destroyKey'])

const isAway = (error: unknown): boolean => error instanceof KmsError && error.code === 'backend_unavailable'
const isGone = (error: unknown): boolean =>
  isAway(error) || (error instanceof KmsError && error.code === 'backend_timeout')

export class TokenPair implements TokenCalls {
  readonly name: string
  readonly #onEvent: HsmConfig['onEvent']
  /** The one that is asked, and the one that stands by. */
  #serving: TokenClient
  #standing: TokenClient
  #shared: { readonly of: readonly Profile[]; readonly profile: Profile } | undefined
  readonly #checks: NodeJS.Timeout

  constructor(first: TokenClient, second: TokenClient, onEvent?: HsmConfig['onEvent']) {
    this.name = first.name
    this.#serving = first
    this.#standing = second
    this.#onEvent = onEvent
    this.#checks = setInterval(() => void this.#check(), CHECK_MS).unref()
  }

  async start(): Promise<void> {
    const standing = this.#standing.start()
    await this.#serving.start()
    if (!this.#serving.serves) await standing
    this.#choose()
  }

  get token(): TokenIdentity | undefined {
    return this.#serving.token ?? this.#standing.token
  }

  /** What both can do, as far as both are known. */
  get profile(): Profile | undefined {
    const known = [this.#serving.profile, this.#standing.profile].filter((profile) => profile !== undefined)
    const [one, other] = known
    if (one === undefined || other === undefined) return one
    if (this.#shared === undefined || !this.#shared.of.every((profile) => known.includes(profile))) {
      this.#shared = { of: known, profile: sharedProfile(one, other) }
    }
    return this.#shared.profile
  }

  /** Whether the other one could take over. */
  get standsBy(): boolean {
    return this.#standing.serves
  }

  get pid(): number | undefined {
    return this.#serving.pid
  }

  get uses(): readonly TokenUse[] {
    return [...this.#serving.uses, ...this.#standing.uses]
  }

  holds(serial: string): boolean {
    return this.#serving.holds(serial) || this.#standing.holds(serial)
  }

  async call<N extends CallName>(name: N, args: Calls[N]['args'], ctx?: CallContext): Promise<Calls[N]['result']> {
    const [serving, standing] = this.#choose()
    if (ON_BOTH.has(name)) {
      // First where it may be refused: a key that is left in one only is used no more, and asked for again.
      await standing.call(name, args, ctx)
      return serving.call(name, args, ctx)
    }
    try {
      return await serving.call(name, args, ctx)
    } catch (error) {
      if (!isGone(error) || !standing.serves || ctx?.signal.aborted) throw error
      this.#prefer(standing, String(error))
      // The deadline of a call that was not answered has passed; the next one goes to the other.
      if (!isAway(error)) throw error
      return standing.call(name, args, ctx)
    }
  }

  /** Rejects only where neither serves. */
  async health(ctx: CallContext): Promise<void> {
    const [serving, standing] = this.#choose()
    try {
      await serving.health(ctx)
    } catch (error) {
      if (!isGone(error)) throw error
      await standing.health(ctx).catch(() => {
        throw error
      })
      this.#prefer(standing, String(error))
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#checks)
    await Promise.all([this.#serving.close(), this.#standing.close()])
  }

  #choose(): readonly [TokenClient, TokenClient] {
    if (!this.#serving.serves && this.#standing.serves) this.#prefer(this.#standing, 'the other does not serve')
    return [this.#serving, this.#standing]
  }

  #prefer(client: TokenClient, reason: string): void {
    if (client === this.#serving) return
    this.#standing = this.#serving
    this.#serving = client
    const { serial = '' } = client.token ?? {}
    this.#onEvent?.({ kind: 'moved', serial, reason })
  }

  async #check(): Promise<void> {
    const ctx = { signal: AbortSignal.timeout(CHECK_MS), requestId: randomUUID() }
    const [serving, standing] = this.#choose()
    const [ours] = await Promise.allSettled([serving.health(ctx), standing.health(ctx)])
    if (ours.status === 'rejected' && isGone(ours.reason) && standing.serves)
      this.#prefer(standing, String(ours.reason))
  }
}

function sharedProfile(one: Profile, other: Profile): Profile {
  const algorithms: Partial<Record<KeySpec, readonly Algorithm[]>> = {}
  for (const [spec, names] of Object.entries(one.algorithms) as [KeySpec, readonly Algorithm[]][]) {
    const both = names.filter((name) => other.algorithms[spec]?.includes(name))
    if (both.length > 0) algorithms[spec] = both
  }
  return { ...one, algorithms, gaps: [...one.gaps, ...other.gaps] }
}
