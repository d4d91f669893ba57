import { Type } from '@sinclair/typebox'
import { bindRole, unbindRole } from '../../../core/ops/iam-policies.ts'
import { listRights } from '../../../core/ops/list-rights.ts'
import { assignRole, defineRole, unassignRole, undefineRole } from '../../../core/ops/role-assignments.ts'
import { type Command, command } from '../binding.ts'
import { closed } from '../names.ts'
import { iamResource, shownAssignment, shownPolicy, shownRole } from '../rights.ts'

const Text = Type.String({ minLength: 1, maxLength: 1024 })
const Actions = Type.Array(Type.String({ minLength: 1, maxLength: 256 }), { maxItems: 128 })
const Binding = Type.Object({ resource: Text, role: Text, member: Text }, closed)

export const grants: readonly Command[] = [
  command({
    wire: 'grant assign',
    operation: assignRole,
    schema: Type.Object({ role: Text, principal: Text, scope: Text, deny: Type.Optional(Type.Boolean()) }, closed),
    toInput: ({ role, principal, scope, deny = false }) => ({ role, principalId: principal, scope, deny }),
    toOutput: shownAssignment,
  }),
  command({
    wire: 'grant unassign',
    operation: unassignRole,
    schema: Type.Object({ id: Text }, closed),
    toInput: ({ id }) => ({ id }),
    toOutput: shownAssignment,
  }),
  command({
    wire: 'grant define',
    operation: defineRole,
    schema: Type.Object({ name: Text, dataActions: Actions, notDataActions: Type.Optional(Actions) }, closed),
    toInput: ({ name, dataActions, notDataActions = [] }) => ({ name, dataActions, notDataActions }),
    toOutput: shownRole,
  }),
  command({
    wire: 'grant undefine',
    operation: undefineRole,
    schema: Type.Object({ name: Text }, closed),
    toInput: ({ name }) => ({ name }),
    toOutput: shownRole,
  }),
  command({
    wire: 'grant bind',
    operation: bindRole,
    schema: Binding,
    toInput: ({ resource, role, member }) => ({ resource: iamResource(resource), role, member }),
    toOutput: shownPolicy,
  }),
  command({
    wire: 'grant unbind',
    operation: unbindRole,
    schema: Binding,
    toInput: ({ resource, role, member }) => ({ resource: iamResource(resource), role, member }),
    toOutput: shownPolicy,
  }),
  command({
    wire: 'grant list',
    operation: listRights,
    schema: Type.Object({}, closed),
    toInput: () => ({}),
    toOutput: ({ assignments, definitions, policies }) => ({
      roleAssignments: assignments.map(shownAssignment),
      roleDefinitions: definitions.map(shownRole),
      iamPolicies: policies.map(shownPolicy),
    }),
  }),
]
