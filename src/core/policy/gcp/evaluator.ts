/**
 * Google's IAM: a permission is allowed by any role that includes it and is bound to the caller on the resource or on what
 * it is in: key, key ring, project. Nothing denies.
 */
import type { AccessRequest, Decision } from '../../ports.ts'
import type { Evaluator } from '../modes.ts'
import { projectPolicyId } from './policy.ts'
import type { PolicyBook } from './policy-book.ts'

const ALLOW: Decision = { allow: true }

/** The narrowest first. A project that there is no realm for has no policy either. */
function resourcesOf({ realm, ring, key }: AccessRequest): readonly string[] {
  const resources: string[] = []
  if (key !== undefined) resources.push(key.id)
  if (ring !== undefined) resources.push(ring.id)
  if (realm?.gcp !== undefined) resources.push(projectPolicyId(realm.gcp.project))
  return resources
}

/** Anybody may ask what he may do. */
const FREE: ReadonlySet<string> = new Set(['test-permissions'])

/** For the mode authorizer. */
export const gcpEvaluator =
  (book: Pick<PolicyBook, 'grants'>): Evaluator =>
  (request) => {
    const { principal, right, action } = request
    const members = principal.gcp?.members
    if (members === undefined) return { allow: false, reason: 'nobody was verified' }
    if (FREE.has(action)) return ALLOW
    if (right === undefined) return { allow: false, reason: `${action} has no permission` }
    for (const resource of resourcesOf(request)) if (book.grants(resource, members, right)) return ALLOW
    return { allow: false, reason: `no role with ${right}` }
  }
