/** Who may assume a role: its trust policy, and what the caller's own policies say of it. */
import { callerOf } from '../policy/aws/compiled.ts'
import { decideByPolicies } from '../policy/aws/decide.ts'
import { compilePolicy, type Policy, PolicyError } from '../policy/aws/document.ts'
import type { AwsIdentity } from '../ports.ts'
import { isRecord } from '../record.ts'
import { principalArn, type StoredPrincipal } from './principal.ts'

/** The policy of a resource that is the role itself, which its statements do not name. */
export function parseTrust(text: string): Policy {
  let policy: unknown
  try {
    policy = JSON.parse(text)
  } catch {
    throw new PolicyError('Policy contains invalid JSON')
  }
  if (!isRecord(policy)) throw new PolicyError('Policy is not an object')
  const statements = Array.isArray(policy.Statement) ? policy.Statement : [policy.Statement]
  if (statements.some((one) => isRecord(one) && ('Resource' in one || 'NotResource' in one))) {
    throw new PolicyError('Has prohibited field Resource')
  }
  const whole = statements.map((one) => (isRecord(one) ? { ...one, Resource: '*' } : one))
  return compilePolicy({ ...policy, Statement: whole }, 'key')
}

/**
 * @param context values of condition keys, whose names are in lower case
 */
export function mayAssume(
  role: StoredPrincipal,
  identity: AwsIdentity,
  context: (name: string) => string | readonly string[] | undefined,
): boolean {
  if (role.trust === undefined) return false
  const caller = callerOf(identity)
  const variables = (name: string): string | undefined => {
    const value = context(name)
    return typeof value === 'string' ? value : undefined
  }
  return decideByPolicies({
    caller,
    account: role.account,
    keyPolicy: parseTrust(role.trust),
    question: { action: 'sts:assumerole', resource: principalArn(role), context, variables },
  }).allow
}
