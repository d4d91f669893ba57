/** From what an operation demands to the rows it may work on: found, decided on, and checked, in this order. */
import {
  checkAlgorithm,
  checkConnected,
  checkKeyState,
  checkSecretLife,
  checkUse,
  checkVersionState,
} from './checks.ts'
import { type ErrorCode, KmsError } from './error.ts'
import { andThen, type Eventually } from './eventually.ts'
import { handleOf, isInUse, type Key, type KeyRing, keyStateError, type Realm } from './key.ts'
import { KnownKeys, RecordedReads } from './known-keys.ts'
import type {
  Call,
  Demand,
  Elsewhere,
  Env,
  Existing,
  KeyOperation,
  KeyTarget,
  Located,
  RealmTarget,
  RingTarget,
  SecretInput,
  SecretOperation,
  SecretTarget,
  UseTarget,
  VersionInput,
  VersionOperation,
  VersionTarget,
} from './operation.ts'
import type { Authorizer, Decision, Store } from './ports.ts'
import type { KeyReference, RingReference, SecretReference } from './reference.ts'
import { Resolver, type ResolverDeps } from './resolver.ts'
import { newTrace, type Trace } from './trace.ts'

const NOT_FOUND: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'realm_not_found',
  'ring_not_found',
  'key_not_found',
  'version_not_found',
  'alias_not_found',
  'secret_not_found',
  'deletion_not_found',
])

/** What was looked for: a key, and the ring that it or a secret was to be in. */
type Sought = { readonly key?: KeyReference; readonly ring?: RingReference | undefined }

const ringOf = (reference: KeyReference | SecretReference): RingReference | undefined =>
  reference.by === 'name' && !('realm' in reference && reference.realm !== undefined) ? reference.ring : undefined

export type TargetDeps = ResolverDeps & { readonly authorizer: Authorizer }

/** Every method writes what it finds into the trace, and asks the authorizer before it tells whether a thing is there. */
export class Targets {
  readonly #store: Store
  readonly #authorizer: Authorizer
  readonly #resolver: Resolver
  readonly #known: KnownKeys

  constructor(deps: TargetDeps) {
    this.#store = deps.store
    this.#authorizer = deps.authorizer
    this.#resolver = new Resolver(deps)
    this.#known = new KnownKeys(deps.store)
  }

