/**
 * Azure's built-in roles for what is in vaults, and the local roles of Managed HSMs, with their data actions
 * (learn.microsoft.com: Azure built-in roles for Security; Managed HSM's as the service listed them).
 */
import { matcherOf } from '../pattern-set.ts'

export type RoleDefinition = {
  /** A GUID. */
  readonly id: string
  /** Unique without regard to case. */
  readonly name: string
  readonly dataActions: readonly string[]
  readonly notDataActions: readonly string[]
}

const of = (prefix: string, actions: readonly string[]): readonly string[] =>
  actions.map((action) => `Microsoft.KeyVault/${prefix}/${action}`)
const role = (id: string, name: string, dataActions: readonly string[]): RoleDefinition => ({
  id,
  name,
  dataActions,
  notDataActions: [],
})
const vaultRole = (id: string, name: string, actions: readonly string[]): RoleDefinition =>
  role(id, `Key Vault ${name}`, of('vaults', actions))
const hsmRole = (id: string, name: string, actions: readonly string[]): RoleDefinition =>
  role(id, `Managed HSM ${name}`, of('managedHsm', actions))

const ROLE_MANAGEMENT = ['roleAssignments', 'roleDefinitions'].flatMap((kind) =>
  ['read', 'write', 'delete'].map((verb) => `${kind}/${verb}/action`),
)

export const BUILT_IN_ROLES: readonly RoleDefinition[] = [
  vaultRole('00482a5a-887f-4fb3-b363-3b7fe8e74483', 'Administrator', ['*']),
  vaultRole('21090545-7ca7-4776-b22c-e363652d74d2', 'Reader', ['*/read', 'secrets/readMetadata/action']),
  vaultRole('14b46e9e-c2b7-41b4-b07b-48a6ebf60603', 'Crypto Officer', ['keys/*', 'keyrotationpolicies/*']),
  vaultRole('12338af0-0e69-4776-bea7-57ae8d297424', 'Crypto User', [
    'keys/read',
    'keys/update/action',
    'keys/backup/action',
    'keys/encrypt/action',
    'keys/decrypt/action',
    'keys/wrap/action',
    'keys/unwrap/action',
    'keys/sign/action',
    'keys/verify/action',
  ]),
  vaultRole('e147488a-f6f5-4113-8e2d-b22465e65bf6', 'Crypto Service Encryption User', [
    'keys/read',
    'keys/wrap/action',
    'keys/unwrap/action',
  ]),
  vaultRole('08bbd89e-9f13-488c-ac41-acfcb10c90ab', 'Crypto Service Release User', ['keys/release/action']),
  vaultRole('b86a8fe4-44ce-4948-aee5-eccb2c155cd7', 'Secrets Officer', ['secrets/*']),
  vaultRole('4633458b-17de-408a-b874-0445c86b69e6', 'Secrets User', [
    'secrets/getSecret/action',
    'secrets/readMetadata/action',
  ]),
  hsmRole('a290e904-7015-4bba-90c8-60543313cdb4', 'Administrator', [
    ...ROLE_MANAGEMENT,
    'securitydomain/download/action',
    'securitydomain/download/read',
    'securitydomain/upload/action',
    'securitydomain/upload/read',
    'securitydomain/transferkey/read',
    'backup/start/action',
    'backup/status/action',
    'restore/start/action',
    'restore/status/action',
  ]),
  hsmRole('515eb02d-2335-4d2d-92f2-b1cbdf9c3778', 'Crypto Officer', [
    ...ROLE_MANAGEMENT,
    'keys/deletedKeys/read/action',
    'keys/deletedKeys/delete',
    'keys/deletedKeys/recover/action',
    'keys/export/action',
  ]),
  hsmRole('21dbd100-6940-42c2-9190-5d6cb909625b', 'Crypto User', [
    'roleDefinitions/read/action',
    'roleAssignments/read/action',
    'keys/read/action',
    'keys/write/action',
    'keys/delete',
    'keys/create',
    'keys/rotate/action',
    'keys/import/action',
    'keys/release/action',
    'keys/backup/action',
    'keys/restore/action',
    'keys/encrypt/action',
    'keys/decrypt/action',
    'keys/wrap/action',
    'keys/unwrap/action',
    'keys/sign/action',
    'keys/verify/action',
    'keys/derive/action',
    'rng/action',
  ]),
  hsmRole('4bd23610-cdcf-4971-bdee-bdc562cc28e4', 'Policy Administrator', ROLE_MANAGEMENT),
  hsmRole('2c18b078-7c48-4d3a-af88-5a3a1b3f82b3', 'Crypto Auditor', [
    'roleDefinitions/read/action',
    'roleAssignments/read/action',
    'keys/read/action',
    'keys/deletedKeys/read/action',
  ]),
  hsmRole('33413926-3206-4cdd-b39a-83574fe37a17', 'Crypto Service Encryption User', [
    'keys/read/action',
    'keys/wrap/action',
    'keys/unwrap/action',
  ]),
  hsmRole('21dbd100-6940-42c2-9190-5d6cb909625c', 'Crypto Service Release User', ['keys/release/action']),
  hsmRole('7b127d3c-77bd-4e3e-bbe0-dbb8971fa7f8', 'Backup User', [
    'backup/start/action',
    'backup/status/action',
    'keys/backup/action',
  ]),
  hsmRole('6efe6056-5259-49d2-8b3d-d3d73544b20b', 'Restore User', [
    'restore/start/action',
    'restore/status/action',
    'keys/restore/action',
  ]),
]

const fold = (text: string): string => text.toLowerCase()
/** By id and by name, in lower case. */
const BUILT_IN: ReadonlyMap<string, RoleDefinition> = new Map(
  BUILT_IN_ROLES.flatMap((one) => [
    [fold(one.id), one],
    [fold(one.name), one],
  ]),
)
export const builtInRole = (idOrName: string): RoleDefinition | undefined => BUILT_IN.get(fold(idOrName))

export type Grants = (dataAction: string) => boolean

/** Definitions are immutable, and few. */
const compiled = new WeakMap<RoleDefinition, Grants>()
export function grantsOf(definition: RoleDefinition): Grants {
  const known = compiled.get(definition)
  if (known !== undefined) return known
  const [given, taken] = [matcherOf(definition.dataActions), matcherOf(definition.notDataActions)]
  const grants: Grants = (action) => given(action) && !taken(action)
  compiled.set(definition, grants)
  return grants
}
