/** A server through its life: sealed until somebody opens its root key, serving, and sealed again on demand. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Logger } from 'pino'
import type { Admin } from './api/admin/index.ts'
import { openSocket } from './api/admin/socket.ts'
import type { Status } from './api/admin/status.ts'
import { createLogger } from './api/http/logging.ts'
import type { BoundListener, OpenListeners, Server } from './api/server.ts'
import type { Config } from './config.ts'
import { invalidArgument, KmsError, StartError } from './core/error.ts'
import type { Sealer } from './core/ports.ts'
import { Problem } from './core/problem.ts'
import { isRecord } from './core/record.ts'
import { AesSealer } from './core/seal.ts'
import { Secret } from './core/secret.ts'
import type { ComposeOptions, Trefoil } from './main.ts'
import { isTyped, ROOT_KEY_FIX } from './root-key.ts'
import { type DirectoryLock, lockDirectory } from './store/lock.ts'
import { passphraseRootKey } from './store/root-key.ts'
import { readShareSet, ShareCollector } from './store/root-shares.ts'
import { requireInstallation } from './vault.ts'
import { VERSION } from './version.ts'

export type ServiceDeps = {
  compose(config: Config, options: ComposeOptions): Promise<Trefoil>
  /** One that has nothing to serve with. */
  sealedServer(config: Config, log: Logger): Promise<Server>
  reread(): Config
}

type Open = { readonly state: 'open'; readonly trefoil: Trefoil }
type Sealed = {
  readonly state: 'sealed'
  readonly server: Server
  readonly lock: DirectoryLock
  shares: ShareCollector | undefined
}
export type Unsealed = { readonly state: 'ready' } | { readonly state: 'sealed'; readonly missing: number }

const SEALED = new KmsError('backend_unavailable', { reason: 'the server is sealed: trefoil unseal opens it' })

const GC_ROUNDS = 4
const GC_PAUSE_MS = 50

