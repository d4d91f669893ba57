/** What Azure calls the right to do each operation, in a vault and in a Managed HSM. */

/** After `Microsoft.KeyVault/vaults/` and `Microsoft.KeyVault/managedHsm/`; one where they are the same. */
const DATA_ACTIONS: Readonly<Record<string, string | readonly [vault: string, managedHsm: string]>> = {
  createKey: ['keys/create/action', 'keys/create'],
  importKey: 'keys/import/action',
  getKey: ['keys/read', 'keys/read/action'],
  getKeys: ['keys/read', 'keys/read/action'],
  getKeyVersions: ['keys/read', 'keys/read/action'],
  updateKey: ['keys/update/action', 'keys/write/action'],
  deleteKey: 'keys/delete',
  rotateKey: 'keys/rotate/action',
  getKeyRotationPolicy: ['keyrotationpolicies/read', 'keys/read/action'],
  updateKeyRotationPolicy: ['keyrotationpolicies/write', 'keys/write/action'],
  backupKey: 'keys/backup/action',
  restoreKey: 'keys/restore/action',
  encrypt: 'keys/encrypt/action',
  decrypt: 'keys/decrypt/action',
  wrapKey: 'keys/wrap/action',
  unwrapKey: 'keys/unwrap/action',
  sign: 'keys/sign/action',
  verify: 'keys/verify/action',
  getDeletedKeys: ['keys/read', 'keys/deletedKeys/read/action'],
  getDeletedKey: ['keys/read', 'keys/deletedKeys/read/action'],
  recoverDeletedKey: ['keys/recover/action', 'keys/deletedKeys/recover/action'],
  purgeDeletedKey: ['keys/purge/action', 'keys/deletedKeys/delete'],
  getRandomBytes: 'rng/action',
  setSecret: 'secrets/setSecret/action',
  getSecret: 'secrets/getSecret/action',
  getSecrets: 'secrets/readMetadata/action',
  getSecretVersions: 'secrets/readMetadata/action',
  updateSecret: 'secrets/update/action',
  deleteSecret: 'secrets/delete',
  backupSecret: 'secrets/backup/action',
  restoreSecret: 'secrets/restore/action',
  getDeletedSecrets: 'secrets/readMetadata/action',
  getDeletedSecret: 'secrets/readMetadata/action',
  recoverDeletedSecret: 'secrets/recover/action',
  purgeDeletedSecret: 'secrets/purge/action',
}

/** By the operation's name on the wire. */
const FULL: ReadonlyMap<string, { readonly vault: string; readonly managedHsm: string }> = new Map(
  Object.entries(DATA_ACTIONS).map(([wire, action]) => {
    const [vault, managedHsm] = typeof action === 'string' ? [action, action] : action
    return [
      wire,
      { vault: `Microsoft.KeyVault/vaults/${vault}`, managedHsm: `Microsoft.KeyVault/managedHsm/${managedHsm}` },
    ]
  }),
)

export function dataActionOf(wire: string, managedHsm: boolean): string {
  const actions = FULL.get(wire)
  // A test has a row for every binding.
  if (actions === undefined) throw new TypeError(`${wire} has no data action`)
  return managedHsm ? actions.managedHsm : actions.vault
}
