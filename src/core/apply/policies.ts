/** Google's IAM policies as a declaration has them: each as a whole. */
import { allRows } from '../all-rows.ts'
import {
  describeResource,
  type IamResource,
  newPolicy,
  policyIdOf,
  resourceOf,
  writePolicy,
} from '../ops/iam-policies.ts'
import { checkBindings, type IamBinding, sameBindings } from '../policy/gcp/policy.ts'
import type { Write } from '../ports.ts'
import { type Change, checkOnce, eachOf, gone, type PlanContext, type Section } from './plan.ts'

export type DeclaredPolicy = { readonly resource: IamResource; readonly bindings: readonly IamBinding[] }

async function planOne({ store, now }: PlanContext, { resource, bindings: declared }: DeclaredPolicy) {
  const id = await policyIdOf(store, resource)
  const bindings = checkBindings(declared)
  const there = await store.get('iamPolicies', id)
  if (sameBindings(bindings, there?.bindings ?? [])) return { id, section: undefined }
  const what = `IAM policy of ${describeResource(resource)}`
  const change: Change =
    there === undefined || there.bindings.length === 0
      ? { kind: 'create', what, after: { bindings } }
      : { kind: 'update', what, before: { bindings: there.bindings }, after: { bindings } }
  return { id, section: { changes: [change], writes: [writePolicy(newPolicy(id, bindings, now), there)] } }
}

/** @throws KmsError invalid_argument */
export async function planPolicies(
  context: PlanContext,
  declared: readonly DeclaredPolicy[],
): Promise<readonly Section[]> {
  const planned = await eachOf('iamPolicies', declared, (one) => planOne(context, one))
  checkOnce(
    'iamPolicies',
    planned.map(({ id }) => id),
  )
  const listed = new Set(planned.map(({ id }) => id))
  const sections: Section[] = planned.flatMap(({ section }) => (section === undefined ? [] : [section]))
  for (const { revision, ...policy } of await allRows(context.store, 'iamPolicies', 'all')) {
    if (listed.has(policy.id) || policy.bindings.length === 0) continue
    const resource = await resourceOf(context.store, policy)
    // Of a key or ring that was purged: nothing is left that it could give.
    if (resource === undefined) continue
    const writes: readonly Write[] = context.prune
      ? [{ kind: 'delete', collection: 'iamPolicies', id: policy.id, revision }]
      : []
    sections.push({
      changes: [{ kind: gone(context.prune), what: `IAM policy of ${describeResource(resource)}` }],
      writes,
    })
  }
  return sections
}
