/** Azure's role assignments and custom roles. Only the administrator's commands have these operations. */
import { randomUUID } from 'node:crypto'
import { allRows } from '../all-rows.ts'
import { invalidArgument } from '../error.ts'
import type { Realm } from '../key.ts'
import { realmOperation } from '../operation.ts'
import type { RoleAssignment } from '../policy/azure/role-book.ts'
import { builtInRole, type RoleDefinition } from '../policy/azure/roles.ts'
import { parseScope } from '../policy/azure/scope.ts'
import type { Store, Stored, Write } from '../ports.ts'
import { foldName } from '../schema.ts'

export type Assigned = Pick<RoleAssignment, 'principalId' | 'scope' | 'deny'> & {
  /** Its name or its id. */
  readonly role: string
}
export type RoleFacts = Pick<RoleDefinition, 'name' | 'dataActions' | 'notDataActions'>
type Reads = Pick<Store, 'find' | 'get'>

const GUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const SUBJECT = /^[\x21-\x7e]{1,256}#[\x21-\x7e]{1,256}$/
const ROLE_NAME = /^[\x20-\x7e]{1,128}$/
const DATA_ACTION = /^(?:\*|Microsoft\.KeyVault\/(?:vaults|managedHsm)\/[A-Za-z*]+(?:\/[A-Za-z*]+){0,4})$/i
const MAX_DATA_ACTIONS = 128

/** An object's id in the tenant, or `issuer#subject`. @throws KmsError invalid_argument */
function checkPrincipal(id: string): string {
  if (GUID.test(id)) return id.toLowerCase()
  if (SUBJECT.test(id)) return id
  throw invalidArgument('principal', "not an object's id (a GUID), nor <issuer>#<subject>")
}

/** As assignments are kept, but for the role. @throws KmsError invalid_argument */
export function checkAssigned({
  principalId,
  scope,
  deny,
}: Assigned): Pick<RoleAssignment, 'principalId' | 'scope' | 'deny'> {
  const parsed = parseScope(scope)
  if (parsed === undefined) {
    throw invalidArgument(
      'scope',
      'not /, /vaults/<name>, or with /keys, /keys/<name>, /secrets or /secrets/<name> after it',
    )
  }
  return { principalId: checkPrincipal(principalId), scope: parsed, deny }
}

/** @throws KmsError invalid_argument */
export function checkRole({ name, dataActions, notDataActions }: RoleFacts): void {
  if (!ROLE_NAME.test(name) || GUID.test(name))
    throw invalidArgument('name', 'not 1 to 128 printable characters, or a GUID')
  if (builtInRole(name) !== undefined) throw invalidArgument('name', 'a built-in role has that name')
  if (dataActions.length === 0) throw invalidArgument('dataActions', 'a role without any gives nothing')
  for (const [field, actions] of Object.entries({ dataActions, notDataActions })) {
    if (actions.length > MAX_DATA_ACTIONS) throw invalidArgument(field, `more than ${MAX_DATA_ACTIONS}`)
    const bad = actions.find((action) => action.length > 256 || !DATA_ACTION.test(action))
    if (bad !== undefined)
      throw invalidArgument(field, 'not of the form Microsoft.KeyVault/vaults/keys/read, with * for anything')
  }
}

/** A built-in role or one of the installation's own. */
export async function findRole(store: Reads, idOrName: string): Promise<RoleDefinition | undefined> {
  const builtIn = builtInRole(idOrName)
  if (builtIn !== undefined) return builtIn
  return GUID.test(idOrName)
    ? store.get('roleDefinitions', idOrName.toLowerCase())
    : store.find('roleDefinitions', 'name', [foldName(idOrName)])
}

/** Of the vaults that the realm's tenant has. @throws KmsError invalid_argument */
export function tenantOf({ azure }: Realm): string {
  if (azure === undefined) throw invalidArgument('realm', 'it has no tenant')
  return azure.tenant
}

export const assignmentKey = (row: Omit<RoleAssignment, 'id' | 'createdAt'>): readonly string[] => [
  row.tenant,
  row.principalId,
  row.roleId,
  row.scope,
  row.deny ? 'deny' : 'allow',
]
export const describeAssignment = ({ principalId, scope, deny }: RoleAssignment, role: string): string =>
  `${deny ? 'deny ' : ''}${role} to ${principalId} on ${scope}`

