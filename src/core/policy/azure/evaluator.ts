/**
 * Azure's role-based access control: a data action is allowed by any role that is assigned to the caller or to a group of
 * his, on any scope that the request is in; and by none where an assignment on one of these scopes denies it.
 */
import type { AccessRequest, AzureIdentity, Decision } from '../../ports.ts'
import type { Evaluator } from '../modes.ts'
import type { RoleBook } from './role-book.ts'
import { scopesOf } from './scope.ts'

const ALLOW: Decision = { allow: true }
/** As the service says it. What it is about, the surface adds in the caller's own words, which tell him nothing new. */
function refusal({ principal }: AccessRequest, right: string, why: 'denied' | 'unassigned' | 'unknown'): Decision {
  const message = [
    'Caller is not authorized to perform action on resource.',
    'If role assignments, deny assignments or role definitions were changed recently, please observe propagation time.',
    `Caller: ${principal.azure?.caller ?? 'anonymous'}`,
    `Action: '${right}'`,
  ].join('\r\n')
  return { allow: false, reason: `${right}: ${why}`, message }
}

/** A vault that has a tenant is for callers of that tenant. */
const isForeign = ({ tenant }: AzureIdentity, { realm }: AccessRequest): boolean =>
  realm?.azure !== undefined && realm.azure.tenant !== tenant

/** For the mode authorizer. */
export const azureEvaluator =
  (book: Pick<RoleBook, 'holdingsOf'>): Evaluator =>
  (request) => {
    const { principal, right } = request
    if (right === undefined) return { allow: false, reason: `${request.action} has no data action` }
    const identity = principal.azure
    const scopes = scopesOf(request, right)
    if (identity === undefined || isForeign(identity, request)) return refusal(request, right, 'unknown')
    const holdings = book.holdingsOf(identity)
    let allowed = false
    for (const scope of scopes) {
      const rights = holdings.get(scope)
      if (rights === undefined) continue
      if (rights.deny.some((grants) => grants(right))) return refusal(request, right, 'denied')
      allowed ||= rights.allow.some((grants) => grants(right))
    }
    return allowed ? ALLOW : refusal(request, right, 'unassigned')
  }
