/**
 * AWS's lockout safety check: whether a key policy lets its policy be changed again. AWS asks that of the caller. Here
 * callers are not identities of an account, so it is asked whether any principal of the account may; conditions, which
 * depend on a request, are taken to hold where they allow and not to hold where they deny.
 */
import { AwsError } from './aws-error.ts'
import { type AwsAddress, keyArn } from './names.ts'
import { parsePolicy, type Statement } from './policy-document.ts'

const ACTION = 'kms:PutKeyPolicy'
const listOf = <T>(value: T | readonly T[]): readonly T[] => (Array.isArray(value) ? value : [value as T])

/** AWS's wildcards: `*` for any text, `?` for any character; without regard to case. Never backtracks beyond the last star. */
function matches(pattern: string, text: string): boolean {
  const [wanted, given] = [pattern.toLowerCase(), text.toLowerCase()]
  let at = 0
  let star = -1
  let resume = 0
  for (let position = 0; position < given.length; ) {
    if (wanted[at] === '*') {
      star = at++
      resume = position
    } else if (at < wanted.length && (wanted[at] === '?' || wanted[at] === given[position])) {
      at++
      position++
    } else if (star >= 0) {
      at = star + 1
      position = ++resume
    } else {
      return false
    }
  }
  return /^\**$/.test(wanted.slice(at))
}

const someMatch = (patterns: string | readonly string[], text: string): boolean =>
  listOf(patterns).some((pattern) => matches(pattern, text))

/** `resource` is undefined for a key that is not there yet: only a wildcard can mean that. */
function aboutPolicy(statement: Statement, resource: string | undefined): boolean {
  const { Action: actions, NotAction: otherActions, Resource: resources, NotResource: otherResources } = statement
  const action = actions === undefined ? !someMatch(otherActions ?? [], ACTION) : someMatch(actions, ACTION)
  const arn = resource ?? ''
  return action && (resources === undefined ? !someMatch(otherResources ?? [], arn) : someMatch(resources, arn))
}

const principalsOf = (principals: Statement['Principal']): readonly string[] =>
  principals === '*' ? ['*'] : listOf(principals?.AWS ?? [])

const isEverybody = (name: string, account: string): boolean =>
  name === '*' || name === account || new RegExp(`^arn:aws[a-z-]*:iam::${account}:root$`).test(name)
const isOfAccount = (name: string, account: string): boolean =>
  isEverybody(name, account) || name.split(':')[4] === account

function allows({ Principal: principal }: Statement, account: string): boolean {
  // AWS advises against NotPrincipal with Allow: it allows everybody else, anonymous callers included.
  return principal === undefined || principalsOf(principal).some((name) => isOfAccount(name, account))
}

function denies({ Principal: principal, Condition: condition }: Statement, account: string): boolean {
  return condition === undefined && principalsOf(principal).some((name) => isEverybody(name, account))
}

export type PolicyHolder = AwsAddress & {
  /** Absent while the key is being made. */
  readonly keyId?: string
  /** Whether the caller wants to lock himself out. */
  readonly bypass: boolean | undefined
}

/** @throws AwsError MalformedPolicyDocumentException, LimitExceededException */
export function checkNewPolicy(text: string, { keyId, bypass, ...address }: PolicyHolder): void {
  const statements = parsePolicy(text)
  if (bypass === true) return
  const arn = keyId === undefined ? undefined : keyArn(address, keyId)
  const relevant = statements.filter((statement) => aboutPolicy(statement, arn))
  const allowed = relevant.some((statement) => statement.Effect === 'Allow' && allows(statement, address.account))
  const denied = relevant.some((statement) => statement.Effect === 'Deny' && denies(statement, address.account))
  if (allowed && !denied) return
  throw new AwsError(
    'MalformedPolicyDocumentException',
    'The new key policy will not allow you to update the key policy in the future.',
  )
}
