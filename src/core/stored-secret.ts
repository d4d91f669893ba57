/** Values kept for their owner: a secret is a name with versions, each sealed like key material. It shares no name with keys. */
import type { Dialect } from './key.ts'

export type SecretDeletion = {
  readonly by: Dialect
  readonly requestedAt: number
  readonly dueAt: number
}

export type StoredSecret = {
  /** UUID, lower case. */
  readonly id: string
  readonly realmId: string
  readonly ringId: string
  /** Unique among the ring's secrets without regard to case, deleted ones included until they are purged. */
  readonly name: string
  readonly createdBy: Dialect
  readonly createdAt: number
  readonly updatedAt: number
  /** Present while it waits to be purged. */
  readonly deletion?: SecretDeletion
  /** Number of the version that answers when none is named. */
  readonly current: number
  /** Days a deleted secret stays recoverable. */
  readonly recoverableDays: number
}

/** What a caller may set on a version and change later. */
export type SecretAttributes = {
  readonly enabled: boolean
  readonly contentType?: string
  readonly tags: Readonly<Record<string, string>>
  /** Dates are information: values are read outside them too. */
  readonly notBefore?: number
  readonly expiresAt?: number
}

export type SecretVersion = SecretAttributes & {
  /** UUID; the seal is bound to it. */
  readonly id: string
  readonly secretId: string
  readonly number: number
  /** 32 hex digits. */
  readonly hexId: string
  /** The value under the ring's key (sealed-secret.ts). */
  readonly sealed: Uint8Array
  readonly createdAt: number
  readonly updatedAt: number
}
