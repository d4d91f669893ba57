/** A kernel over a memory store and the software backend, with every outside port in the test's hands. */
import { createSecretKey, type KeyObject, randomBytes, randomUUID } from 'node:crypto'
import { Backends } from '../../src/core/backends.ts'
import { DueWork } from '../../src/core/due.ts'
import { KmsError } from '../../src/core/error.ts'
import { ensureRealm } from '../../src/core/installation.ts'
import { Kernel } from '../../src/core/kernel.ts'
import { DIALECTS, type Dialect } from '../../src/core/key.ts'
import { MaterialIds } from '../../src/core/material-ids.ts'
import type { Call, Operation } from '../../src/core/operation.ts'
import type {
  AccessRequest,
  AuditLog,
  AuditRecord,
  Authorizer,
  Clock,
  CryptoBackend,
  Decision,
  Sealer,
  Store,
  Write,
} from '../../src/core/ports.ts'
import type { RealmAddress } from '../../src/core/reference.ts'
import { RingKeys } from '../../src/core/ring-keys.ts'
import { ringSettingsOf } from '../../src/core/ring-settings.ts'
import { AesSealer } from '../../src/core/seal.ts'
import { type KeyStoreOptions, openKeyStores } from '../../src/crypto/external/open.ts'
import { SoftwareBackend } from '../../src/crypto/software.ts'
import type { NativeAddon } from '../../src/native/addon.ts'
import { MemoryStore } from '../../src/store/memory.ts'

export class ManualClock implements Clock {
  time = Date.UTC(2026, 0, 1)
  #waiting: { at: number; fire: () => void }[] = []

  now(): number {
    return this.time
  }

  schedule(at: number, fire: () => void): () => void {
    const entry = { at, fire }
    this.#waiting.push(entry)
    return () => {
      this.#waiting = this.#waiting.filter((other) => other !== entry)
    }
  }
}

/** Keeps the chain in memory; `available` can be taken away. */
export class MemoryAudit implements AuditLog {
  readonly records: AuditRecord[] = []
  available = true

  async append(record: AuditRecord): Promise<void> {
    if (!this.available) throw new KmsError('audit_unavailable')
    this.records.push(record)
  }

  get last(): number {
    return this.records.length
  }

  async has(ids: readonly string[], after: number): Promise<ReadonlySet<string>> {
    const known = new Set(this.records.slice(after).map((record) => record.id))
    return new Set(ids.filter((id) => known.has(id)))
  }

  async health(): Promise<void> {
    if (!this.available) throw new KmsError('audit_unavailable')
  }

  async close(): Promise<void> {}
}

export const ADDRESSES = {
  aws: { dialect: 'aws', account: '000000000000', region: 'us-east-1' },
  gcp: { dialect: 'gcp', project: 'local', location: 'global' },
  azure: { dialect: 'azure', vault: 'default' },
} as const satisfies Record<Dialect, RealmAddress>

export type KernelOptions = {
  /** For the software backend; without one by default. */
  readonly addon?: NativeAddon | undefined
  readonly store?: Store
  readonly audit?: MemoryAudit
  /** The same one for every kernel over the same store. */
  readonly sealer?: Sealer
  /** Likewise, where material is imported. */
  readonly materialIdKey?: KeyObject
  readonly decide?: (request: AccessRequest) => Decision
  /** In its place. */
  readonly authorizer?: (store: Store) => Authorizer
  readonly provision?: boolean
  /** Told of each commit. */
  readonly committed?: (writes: readonly Write[]) => void
  readonly tenant?: string
  readonly wrapBackend?: (backend: CryptoBackend) => CryptoBackend
  /** Adds a backend that says it is an HSM. */
  readonly token?: boolean
  readonly rings?: Parameters<typeof ringSettingsOf>[0]
  /** Proxies that external key stores may call, and clusters that stand for the token. */
  readonly keyStores?: {
    readonly proxies?: KeyStoreOptions['proxies']
    readonly clusters?: readonly Omit<KeyStoreOptions['clusters'][number], 'backend'>[]
  }
}

/** The same backend under another name and level of protection. */
const posingAsToken = (backend: CryptoBackend): CryptoBackend =>
  new Proxy(backend, {
    get(target, name) {
      if (name === 'name') return 'token'
      if (name === 'protection') return 'hsm'
      const member: unknown = Reflect.get(target, name, target)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })

export async function makeKernel(options: KernelOptions = {}) {
  const clock = new ManualClock()
  const store = options.store ?? new MemoryStore()
  const audit = options.audit ?? new MemoryAudit()
  const sealer = options.sealer ?? new AesSealer(createSecretKey(randomBytes(32)))
  const ringKeys = new RingKeys(store, sealer)
  const software = new SoftwareBackend(ringKeys, options.addon)
  const token = options.token === true ? [posingAsToken(new SoftwareBackend(new RingKeys(store, sealer)))] : []
  const clusters = token.flatMap((backend) => (options.keyStores?.clusters ?? []).map((one) => ({ ...one, backend })))
  const proxies = options.keyStores?.proxies ?? []
  const keyStores = openKeyStores({ clusters, proxies, store, ringKeys, inner: software })
  const all = [options.wrapBackend?.(software) ?? software, ...token, keyStores.external]
  const backends = new Backends(all, 'software')
  const authorizer: Authorizer = options.authorizer?.(store) ?? {
    decide: async (request) => options.decide?.(request) ?? { allow: true },
  }
  const realm = await ensureRealm(store, sealer, {
    aws: { account: '000000000000', region: 'us-east-1' },
    gcp: { project: 'local', location: 'global' },
    azure: { tenant: options.tenant ?? randomUUID() },
    dialects: DIALECTS,
    now: clock.now(),
  })
  const kernel: Kernel = new Kernel({
    store,
    backends,
    sealer,
    backupSealer: sealer,
    ringKeys,
    ringSettings: ringSettingsOf(options.rings ?? []),
    keyStores: keyStores.gateway,
    materialIds: new MaterialIds(options.materialIdKey ?? createSecretKey(randomBytes(32))),
    audit,
    authorizer,
    clock,
    provision: options.provision ?? true,
    committed(writes) {
      due.committed(writes)
      options.committed?.(writes)
    },
  })
  const failures: unknown[] = []
  const due = new DueWork({ store, kernel, clock, failed: (error) => failures.push(error) })

  /** One request of a dialect, to its own address of the built-in realm unless another is given. */
  const run = <I, O>(dialect: Dialect, operation: Operation<I, O>, input: I, call: Partial<Call> = {}): Promise<O> =>
    kernel.execute(operation, input, {
      signal: new AbortController().signal,
      requestId: randomUUID(),
      dialect,
      wire: operation.name,
      principal: { id: 'anonymous:', method: 'none' },
      realm: ADDRESSES[dialect],
      ...call,
    })
  /** The code that a request is refused with; `ok` where it isn't. */
  const code = async (work: Promise<unknown>): Promise<string> => {
    try {
      await work
      return 'ok'
    } catch (error) {
      return error instanceof KmsError ? error.code : `threw ${String(error)}`
    }
  }
  /** Moves the clock and does what fell due. */
  const advance = async (ms: number): Promise<void> => {
    clock.time += ms
    await due.settle()
  }
  return { kernel, store, audit, sealer, clock, backends, due, realm, failures, run, code, advance }
}
export type TestKernel = Awaited<ReturnType<typeof makeKernel>>
