/** Whom a policy's statement or a grant means, and whether that is the caller. */
import type { AwsIdentity } from '../../ports.ts'

/**
 * How closely a caller is named. `exact`: himself, a user or one session. `role`: the role that his session is of.
 * `anyone`: by `*`. `account`: by his account, which leaves the choice to the account's own policies.
 */
export type Match = 'none' | 'account' | 'anyone' | 'role' | 'exact'
const STRENGTH = { none: 0, account: 1, anyone: 2, role: 3, exact: 4 } as const satisfies Record<Match, number>

export const stronger = (a: Match, b: Match): Match => (STRENGTH[a] >= STRENGTH[b] ? a : b)

const ROOT = /^arn:aws[a-z-]*:iam::(\d{12}):root$/
/** The ARNs that name one principal, or an account by its root. */
const PRINCIPAL_ARN =
  /^arn:aws[a-z-]*:(?:iam::\d{12}:(?:root|(?:user|role)\/[\w+=,.@/-]+)|sts::\d{12}:(?:assumed-role\/[\w+=,.@-]+\/[\w+=,.@-]+|federated-user\/[\w+=,.@-]+))$/
const ACCOUNT = /^\d{12}$/

export const isPrincipalArn = (text: string): boolean => PRINCIPAL_ARN.test(text)
/** The account that a root's ARN, or a bare number, stands for. */
export const accountOf = (text: string): string | undefined => (ACCOUNT.test(text) ? text : ROOT.exec(text)?.[1])

/** An account's root needs no policy of its own. */
export const isRoot = ({ arn }: AwsIdentity): boolean => ROOT.test(arn)

/** A name, and the account that it stands for, if it does. */
type Named = { readonly name: string; readonly account: string | undefined }
const namedBy = (name: string): Named => ({ name, account: accountOf(name) })

function matchNamed({ name, account }: Named, identity: AwsIdentity): Match {
  if (name === '*') return 'anyone'
  if (name === identity.arn) return 'exact'
  if (name === identity.roleArn) return 'role'
  return account === identity.account ? 'account' : 'none'
}

/** By one name: an ARN, an account, or `*`. */
export const matchName = (name: string, identity: AwsIdentity): Match => matchNamed(namedBy(name), identity)

/** Names that mean a caller, for looking up what names him. */
export const namesOf = ({ arn, roleArn, account }: AwsIdentity): readonly string[] => {
  const root = `${arn.split(':', 2).join(':')}:iam::${account}:root`
  return [...new Set([arn, ...(roleArn === undefined ? [] : [roleArn]), root, account])]
}

export type Principals = {
  /** AWS's own, as the document has them. */
  readonly names: readonly string[]
  /** Of the caller; nobody who is not known is meant by anything but `*`. */
  match(identity: AwsIdentity | undefined): Match
}

/** The kinds of names, and what they must look like. Services and federations call no one here. */
const KINDS: ReadonlyMap<string, RegExp> = new Map([
  ['AWS', new RegExp(`^\\*$|${ACCOUNT.source}|${PRINCIPAL_ARN.source}`)],
  ['Service', /^[a-z0-9.-]+\.amazonaws\.com(?:\.cn)?$/],
  ['Federated', /^.+$/],
  ['CanonicalUser', /^[0-9a-f]{64}$/],
])

type ByKind = ReadonlyMap<string, readonly string[]>

export const NO_PRINCIPAL = 'Policy contains a statement with no principal.'
export const INVALID_PRINCIPALS = 'Policy contains a statement with one or more invalid principals.'

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [value])

/** A statement's principals by kind; a text says what is wrong with them. */
function readPrincipals(value: unknown): ByKind | string {
  if (value === '*') return new Map([['AWS', ['*']]])
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return NO_PRINCIPAL
  const kinds = Object.entries(value).map(([kind, names]) => [kind, listOf(names)] as const)
  if (kinds.every(([, names]) => names.length === 0)) return NO_PRINCIPAL
  const named = new Map<string, readonly string[]>()
  for (const [kind, names] of kinds) {
    const form = KINDS.get(kind)
    const texts = names.filter((name) => typeof name === 'string')
    const valid = form !== undefined && texts.length === names.length && texts.every((name) => form.test(name))
    if (!valid) return INVALID_PRINCIPALS
    named.set(kind, texts)
  }
  return named
}

/** The caller and all that he is part of: NotPrincipal spares a caller only if each of them is listed. */
function spared(names: readonly string[], identity: AwsIdentity): boolean {
  const matches = names.map((name) => matchName(name, identity))
  if (matches.includes('anyone')) return true
  const chain: readonly Match[] = isRoot(identity)
    ? ['exact']
    : identity.roleArn === undefined
      ? ['account', 'exact']
      : ['account', 'role', 'exact']
  return chain.every((link) => matches.includes(link))
}

export function compilePrincipal(value: unknown): Principals | string {
  const named = readPrincipals(value)
  if (typeof named === 'string') return named
  const names = named.get('AWS') ?? []
  const everyone = names.includes('*')
  const entries = names.map(namedBy)
  return {
    names,
    match(identity: AwsIdentity | undefined): Match {
      if (identity === undefined) return everyone ? 'anyone' : 'none'
      let match: Match = 'none'
      for (const entry of entries) match = stronger(match, matchNamed(entry, identity))
      return match
    },
  }
}

/** With Deny, whoever is not listed in full; with Allow, whoever is not meant by any name. */
export function compileNotPrincipal(value: unknown, effect: 'Allow' | 'Deny'): Principals | string {
  const named = readPrincipals(value)
  if (typeof named === 'string') return named
  const names = named.get('AWS') ?? []
  return {
    names: [],
    match(identity: AwsIdentity | undefined): Match {
      const exempt =
        identity === undefined
          ? names.includes('*')
          : effect === 'Deny'
            ? spared(names, identity)
            : names.some((name) => matchName(name, identity) !== 'none')
      return exempt ? 'none' : 'anyone'
    },
  }
}
