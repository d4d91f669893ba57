/** A grant: a permission to use one key, which its maker gives and takes away without touching the key's policy. */

export type GrantConstraints = {
  /** All of the encryption context. */
  readonly equals?: Readonly<Record<string, string>>
  /** Part of the encryption context. */
  readonly subset?: Readonly<Record<string, string>>
}
