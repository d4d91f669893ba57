import { allRows } from '../all-rows.ts'
import { realmOperation } from '../operation.ts'
import { describeResource, type PolicyView, resourceOf } from './iam-policies.ts'
import { type RoleList, readRoles, roleName } from './role-assignments.ts'

export type RightsList = RoleList & { readonly policies: readonly PolicyView[] }

/** Who has been given what, in Azure's words and in Google's. */
export const listRights = realmOperation<Record<string, never>, RightsList>({
  name: 'ListRights',
  action: 'list-rights',
  async run({ store }) {
    const { assignments, definitions } = await readRoles(store)
    const policies: PolicyView[] = []
    for (const policy of await allRows(store, 'iamPolicies', 'all')) {
      const resource = await resourceOf(store, policy)
      if (resource !== undefined) policies.push({ resource: describeResource(resource), policy })
    }
    return {
      output: {
        assignments: assignments.map((assignment) => ({ assignment, role: roleName(assignment.roleId, definitions) })),
        definitions,
        policies,
      },
    }
  },
})
