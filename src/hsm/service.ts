/** The calls that the child process answers, on one opened token. */
import { isDeepStrictEqual } from 'node:util'
import { purposeOfAlgorithm } from '../core/algorithm.ts'
import { invalidArgument, KmsError } from '../core/error.ts'
import { andThen, type Eventually, orElse } from '../core/eventually.ts'
import { Lru } from '../core/lru.ts'
import { loadAddon } from '../native/addon.ts'
import { agree } from './agree.ts'
import { isPair } from './halves.ts'
import { isWrapped, type KeyAddress, type ObjectRef } from './key-ref.ts'
import { CKS_RW_USER_FUNCTIONS } from './mechanisms.ts'
import { NativeUser } from './native-use.ts'
import {
  destroyQuietly,
  findKey,
  generateKey,
  type Handle,
  importKey,
  listKeys,
  type Placement,
  readRsaSpki,
} from './objects.ts'
import { Operations } from './operations.ts'
import { probeProfile } from './profile.ts'
import type {
  CallName,
  Calls,
  KeyArgs,
  KeyStorage,
  KnownToken,
  MadeKey,
  NewKey,
  Profile,
  TokenIdentity,
  WorkerConfig,
} from './protocol.ts'
import { CKR, HANDLE_GONE } from './return-codes.ts'
import { RootKeys } from './root-keys.ts'
import {
  CiphertextRefused,
  chooseToken,
  ckrOf,
  kmsErrorOf,
  loadModule,
  logIn,
  mechanismsOf,
  type Session,
  SessionPool,
} from './token.ts'
import { Pkcs11jsUser, TimedUser, type TokenUser } from './token-use.ts'
import { type WrappedKeyInUse, WrappedKeys } from './wrapped-keys.ts'

export type Handlers = { readonly [N in CallName]: (args: Calls[N]['args']) => Eventually<Calls[N]['result']> }

const CACHED_HANDLES = 65_536
const RANDOM_CHUNK = 16_384
const FAILURES_IN_A_ROW = 8

type KeyInUse = Omit<WrappedKeyInUse, 'key'> & { readonly key: KeyAddress }
const useOf = ({ key, spec, algorithm }: KeyArgs): KeyInUse => ({ key, spec, purpose: purposeOfAlgorithm(algorithm) })

const handleName = ({ id, objectClass, label }: ObjectRef): string =>
  `${objectClass} ${Buffer.from(id).toString('latin1')} ${label}`

export class TokenService {
  readonly identity: TokenIdentity
  readonly #module: ReturnType<typeof loadModule>
  /** Holds the login, and the session objects of wrapped keys. */
  readonly #anchor: Session
  readonly #pool: SessionPool
  readonly #onLost: (reason: string) => void
  readonly #operations: Operations
  readonly #roots: RootKeys
  readonly #handles = new Lru<Handle>(CACHED_HANDLES)
  readonly #mechanisms: ReadonlySet<number>
  readonly #keyStorage: KeyStorage
  readonly #wrapped: WrappedKeys
  #profile: Profile = { mechanisms: [], algorithms: {}, gaps: [] }
  /** Uses of keys that the token failed, since the last that it did not. */
  #failures = 0

