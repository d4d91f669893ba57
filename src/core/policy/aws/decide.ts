/**
 * Whether a caller may, by the documented logic of AWS: whatever denies decides; a key's policy is the root of all that
 * allows, either by naming the caller or by leaving it to his account; to be allowed from another account takes both
 * sides; boundaries and session policies allow nothing by themselves and narrow what the others do. Grants allow
 * besides the policies, and never against a denial.
 */
import type { AwsIdentity } from '../../ports.ts'
import { applies, type Policy, type Question } from './document.ts'
import { type Grant, type GrantQuestion, matchGrant } from './grant.ts'
import { type Match, stronger } from './principal.ts'

/** Where a verdict comes from, in the words of AWS's messages. */
export type Source = 'resource-based policy' | 'identity-based policy' | 'session policy' | 'permissions boundary'

export type Verdict =
  | { readonly allow: true; readonly by: 'policy' | 'grant'; readonly grant?: string }
  | {
      readonly allow: false
      /** Denied in so many words: no grant allows against it. */
      readonly explicit: boolean
      /** Undefined: to those of other accounts AWS does not tell. */
      readonly source: Source | undefined
    }

/** A caller with his policies, compiled. */
export type Caller = {
  readonly identity: AwsIdentity
  readonly isRoot: boolean
  readonly policies: readonly Policy[]
  readonly session: readonly Policy[] | undefined
  readonly boundary: Policy | undefined
}

export type Query = {
  /** Undefined: nobody was verified. */
  readonly caller: Caller | undefined
  /** Account of the resource. */
  readonly account: string
  /** Undefined where the resource has no policy: an alias, or the account as a whole. */
  readonly keyPolicy: Policy | undefined
  readonly question: Question
}

const denies = (policies: readonly Policy[], question: Question): boolean =>
  policies.some(({ statements }) => statements.some((one) => one.effect === 'Deny' && applies(one, question)))
const allows = (policies: readonly Policy[], question: Question): boolean =>
  policies.some(({ statements }) => statements.some((one) => one.effect === 'Allow' && applies(one, question)))

/** How closely the statements of one effect that are about the request name the caller. */
function named(policy: Policy, effect: 'Allow' | 'Deny', { caller, question }: Query): Match {
  let match: Match = 'none'
  for (const statement of policy.statements) {
    if (statement.effect !== effect || statement.principals === undefined) continue
    const own = statement.principals.match(caller?.identity)
    if (own !== 'none' && applies(statement, question)) match = stronger(match, own)
  }
  return match
}

const notAllowed = (source: Source | undefined): Verdict => ({ allow: false, explicit: false, source })
const denied = (source: Source | undefined): Verdict => ({ allow: false, explicit: true, source })

/** What denies in so many words: nothing allows against it. */
function denial(query: Query): Verdict | undefined {
  const { caller, keyPolicy, question } = query
  if (caller !== undefined) {
    if (denies(caller.policies, question)) return denied('identity-based policy')
    if (caller.boundary !== undefined && denies([caller.boundary], question)) return denied('permissions boundary')
    if (caller.session !== undefined && denies(caller.session, question)) return denied('session policy')
  }
  if (keyPolicy === undefined || named(keyPolicy, 'Deny', query) === 'none') return undefined
  return denied(caller?.identity.account === query.account ? 'resource-based policy' : undefined)
}

/** What narrows: the first that does not allow. */
function limit({ boundary, session }: Caller, question: Question): Verdict | undefined {
  if (boundary !== undefined && !allows([boundary], question)) return notAllowed('permissions boundary')
  if (session !== undefined && !allows(session, question)) return notAllowed('session policy')
  return undefined
}

/** Whether the caller's own side allows: undefined if it does. */
function ownSide(caller: Caller, question: Question): Verdict | undefined {
  if (!caller.isRoot && !allows(caller.policies, question)) return notAllowed('identity-based policy')
  return limit(caller, question)
}

/** What the caller still needs where a key's policy, or a grant, names him so closely: undefined if nothing. */
function rest(match: Exclude<Match, 'none'>, caller: Caller, question: Question): Verdict | undefined {
  switch (match) {
    case 'exact':
      return undefined
    case 'role':
    case 'anyone':
      return limit(caller, question)
    case 'account':
      return ownSide(caller, question)
  }
}

const BY_POLICY: Verdict = { allow: true, by: 'policy' }

/** By the policies alone. */
export function decideByPolicies(query: Query): Verdict {
  const { caller, account, keyPolicy, question } = query
  const against = denial(query)
  if (against !== undefined) return against
  if (caller === undefined)
    return notAllowed(keyPolicy === undefined ? 'identity-based policy' : 'resource-based policy')
  if (keyPolicy === undefined) return ownSide(caller, question) ?? BY_POLICY
  const match = named(keyPolicy, 'Allow', query)
  if (caller.identity.account !== account) {
    return match === 'none' ? notAllowed(undefined) : (ownSide(caller, question) ?? BY_POLICY)
  }
  if (match === 'none') return notAllowed('resource-based policy')
  return rest(match, caller, question) ?? BY_POLICY
}

/** A grant's grantee is named as a key's policy names him, wherever his account is. */
export function decideByGrants(query: Query, grants: readonly Grant[], asked: GrantQuestion): Verdict | undefined {
  const { caller, question } = query
  if (caller === undefined) return undefined
  for (const grant of grants) {
    const match = matchGrant(grant, asked)
    if (match !== 'none' && rest(match, caller, question) === undefined) {
      return { allow: true, by: 'grant', grant: grant.id }
    }
  }
  return undefined
}

/** What AWS tells the caller. */
export function describeDenial(
  { explicit, source }: Extract<Verdict, { allow: false }>,
  { arn, action, resource }: { readonly arn: string | undefined; readonly action: string; readonly resource: string },
): string {
  const refused = `User: ${arn ?? 'anonymous'} is not authorized to perform: ${action} on resource: ${resource}`
  if (source === undefined) {
    return `${refused} because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access`
  }
  if (!explicit) return `${refused} because no ${source} allows the ${action} action`
  return `${refused} with an explicit deny in ${source.startsWith('i') ? 'an' : 'a'} ${source}`
}
