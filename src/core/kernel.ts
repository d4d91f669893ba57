/**
 * The one pipeline every request takes (design section 3): resolve, decide, check, run, commit, audit, answer. The
 * record is durable before the answer leaves; a mutation's record is committed with the mutation.
 */
import { randomUUID } from 'node:crypto'
import type { KeyUse } from './algorithm.ts'
import type { Backends } from './backends.ts'
import { checkAlgorithm, checkUse } from './checks.ts'
import { type ErrorCode, KmsError } from './error.ts'
import { effectiveKeyState, keyStateError, type Realm, versionStateError } from './key.ts'
import { isUse, LastUses } from './last-use.ts'
import { MessageCounter } from './message-counter.ts'
import type {
  Call,
  Demand,
  Env,
  KeyOperation,
  KeyTarget,
  Operation,
  Outcome,
  SecretInput,
  SecretOperation,
  SecretTarget,
  UseTarget,
  VersionOperation,
  VersionTarget,
} from './operation.ts'
import { Outbox } from './outbox.ts'
import type { AuditLog, AuditRecord, Authorizer, Clock, Sealer, Store, Write } from './ports.ts'
import type { KeyReference } from './reference.ts'
import { Resolver } from './resolver.ts'
import type { RingKeys } from './ring-keys.ts'
import type { RingSettingsOf } from './ring-settings.ts'

export type KernelDeps = {
  readonly store: Store
  readonly backends: Backends
  readonly sealer: Sealer
  readonly ringKeys: Pick<RingKeys, 'get'>
  readonly ringSettings: RingSettingsOf
  readonly audit: AuditLog
  readonly authorizer: Authorizer
  readonly clock: Clock
  /** Whether unknown realms and vaults come into being when they are first named (dev). */
  readonly provision: boolean
  /** Told of every commit, so that what it made due is scheduled. */
  readonly committed?: (writes: readonly Write[]) => void
}

/** Under contention each round lets at least one writer through; more rivals than this on one row is a client's fault. */
const MAX_ATTEMPTS = 64

const NOT_FOUND: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'realm_not_found',
  'ring_not_found',
  'key_not_found',
  'version_not_found',
  'alias_not_found',
  'secret_not_found',
  'deletion_not_found',
])

/** What one request has come to know, for its audit record and its error. */
type Trace = {
  readonly id: string
  readonly startedAt: number
  readonly ticks: number
  decision: AuditRecord['decision']
  /** The grant that allowed, where none of the policies did. */
  grant?: string
  realm?: Realm
  target?: Partial<VersionTarget & SecretTarget>
  source?: VersionTarget & { readonly use: KeyUse | undefined }
  about?: string
  algorithm?: string
  use?: KeyUse
}

export class Kernel {
  readonly #deps: KernelDeps
  readonly #resolver: Resolver
  readonly #outbox: Outbox
  readonly #lastUses: LastUses
  readonly #messages: MessageCounter

  constructor(deps: KernelDeps) {
    this.#deps = deps
    this.#resolver = new Resolver(deps)
    this.#outbox = new Outbox(deps.store, deps.audit)
    this.#lastUses = new LastUses(deps.store, deps.clock)
    this.#messages = new MessageCounter(deps.store)
  }

  /** Drains the records that an earlier process had committed but not yet chained. Before the first request. */
  async start(): Promise<void> {
    await this.#outbox.recover()
    await this.#lastUses.start()
  }

  /** Writes what was kept in memory. After the last request. */
  async stop(): Promise<void> {
    await this.#lastUses.stop()
  }

  /** @throws KmsError, with the key it is about as its subject where one was found */
  async execute<I, O>(operation: Operation<I, O>, input: I, call: Call): Promise<O> {
    const { audit, clock } = this.#deps
    if (!audit.available) throw new KmsError('audit_unavailable')
    const trace: Trace = { id: randomUUID(), startedAt: clock.now(), ticks: performance.now(), decision: 'none' }
    let outcome: Outcome<O>
    try {
      await this.#outbox.settle()
      outcome = await this.#attempt(operation, input, call, trace)
    } catch (cause) {
      const error = this.#withSubject(KmsError.from(cause), trace)
      await audit.append(record(operation, call, trace, error.code))
      throw error
    }
    if (outcome.writes === undefined || outcome.writes.length === 0) {
      await audit.append(record(operation, call, trace, 'ok'))
    } else {
      await this.#outbox.settle()
    }
    this.#noteUse(input, outcome.output, call, trace)
    return outcome.output
  }

