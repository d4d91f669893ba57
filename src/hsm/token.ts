/** The vendor's module in the child process: loading it, choosing the token, logging in once, and the pool of sessions. */
import graphene from 'graphene-pk11'
import pkcs11js from 'pkcs11js'
import { KmsError } from '../core/error.ts'
import { andThen, type Eventually, orElse } from '../core/eventually.ts'
import { loadAddon } from '../native/addon.ts'
import { CKF_OS_LOCKING_OK, CKF_SERIAL_RW, CKS_RW_USER_FUNCTIONS, CKU_USER } from './mechanisms.ts'
import type { MechanismFacts, TokenChoice, TokenIdentity, TokenProblem, WorkerConfig } from './protocol.ts'
import { CKR, PIN_REFUSED, returnCode } from './return-codes.ts'

export type Session = graphene.Session
export type Library = pkcs11js.PKCS11

/** The decrypting call refused its input; `ckr` is what it answered. */
export class CiphertextRefused extends Error {
  readonly ckr: number

  constructor(ckr: number) {
    super('ciphertext refused')
    this.ckr = ckr
  }
}

/** The token's verdict in an error, or undefined when the token did not speak. */
export function ckrOf(error: unknown): number | undefined {
  if (error instanceof CiphertextRefused) return error.ckr
  return error instanceof pkcs11js.Pkcs11Error ? error.code : undefined
}

/** What a failure in the child is to the caller. The reason goes to the service's log. */
export function kmsErrorOf(error: unknown): KmsError {
  if (error instanceof KmsError) return error
  if (error instanceof CiphertextRefused) return new KmsError('invalid_ciphertext')
  const ckr = ckrOf(error)
  if (ckr === undefined) return new KmsError('internal', {}, { cause: error })
  return new KmsError(returnCode(ckr).code, {}, { cause: error })
}

export class ProblemError extends Error {
  readonly problem: TokenProblem

  constructor(problem: TokenProblem) {
    super(problem.detail)
    this.problem = problem
  }
}

const text = (padded: string): string => padded.replaceAll('\0', ' ').trim()
const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

export function loadModule({ library, libraryParameters, native }: WorkerConfig): graphene.Module {
  const lib = new pkcs11js.PKCS11()
  try {
    if (native !== 'off') loadAddon().addon?.preload(library)
    lib.load(library)
  } catch (error) {
    throw new ProblemError({ kind: 'library', detail: `${library} can't be loaded: ${reasonOf(error)}` })
  }
  const options = { flags: CKF_OS_LOCKING_OK }
  try {
    // pkcs11js cuts the last character off the parameters.
    lib.C_Initialize(
      libraryParameters === undefined ? options : { ...options, libraryParameters: `${libraryParameters} ` },
    )
  } catch (error) {
    if (ckrOf(error) !== CKR.ALREADY_INITIALIZED) {
      throw new ProblemError({ kind: 'library', detail: `${library} can't be initialised: ${reasonOf(error)}` })
    }
  }
  return new graphene.Module(lib)
}

const slotNumber = (slot: graphene.Slot): number => Number(slot.handle.readBigUInt64LE())

export function listTokens(module: graphene.Module): { slot: graphene.Slot; identity: TokenIdentity }[] {
  const found = []
  for (const slot of module.getSlots(true)) {
    const token = slot.getToken()
    if ((token.flags & graphene.TokenFlag.TOKEN_INITIALIZED) === 0) continue
    const identity = {
      slot: slotNumber(slot),
      label: text(token.label),
      serial: text(token.serialNumber),
      manufacturer: text(token.manufacturerID),
      model: text(token.model),
      firmware: `${token.firmwareVersion.major}.${token.firmwareVersion.minor}`,
    }
    found.push({ slot, identity })
  }
  return found
}

/** @throws ProblemError unless exactly one token fits */
export function chooseToken(
  module: graphene.Module,
  choice: TokenChoice,
): { slot: graphene.Slot; identity: TokenIdentity } {
  const tokens = listTokens(module)
  const fitting = tokens.filter(
    ({ identity }) =>
      (choice.tokenLabel ?? identity.label) === identity.label &&
      (choice.serial ?? identity.serial) === identity.serial &&
      (choice.slot ?? identity.slot) === identity.slot,
  )
  const [only] = fitting
  if (only !== undefined && fitting.length === 1) return only
  const detail = fitting.length === 0 ? 'no token fits' : `${fitting.length} tokens fit; name one by its serial`
  throw new ProblemError({ kind: 'token', detail, tokens: tokens.map(({ identity }) => identity) })
}

export function mechanismsOf(slot: graphene.Slot): readonly MechanismFacts[] {
  return slot.lib.C_GetMechanismList(slot.handle).map((type) => {
    const { minKeySize, maxKeySize, flags } = slot.lib.C_GetMechanismInfo(slot.handle, type)
    return { type, minKeySize, maxKeySize, flags }
  })
}

/**
 * "No PIN" of a token that has one was no attempt at it, and may pass: SoftHSM says so when its files go away while it opens
 * them.
 */
function contradictsItself(slot: graphene.Slot, ckr: number): boolean {
  if (ckr !== CKR.USER_PIN_NOT_INITIALIZED) return false
  try {
    return (slot.getToken().flags & graphene.TokenFlag.USER_PIN_INITIALIZED) !== 0
  } catch {
    return true
  }
}