/** Key objects are wiped by OpenSSL when they are collected: that is not left to chance. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  // What the first round finds unreachable is freed after it, and lets go of more.
  for (let round = 0; round < GC_ROUNDS; round++) setTimeout(gc, round * GC_PAUSE_MS)
}

export class Service {
  readonly log: Logger
  readonly #config: Config
  readonly #deps: ServiceDeps
  #now: Open | Sealed | undefined
  #changing: Promise<unknown> = Promise.resolve()
  #closeSocket: (() => Promise<void>) | undefined
  readonly #startedAt = new Date().toISOString()

  constructor(config: Config, deps: ServiceDeps) {
    this.#config = config
    this.#deps = deps
    this.log = createLogger(config.log)
  }

  /** The commands, as the state that it is in has them. */
  readonly admin: Admin = {
    run: (wire, body, principal) => {
      const now = this.#now
      if (now?.state === 'open') return now.trefoil.admin.run(wire, body, principal)
      if (wire === 'unseal') return this.#unsealBy(body)
      if (wire === 'status') return Promise.resolve(this.#sealedStatus())
      return Promise.reject(SEALED)
    },
  }

  /** Undefined while it is sealed. */
  get trefoil(): Trefoil | undefined {
    return this.#now?.state === 'open' ? this.#now.trefoil : undefined
  }

  /** @throws StartError */
  async start(): Promise<readonly BoundListener[]> {
    const bound = await (isTyped(this.#config.rootKey) ? this.#startSealed() : this.#open())
    this.#closeSocket = await openSocket(this.#config.dataDir, this.admin, this.log)
    return bound
  }

  async stop(): Promise<void> {
    await this.#changing.catch(() => {})
    await this.#closeSocket?.()
    if (this.#now?.state === 'open') await this.#now.trefoil.stop()
    if (this.#now?.state === 'sealed') {
      await this.#now.server.stop()
      this.#now.lock.release()
    }
  }

  async #startSealed(listeners?: OpenListeners): Promise<readonly BoundListener[]> {
    requireInstallation(this.#config, 'and its root key is typed in: trefoil init makes both')
    const lock = lockDirectory(this.#config.dataDir)
    const server = await this.#deps.sealedServer(this.#config, this.log)
    try {
      const bound = await server.start(listeners)
      this.#now = { state: 'sealed', server, lock, shares: undefined }
      this.log.warn('the server is sealed: trefoil unseal opens it')
      return bound
    } catch (error) {
      lock.release()
      throw error
    }
  }

  async #open(sealer?: Sealer, listeners?: OpenListeners): Promise<readonly BoundListener[]> {
    const trefoil = await this.#compose(sealer)
    return this.#serve(trefoil, listeners)
  }

  #compose(sealer: Sealer | undefined): Promise<Trefoil> {
    const { compose, reread } = this.#deps
    return compose(this.#config, { reread, seal: () => this.#sealSoon(), ...(sealer && { sealer }) })
  }

  async #serve(trefoil: Trefoil, listeners?: OpenListeners): Promise<readonly BoundListener[]> {
    try {
      const bound = await trefoil.start(listeners)
      this.#now = { state: 'open', trefoil }
      return bound
    } catch (error) {
      await trefoil.stop()
      throw error
    }
  }

  /** One change at a time. */
  #change<T>(work: () => Promise<T>): Promise<T> {
    const changing = this.#changing.catch(() => {}).then(work)
    this.#changing = changing
    return changing
  }

  #sealSoon(): void {
    // Not before the command that asks for it is answered.
    setImmediate(() => {
      this.#change(() => this.#seal()).catch((err: unknown) => this.log.fatal({ err }, 'could not seal'))
    })
  }

  /** New requests are refused at once, then everything that has a key goes. */
  async #seal(): Promise<void> {
    const now = this.#now
    if (now?.state !== 'open') return
    const listeners = await now.trefoil.server.release()
    const waiting = await this.#deps.sealedServer(this.#config, this.log)
    await waiting.start(listeners)
    this.#now = undefined
    await now.trefoil.stop()
    const lock = lockDirectory(this.#config.dataDir)
    this.#now = { state: 'sealed', server: waiting, lock, shares: undefined }
    setImmediate(collectGarbage)
    this.log.warn('sealed')
  }

  #sealedStatus(): Status {
    return {
      state: 'sealed',
      version: VERSION,
      serving: true,
      profile: this.#config.profile,
      pid: process.pid,
      startedAt: this.#startedAt,
      rootKey: 'not in memory',
      checks: {},
    }
  }

  #unsealBy(body: unknown): Promise<Unsealed> {
    const secret = isRecord(body) && typeof body.secret === 'string' ? body.secret : undefined
    return this.#change(async () => {
      const now = this.#now
      if (now?.state !== 'sealed') return { state: 'ready' }
      try {
        return await this.#unseal(now, secret)
      } catch (error) {
        if (!(error instanceof StartError)) throw error
        this.log.warn({ reason: error.message }, 'not unsealed')
        throw invalidArgument('secret', error.message)
      }
    })
  }

  async #unseal(now: Sealed, secret: string | undefined): Promise<Unsealed> {
    const { rootKey } = this.#config
    if (!isTyped(rootKey)) return this.#reopen(now, undefined)
    if (secret === undefined) throw new Problem('nothing was typed', ROOT_KEY_FIX[rootKey.type])
    if (rootKey.type === 'shamir') {
      now.shares ??= new ShareCollector(readShareSet(rootKey.path))
      now.shares.add(secret)
      const { missing } = now.shares
      if (missing > 0) return { state: 'sealed', missing }
      return this.#reopen(now, new AesSealer(await now.shares.combine()))
    }
    if (rootKey.type !== 'manual') throw new Problem('nothing can be typed for this root key', 'leave it out')
    const passphrase = new Secret(Uint8Array.from(Buffer.from(secret)))
    return this.#reopen(now, new AesSealer(await passphraseRootKey(rootKey.path, passphrase, { storeExists: true })))
  }

  /** A root key that does not fit leaves it sealed. */
  async #reopen(now: Sealed, sealer: Sealer | undefined): Promise<Unsealed> {
    now.lock.release()
    let trefoil: Trefoil
    try {
      trefoil = await this.#compose(sealer)
    } catch (error) {
      this.#now = { ...now, lock: lockDirectory(this.#config.dataDir), shares: undefined }
      throw error
    }
    await this.#serve(trefoil, await now.server.release())
    await now.server.stop()
    await trefoil.admin.run('unseal', {})
    this.log.info('unsealed')
    return { state: 'ready' }
  }
}