  #noteUse(input: unknown, output: unknown, call: Call, trace: Trace): void {
    if (!isUse(input, output)) return
    const used = [trace.source, { key: trace.target?.key, use: trace.use }]
    for (const { key, use } of used.filter((one) => one !== undefined)) {
      if (key === undefined || use === undefined) continue
      this.#lastUses.note({
        id: key.id,
        use,
        dialect: call.dialect,
        wire: call.wire,
        at: trace.startedAt,
        requestId: call.requestId,
        recordId: trace.id,
      })
    }
  }

  async #attempt<I, O>(operation: Operation<I, O>, input: I, call: Call, trace: Trace): Promise<Outcome<O>> {
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.#run(operation, input, call, trace)
      if (outcome.subject !== undefined) trace.target = { ...trace.target, ...(outcome.subject as Trace['target']) }
      if (outcome.about !== undefined) trace.about = outcome.about
      if (outcome.writes === undefined || outcome.writes.length === 0) return outcome
      try {
        await this.#outbox.commit(outcome.writes, record(operation, call, trace, 'ok'))
        this.#deps.committed?.(outcome.writes)
        return outcome
      } catch (error) {
        await outcome.undo?.()
        if (KmsError.from(error).code !== 'conflict' || attempt === MAX_ATTEMPTS) throw error
      }
    }
  }

  async #run<I, O>(operation: Operation<I, O>, input: I, call: Call, trace: Trace): Promise<Outcome<O>> {
    const { store, backends, sealer, ringKeys, ringSettings, clock } = this.#deps
    const env: Env = {
      store,
      backends,
      sealer,
      ringKeys,
      ringSettings,
      clock,
      lastUses: this.#lastUses,
      messages: this.#messages,
      call,
      now: clock.now(),
    }
    switch (operation.target) {
      case 'realm': {
        const { realm } = await this.#found(() => this.#resolver.scope(call), operation.action, call, trace)
        trace.realm = realm
        await this.#decide(operation.action, call, trace)
        return operation.run(env, { realm }, input)
      }
      case 'ring': {
        const ring = (input as { ring: Parameters<Resolver['ring']>[1] }).ring
        const target = await this.#found(() => this.#ring(ring, call, trace), operation.action, call, trace)
        const existing = operation.existing?.(input as never)
        trace.target = { ...target, ...(existing && (await this.#resolver.existing(target, existing))) }
        await this.#decide(operation.action, call, trace)
        return operation.run(env, target, input as never)
      }
      case 'key':
        return operation.run(env, await this.#keyTarget(operation, input as never, call, trace), input as never)
      case 'version':
        return operation.run(env, await this.#versionTarget(operation, input as never, call, trace), input as never)
      case 'secret':
        return operation.run(env, await this.#secretTarget(operation, input as never, call, trace), input as never)
      case 'use':
        return operation.run(env, await this.#useTarget(operation, operation, input, env, trace), input)
      case 'pair': {
        const source = await this.#useTarget(operation, operation.source, input, env, trace)
        trace.source = { ...source, use: trace.use }
        const destination = await this.#useTarget(operation, operation.destination, input, env, trace)
        return operation.run(env, { source, destination }, input)
      }
    }
  }

  async #ring(reference: Parameters<Resolver['ring']>[1], call: Call, trace: Trace) {
    const scope = await this.#resolver.scope(call)
    trace.realm = scope.realm
    return this.#resolver.ring(scope, reference, call)
  }

  /** Resolves a key and asks whether the caller may; the answer to "is it there?" depends on that (existence rule). */
  async #key(reference: KeyReference, action: string, call: Call, trace: Trace): Promise<KeyTarget> {
    const target = await this.#found(
      async () => {
        const scope = await this.#resolver.scope(call)
        trace.realm = scope.realm
        return this.#resolver.key(scope, reference, call)
      },
      action,
      call,
      trace,
      reference,
    )
    trace.realm = target.realm
    trace.target = target
    await this.#decide(action, call, trace)
    return target
  }

  async #keyTarget(operation: KeyOperation<never, unknown>, input: { key: KeyReference }, call: Call, trace: Trace) {
    const target = await this.#key(input.key, operation.action, call, trace)
    checkKeyState(target, operation.states)
    return target
  }

  async #versionTarget(
    operation: VersionOperation<never, unknown>,
    input: { key: KeyReference; version?: Parameters<Resolver['version']>[1] },
    call: Call,
    trace: Trace,
  ): Promise<VersionTarget> {
    const target = await this.#key(input.key, operation.action, call, trace)
    if (operation.keyStates !== undefined && !operation.keyStates.includes(target.key.state)) {
      if (target.key.state !== 'enabled') throw keyStateError(target.key.state)
    }
    const version = await this.#resolver.version(target, input.version)
    trace.target = { ...target, version }
    if (operation.states !== undefined && !operation.states.includes(version.state)) {
      throw version.state === 'enabled'
        ? new KmsError('version_state', { state: version.state })
        : versionStateError(version.state)
    }
    return { ...target, version }
  }

  async #secretTarget(
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
    const target = await this.#found(resolve, operation.action, call, trace)
    trace.target = target
    await this.#decide(operation.action, call, trace)
    checkSecretLife(target, operation)
    const secretVersion = await this.#resolver.secretVersion(target.secret, input.version)
    trace.target = { ...target, secretVersion }
    if (operation.enabledOnly === true && !secretVersion.enabled) throw new KmsError('secret_disabled')
    return { ...target, secretVersion }
  }

  async #useTarget<I>(
    { name }: { readonly name: string },
    demand: Demand<I> & { readonly action: string },
    input: I,
    env: Env,
    trace: Trace,
  ): Promise<UseTarget> {
    const { action } = demand
    const located = demand.locate(input)
    // The key that the caller named answers first: whether it is there, and whether he may.
    const expected = located.expected && (await this.#key(located.expected, action, env.call, trace))
    const target = await this.#key(located.key, action, env.call, trace)
    if (expected !== undefined && expected.key.id !== target.key.id) throw new KmsError('incorrect_key')
    if (located.version === undefined && target.key.state !== 'enabled') throw keyStateError(target.key.state)
    const version = await this.#resolver.version(target, located.version)
    trace.target = { ...target, version }
    const use = typeof demand.use === 'function' ? demand.use(input, target.key) : demand.use
    trace.use = use
    checkUse(target.key, version, use, env.call, name, env.now)
    const backend = env.backends.named(version.backend)
    const choice = demand.algorithm(input)
    const algorithm = choice === undefined ? undefined : checkAlgorithm(target.key, version, choice, backend, use)
    if (algorithm !== undefined) trace.algorithm = algorithm
    const handle = { ringId: target.ring.id, versionId: version.id, spec: version.spec, ref: version.ref }
    return { ...target, version, backend, handle, algorithm }
  }

  async #decide(action: string, call: Call, trace: Trace, missing?: KeyReference): Promise<void> {
    const { ring, key, secret } = trace.target ?? {}
    const decision = await this.#deps.authorizer.decide({
      principal: call.principal,
      dialect: call.dialect,
      wire: call.wire,
      action,
      realm: trace.realm,
      ring,
      key,
      secret,
      missing,
      aws: call.aws,
    })
    trace.decision = decision.allow ? 'allow' : 'deny'
    if (!decision.allow) {
      const { reason, message } = decision
      throw new KmsError(
        'access_denied',
        { action, ...(message !== undefined && { message }) },
        { cause: new Error(reason) },
      )
    }
    if (decision.grant !== undefined) trace.grant = decision.grant
  }

  /** What is not there is "not found" only to those who may ask; to others it is denied like anything else. */
  async #found<T>(
    resolve: () => Promise<T>,
    action: string,
    call: Call,
    trace: Trace,
    reference?: KeyReference,
  ): Promise<T> {
    try {
      return await resolve()
    } catch (error) {
      if (NOT_FOUND.has(KmsError.from(error).code)) await this.#decide(action, call, trace, reference)
      throw error
    }
  }

  #withSubject(error: KmsError, trace: Trace): KmsError {
    const { realm, key, ring, version } = trace.target ?? {}
    if (realm !== undefined && key !== undefined && ring !== undefined) {
      error.subject = {
        realm,
        keyId: key.id,
        keyName: key.name,
        ringName: ring.name,
        ...(version && { version: version.number }),
      }
    }
    return error
  }
}

