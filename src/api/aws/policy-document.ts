/** Key policies as documents: whether one can be stored, and the one that a key has when its maker gave none. */
import { AwsError } from './aws-error.ts'
import { type AwsAddress, rootArn } from './names.ts'

export const POLICY_NAME = 'default'

/** @throws AwsError NotFoundException: keys have one policy, of this name */
export function checkPolicyName(name: string | undefined): void {
  if (name !== undefined && name !== POLICY_NAME) throw new AwsError('NotFoundException', 'No such policy exists')
}

/** 32 KB is the documented quota; the model allows more characters. */
const MAX_BYTES = 32_768

const malformed = (message: string): AwsError => new AwsError('MalformedPolicyDocumentException', message)
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [value])
const isTextOrList = (value: unknown): boolean => listOf(value).length > 0 && listOf(value).every(isText)

/** A statement whose form is right. */
export type Statement = {
  readonly Effect: 'Allow' | 'Deny'
  readonly Principal?: Principals
  readonly NotPrincipal?: Principals
  readonly Action?: string | readonly string[]
  readonly NotAction?: string | readonly string[]
  readonly Resource?: string | readonly string[]
  readonly NotResource?: string | readonly string[]
  readonly Condition?: Readonly<Record<string, unknown>>
}
type Principals = '*' | Readonly<Record<string, string | readonly string[]>>

const MEMBERS: ReadonlySet<string> = new Set(['Version', 'Id', 'Statement'])
const STATEMENT_MEMBERS: ReadonlySet<string> = new Set([
  'Sid',
  'Effect',
  'Principal',
  'NotPrincipal',
  'Action',
  'NotAction',
  'Resource',
  'NotResource',
  'Condition',
])
const VERSIONS: ReadonlySet<unknown> = new Set(['2012-10-17', '2008-10-17'])

/** What may stand for a principal of each kind. Whether there is one of that name is not known here. */
const PRINCIPALS: ReadonlyMap<string, RegExp> = new Map([
  ['AWS', /^(?:\*|\d{12}|arn:aws[a-z-]*:(?:iam|sts)::(?:\d{12}|cloudfront):[\w+=,.@/*-]+)$/],
  ['Service', /^[a-z0-9.-]+\.amazonaws\.com(?:\.cn)?$/],
  ['Federated', /^.+$/],
  ['CanonicalUser', /^[0-9a-f]{64}$/],
])

/** The messages are those that users report of the service, where they do. */
function checkPrincipals(value: unknown): void {
  if (value === '*') return
  if (!isObject(value) || Object.values(value).every((names) => listOf(names).length === 0)) {
    throw malformed('Policy contains a statement with no principal.')
  }
  for (const [kind, names] of Object.entries(value)) {
    const valid = listOf(names).every((name) => isText(name) && PRINCIPALS.get(kind)?.test(name) === true)
    if (!valid) throw malformed('Policy contains a statement with one or more invalid principals.')
  }
}

/** One of two members that exclude each other. */
function checkEither(statement: Readonly<Record<string, unknown>>, name: 'Action' | 'Resource'): void {
  const given = [statement[name], statement[`Not${name}`]].filter((value) => value !== undefined)
  if (given.length === 0) throw malformed(`Missing required field ${name}`)
  if (given.length > 1) throw malformed(`Policy contains a statement with both ${name} and Not${name}`)
  if (!given.every(isTextOrList)) throw malformed(`Policy contains a statement with an invalid ${name}`)
}

function checkConditions(value: unknown): void {
  if (value === undefined) return
  const valid =
    isObject(value) &&
    Object.values(value).every(
      (keys) =>
        isObject(keys) && Object.values(keys).every((wanted) => listOf(wanted).every((item) => !isObject(item))),
    )
  if (!valid) throw malformed('Policy contains a statement with an invalid Condition')
}

function checkStatement(statement: unknown): asserts statement is Statement {
  if (!isObject(statement)) throw malformed('Policy contains a statement that is not an object')
  const unknown = Object.keys(statement).find((member) => !STATEMENT_MEMBERS.has(member))
  if (unknown !== undefined) throw malformed('Policy contains a statement with an unknown member')
  if (statement.Effect === undefined) throw malformed('Missing required field Effect')
  if (statement.Effect !== 'Allow' && statement.Effect !== 'Deny') {
    throw malformed('Policy contains a statement with an invalid Effect')
  }
  if (statement.Principal !== undefined && statement.NotPrincipal !== undefined) {
    throw malformed('Policy contains a statement with both Principal and NotPrincipal')
  }
  checkPrincipals(statement.Principal ?? statement.NotPrincipal)
  checkEither(statement, 'Action')
  checkEither(statement, 'Resource')
  checkConditions(statement.Condition)
}

/**
 * The statements of a document.
 * @throws AwsError MalformedPolicyDocumentException, LimitExceededException
 */
export function parsePolicy(text: string): readonly Statement[] {
  if (Buffer.byteLength(text) > MAX_BYTES) throw new AwsError('LimitExceededException', 'Policy is larger than 32 KB')
  let policy: unknown
  try {
    policy = JSON.parse(text)
  } catch {
    throw malformed('Policy contains invalid JSON')
  }
  if (!isObject(policy)) throw malformed('Policy is not an object')
  if (Object.keys(policy).some((member) => !MEMBERS.has(member))) throw malformed('Policy has an unknown member')
  const { Version: version, Id: id, Statement: statements } = policy
  if (version !== undefined && !VERSIONS.has(version)) throw malformed('Policy has an invalid Version')
  if (id !== undefined && typeof id !== 'string') throw malformed('Policy has an invalid Id')
  const list = statements === undefined ? [] : listOf(statements)
  if (list.length === 0) throw malformed('Policy has no statement')
  return list.map((statement) => {
    checkStatement(statement)
    return statement
  })
}

/** AWS's default document, in its own layout: the account decides, by its identities' policies. */
export const defaultPolicy = (address: AwsAddress): string => `{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "${rootArn(address)}"
    },
    "Action" : "kms:*",
    "Resource" : "*"
  } ]
}`
