/** Everybody's rights as a file declares them. Only the administrator's commands have these operations. */
import type { Change, Section } from '../apply/plan.ts'
import { type DeclaredPolicy, planPolicies } from '../apply/policies.ts'
import { type DeclaredPrincipal, planPrincipals } from '../apply/principals.ts'
import { planRoles } from '../apply/roles.ts'
import { type Env, type RealmTarget, realmOperation } from '../operation.ts'
import type { Assigned, RoleFacts } from './role-assignments.ts'

/** A section that is absent is left alone as a whole. */
export type Declaration = {
  readonly principals: readonly DeclaredPrincipal[] | undefined
  readonly roleDefinitions: readonly RoleFacts[] | undefined
  readonly roleAssignments: readonly Assigned[] | undefined
  readonly iamPolicies: readonly DeclaredPolicy[] | undefined
  readonly prune: boolean
}

const MAX_ABOUT = 8192

async function plan({ store, sealer, now }: Env, { realm }: RealmTarget, declared: Declaration): Promise<Section> {
  const context = { store, sealer, now, prune: declared.prune }
  const { principals, roleDefinitions: definitions, roleAssignments: assignments, iamPolicies } = declared
  const sections = [
    ...(principals === undefined ? [] : await planPrincipals(context, principals)),
    ...(await planRoles(context, { definitions, assignments, tenant: realm.azure?.tenant })),
    ...(iamPolicies === undefined ? [] : await planPolicies(context, iamPolicies)),
  ]
  return { changes: sections.flatMap(({ changes }) => changes), writes: sections.flatMap(({ writes }) => writes) }
}

/** Every change, as far as a record has room for it. */
function aboutOf(changes: readonly Change[]): string {
  const made = changes.filter(({ kind }) => kind !== 'unlisted').map(({ kind, what }) => `${kind} ${what}`)
  const whole = made.join('; ')
  return whole.length <= MAX_ABOUT ? whole : `${whole.slice(0, MAX_ABOUT)}… (${made.length} changes)`
}

/** What `applyRights` would do. */
export const planRights = realmOperation<Declaration, readonly Change[]>({
  name: 'PlanRights',
  action: 'plan-rights',
  run: async (env, target, declared) => ({ output: (await plan(env, target, declared)).changes }),
})

/** All of it, or nothing. */
export const applyRights = realmOperation<Declaration, readonly Change[]>({
  name: 'ApplyRights',
  action: 'apply-rights',
  async run(env, target, declared) {
    const { changes, writes } = await plan(env, target, declared)
    return { output: changes, writes, ...(writes.length > 0 && { about: aboutOf(changes) }) }
  },
})