  /** What an operation does beyond its target. */
  elsewhere(call: Call): Elsewhere {
    return {
      ring: async (realm) => {
        const there = { ...call, realm }
        return this.#resolver.ring(await this.#resolver.scope(there), { by: 'default' }, there)
      },
      authorize: async (action, target) => {
        const trace = { ...newTrace(0), realm: target.realm, ring: target.ring, key: target.key }
        await this.#decide(action, call, trace)
      },
      held: async (rights, target) => {
        const held: string[] = []
        for (const right of rights) if (await this.#holds(right, target, call)) held.push(right)
        return held
      },
    }
  }

  async realm(action: string, call: Call, trace: Trace): Promise<RealmTarget> {
    const { realm } = await this.#found(() => this.#resolver.scope(call), action, call, trace)
    trace.realm = realm
    await this.#decide(action, call, trace)
    return { realm }
  }

  /** `existing`: whether the caller may is asked of it, where it is there. */
  async ring(
    action: string,
    reference: RingReference,
    existing: Existing | undefined,
    call: Call,
    trace: Trace,
  ): Promise<RingTarget> {
    const resolve = async () => {
      const scope = await this.#resolver.scope(call)
      trace.realm = scope.realm
      return this.#resolver.ring(scope, reference, call)
    }
    const target = await this.#found(resolve, action, call, trace)
    trace.ring = target.ring
    if (existing !== undefined) Object.assign(trace, await this.#resolver.existing(target, existing))
    await this.#decide(action, call, trace)
    return target
  }

  key(
    { action, states }: KeyOperation<never, unknown>,
    reference: KeyReference,
    call: Call,
    trace: Trace,
  ): Eventually<KeyTarget> {
    return andThen(this.#key(reference, action, call, trace), (target) => {
      checkKeyState(target, states)
      return target
    })
  }

  async version(
    operation: VersionOperation<never, unknown>,
    input: VersionInput,
    call: Call,
    trace: Trace,
  ): Promise<VersionTarget> {
    const target = await this.#key(input.key, operation.action, call, trace)
    if (operation.keyStates !== undefined && !operation.keyStates.includes(target.key.state)) {
      if (target.key.state !== 'enabled') throw keyStateError(target.key.state)
    }
    const version = await this.#resolver.version(target, input.version)
    trace.version = version
    checkVersionState(version, operation.states)
    return { ...target, version }
  }

  async secret(
    operation: SecretOperation<never, unknown>,
    input: SecretInput,
    call: Call,
    trace: Trace,
  ): Promise<SecretTarget> {
    const resolve = async () => {
      const scope = await this.#resolver.scope(call)
      trace.realm = scope.realm
      return this.#resolver.secret(scope, input.secret, call)
    }
    const target = await this.#found(resolve, operation.action, call, trace, { ring: ringOf(input.secret) })
    trace.ring = target.ring
    trace.secret = target.secret
    await this.#decide(operation.action, call, trace)
    checkSecretLife(target, operation)
    const secretVersion = await this.#resolver.secretVersion(target.secret, input.version)
    trace.secretVersion = secretVersion
    if (operation.enabledOnly === true && !secretVersion.enabled) throw new KmsError('secret_disabled')
    return { ...target, secretVersion }
  }

  /** `name`: of the operation, for messages. */
  use<I>(
    name: string,
    demand: Demand<I> & { readonly action: string },
    input: I,
    env: Env,
    trace: Trace,
  ): Eventually<UseTarget> {
    const located = demand.locate(input)
    return andThen(this.#located(located, demand.action, env.call, trace), (target) => {
      const { key } = target
      if (isInUse(key)) checkConnected(target)
      else if (located.version === undefined && key.state !== 'enabled') throw keyStateError(key.state)
      return andThen(this.#resolver.version(target, located.version), (version) => {
        trace.version = version
        const use = typeof demand.use === 'function' ? demand.use(input, target.key) : demand.use
        trace.use = use
        checkUse(target.key, version, use, env.call, name, env.now)
        const backend = env.backends.named(version.backend)
        const choice = demand.algorithm(input)
        const algorithm = choice === undefined ? undefined : checkAlgorithm(target.key, version, choice, backend, use)
        if (algorithm !== undefined) trace.algorithm = algorithm
        const handle = handleOf(target.ring, version)
        return { ...target, version, use, backend, handle, algorithm }
      })
    })
  }

  /** The key that the caller named answers first: whether it is there, and whether he may. */
  #located({ key, expected }: Located, action: string, call: Call, trace: Trace): Eventually<KeyTarget> {
    if (expected === undefined) return this.#key(key, action, call, trace)
    return andThen(this.#key(expected, action, call, trace), (named) =>
      // Another key is none of the caller's business, and the one that he named was decided on.
      andThen(this.#findAnother(key, action, call, trace), (target) => {
        trace.realm = named.realm
        if (named.key.id !== target.key.id) throw new KmsError('incorrect_key')
        return target
      }),
    )
  }

  /** Resolves a key and asks whether the caller may; the answer to "is it there?" depends on that (existence rule). */
  #key(reference: KeyReference, action: string, call: Call, trace: Trace): Eventually<KeyTarget> {
    return andThen(this.#find(reference, action, call, trace), (target) => {
      trace.realm = target.realm
      trace.ring = target.ring
      trace.key = target.key
      trace.version = undefined
      return andThen(this.#decide(action, call, trace), () => target)
    })
  }

  /** Which key a ciphertext is of that is not the named one's, if any, says nothing more than that it is not. */
  #findAnother(reference: KeyReference, action: string, call: Call, trace: Trace): Eventually<KeyTarget> {
    const found = this.#find(reference, action, call, trace)
    if (!(found instanceof Promise)) return found
    return found.catch((error: unknown) => {
      throw KmsError.from(error).code === 'invalid_ciphertext' ? new KmsError('invalid_ciphertext') : error
    })
  }

  #find(reference: KeyReference, action: string, call: Call, trace: Trace): Eventually<KeyTarget> {
    const known = this.#known.get(reference, call)
    const sought = { key: reference, ring: ringOf(reference) }
    return known ?? this.#found(() => this.#look(reference, call, trace), action, call, trace, sought)
  }

  async #look(reference: KeyReference, call: Call, trace: Trace): Promise<KeyTarget> {
    const reads = new RecordedReads(this.#store)
    const scope = await this.#resolver.scope(call, reads)
    trace.realm = scope.realm
    const target = await this.#resolver.key(scope, reference, call, reads)
    if (target.realm.id === scope.realm.id) this.#known.set(reference, call, target, reads)
    return target
  }

  #decide(action: string, call: Call, trace: Trace, missing?: KeyReference): Eventually<void> {
    const { realm, ring, key, secret } = trace
    const { principal, dialect, wire, right, aws, exposed } = call
    call.admit?.(key)
    const source = trace.source?.key
    const about = { realm, ring, key, secret, source, missing }
    const request = { principal, dialect, wire, action, right, ...about, aws, exposed }
    return andThen(this.#authorizer.decide(request), (decision) => applyDecision(decision, action, trace))
  }

  async #holds(
    right: string,
    { realm, ring, key }: { readonly realm: Realm; readonly ring: KeyRing; readonly key?: Key },
    { principal, dialect, wire, aws, exposed }: Call,
  ): Promise<boolean> {
    const about = { realm, ring, key, secret: undefined, source: undefined, missing: undefined }
    const request = { principal, dialect, wire, action: 'hold-right', right, ...about, aws, exposed }
    return (await this.#authorizer.decide(request)).allow
  }

  /** What is not there is "not found" only to those who may ask; to others it is denied like anything else. */
  async #found<T>(
    resolve: () => Promise<T>,
    action: string,
    call: Call,
    trace: Trace,
    sought: Sought = {},
  ): Promise<T> {
    try {
      return await resolve()
    } catch (error) {
      if (!NOT_FOUND.has(KmsError.from(error).code)) throw error
      trace.ring ??= await this.#ringAround(sought, call, trace)
      await this.#decide(action, call, trace, sought.key)
      throw error
    }
  }

  /** The ring that what is missing would be in: rights may be given on it. */
  async #ringAround({ ring }: Sought, call: Call, trace: Trace): Promise<KeyRing | undefined> {
    if (ring === undefined || trace.realm === undefined) return undefined
    try {
      return (await this.#resolver.ring(await this.#resolver.scope(call), ring, call)).ring
    } catch (error) {
      if (NOT_FOUND.has(KmsError.from(error).code)) return undefined
      throw error
    }
  }
}

function applyDecision(decision: Decision, action: string, trace: Trace): void {
  trace.decision = decision.allow ? 'allow' : 'deny'
  if (!decision.allow) {
    const { reason, message } = decision
    const params = { action, ...(message !== undefined && { message }) }
    throw new KmsError('access_denied', params, { cause: new Error(reason) })
  }
  if (decision.grant !== undefined) trace.grant = decision.grant
}