function checkKeyState(target: KeyTarget, states: KeyOperation<never, unknown>['states']): void {
  if (states === undefined) return
  const state = effectiveKeyState(target.key, target.current)
  if (states.includes(state)) return
  throw state === 'enabled' ? new KmsError('key_not_pending_deletion') : keyStateError(state)
}

/** A deleted secret has left: only what asks for deleted ones finds it. */
function checkSecretLife(
  { secret }: Omit<SecretTarget, 'secretVersion'>,
  { expect }: SecretOperation<never, unknown>,
): void {
  const reference = secret.name
  if (expect === 'live' && secret.deletion !== undefined) throw new KmsError('secret_not_found', { reference })
  if (expect === 'deleted' && secret.deletion === undefined) throw new KmsError('secret_not_deleted', { reference })
}

function record(operation: Operation, call: Call, trace: Trace, outcome: string): AuditRecord {
  const { ring, key, version, secret, secretVersion } = trace.target ?? {}
  const number = version?.number ?? secretVersion?.number
  return {
    id: trace.id,
    time: trace.startedAt,
    requestId: call.requestId,
    ...(call.clientRequestId !== undefined && { clientRequestId: call.clientRequestId }),
    dialect: call.dialect,
    wire: call.wire,
    operation: operation.name,
    action: operation.action,
    principal: call.principal.id,
    method: call.principal.method,
    ...(call.principal.aws && { identity: call.principal.aws.arn }),
    ...(trace.about !== undefined && { about: trace.about }),
    ...(trace.realm && { realm: trace.realm.id }),
    ...(ring && { ring: ring.id }),
    ...(key && { key: key.id }),
    ...(secret && { secret: secret.id }),
    ...(number !== undefined && { version: number }),
    ...(trace.source && { sourceKey: trace.source.key.id, sourceVersion: trace.source.version.number }),
    ...(trace.algorithm !== undefined && { algorithm: trace.algorithm }),
    decision: trace.decision,
    ...(trace.grant !== undefined && { grant: trace.grant }),
    outcome,
    durationMs: Math.round((performance.now() - trace.ticks) * 1000) / 1000,
  }
}
