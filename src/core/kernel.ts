/**
 * The one pipeline every request takes (design section 3): resolve, decide, check, run, commit, audit, answer. The
 * record is durable before the answer leaves; a mutation's record is committed with the mutation.
 */
import type { KeyUse } from './algorithm.ts'
import type { Backends } from './backends.ts'
import { KmsError } from './error.ts'
import { andThen, type Eventually } from './eventually.ts'
import type { Key } from './key.ts'
import type { KeyStoreGateway } from './key-store.ts'
import { isUse, LastUses } from './last-use.ts'
import type { MaterialIds } from './material-ids.ts'
import { MessageCounter } from './message-counter.ts'
import type {
  Call,
  Env,
  KeyInput,
  Operation,
  Outcome,
  PairOperation,
  RingInput,
  SecretInput,
  VersionInput,
} from './operation.ts'
import { Outbox } from './outbox.ts'
import type { AuditLog, Authorizer, Clock, Sealer, Store, Write } from './ports.ts'
import type { CallerQuotas } from './quotas.ts'
import type { RingKeys } from './ring-keys.ts'
import type { RingSettingsOf } from './ring-settings.ts'
import { Strangers } from './strangers.ts'
import { Targets } from './targets.ts'
import { newTrace, recordOf, type Trace, traceOutcome, withSubject } from './trace.ts'

export type KernelDeps = {
  readonly store: Store
  readonly backends: Backends
  readonly sealer: Sealer
  readonly backupSealer: Sealer
  readonly ringKeys: Pick<RingKeys, 'get'>
  readonly ringSettings: RingSettingsOf
  readonly keyStores: KeyStoreGateway
  readonly materialIds: MaterialIds
  readonly audit: AuditLog
  readonly authorizer: Authorizer
  readonly clock: Clock
  readonly quotas?: CallerQuotas | undefined
  /** Whether unknown realms and vaults come into being when they are first named (dev). */
  readonly provision: boolean
  /** Told of every commit, so that what it made due is scheduled. */
  readonly committed?: (writes: readonly Write[]) => void
}

/** Under contention each round lets at least one writer through; more rivals than this on one row is a client's fault. */
const MAX_ATTEMPTS = 64

const writesOf = ({ writes }: Outcome<unknown>): readonly Write[] | undefined =>
  writes === undefined || writes.length === 0 ? undefined : writes

export class Kernel {
  readonly #deps: KernelDeps
  readonly #targets: Targets
  readonly #outbox: Outbox
  readonly #lastUses: LastUses
  readonly #messages: MessageCounter
  readonly #strangers: Strangers