  readonly handlers: Handlers = {
    generateKey: (key) => inRoomThereIs(this.#generateKey(key)),
    importKey: ({ material, ...key }) => inRoomThereIs(this.#importKey(key, material)),
    publicKey: ({ key, spec }) => this.#withKey({ key, spec, purpose: 'encrypt_decrypt' }, readRsaSpki),
    sign: ({ input, ...use }) =>
      this.#withKey(useOf(use), (session, handle) =>
        this.#operations.sign(session, handle, use.spec, use.algorithm, input),
      ),
    mac: ({ message, ...use }) =>
      this.#withKey(useOf(use), (session, handle) =>
        this.#operations.mac(session, handle, use.spec, use.algorithm, message),
      ),
    encrypt: ({ plaintext, params, ...use }) =>
      this.#withKey(useOf(use), (session, handle) =>
        this.#operations.encrypt(session, handle, use.spec, use.algorithm, plaintext, params),
      ),
    decrypt: ({ ciphertext, params, ...use }) =>
      this.#withKey(useOf(use), (session, handle) =>
        this.#operations.decrypt(session, handle, use.spec, use.algorithm, ciphertext, params),
      ),
    agree: ({ point, ...use }) =>
      this.#withKey(useOf(use), (session, handle) => agree(session, handle, use.spec, point)),
    destroyKey: ({ key }) => this.#destroyKey(key),
    listKeys: () => this.#pool.use(listKeys),
    random: ({ bytes }) => this.#pool.use((session) => randomFrom(session, bytes)),
    health: () => this.#pool.use((session) => this.#assertPresent(session)),
    findRoot: ({ label }) => this.#roots.find(label),
    makeRoot: ({ label, key }) => this.#roots.make(label, key).finally(() => key?.fill(0)),
    seal: ({ label, plaintext, context }) => this.#roots.seal(label, plaintext, context),
    unseal: ({ label, sealed, context }) => this.#roots.unseal(label, sealed, context),
  }

  /** @throws ProblemError */
  constructor(config: WorkerConfig, onLost: (reason: string) => void) {
    this.#module = loadModule(config)
    const { slot, identity } = chooseToken(this.#module, config)
    this.identity = identity
    this.#anchor = logIn(slot, config.pin)
    this.#mechanisms = new Set(mechanismsOf(slot).map(({ type }) => type))
    this.#keyStorage = config.keyStorage ?? 'token'
    this.#wrapped = new WrappedKeys(this.#anchor, this.#mechanisms, onLost)
    this.#onLost = onLost
    const user = new TimedUser(userOf(config))
    this.#operations = new Operations(user, config)
    this.#pool = new SessionPool({ slot, capacity: config.sessions, onLost })
    this.#roots = new RootKeys(this.#pool, user, (session) => this.#assertPresent(session))
  }

  async probe(known: KnownToken | undefined): Promise<Profile> {
    if (known !== undefined && isDeepStrictEqual(known.token, this.identity)) {
      this.#profile = known.profile
      return known.profile
    }
    const mechanisms = mechanismsOf(this.#anchor.slot)
    this.#profile = await probeProfile(this.#pool, this.#operations, mechanisms, this.#keyStorage)
    return this.#profile
  }

  /** No call may be made any more. Closing a session in use crashes the process, so the pool is drained first. */
  async close(): Promise<void> {
    await this.#pool.close()
    this.#anchor.close()
    this.#module.finalize()
  }

  async #generateKey(key: NewKey): Promise<MadeKey> {
    return this.#pool.use(async (session) =>
      this.#keep(session, await generateKey(session, key.spec, this.#place(key)), key),
    )
  }

  #place({ purposes, id, label }: NewKey): Placement {
    const wrapped = this.#keyStorage === 'wrapped'
    return { purposes, id, label, token: !wrapped, extractable: wrapped, mechanisms: this.#mechanisms }
  }

  /** What was made stays in the token, or leaves it wrapped. */
  #keep(session: Session, { handle, ...made }: MadeKey & { handle: Handle }, { spec, label }: NewKey): MadeKey {
    if (this.#keyStorage === 'wrapped') {
      try {
        return { ...made, wrapped: this.#wrapped.wrap(session, { ...made, handle, label }, spec) }
      } finally {
        destroyQuietly(session, handle)
      }
    }
    this.#handles.set(handleName({ ...made, label }), handle)
    return made
  }

  async #importKey(key: NewKey, material: Uint8Array): Promise<MadeKey> {
    try {
      return await this.#pool.use(async (session) => {
        const made = importKey(session, key.spec, material, this.#place(key))
        await this.#assertPair(session, key, made)
        return this.#keep(session, made, key)
      })
    } finally {
      material.fill(0)
    }
  }

  /** A key that fails is removed. */
  async #assertPair(session: Session, key: NewKey, { handle, spki }: MadeKey & { handle: Handle }): Promise<void> {
    if (spki === undefined) return
    try {
      if (await isPair(session, this.#operations, this.#profile, key, { handle, spki })) return
      throw invalidArgument('material', 'the private key does not match its public half')
    } catch (error) {
      destroyQuietly(session, handle)
      throw error
    }
  }

  #withKey<T>(use: KeyInUse, work: (session: Session, handle: Handle) => Eventually<T>): Eventually<T> {
    const { key } = use
    return orElse(
      () =>
        andThen(
          isWrapped(key) ? this.#withWrapped({ ...use, key }, work) : this.#withObject(key, work),
          this.#succeeded,
        ),
      this.#failed,
    )
  }

  readonly #succeeded = <T>(result: T): T => {
    this.#failures = 0
    return result
  }

  /** Where every use fails, whatever the token says of itself, another process may be better off (SoftHSM whose files went away). */
  readonly #failed = (error: unknown): never => {
    if (kmsErrorOf(error).code === 'backend_unavailable') this.#failures += 1
    if (this.#failures >= FAILURES_IN_A_ROW) this.#onLost(`${this.#failures} calls failed in a row`)
    throw error
  }

  #withWrapped<T>(use: WrappedKeyInUse, work: (session: Session, handle: Handle) => Eventually<T>): Eventually<T> {
    return this.#pool.use((session) => this.#wrapped.use(session, use, (handle) => work(session, handle)))
  }

  /** Handles are found once; one that the token no longer knows is found again, once, by the pool's second try. */
  #withObject<T>(key: ObjectRef, work: (session: Session, handle: Handle) => Eventually<T>): Eventually<T> {
    const name = handleName(key)
    return this.#pool.use((session) => {
      const handle = this.#handles.get(name) ?? this.#findNamed(session, key, name)
      return orElse(
        () => work(session, handle),
        (error) => {
          if (isGone(error)) this.#handles.delete(name)
          throw error
        },
      )
    })
  }

  #findNamed(session: Session, key: ObjectRef, name: string): Handle {
    const handle = this.#find(session, key)
    if (handle === undefined)
      throw new KmsError('backend_unavailable', {}, { cause: new Error('the token does not hold the key') })
    this.#handles.set(name, handle)
    return handle
  }

  #find(session: Session, key: ObjectRef): Handle | undefined {
    const handle = findKey(session, key)
    // Finding nothing is what a token that went away looks like, too.
    if (handle !== undefined) return handle
    this.#assertPresent(session)
    return undefined
  }

  #assertPresent(session: Session): undefined {
    const { state } = session.lib.C_GetSessionInfo(session.handle)
    const { serialNumber } = session.slot.getToken()
    if (state === CKS_RW_USER_FUNCTIONS && serialNumber.replaceAll('\0', ' ').trim() === this.identity.serial)
      return undefined
    this.#onLost('logged out, or another token in the slot')
    throw new KmsError('backend_unavailable')
  }

  async #destroyKey(key: KeyAddress): Promise<undefined> {
    if (isWrapped(key)) {
      this.#wrapped.forget(key)
      return undefined
    }
    this.#handles.delete(handleName(key))
    return this.#pool.use((session) => {
      const handle = findKey(session, key)
      if (handle === undefined) this.#assertPresent(session)
      else destroyQuietly(session, handle)
      return undefined
    })
  }
}

