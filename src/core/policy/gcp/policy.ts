/** IAM policies of projects, key rings and keys: who has which role there. */
import { invalidArgument, type KmsError } from '../../error.ts'
import { permissionsOf } from './roles.ts'

export type IamBinding = { readonly role: string; readonly members: readonly string[] }

export type IamPolicy = {
  /** `projects/p`, or the UUID of a key ring or key: a name that is used again is another resource. */
  readonly id: string
  readonly bindings: readonly IamBinding[]
  /** Another one with each change; hex digits. */
  readonly etag: string
  readonly updatedAt: number
}

/** Google's `ACAB`, of what was never given a policy. */
export const NO_POLICY_ETAG = '002001'
export const projectPolicyId = (project: string): string => `projects/${project}`

/** Google's limits of one policy. */
const MAX_MEMBERS = 1500
const MAX_BINDINGS = 1500

const EMAIL = /^[^\s:@]{1,64}@[a-z0-9.-]{1,190}$/
const DOMAIN = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/
const POOL =
  '//iam\\.googleapis\\.com/(?:projects/[a-z0-9-]{1,63}/)?locations/global/work(?:force|loadIdentity)Pools/[a-z0-9-]{4,63}'
const PRINCIPAL = new RegExp(`^principal:${POOL}/subject/[\\x21-\\x7e]{1,256}$`)
const PRINCIPAL_SET = new RegExp(`^principalSet:${POOL}/(?:\\*|group/[\\x21-\\x7e]{1,256})$`)

const FORMS: Readonly<Record<string, RegExp>> = {
  user: EMAIL,
  serviceAccount: EMAIL,
  group: EMAIL,
  domain: DOMAIN,
}

/** In the form that members are compared in: names of mail and of domains have no case. @throws KmsError invalid_argument */
function checkMember(member: string): string {
  if (member === 'allUsers' || member === 'allAuthenticatedUsers') return member
  if (PRINCIPAL.test(member) || PRINCIPAL_SET.test(member)) return member
  const [kind = '', ...rest] = member.split(':')
  const form = Object.hasOwn(FORMS, kind) ? FORMS[kind] : undefined
  if (form === undefined) {
    throw invalid('The member is of an unknown type. Please set a valid type prefix for the member')
  }
  const name = rest.join(':').toLowerCase()
  if (!form.test(name)) throw invalid(`The member is no ${kind} member: it is not of the form ${kind}:name`)
  return `${kind}:${name}`
}

const invalid = (reason: string): KmsError => invalidArgument('policy.bindings', reason)

/** One binding a role, members once each. @throws KmsError invalid_argument */
export function checkBindings(bindings: readonly IamBinding[]): readonly IamBinding[] {
  if (bindings.length > MAX_BINDINGS) throw invalid(`There are more than ${MAX_BINDINGS} bindings`)
  const byRole = new Map<string, Set<string>>()
  let count = 0
  for (const { role, members } of bindings) {
    if (permissionsOf(role) === undefined) {
      const shown = /^[\w./-]{1,128}$/.test(role) ? `Role ${role}` : 'The role'
      throw invalid(`${shown} is not supported for this resource`)
    }
    count += members.length
    if (count > MAX_MEMBERS) throw invalid(`There are more than ${MAX_MEMBERS} members`)
    const known = byRole.get(role) ?? new Set<string>()
    byRole.set(role, known)
    for (const member of members) known.add(checkMember(member))
  }
  return [...byRole]
    .filter(([, members]) => members.size > 0)
    .map(([role, members]) => ({ role, members: [...members] }))
}

export const sameBindings = (one: readonly IamBinding[], other: readonly IamBinding[]): boolean =>
  canonical(one) === canonical(other)
const canonical = (bindings: readonly IamBinding[]): string =>
  JSON.stringify(bindings.map(({ role, members }) => [role, [...members].sort()]).sort())

/** With a member more in a role. */
export const withMember = (bindings: readonly IamBinding[], role: string, member: string): readonly IamBinding[] =>
  checkBindings([...bindings, { role, members: [member] }])
/** @returns undefined where he has it not */
export function withoutMember(
  bindings: readonly IamBinding[],
  role: string,
  member: string,
): readonly IamBinding[] | undefined {
  const [wanted] = checkBindings([{ role, members: [member] }])
  const gone = wanted?.members[0] ?? ''
  const binding = bindings.find((one) => one.role === role)
  if (binding?.members.includes(gone) !== true) return undefined
  return checkBindings(
    bindings.map((one) =>
      one === binding ? { role, members: one.members.filter((candidate) => candidate !== gone) } : one,
    ),
  )
}
