/**
 * Who may retire a grant is the grant's own business: the principal that it names for it, its grantee if it may, and the
 * account that owns the key; an account leaves it to the policies of its principals. A key's policy allows nobody to.
 */
import type { AccessRequest, Store } from '../../ports.ts'
import { decideByPolicies, type Query, type Verdict } from './decide.ts'
import type { Grant } from './grant.ts'
import { type Match, matchName, stronger } from './principal.ts'

const NOBODY: Verdict = { allow: false, explicit: false, source: undefined }

/** How closely the grant names the caller as one who may retire it. */
function mayRetire(grant: Grant, query: Query): Match {
  const identity = query.caller?.identity
  if (identity === undefined) return 'none'
  const owner: Match = identity.account === query.account ? 'account' : 'none'
  const retiring = grant.retiring === undefined ? 'none' : matchName(grant.retiring, identity)
  const grantee = grant.operations.includes('RetireGrant') ? matchName(grant.grantee, identity) : 'none'
  return stronger(owner, stronger(retiring, grantee))
}

export async function decideRetiring(store: Store, { aws, key }: AccessRequest, query: Query): Promise<Verdict> {
  const denied = decideByPolicies(query)
  if (!denied.allow && denied.explicit) return denied
  // Without the key's policy: by the caller's own.
  const own = decideByPolicies({ ...query, keyPolicy: undefined })
  const grant = aws?.retires === undefined ? undefined : await store.get('grants', aws.retires)
  // A grant that is not there is told of to those who might retire one.
  if (grant === undefined || grant.keyId !== key?.id) return own
  const match = mayRetire(grant, query)
  if (match === 'none') return NOBODY
  if (match !== 'account') return { allow: true, by: 'grant', grant: grant.id }
  return own
}
