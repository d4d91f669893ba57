/** What the AWS dialect tells policies about a request. Worked out only when a policy, or a grant, asks. */
import type { Key } from '../../key.ts'
import type { KeyReference } from '../../reference.ts'
import type { ContextMap, Wanted } from './grant.ts'

/** Of one decision: an operation may be decided on more than once. */
export type Subject = { readonly action: string; readonly key: Key | undefined }

export type AwsFacts = {
  /** Value of a condition key, whose name is in lower case; undefined: the request has none. */
  condition(name: string, subject: Subject): string | readonly string[] | undefined
  /** The encryption context of what the action does; undefined: it has no place for one. */
  encryptionContext(action: string): ContextMap | undefined
  /** ARN of what the request is about, where it is neither a key nor an alias. */
  readonly resource: string | undefined
  /** The alias that an operation on aliases names, with its `alias/` prefix. */
  readonly alias: string | undefined
  /** What a new grant would allow. */
  readonly grant: Wanted | undefined
  /** The grant that is to be retired. */
  readonly retires: string | undefined
  /** Whether a key is to be made with tags. */
  readonly tags: boolean
  /** The key that a re-encryption is to. */
  readonly destination: KeyReference | undefined
  /** Whether nothing but a ciphertext names the action's key. */
  isUnnamed(action: string): boolean
}
