/** How operations name things: parsed by the dialects, resolved by the kernel. Never a raw string below `src/api`. */

/** Which realm a request is for. Azure names a vault, and so a ring, instead of a tenant. */
export type RealmAddress =
  | { readonly dialect: 'aws'; readonly account: string; readonly region: string }
  | { readonly dialect: 'gcp'; readonly project: string; readonly location: string }
  | { readonly dialect: 'azure'; readonly vault: string }
  /** Background work, which has the realm at hand already. */
  | { readonly dialect: 'system'; readonly realmId: string }

export type RingReference =
  /** The realm's default ring; the vault's ring for an Azure address. */
  { readonly by: 'default' } | { readonly by: 'name'; readonly name: string }

export type KeyReference = {
  /** Where it is looked for, if not in the caller's own realm. */
  readonly realm?: RealmAddress
} & (
  | { readonly by: 'id'; readonly id: string }
  /** The id that keys of several realms share: each realm has one at most. */
  | { readonly by: 'multi_region'; readonly id: string }
  | { readonly by: 'alias'; readonly name: string }
  /** A name in a ring; a key's UUID is accepted for its name. */
  | { readonly by: 'name'; readonly ring: RingReference; readonly name: string }
  /** The key that owns a version, as a ciphertext names it. */
  | { readonly by: 'version'; readonly versionId: string }
)

/** Secrets and keys are named apart. */
export type SecretReference =
  | { readonly by: 'id'; readonly id: string }
  | { readonly by: 'name'; readonly ring: RingReference; readonly name: string }

/** Absent: the current version. */
export type VersionReference =
  | { readonly by: 'number'; readonly number: number }
  | { readonly by: 'hex'; readonly hex: string }
  | { readonly by: 'id'; readonly id: string }

/** Text of a reference for `params` of errors and for audit; as the caller wrote it, as far as that is known. */
export function describeKeyReference(reference: KeyReference): string {
  switch (reference.by) {
    case 'id':
    case 'multi_region':
      return reference.id
    case 'alias':
      return reference.name
    case 'name':
      return reference.name
    case 'version':
      return reference.versionId
  }
}
