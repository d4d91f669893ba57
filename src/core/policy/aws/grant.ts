/** A grant: a permission to use one key, which its maker gives and takes away without touching the key's policy. */
import type { AwsIdentity } from '../../ports.ts'
import { type Match, matchName } from './principal.ts'

export type ContextMap = Readonly<Record<string, string>>

export type GrantConstraints = {
  /** All of the encryption context. */
  readonly equals?: ContextMap
  /** Part of the encryption context. */
  readonly subset?: ContextMap
}

export type Grant = {
  /** 64 hex digits. */
  readonly id: string
  readonly keyId: string
  /** The key's ARN, and where that is. */
  readonly arn: string
  readonly region: string
  readonly account: string
  readonly name?: string
  /** Of everything that was asked for, where it has a name: the same request makes no second grant. */
  readonly fingerprint?: string
  /** ARNs, or an account. */
  readonly grantee: string
  readonly retiring?: string
  /** The account of the one who made it. */
  readonly issuer: string
  readonly operations: readonly string[]
  readonly constraints: GrantConstraints
  readonly createdAt: number
}

/** In a constraint the names of a context have no case, its values have (as AWS documents). */
const pairsOf = (context: ContextMap): readonly string[] =>
  Object.entries(context).map(([name, value]) => JSON.stringify([name.toLowerCase(), value]))

function holds(context: ContextMap, wanted: ContextMap): boolean {
  const pairs = new Set(pairsOf(context))
  return pairsOf(wanted).every((pair) => pairs.has(pair))
}
const equal = (a: ContextMap, b: ContextMap): boolean =>
  Object.keys(a).length === Object.keys(b).length && holds(a, b) && holds(b, a)

/** Constraints are about encryption contexts: an action that has no place for one is not bound by them. */
function satisfies(constraints: GrantConstraints, context: ContextMap | undefined): boolean {
  if (context === undefined) return true
  const { equals, subset } = constraints
  return (equals === undefined || equal(context, equals)) && (subset === undefined || holds(context, subset))
}

/** What is to be granted on the strength of another grant. */
export type Wanted = { readonly operations: readonly string[]; readonly constraints: GrantConstraints }

/** Whether constraints leave nothing open that others close. */
function asStrict(wanted: GrantConstraints, { equals, subset }: GrantConstraints): boolean {
  if (equals !== undefined && (wanted.equals === undefined || !equal(wanted.equals, equals))) return false
  if (subset === undefined) return true
  return [wanted.equals, wanted.subset].some((map) => map !== undefined && holds(map, subset))
}

/** A grant made on the strength of another is no wider than that. */
export const isWithin = (wanted: Wanted, { operations, constraints }: Wanted): boolean =>
  wanted.operations.every((operation) => operations.includes(operation)) && asStrict(wanted.constraints, constraints)

export type GrantQuestion = {
  readonly identity: AwsIdentity
  /** Without its `kms:`. */
  readonly operation: string
  readonly encryptionContext: ContextMap | undefined
  /** Where the action is to make a grant. */
  readonly wanted: Wanted | undefined
}

/** How a grant means the caller, if it is about what he asks. */
export function matchGrant(grant: Grant, { identity, operation, encryptionContext, wanted }: GrantQuestion): Match {
  const about =
    grant.operations.includes(operation) &&
    satisfies(grant.constraints, encryptionContext) &&
    (wanted === undefined || isWithin(wanted, grant))
  return about ? matchName(grant.grantee, identity) : 'none'
}
