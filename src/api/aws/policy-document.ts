/** Key policies as documents: whether one can be stored, and the one that a key has when its maker gave none. */
import { AwsError } from './aws-error.ts'
import { type AwsAddress, rootArn } from './names.ts'

export const POLICY_NAME = 'default'
/** 32 KB is the documented quota; the model allows more characters. */
const MAX_BYTES = 32_768

const malformed = (message: string): AwsError => new AwsError('MalformedPolicyDocumentException', message)
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isText = (value: unknown): boolean => typeof value === 'string' && value !== ''
const isTextOrList = (value: unknown): boolean =>
  Array.isArray(value) ? value.length > 0 && value.every(isText) : isText(value)

function isPrincipal(value: unknown): boolean {
  if (value === '*') return true
  return isObject(value) && Object.keys(value).length > 0 && Object.values(value).every(isTextOrList)
}

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

/** One of two members that exclude each other. */
const exactlyOne = (statement: Readonly<Record<string, unknown>>, name: string, check: (value: unknown) => boolean) =>
  [name, `Not${name}`].filter((member) => statement[member] !== undefined && check(statement[member])).length === 1 &&
  (statement[name] === undefined || statement[`Not${name}`] === undefined)

function checkStatement(statement: unknown): void {
  if (!isObject(statement)) throw malformed('Policy statement is not an object')
  const unknown = Object.keys(statement).find((member) => !STATEMENT_MEMBERS.has(member))
  if (unknown !== undefined) throw malformed('Policy statement has an unknown member')
  if (statement.Effect !== 'Allow' && statement.Effect !== 'Deny')
    throw malformed('Policy statement must have an Effect')
  if (!exactlyOne(statement, 'Principal', isPrincipal)) throw malformed('Policy statement must have a Principal')
  if (!exactlyOne(statement, 'Action', isTextOrList)) throw malformed('Policy statement must have actions')
  if (!exactlyOne(statement, 'Resource', isTextOrList)) throw malformed('Policy statement must have resources')
  if (statement.Condition !== undefined && !isObject(statement.Condition)) {
    throw malformed('Policy statement has an invalid Condition')
  }
}

/** @throws AwsError MalformedPolicyDocumentException, LimitExceededException */
export function checkPolicy(text: string): void {
  if (Buffer.byteLength(text) > MAX_BYTES) throw new AwsError('LimitExceededException', 'Policy is larger than 32 KB')
  let policy: unknown
  try {
    policy = JSON.parse(text)
  } catch {
    throw malformed('Policy contains invalid JSON')
  }
  if (!isObject(policy)) throw malformed('Policy is not an object')
  const { Version: version, Statement: statements } = policy
  if (version !== undefined && version !== '2012-10-17' && version !== '2008-10-17') {
    throw malformed('Policy has an invalid Version')
  }
  const list = Array.isArray(statements) ? statements : [statements]
  if (statements === undefined || list.length === 0) throw malformed('Policy has no statement')
  list.forEach(checkStatement)
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