/** Opens a session and logs in with it: one attempt, never repeated here or by the caller. */
export function logIn(slot: graphene.Slot, pin: string): Session {
  const session = slot.open(CKF_SERIAL_RW)
  try {
    slot.lib.C_Login(session.handle, CKU_USER, pin)
  } catch (error) {
    const ckr = ckrOf(error)
    if (ckr === CKR.USER_ALREADY_LOGGED_IN) return session
    const refused = ckr !== undefined && PIN_REFUSED.has(ckr) && !contradictsItself(slot, ckr)
    throw new ProblemError({ kind: refused ? 'pin' : 'device', detail: `login: ${reasonOf(error)}` })
  }
  return session
}

export type SessionPoolOptions = {
  readonly slot: graphene.Slot
  readonly capacity: number
  /** Told when an answer means that this process has lost the token. */
  readonly onLost: (reason: string) => void
}

/** Others may close their sessions. */
const FULL_MS = 1000

type Waiter = { resolve(session: Session): void; reject(error: unknown): void }

/** Sessions of one logged-in token. Each serves one piece of work at a time and is closed by nobody while it does. */
export class SessionPool {
  readonly #slot: graphene.Slot
  readonly #onLost: (reason: string) => void
  readonly #capacity: number
  /** When the token's table of sessions was found full, it is asked for no more until then. */
  #fullUntil = 0
  #open = 0
  readonly #idle: Session[] = []
  readonly #waiting: Waiter[] = []
  #drained: (() => void) | undefined

  constructor(options: SessionPoolOptions) {
    this.#slot = options.slot
    this.#capacity = options.capacity
    this.#onLost = options.onLost
  }

  get lib(): Library {
    return this.#slot.lib
  }

  /** Runs `work` with a session of its own, once more in another one where the return code allows it. */
  use<T>(work: (session: Session) => Eventually<T>): Eventually<T> {
    return orElse(
      () => this.#once(work),
      (error) => {
        const ckr = ckrOf(error)
        if (ckr === undefined || !returnCode(ckr).retry) throw error
        return this.#once(work)
      },
    )
  }

  /** Resolves when no session is in use and all are closed. New work must not be given any more. */
  async close(): Promise<void> {
    if (this.#open > this.#idle.length) {
      await new Promise<void>((resolve) => {
        this.#drained = resolve
      })
    }
    for (const session of this.#idle.splice(0)) this.#discard(session)
  }

  #once<T>(work: (session: Session) => Eventually<T>): Eventually<T> {
    return andThen(this.#take(), (session) =>
      orElse(
        () =>
          andThen(work(session), (result) => {
            this.#give(session)
            return result
          }),
        (error) => {
          if (this.#survives(error)) this.#give(session)
          else this.#replace(session)
          throw error
        },
      ),
    )
  }

  /** Only a refusal of ours before the token was asked, or a code marked harmless, leaves a session clean. */
  #survives(error: unknown): boolean {
    const ckr = ckrOf(error)
    if (ckr === undefined) return error instanceof KmsError
    const { name, session } = returnCode(ckr)
    if (session === 'token') this.#onLost(`CKR_${name}`)
    return session === 'keep'
  }

  #take(): Eventually<Session> {
    const idle = this.#idle.pop()
    if (idle !== undefined) return idle
    const full = this.#open > 0 && performance.now() < this.#fullUntil
    if (this.#open < this.#capacity && !full) {
      const session = this.#openOne()
      if (session !== undefined) return session
    }
    return new Promise<Session>((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  /** undefined: the token has no more, so the pool is as large as it can be for now. */
  #openOne(): Session | undefined {
    let session: Session
    try {
      session = this.#slot.open(CKF_SERIAL_RW)
    } catch (error) {
      const ckr = ckrOf(error)
      if (ckr !== undefined) this.#survives(error)
      if (ckr === CKR.SESSION_COUNT && this.#open > 0) {
        this.#fullUntil = performance.now() + FULL_MS
        return undefined
      }
      throw error
    }
    this.#open += 1
    if (session.state === CKS_RW_USER_FUNCTIONS) return session
    // Another process' C_CloseAllSessions or a reset took the login away: every private handle is dead.
    this.#discard(session)
    this.#onLost('logged out')
    throw new KmsError('backend_unavailable')
  }

  #give(session: Session): void {
    const waiter = this.#waiting.shift()
    if (waiter !== undefined) {
      waiter.resolve(session)
      return
    }
    this.#idle.push(session)
    this.#checkDrained()
  }

  #replace(session: Session): void {
    this.#discard(session)
    const waiter = this.#waiting.shift()
    if (waiter === undefined) {
      this.#checkDrained()
      return
    }
    try {
      const fresh = this.#openOne()
      if (fresh === undefined) this.#waiting.unshift(waiter)
      else waiter.resolve(fresh)
    } catch (error) {
      waiter.reject(error)
      // Nobody is left who would give them his session.
      if (this.#open === 0) for (const other of this.#waiting.splice(0)) other.reject(error)
    }
  }

  #discard(session: Session): void {
    this.#open -= 1
    try {
      session.close()
    } catch {
      // Closed already, or lost with the token: either way it is gone.
    }
  }

  #checkDrained(): void {
    if (this.#open === this.#idle.length) this.#drained?.()
  }
}