export const newAssignment = (row: Omit<RoleAssignment, 'id' | 'createdAt'>, now: number): RoleAssignment => ({
  ...row,
  id: randomUUID(),
  createdAt: now,
})

export type AssignmentView = { readonly assignment: RoleAssignment; readonly role: string }

export const assignRole = realmOperation<Assigned, AssignmentView>({
  name: 'AssignRole',
  action: 'assign-role',
  async run({ store, now }, { realm }, asked) {
    const role = await findRole(store, asked.role)
    if (role === undefined) throw invalidArgument('role', 'there is no such role')
    const wanted = { ...checkAssigned(asked), tenant: tenantOf(realm), roleId: role.id }
    const there = await store.find('roleAssignments', 'grant', assignmentKey(wanted))
    if (there !== undefined) throw invalidArgument('role', `it is assigned already, by ${there.id}`)
    const assignment = newAssignment(wanted, now)
    return {
      output: { assignment, role: role.name },
      writes: [
        { kind: 'insert', collection: 'roleAssignments', row: assignment },
        // A role that is taken away meanwhile would leave an assignment of nothing.
        ...(await holding(store, role)),
      ],
      about: describeAssignment(assignment, role.name),
    }
  },
})

/** Conflicts with whatever changes the role at the same time. */
async function holding(store: Store, role: RoleDefinition): Promise<readonly Write[]> {
  const stored = await store.get('roleDefinitions', role.id)
  if (stored === undefined) return []
  const { revision, ...row } = stored
  return [{ kind: 'update', collection: 'roleDefinitions', row, revision }]
}

export const unassignRole = realmOperation<{ readonly id: string }, AssignmentView>({
  name: 'UnassignRole',
  action: 'unassign-role',
  async run({ store }, _target, { id }) {
    const found = await store.get('roleAssignments', id.toLowerCase())
    if (found === undefined) throw invalidArgument('id', 'there is no such assignment')
    const { revision, ...assignment } = found
    const role = (await findRole(store, assignment.roleId))?.name ?? assignment.roleId
    return {
      output: { assignment, role },
      writes: [{ kind: 'delete', collection: 'roleAssignments', id: assignment.id, revision }],
      about: describeAssignment(assignment, role),
    }
  },
})

/** Makes a role, or changes the one of that name. */
export const defineRole = realmOperation<RoleFacts, RoleDefinition>({
  name: 'DefineRole',
  action: 'define-role',
  async run({ store }, _target, facts) {
    checkRole(facts)
    const there = await store.find('roleDefinitions', 'name', [foldName(facts.name)])
    const row: RoleDefinition = { ...facts, id: there?.id ?? randomUUID() }
    return { output: row, writes: [writeRole(row, there)], about: row.name }
  },
})

export const writeRole = (row: RoleDefinition, there: Stored<RoleDefinition> | undefined): Write =>
  there === undefined
    ? { kind: 'insert', collection: 'roleDefinitions', row }
    : { kind: 'update', collection: 'roleDefinitions', row, revision: there.revision }

export const undefineRole = realmOperation<{ readonly name: string }, RoleDefinition>({
  name: 'UndefineRole',
  action: 'undefine-role',
  async run({ store }, _target, { name }) {
    const found = await store.find('roleDefinitions', 'name', [foldName(name)])
    if (found === undefined) throw invalidArgument('name', 'there is no such role of your own')
    if ((await store.count('roleAssignments', 'role', [found.id])) > 0) {
      throw invalidArgument('name', 'it is assigned to somebody: take those assignments away first')
    }
    const { revision, ...row } = found
    return {
      output: row,
      writes: [{ kind: 'delete', collection: 'roleDefinitions', id: row.id, revision }],
      about: row.name,
    }
  },
})

export type RoleList = {
  readonly assignments: readonly AssignmentView[]
  readonly definitions: readonly RoleDefinition[]
}

/** All of them: an installation has as many as it has services that call it. By principal, then by scope. */
export async function readRoles(store: Store) {
  return {
    assignments: await allRows(store, 'roleAssignments', 'holder'),
    definitions: await allRows(store, 'roleDefinitions', 'name'),
  }
}

export const roleName = (id: string, definitions: readonly RoleDefinition[]): string =>
  (builtInRole(id) ?? definitions.find((one) => one.id === id))?.name ?? id
