/**
 * Every access key and whom it belongs to, in memory: signatures are verified on each request, and a look-up that costs the
 * same for a key that is there and one that is not needs no care anywhere else. Filled at the start, kept up with commits.
 */
import { rowsOf } from '../all-rows.ts'
import type { Clock, Principal, Sealer, Store, Write } from '../ports.ts'
import { foldName } from '../schema.ts'
import { Secret } from '../secret.ts'
import { AccessKeyUses } from './access-key-uses.ts'
import { type AccessKey, identityOf, principalArn, type StoredPrincipal } from './principal.ts'

/** An access key that may be used, with its secret and its owner. */
export type Credential = {
  readonly accessKeyId: string
  readonly secret: Secret
  readonly principal: Principal
}

/** What the configuration says, which no command changes. */
export type FixedPrincipals = {
  readonly principals: readonly StoredPrincipal[]
  readonly accessKeys: readonly { readonly id: string; readonly principalId: string; readonly secret: Secret }[]
}

type OpenKey = { readonly id: string; readonly principalId: string; readonly secret: Secret; readonly enabled: boolean }

export const accessKeyContext = (id: string): string => `access-key:${id}`

export type DirectoryDeps = {
  readonly store: Store
  readonly sealer: Sealer
  readonly clock: Clock
  readonly fixed: FixedPrincipals
}

export class Directory {
  readonly uses: AccessKeyUses
  readonly #store: Store
  readonly #sealer: Sealer
  #fixed: FixedPrincipals
  #fixedIds: ReadonlySet<string>
  readonly #principals = new Map<string, StoredPrincipal>()
  readonly #arns = new Map<string, StoredPrincipal>()
  readonly #keys = new Map<string, OpenKey>()
  /** Made when first asked for; dropped with what it is made of. */
  readonly #credentials = new Map<string, Credential>()
  /** Ids are not used again, so these need not be taken out. */
  readonly #gone = new Set<string>()
  #opening: Promise<unknown> = Promise.resolve()

  constructor({ store, sealer, clock, fixed }: DirectoryDeps) {
    this.#store = store
    this.#sealer = sealer
    this.#fixed = fixed
    this.#fixedIds = new Set(fixed.principals.map(({ id }) => id))
    this.uses = new AccessKeyUses(store, clock)
    for (const principal of fixed.principals) this.#keep(principal)
    for (const key of fixed.accessKeys) this.#keys.set(key.id, { ...key, enabled: true })
  }

