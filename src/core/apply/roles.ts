/** Azure's custom roles and role assignments as a declaration has them. */
import { randomUUID } from 'node:crypto'
import { invalidArgument } from '../error.ts'
import {
  type Assigned,
  assignmentKey,
  checkAssigned,
  checkRole,
  describeAssignment,
  newAssignment,
  type RoleFacts,
  readRoles,
  roleName,
  writeRole,
} from '../ops/role-assignments.ts'
import type { RoleAssignment } from '../policy/azure/role-book.ts'
import { builtInRole, type RoleDefinition } from '../policy/azure/roles.ts'
import type { Stored, Write } from '../ports.ts'
import { foldName } from '../schema.ts'
import { type Change, canonical, checkOnce, eachOf, gone, type PlanContext, type Section } from './plan.ts'

export type DeclaredRoles = {
  readonly definitions: readonly RoleFacts[] | undefined
  readonly assignments: readonly Assigned[] | undefined
  /** Of the vaults that a scope of `/` means; undefined: the realm has none. */
  readonly tenant: string | undefined
}

const factsOf = ({ dataActions, notDataActions }: RoleFacts) => ({ dataActions, notDataActions })

function planDefinition(facts: RoleFacts, there: Stored<RoleDefinition> | undefined) {
  checkRole(facts)
  const row: RoleDefinition = { ...facts, id: there?.id ?? randomUUID() }
  const what = `custom role ${facts.name}`
  if (there !== undefined && canonical(factsOf(there)) === canonical(factsOf(row))) return { row, section: undefined }
  const change: Change =
    there === undefined
      ? { kind: 'create', what, after: factsOf(row) }
      : { kind: 'update', what, before: factsOf(there), after: factsOf(row) }
  return { row, section: { changes: [change], writes: [writeRole(row, there)] } }
}

type Stand = Awaited<ReturnType<typeof readRoles>>

/** The roles that there will be, and how they come to be. */
async function planDefinitions(
  { prune }: PlanContext,
  declared: readonly RoleFacts[] | undefined,
  { definitions }: Stand,
) {
  if (declared === undefined) return { roles: definitions as readonly RoleDefinition[], sections: [] }
  checkOnce(
    'roleDefinitions',
    declared.map(({ name }) => foldName(name)),
  )
  const byName = new Map(definitions.map((one) => [foldName(one.name), one]))
  const planned = await eachOf('roleDefinitions', declared, (facts) =>
    planDefinition(facts, byName.get(foldName(facts.name))),
  )
  const listed = new Set(planned.map(({ row }) => row.id))
  const rest = definitions.filter(({ id }) => !listed.has(id))
  const sections: Section[] = planned.flatMap(({ section }) => (section === undefined ? [] : [section]))
  for (const { revision, ...row } of rest) {
    const writes: readonly Write[] = prune
      ? [{ kind: 'delete', collection: 'roleDefinitions', id: row.id, revision }]
      : []
    sections.push({ changes: [{ kind: gone(prune), what: `custom role ${row.name}` }], writes })
  }
  return { roles: [...planned.map(({ row }) => row), ...(prune ? [] : rest)], sections }
}

async function planAssignments(
  { prune, now }: PlanContext,
  declared: readonly Assigned[],
  { assignments }: Stand,
  roles: readonly RoleDefinition[],
  tenant: string | undefined,
): Promise<readonly Section[]> {
  const nameOf = (one: RoleAssignment): string =>
    `role assignment: ${describeAssignment(one, roleName(one.roleId, roles))}`
  const keyOf = (one: Omit<RoleAssignment, 'id' | 'createdAt'>): string => assignmentKey(one).join('\0')
  const wanted = await eachOf('roleAssignments', declared, (one) => {
    if (tenant === undefined) throw invalidArgument('scope', 'the built-in realm has no tenant')
    const folded = foldName(one.role)
    const role = builtInRole(one.role) ?? roles.find(({ id, name }) => id === folded || foldName(name) === folded)
    if (role === undefined) throw invalidArgument('role', 'there is no such role')
    return { ...checkAssigned(one), tenant, roleId: role.id }
  })
  checkOnce('roleAssignments', wanted.map(keyOf))
  const there = new Set(assignments.map(keyOf))
  const listed = new Set(wanted.map(keyOf))
  const made = wanted.filter((one) => !there.has(keyOf(one))).map((one) => newAssignment(one, now))
  const rest = assignments.filter((one) => !listed.has(keyOf(one)))
  return [
    ...made.map(
      (row): Section => ({
        changes: [{ kind: 'create', what: nameOf(row) }],
        writes: [{ kind: 'insert', collection: 'roleAssignments', row }],
      }),
    ),
    ...rest.map(
      ({ revision, ...row }): Section => ({
        changes: [{ kind: gone(prune), what: nameOf(row) }],
        writes: prune ? [{ kind: 'delete', collection: 'roleAssignments', id: row.id, revision }] : [],
      }),
    ),
  ]
}

/** @throws KmsError invalid_argument */
export async function planRoles(context: PlanContext, declared: DeclaredRoles): Promise<readonly Section[]> {
  if (declared.definitions === undefined && declared.assignments === undefined) return []
  const stand = await readRoles(context.store)
  const { roles, sections } = await planDefinitions(context, declared.definitions, stand)
  const assigned =
    declared.assignments === undefined
      ? []
      : await planAssignments(context, declared.assignments, stand, roles, declared.tenant)
  checkHeld(stand, roles, assigned)
  return [...sections, ...assigned]
}

/** No assignment is left of a role that goes. @throws KmsError invalid_argument */
function checkHeld(
  { assignments, definitions }: Stand,
  roles: readonly RoleDefinition[],
  planned: readonly Section[],
): void {
  const leaving = new Set(
    planned.flatMap(({ writes }) => writes.flatMap((write) => (write.kind === 'delete' ? [write.id] : []))),
  )
  const going = definitions.filter(({ id }) => !roles.some((role) => role.id === id))
  const held = going.find(({ id }) => assignments.some((one) => one.roleId === id && !leaving.has(one.id)))
  if (held !== undefined)
    throw invalidArgument('roleDefinitions', `${held.name} is assigned to somebody, and not declared`)
}
