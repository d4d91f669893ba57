/** How commands name what rights are given on, and what they are shown of rights. */
import { invalidArgument } from '../../core/error.ts'
import type { IamResource, PolicyView } from '../../core/ops/iam-policies.ts'
import type { AssignmentView } from '../../core/ops/role-assignments.ts'
import type { RoleDefinition } from '../../core/policy/azure/roles.ts'
import { iso } from './names.ts'

const RESOURCE =
  /^projects\/(?<project>[a-z0-9.:-]{1,190})(?:\/locations\/(?<location>[a-z0-9-]{1,63})\/keyRings\/(?<ring>[a-zA-Z0-9_-]{1,63})(?:\/cryptoKeys\/(?<key>[a-zA-Z0-9_-]{1,63}))?)?$/

/** @throws KmsError invalid_argument */
export function iamResource(text: string): IamResource {
  const { project, location, ring, key } = RESOURCE.exec(text)?.groups ?? {}
  if (project === undefined) {
    throw invalidArgument('resource', 'not the name of a project, or of a key ring or key in one of its locations')
  }
  if (location === undefined || ring === undefined) return { project }
  return { project, location, ring, ...(key !== undefined && { key }) }
}

export const shownAssignment = ({ assignment, role }: AssignmentView) => ({
  id: assignment.id,
  role,
  principal: assignment.principalId,
  scope: assignment.scope,
  ...(assignment.deny && { deny: true }),
  tenant: assignment.tenant,
  createdAt: iso(assignment.createdAt),
})

export const shownRole = ({ id, name, dataActions, notDataActions }: RoleDefinition) => ({
  id,
  name,
  dataActions,
  notDataActions,
})

export const shownPolicy = ({ resource, policy }: PolicyView) => ({ resource, bindings: policy.bindings })