  async start(): Promise<void> {
    for await (const principal of rowsOf(this.#store, 'principals', 'all')) this.#keep(principal)
    for await (const key of rowsOf(this.#store, 'accessKeys', 'all')) await this.#open(key)
  }

  async stop(): Promise<void> {
    await this.uses.stop()
  }

  /** Puts what the configuration says now in the place of what it said. Resolves once what it had hidden is back. */
  async replaceFixed(fixed: FixedPrincipals): Promise<void> {
    const before = this.#fixed
    for (const { id } of before.principals) this.#drop(id)
    for (const { id } of before.accessKeys) {
      this.#keys.delete(id)
      this.#credentials.delete(id)
    }
    this.#fixed = fixed
    this.#fixedIds = new Set(fixed.principals.map(({ id }) => id))
    this.#arns.clear()
    for (const principal of [...this.#principals.values(), ...fixed.principals]) this.#keep(principal)
    for (const key of fixed.accessKeys) {
      this.#credentials.delete(key.id)
      this.#keys.set(key.id, { ...key, enabled: true })
    }
    const uncovered = before.accessKeys.filter(({ id }) => !this.#keys.has(id))
    this.#opening = this.#opening.then(async () => {
      for (const { id } of uncovered) {
        const stored = await this.#store.get('accessKeys', id)
        if (stored !== undefined) await this.#open(stored)
      }
    })
    await this.#opening
  }

  /** Undefined for a key that is unknown or disabled. */
  find(accessKeyId: string): Credential | undefined {
    const known = this.#credentials.get(accessKeyId)
    if (known !== undefined) return known
    const key = this.#keys.get(accessKeyId)
    const owner = key?.enabled === true ? this.#principals.get(key.principalId) : undefined
    if (key === undefined || owner === undefined) return undefined
    const principal: Principal = { id: `sigv4:${accessKeyId}`, method: 'sigv4', aws: identityOf(owner) }
    const credential = { accessKeyId, secret: key.secret, principal }
    this.#credentials.set(accessKeyId, credential)
    return credential
  }

  principal(id: string): StoredPrincipal | undefined {
    return this.#principals.get(id)
  }

  byArn(arn: string): StoredPrincipal | undefined {
    return this.#arns.get(arn)
  }

  /** Whether the configuration describes it, so that commands can't change it. */
  isFixed(id: string): boolean {
    return this.#fixedIds.has(id)
  }

  isKeyFixed(accessKeyId: string): boolean {
    return this.#fixed.accessKeys.some(({ id }) => id === accessKeyId)
  }

  /** Whether the configuration has that name taken; names differ in more than case. */
  isNameFixed({ kind, account, name }: Pick<StoredPrincipal, 'kind' | 'account' | 'name'>): boolean {
    const wanted = foldName(name)
    return this.#fixed.principals.some(
      (one) => one.kind === kind && one.account === account && foldName(one.name) === wanted,
    )
  }

  get all(): readonly StoredPrincipal[] {
    return [...this.#principals.values()]
  }

  accessKeysOf(principalId: string): readonly Omit<OpenKey, 'secret'>[] {
    return [...this.#keys.values()].filter((key) => key.principalId === principalId)
  }

  /** Of each commit, before it is answered: what was taken away is gone with it. */
  committed(writes: readonly Write[]): void {
    for (const write of writes) {
      if (write.collection === 'principals') {
        if (write.kind === 'delete') this.#drop(write.id)
        else this.#keep(write.row)
      }
      if (write.collection === 'accessKeys') {
        const id = write.kind === 'delete' ? write.id : write.row.id
        const known = this.#keys.get(id)
        this.#credentials.delete(id)
        if (write.kind === 'delete') this.#forget(id)
        else if (known !== undefined) this.#keys.set(id, { ...known, enabled: write.row.enabled })
        // A declaration may have given it another secret.
        if (write.kind !== 'delete') this.#opening = this.#opening.then(() => this.#open(write.row))
      }
    }
  }

  /** Also of one that is being opened. */
  #forget(id: string): void {
    this.#keys.delete(id)
    this.#gone.add(id)
  }

  /** Resolves once every key that was committed can be found. */
  async settle(): Promise<void> {
    await this.#opening
  }

  #keep(principal: StoredPrincipal): void {
    this.#drop(principal.id)
    this.#principals.set(principal.id, principal)
    // A name that the configuration came to use later means what that says.
    if (this.isFixed(principal.id) || !this.isNameFixed(principal)) this.#arns.set(principalArn(principal), principal)
  }

  #drop(id: string): void {
    const principal = this.#principals.get(id)
    if (principal === undefined) return
    this.#principals.delete(id)
    const arn = principalArn(principal)
    if (this.#arns.get(arn) === principal) this.#arns.delete(arn)
    for (const key of this.#keys.values()) if (key.principalId === id) this.#credentials.delete(key.id)
  }

  async #open(key: AccessKey): Promise<void> {
    if (this.#fixed.accessKeys.some(({ id }) => id === key.id)) return
    const secret = new Secret(await this.#sealer.unseal(key.sealedSecret, accessKeyContext(key.id)))
    if (this.#gone.has(key.id)) return
    this.#credentials.delete(key.id)
    this.#keys.set(key.id, { id: key.id, principalId: key.principalId, secret, enabled: key.enabled })
  }
}
