/**
 * The service's end of the child process: requests with deadlines and a bounded queue, restart with back-off. At most as
 * many requests are in the child as the token has sessions; one that is not answered in time means that the vendor's
 * module hangs, and the child is killed.
 */
import { isAsymmetric } from '../core/algorithm.ts'
import { KmsError } from '../core/error.ts'
import type { CallContext } from '../core/ports.ts'
import { Child } from './child.ts'
import { CKO } from './mechanisms.ts'
import type {
  CallName,
  Calls,
  FromWorker,
  Profile,
  TokenIdentity,
  TokenProblem,
  ToWorker,
  WorkerConfig,
} from './protocol.ts'

export type HsmConfig = WorkerConfig & {
  readonly name: string
  /** A token with the same keys, which takes over (pair.ts). */
  readonly standby?: HsmConfig
  /** For one call; making a key may take ten times as long. */
  readonly deadlineMs: number
  /** The child's environment: what the vendor's library reads. Nothing else is handed down. */
  readonly env?: Readonly<Record<string, string>>
  /** For the log. Texts come from the module, never from a request. */
  readonly onEvent?: (event: HsmEvent) => void
}

export type HsmEvent =
  | { readonly kind: 'opened'; readonly token: TokenIdentity }
  | { readonly kind: 'problem'; readonly problem: TokenProblem }
  | { readonly kind: 'failed'; readonly code: string; readonly reason: string }
  | { readonly kind: 'down'; readonly reason: string; readonly restartInMs: number }
  /** Of a pair the token of that serial number serves from now on. */
  | { readonly kind: 'moved'; readonly serial: string; readonly reason: string }

const SLOW_CALLS: Readonly<Partial<Record<CallName, number>>> = { generateKey: 10, importKey: 10 }
const QUEUE_PER_SESSION = 64
/** Ids are 32 bits long; that many calls are not in flight. */
const MAX_ID = 2 ** 32
/** A child that lived this long starts over without delay when it dies. */
const STABLE_MS = 5000
const FIRST_BACKOFF_MS = 250
const LAST_BACKOFF_MS = 5000

const REASONS: Readonly<Record<TokenProblem['kind'], string>> = {
  library: 'the PKCS#11 library cannot be used',
  token: 'the token was not found',
  pin: 'the token refused the PIN; it is not tried again before a restart',
  device: 'the token does not answer',
}

type Pending = {
  readonly id: number
  readonly name: CallName
  readonly message: ToWorker
  readonly resolve: (value: never) => void
  readonly reject: (error: KmsError) => void
  /** By performance.now(). */
  readonly due: number
  /** Those who go away with this one. */
  readonly group: Set<Pending> | undefined
  /** The caller has gone; the answer is only waited for. */
  abandoned: boolean
}

/** When the next call is due. */
type Alarm = { readonly due: number; readonly timer: NodeJS.Timeout | undefined }
const NO_ALARM: Alarm = { due: Number.POSITIVE_INFINITY, timer: undefined }

type State =
  /** A child is being started; calls wait for it. */
  | { readonly kind: 'starting' }
  | { readonly kind: 'open'; readonly since: number }
  /** The child has lost its token, or hangs: what it has is finished, what comes waits for the next one. */
  | { readonly kind: 'draining'; readonly since: number; readonly ending: boolean }
  /** Waiting to start again, or stopped for good: calls fail at once. */
  | { readonly kind: 'down'; readonly reason: string; readonly cause?: string }
  | { readonly kind: 'closed' }

/** How a token's sessions are used, for whoever watches it. */
export type TokenUse = {
  readonly name: string
  readonly sessions: number
  readonly used: number
  readonly queued: number
  /** How often its process was started again. */
  readonly restarts: number
}

/** What a backend needs of its token, or of two. */
export interface TokenCalls {
  readonly name: string
  /** The token that serves, as it was last seen; undefined until it was opened once. */
  readonly token: TokenIdentity | undefined
  readonly profile: Profile | undefined
  /** Of the child process that serves, for tests and diagnosis. */
  readonly pid: number | undefined
  /** Whether keys of that token can be asked for here; also while no token was seen yet. */
  holds(serial: string): boolean
  /** One for each token. */
  readonly uses: readonly TokenUse[]
  start(): Promise<void>
  call<N extends CallName>(name: N, args: Calls[N]['args'], ctx?: CallContext): Promise<Calls[N]['result']>
  health(ctx: CallContext): Promise<void>
  close(): Promise<void>
}