  constructor(deps: KernelDeps) {
    this.#deps = deps
    this.#targets = new Targets(deps)
    this.#outbox = new Outbox(deps.store, deps.audit)
    this.#lastUses = new LastUses(deps.store, deps.clock)
    this.#messages = new MessageCounter(deps.store)
    this.#strangers = new Strangers(deps.audit, deps.clock)
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

  /** Records that are committed and not yet in the log, and how far random IVs are used up. */
  get load(): { readonly outbox: number; readonly messages: MessageCounter['state'] } {
    return { outbox: this.#outbox.size, messages: this.#messages.state }
  }

  /** @throws KmsError, with the key it is about as its subject where one was found */
  async execute<I, O>(operation: Operation<I, O>, input: I, call: Call): Promise<O> {
    const { audit, clock } = this.#deps
    if (!audit.available) throw new KmsError('audit_unavailable')
    const trace = newTrace(clock.now())
    let outcome: Outcome<O>
    try {
      this.#deps.quotas?.admit(operation, call, trace.startedAt)
      if (this.#outbox.isPending) await this.#outbox.settle()
      outcome = await this.#attempt(operation, input, call, trace)
    } catch (cause) {
      const error = withSubject(KmsError.from(cause), trace)
      await audit.append(recordOf(operation, call, trace, error.code))
      throw error
    }
    if (writesOf(outcome) === undefined) await audit.append(recordOf(operation, call, trace, 'ok'))
    else await this.#outbox.settle()
    if (isUse(input, outcome.output)) this.#noteUses(call, trace)
    return outcome.output
  }

  /**
   * Records a request of an external caller that its surface refuses: for a key that is not exposed, or by a rule of the
   * exposure's. @throws KmsError `error`
   */
  async refuse(operation: Operation, call: Call, error: KmsError): Promise<never> {
    const { audit, clock } = this.#deps
    if (!audit.available) throw new KmsError('audit_unavailable')
    const trace: Trace = { ...newTrace(clock.now()), decision: 'deny' }
    await audit.append(recordOf(operation, call, trace, error.code))
    throw error
  }

  /** Records a request whose caller could not be verified, within bounds. @throws KmsError audit_unavailable */
  stranger(call: Call): Promise<void> {
    return this.#strangers.record(call)
  }

  #noteUses(call: Call, trace: Trace): void {
    if (trace.source !== undefined) this.#noteUse(trace.source.key, trace.source.use, call, trace)
    this.#noteUse(trace.key, trace.use, call, trace)
  }

  #noteUse(key: Key | undefined, use: KeyUse | undefined, call: Call, trace: Trace): void {
    if (key === undefined || use === undefined) return
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

  async #attempt<I, O>(operation: Operation<I, O>, input: I, call: Call, trace: Trace): Promise<Outcome<O>> {
    for (let attempt = 1; ; attempt++) {
      const running = this.#run(operation, input, call, trace)
      const outcome = running instanceof Promise ? await running : running
      traceOutcome(trace, outcome)
      const writes = writesOf(outcome)
      if (writes === undefined) return outcome
      try {
        await this.#outbox.commit(writes, recordOf(operation, call, trace, 'ok'))
        this.#deps.committed?.(writes)
        return outcome
      } catch (error) {
        await outcome.undo?.()
        if (KmsError.from(error).code !== 'conflict' || attempt === MAX_ATTEMPTS) throw error
      }
    }
  }

  #env(call: Call): Env {
    const { store, backends, sealer, backupSealer, ringKeys, ringSettings, keyStores, materialIds, clock } = this.#deps
    return {
      store,
      backends,
      sealer,
      backupSealer,
      ringKeys,
      ringSettings,
      keyStores,
      materialIds,
      clock,
      lastUses: this.#lastUses,
      messages: this.#messages,
      elsewhere: this.#targets.elsewhere(call),
      call,
      now: clock.now(),
    }
  }

  #run<I, O>(operation: Operation<I, O>, input: I, call: Call, trace: Trace): Eventually<Outcome<O>> {
    const env = this.#env(call)
    const targets = this.#targets
    const { action } = operation
    switch (operation.target) {
      case 'realm':
        return andThen(targets.realm(action, call, trace), (target) => operation.run(env, target, input))
      case 'ring': {
        const existing = operation.existing?.(input as never)
        const found = targets.ring(action, (input as RingInput).ring, existing, call, trace)
        return andThen(found, (target) => operation.run(env, target, input as never))
      }
      case 'key': {
        const found = targets.key(operation, (input as KeyInput).key, call, trace)
        return andThen(found, (target) => operation.run(env, target, input as never))
      }
      case 'version': {
        const found = targets.version(operation, input as VersionInput, call, trace)
        return andThen(found, (target) => operation.run(env, target, input as never))
      }
      case 'secret': {
        const found = targets.secret(operation, input as SecretInput, call, trace)
        return andThen(found, (target) => operation.run(env, target, input as never))
      }
      case 'use': {
        const found = targets.use(operation.name, operation, input, env, trace)
        return andThen(found, (target) => operation.run(env, target, input))
      }
      case 'pair':
        return this.#runPair(operation, input, env, trace)
    }
  }

  async #runPair<I, O>(operation: PairOperation<I, O>, input: I, env: Env, trace: Trace): Promise<Outcome<O>> {
    const source = await this.#targets.use(operation.name, operation.source, input, env, trace)
    trace.source = { key: source.key, version: source.version, use: trace.use }
    const destination = await this.#targets.use(operation.name, operation.destination, input, env, trace)
    return operation.run(env, { source, destination }, input)
  }
}