/** Whether the handle may have lost its object; several modules have no better word for that than that they failed. */
function isGone(error: unknown): boolean {
  if (error instanceof CiphertextRefused) return false
  const ckr = ckrOf(error)
  return ckr !== undefined && (HANDLE_GONE.has(ckr) || ckr === CKR.GENERAL_ERROR || ckr === CKR.FUNCTION_FAILED)
}

/** What makes the hot calls. */
function userOf({ library, native }: WorkerConfig): TokenUser {
  const { addon } = native === 'off' ? {} : loadAddon()
  return addon === undefined ? new Pkcs11jsUser() : new NativeUser(addon, library)
}

/** A token that is full is not out of order. */
async function inRoomThereIs(making: Promise<MadeKey>): Promise<MadeKey> {
  try {
    return await making
  } catch (error) {
    throw ckrOf(error) === CKR.DEVICE_MEMORY ? new KmsError('limit_exceeded', {}, { cause: error }) : error
  }
}

function randomFrom(session: Session, bytes: number): Buffer {
  const output = Buffer.alloc(bytes)
  for (let at = 0; at < bytes; at += RANDOM_CHUNK) {
    session.lib.C_GenerateRandom(session.handle, output.subarray(at, Math.min(at + RANDOM_CHUNK, bytes)))
  }
  return output
}