export class TokenClient implements TokenCalls {
  readonly #config: HsmConfig
  readonly #queue: Pending[] = []
  readonly #sent = new Map<number, Pending>()
  /** Calls that a child died of, or with; what they may have left is removed when the token is back. */
  readonly #overdue: Pending[] = []
  readonly #doubtful: Pending[] = []
  #state: State = { kind: 'starting' }
  #child: Child | undefined
  #nextId = 1
  #starts = 0
  #closing = false
  #failures = 0
  #restart: NodeJS.Timeout | undefined
  #idle: (() => void) | undefined
  readonly #groups = new WeakMap<AbortSignal, Set<Pending>>()
  #alarm: Alarm = NO_ALARM
  #firstAttempt: (() => void) | undefined
  #token: TokenIdentity | undefined
  #profile: Profile | undefined

  constructor(config: HsmConfig) {
    this.#config = config
  }

  get name(): string {
    return this.#config.name
  }

  /** The token as it was last seen; undefined until it was opened once. */
  get token(): TokenIdentity | undefined {
    return this.#token
  }

  get profile(): Profile | undefined {
    return this.#profile
  }

  /** The token is open: a call would reach it. */
  get serves(): boolean {
    return this.#state.kind === 'open'
  }

  get uses(): readonly TokenUse[] {
    const { name, sessions } = this.#config
    const restarts = Math.max(0, this.#starts - 1)
    return [{ name, sessions, used: this.#sent.size, queued: this.#queue.length, restarts }]
  }

  holds(serial: string): boolean {
    return this.#token === undefined || this.#token.serial === serial
  }

  /** Process id of the child, for tests and diagnosis. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Starts the child; resolves when the first attempt to open the token has ended, well or not. */
  start(): Promise<void> {
    return new Promise((resolve) => {
      this.#firstAttempt = resolve
      this.#spawn()
    })
  }

  /** @throws KmsError backend_timeout, backend_unavailable, throttled, shutting_down, or the child's own */
  call<N extends CallName>(name: N, args: Calls[N]['args'], ctx?: CallContext): Promise<Calls[N]['result']> {
    const refused = this.#refusal(ctx)
    return refused === undefined ? this.#enqueue(name, args, ctx) : Promise.reject(refused)
  }

  #enqueue<N extends CallName>(name: N, args: Calls[N]['args'], ctx?: CallContext): Promise<Calls[N]['result']> {
    return new Promise((resolve, reject) => {
      const id = this.#nextId
      this.#nextId = (id + 1) % MAX_ID
      const pending: Pending = {
        id,
        name,
        // The union over names can't be told apart by a type parameter; name and args come from one entry of Calls.
        message: { kind: 'call', id, name, args } as ToWorker,
        abandoned: false,
        due: performance.now() + this.#config.deadlineMs * (SLOW_CALLS[name] ?? 1),
        group: ctx && this.#groupOf(ctx.signal),
        resolve: resolve as Pending['resolve'],
        reject,
      }
      pending.group?.add(pending)
      this.#queue.push(pending)
      this.#wakeAt(pending.due)
      this.#flush()
    })
  }

  /** Calls of one signal, which is many requests', share one listener. */
  #groupOf(signal: AbortSignal): Set<Pending> {
    const known = this.#groups.get(signal)
    if (known !== undefined) return known
    const group = new Set<Pending>()
    this.#groups.set(signal, group)
    const abandon = (): void => {
      for (const pending of group) this.#abandon(pending)
    }
    signal.addEventListener('abort', abandon, { once: true })
    return group
  }

  /** One timer, for the call that is due first. */
  #wakeAt(due: number): void {
    if (due >= this.#alarm.due) return
    clearTimeout(this.#alarm.timer)
    this.#alarm = { due, timer: setTimeout(() => this.#expireDue(), due - performance.now()) }
  }

  #expireDue(): void {
    this.#alarm = NO_ALARM
    const now = performance.now()
    const pending = [...this.#sent.values(), ...this.#queue]
    for (const one of pending) if (one.due <= now) this.#expire(one)
    this.#flush()
    for (const { due } of [...this.#sent.values(), ...this.#queue]) this.#wakeAt(due)
  }

  /** Rejects with the reason while no call could be served. */
  async health(ctx: CallContext): Promise<void> {
    if (this.#state.kind === 'down') {
      const { reason, cause } = this.#state
      throw new KmsError('backend_unavailable', { backend: this.name, reason }, { cause: new Error(cause ?? reason) })
    }
    await this.call('health', {}, ctx)
  }

  /** Finishes what was asked, closes the sessions and ends the child. */
  async close(): Promise<void> {
    if (this.#state.kind === 'closed') return
    const serving = this.#state.kind !== 'down'
    clearTimeout(this.#restart)
    if (serving && this.#sent.size + this.#queue.length > 0) {
      this.#closing = true
      await new Promise<void>((resolve) => {
        this.#idle = resolve
      })
    }
    this.#state = { kind: 'closed' }
    clearTimeout(this.#alarm.timer)
    this.#firstAttempt?.()
    await this.#endChild()
  }

  #unavailable(reason?: string): KmsError {
    const options = reason === undefined ? undefined : { cause: new Error(reason) }
    return new KmsError('backend_unavailable', { backend: this.name }, options)
  }

  #refusal(ctx: CallContext | undefined): KmsError | undefined {
    if (ctx?.signal.aborted) return new KmsError('backend_timeout', { backend: this.name })
    if (this.#state.kind === 'closed' || this.#closing) return new KmsError('shutting_down')
    if (this.#state.kind === 'down') return this.#unavailable(this.#state.cause ?? this.#state.reason)
    if (this.#queue.length >= this.#config.sessions * QUEUE_PER_SESSION) return new KmsError('throttled')
    return undefined
  }

  #flush(): void {
    while (this.#state.kind === 'open' && this.#sent.size < this.#config.sessions) {
      const pending = this.#queue.shift()
      if (pending === undefined) break
      this.#sent.set(pending.id, pending)
      this.#child?.send(pending.message)
    }
    if (this.#sent.size > 0) return
    if (this.#state.kind === 'draining' && !this.#state.ending) {
      this.#state = { ...this.#state, ending: true }
      void this.#endChild()
    }
    if (this.#queue.length === 0) this.#idle?.()
  }

  #finish(pending: Pending, outcome: { value: unknown } | { error: KmsError }): void {
    this.#sent.delete(pending.id)
    pending.group?.delete(pending)
    if (pending.abandoned) {
      if ('value' in outcome) this.#undo(pending)
    } else if ('value' in outcome) pending.resolve(outcome.value as never)
    else pending.reject(outcome.error)
  }

  /** A key made for a caller who has gone would stay in the token with nobody knowing of it. Done even while closing. */
  #undo({ message }: Pending): void {
    if (message.kind !== 'call') return
    if (message.name !== 'generateKey' && message.name !== 'importKey') return
    // Wrapped keys leave nothing in the token.
    if (this.#config.keyStorage === 'wrapped') return
    const { spec, id, label } = message.args
    const objectClass = isAsymmetric(spec) ? CKO.PRIVATE_KEY : CKO.SECRET_KEY
    this.#enqueue('destroyKey', { key: { id, objectClass, label } }).catch((error: unknown) =>
      this.#event({ kind: 'failed', code: 'orphan', reason: `abandoned key not destroyed: ${String(error)}` }),
    )
  }

  #abandon(pending: Pending): void {
    pending.group?.delete(pending)
    pending.reject(new KmsError('backend_timeout', { backend: this.name }))
    pending.abandoned = true
    if (this.#sent.has(pending.id)) return
    this.#unqueue(pending)
    this.#flush()
  }

  #unqueue(pending: Pending): void {
    const at = this.#queue.indexOf(pending)
    if (at >= 0) this.#queue.splice(at, 1)
  }

  #expire(pending: Pending): void {
    const hangs = this.#sent.has(pending.id)
    if (!hangs) this.#unqueue(pending)
    this.#finish(pending, { error: new KmsError('backend_timeout', { backend: this.name }) })
    if (!hangs) return
    this.#overdue.push(pending)
    this.#event({ kind: 'failed', code: 'backend_timeout', reason: `${pending.name} was not answered` })
    // What waits is for the next child.
    if (this.#state.kind === 'open') this.#state = { kind: 'draining', since: this.#state.since, ending: true }
    this.#child?.kill()
  }

  #spawn(): void {
    this.#state = { kind: 'starting' }
    this.#starts += 1
    const { library, libraryParameters, native, mlDsa, tokenLabel, serial, slot, pin, sessions, keyStorage, env } =
      this.#config
    const child: Child = new Child({
      env,
      sessions,
      receive: (message) => {
        if (this.#child === child) this.#receive(message)
      },
      ended: (how) => {
        if (this.#child === child) this.#exited(how)
      },
    })
    this.#child = child
    const config: WorkerConfig = {
      library,
      pin,
      sessions,
      ...(keyStorage === undefined ? {} : { keyStorage }),
      ...(libraryParameters === undefined ? {} : { libraryParameters }),
      ...(native === undefined ? {} : { native }),
      ...(mlDsa === undefined ? {} : { mlDsa }),
      ...(tokenLabel === undefined ? {} : { tokenLabel }),
      ...(serial === undefined ? {} : { serial }),
      ...(slot === undefined ? {} : { slot }),
    }
    const known = this.#token && this.#profile && { token: this.#token, profile: this.#profile }
    child.send({ kind: 'open', config, ...(known && { known }) })
  }

  #receive(message: FromWorker): void {
    switch (message.kind) {
      case 'opened':
        this.#opened(message.token, message.profile)
        break
      case 'problem':
        this.#failed(message.problem)
        break
      case 'lost':
        this.#event({ kind: 'failed', code: 'lost', reason: message.reason })
        if (this.#state.kind === 'open') this.#state = { kind: 'draining', since: this.#state.since, ending: false }
        this.#flush()
        break
      case 'result':
      case 'error':
        this.#answered(message)
        break
    }
  }

  #answered(message: FromWorker & { kind: 'result' | 'error' }): void {
    const pending = this.#sent.get(message.id)
    if (pending === undefined) return
    if (message.kind === 'result') this.#finish(pending, { value: message.value })
    else {
      const { code, params, reason } = message
      if (code === 'internal' || code === 'backend_unavailable') this.#event({ kind: 'failed', code, reason })
      this.#finish(pending, { error: new KmsError(code, params, { cause: new Error(reason) }) })
    }
    this.#flush()
  }

  #opened(token: TokenIdentity, profile: Profile): void {
    this.#token = token
    this.#profile = profile
    this.#state = { kind: 'open', since: performance.now() }
    this.#event({ kind: 'opened', token })
    this.#firstAttempt?.()
    if (!this.#closing) for (const pending of this.#doubtful.splice(0)) this.#undo(pending)
    this.#flush()
  }

  #failed(problem: TokenProblem): void {
    this.#event({ kind: 'problem', problem })
    const child = this.#child
    this.#child = undefined
    child?.kill()
    const down: State = { kind: 'down', reason: REASONS[problem.kind], cause: problem.detail }
    // Another attempt with the same PIN could lock the token for good.
    if (problem.kind === 'pin') this.#goDown(down)
    else this.#retryLater(down)
  }

  #exited(how: string): void {
    this.#child = undefined
    const state = this.#state
    const lost = [...this.#sent.values()]
    for (const pending of lost) this.#finish(pending, { error: this.#unavailable(`child ended: ${how}`) })
    if (state.kind === 'closed') return
    // Whether it had made their keys is not known.
    this.#doubtful.push(...lost, ...this.#overdue.splice(0))
    if ('since' in state && performance.now() - state.since > STABLE_MS) this.#failures = 0
    if (state.kind !== 'starting' && this.#failures === 0) {
      this.#failures = 1
      this.#event({ kind: 'down', reason: how, restartInMs: 0 })
      this.#spawn()
      this.#flush()
    } else this.#retryLater({ kind: 'down', reason: 'the PKCS#11 module ended its process', cause: how })
  }

  #retryLater(down: State & { kind: 'down' }): void {
    const delay = Math.min(FIRST_BACKOFF_MS * 2 ** this.#failures, LAST_BACKOFF_MS)
    this.#failures += 1
    this.#event({ kind: 'down', reason: down.cause ?? down.reason, restartInMs: delay })
    if (!this.#closing) this.#restart = setTimeout(() => this.#spawn(), delay)
    this.#goDown(down)
  }

  #goDown(down: State & { kind: 'down' }): void {
    this.#state = down
    for (const pending of this.#queue.splice(0))
      this.#finish(pending, { error: this.#unavailable(down.cause ?? down.reason) })
    this.#firstAttempt?.()
    this.#idle?.()
  }

  async #endChild(): Promise<void> {
    await this.#child?.end(this.#config.deadlineMs)
  }

  #event(event: HsmEvent): void {
    this.#config.onEvent?.(event)
  }
}
