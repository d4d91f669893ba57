/** What AWS KMS is, as far as the random sequences go: keys, aliases and a clock, in plain data. */
import { ACCOUNT, arnOf, REGION } from './support.ts'

export const DAY = 86_400_000
/** A rotation by the clock that is this near keeps one on demand away. */
const DISTANCE = 20 * 60_000
const MAX_ON_DEMAND = 25

export type State = 'Enabled' | 'Disabled' | 'PendingDeletion'
export type Kind = 'symmetric' | 'signing' | 'mac'
export const USAGES = {
  symmetric: 'ENCRYPT_DECRYPT',
  signing: 'SIGN_VERIFY',
  mac: 'GENERATE_VERIFY_MAC',
} as const satisfies Record<Kind, string>
export type Rotation = { readonly type: 'AUTOMATIC' | 'ON_DEMAND'; readonly at: number }
export type Sealed = {
  readonly blob: string
  readonly plaintext: string
  readonly context: Readonly<Record<string, string>>
  /** Which of the key's materials sealed it. */
  readonly material: number
}
/** A signature or a MAC. */
export type Signed = { readonly message: string; readonly signature: string }

export type ModelKey = {
  readonly id: string
  readonly kind: Kind
  readonly created: number
  state: State
  dueAt: number
  description: string
  policy: string | undefined
  readonly tags: Map<string, string>
  /** How each material after the first came about. */
  readonly rotations: Rotation[]
  /** Ids of the materials as far as the service has told them. */
  readonly materials: (string | undefined)[]
  period: number | undefined
  nextAt: number
  onDemand: number
  lastUse: { readonly operation: string; readonly at: number } | undefined
  readonly sealed: Sealed[]
  readonly signed: Signed[]
}
export type ModelAlias = { keyId: string; readonly created: number; updated: number }

export const unknownKey = (id: string): string => `NotFoundException: Key '${arnOf(id)}' does not exist`
export const unknownAlias = (name: string): string =>
  `NotFoundException: Alias arn:aws:kms:${REGION}:${ACCOUNT}:${name} is not found.`

export class Model {
  now: number
  readonly keys = new Map<string, ModelKey>()
  /** Ids of keys that were there. */
  readonly purged: string[] = []
  readonly aliases = new Map<string, ModelAlias>()
  /** How often a rotation fell due, and a deletion was called off. */
  rotated = 0
  recovered = 0

  constructor(now: number) {
    this.now = now
  }

  create(id: string, kind: Kind, description: string): ModelKey {
    const key: ModelKey = {
      id,
      kind,
      created: this.now,
      state: 'Enabled',
      dueAt: 0,
      description,
      policy: undefined,
      tags: new Map(),
      rotations: [],
      materials: [undefined],
      period: undefined,
      nextAt: 0,
      onDemand: 0,
      lastUse: undefined,
      sealed: [],
      signed: [],
    }
    this.keys.set(id, key)
    return key
  }

  rotate(key: ModelKey, type: Rotation['type']): void {
    key.rotations.push({ type, at: this.now })
    key.materials.push(undefined)
    if (type === 'ON_DEMAND') key.onDemand += 1
  }

  /** Dates that were passed in one go are not made up for: one rotation stands for them. */
  advance(ms: number): void {
    this.now += ms
    for (const key of this.keys.values()) {
      if (key.state === 'PendingDeletion' && key.dueAt <= this.now) this.#purge(key)
      else if (key.state === 'Enabled' && key.period !== undefined && key.nextAt <= this.now) {
        this.rotate(key, 'AUTOMATIC')
        this.rotated++
        while (key.nextAt <= this.now) key.nextAt += key.period * DAY
      }
    }
  }

  #purge(key: ModelKey): void {
    this.keys.delete(key.id)
    this.purged.push(key.id)
    for (const [name, { keyId }] of this.aliases) if (keyId === key.id) this.aliases.delete(name)
  }

  /** The refusal of an operation that needs an enabled key; undefined where it is. */
  unlessEnabled(id: string): string | undefined {
    const key = this.keys.get(id)
    if (key?.state === 'Disabled') return `DisabledException: ${arnOf(id)} is disabled.`
    return this.unlessLive(id)
  }

  /** The refusal of an operation that needs a key that is not to be deleted. */
  unlessLive(id: string): string | undefined {
    const key = this.keys.get(id)
    if (key === undefined) return unknownKey(id)
    return key.state === 'PendingDeletion' ? `KMSInvalidStateException: ${arnOf(id)} is pending deletion.` : undefined
  }

  unlessPending(id: string): string | undefined {
    const key = this.keys.get(id)
    if (key === undefined) return unknownKey(id)
    if (key.state === 'PendingDeletion') return undefined
    return `KMSInvalidStateException: ${arnOf(id)} is not pending deletion.`
  }

  unlessThere(id: string): string | undefined {
    return this.keys.has(id) ? undefined : unknownKey(id)
  }

  unlessRotatable(id: string): string | undefined {
    const refused = this.unlessEnabled(id)
    if (refused !== undefined) return refused
    return this.keys.get(id)?.kind === 'symmetric' ? undefined : 'UnsupportedOperationException'
  }

  unlessOnDemand(id: string): string | undefined {
    const refused = this.unlessRotatable(id)
    const key = this.keys.get(id)
    if (refused !== undefined || key === undefined) return refused
    if (key.period !== undefined && key.nextAt - this.now <= DISTANCE) return 'ConflictException'
    if (key.onDemand < MAX_ON_DEMAND) return undefined
    return `LimitExceededException: The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can be performed for this key: ${arnOf(id)}`
  }

  /** The refusal of a use that only one kind of key has. */
  unlessUsable(id: string, kind: Kind, operation: string): string | undefined {
    const refused = this.unlessEnabled(id)
    const key = this.keys.get(id)
    if (refused !== undefined || key === undefined || key.kind === kind) return refused
    return `InvalidKeyUsageException: ${arnOf(id)} key usage is ${USAGES[key.kind]} which is not valid for ${operation}.`
  }
}
