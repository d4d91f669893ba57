/** Policy documents: their form is checked once, and they become matchers. */

import { isRecord } from '../../record.ts'
import { type Condition, type Context, compileCondition, type Effect } from './condition.ts'
import { type Matcher, pattern, type Variables } from './pattern.ts'
import { compileNotPrincipal, compilePrincipal, type Principals } from './principal.ts'

/** What is wrong with a document, in AWS's words. */
export class PolicyError extends Error {
  override readonly name = 'PolicyError'
}
const malformed = (message: string): PolicyError => new PolicyError(message)

/** `key`: of a resource, whose statements name principals. `identity`: of the one who has it. */
export type PolicyKind = 'key' | 'identity'

export type Statement = {
  readonly effect: Effect
  /** Absent in an identity's policy, which means its owner. */
  readonly principals: Principals | undefined
  /** In lower case, like the action that it is asked about. */
  readonly action: Matcher
  readonly resource: Matcher
  readonly conditions: readonly Condition[]
}
export type Policy = {
  readonly statements: readonly Statement[]
  /** The condition keys and variables that it asks for, in lower case. */
  readonly asks: ReadonlySet<string>
}

type Json = Readonly<Record<string, unknown>>
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [value])

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
/** Variables came with the newer one. */
const DYNAMIC = '2012-10-17'
const VERSIONS: ReadonlySet<unknown> = new Set([DYNAMIC, '2008-10-17'])

type Options = { readonly kind: PolicyKind; readonly dynamic: boolean; readonly asks: Set<string> }

const VARIABLE_NAME = /\$\{([^{},]+)/g
function noteVariables(text: string, { dynamic, asks }: Options): void {
  if (!dynamic) return
  for (const [, name = ''] of text.matchAll(VARIABLE_NAME)) asks.add(name.trim().toLowerCase())
}

function textsOf(value: unknown, name: string): readonly string[] {
  const texts = listOf(value).filter((text) => typeof text === 'string' && text !== '') as string[]
  if (texts.length === 0 || texts.length !== listOf(value).length) {
    throw malformed(`Policy contains a statement with an invalid ${name}`)
  }
  return texts
}

const ACTION = /^(?:\*|[\w*?-]+:[\w*?]+)$/

/** One of two members that exclude each other, as a test. */
function compileEither(statement: Json, name: 'Action' | 'Resource', options: Options): Matcher {
  const [wanted, others] = [statement[name], statement[`Not${name}`]]
  if (wanted === undefined && others === undefined) throw malformed(`Missing required field ${name}`)
  if (wanted !== undefined && others !== undefined) {
    throw malformed(`Policy contains a statement with both ${name} and Not${name}`)
  }
  const texts = textsOf(wanted ?? others, name)
  const isAction = name === 'Action'
  if (isAction && !texts.every((text) => ACTION.test(text))) {
    throw malformed('Policy contains a statement with an invalid Action')
  }
  for (const text of texts) if (!isAction) noteVariables(text, options)
  const matchers = texts.map((text) => pattern(isAction ? text.toLowerCase() : text, options.dynamic && !isAction))
  const some: Matcher = (value, variables) => matchers.some((matches) => matches(value, variables))
  return wanted === undefined ? (value, variables) => !some(value, variables) : some
}

const INVALID_CONDITION = 'Policy contains a statement with an invalid Condition'

function wantedOf(value: unknown): readonly string[] {
  const values = listOf(value)
  const valid = values.every(
    (item) => typeof item === 'string' || typeof item === 'number' || typeof item === 'boolean',
  )
  if (!valid) throw malformed(INVALID_CONDITION)
  return values.map(String)
}

function compileConditions(block: unknown, effect: Effect, options: Options): readonly Condition[] {
  if (block === undefined) return []
  if (!isRecord(block)) throw malformed(INVALID_CONDITION)
  return Object.entries(block).flatMap(([operator, keys]) => {
    if (!isRecord(keys)) throw malformed(INVALID_CONDITION)
    return Object.entries(keys).map(([key, value]) => {
      const wanted = wantedOf(value)
      for (const text of wanted) noteVariables(text, options)
      const name = key.toLowerCase()
      options.asks.add(name)
      const condition = compileCondition(operator, name, wanted, { effect, dynamic: options.dynamic })
      if (typeof condition === 'string') throw malformed(condition)
      return condition
    })
  })
}

function compilePrincipals(statement: Json, effect: Effect, kind: PolicyKind): Principals | undefined {
  const { Principal: principal, NotPrincipal: others } = statement
  if (kind === 'identity') {
    if (principal === undefined && others === undefined) return undefined
    throw malformed('Policy document should not specify a principal.')
  }
  if (principal !== undefined && others !== undefined) {
    throw malformed('Policy contains a statement with both Principal and NotPrincipal')
  }
  const compiled = others === undefined ? compilePrincipal(principal) : compileNotPrincipal(others, effect)
  if (typeof compiled === 'string') throw malformed(compiled)
  return compiled
}

function compileStatement(statement: unknown, options: Options): Statement {
  if (!isRecord(statement)) throw malformed('Policy contains a statement that is not an object')
  if (Object.keys(statement).some((member) => !STATEMENT_MEMBERS.has(member))) {
    throw malformed('Policy contains a statement with an unknown member')
  }
  const { Effect: effect, Sid: sid } = statement
  if (effect === undefined) throw malformed('Missing required field Effect')
  if (effect !== 'Allow' && effect !== 'Deny') throw malformed('Policy contains a statement with an invalid Effect')
  if (sid !== undefined && typeof sid !== 'string') throw malformed('Policy contains a statement with an invalid Sid')
  return {
    effect,
    principals: compilePrincipals(statement, effect, options.kind),
    action: compileEither(statement, 'Action', options),
    resource: compileEither(statement, 'Resource', options),
    conditions: compileConditions(statement.Condition, effect, options),
  }
}

function checkSids(statements: readonly unknown[]): void {
  const sids = statements.flatMap((statement) => (isRecord(statement) && statement.Sid) || [])
  if (new Set(sids).size !== sids.length) throw malformed('Statement IDs (SID) in a single policy must be unique.')
}

/** @throws PolicyError */
export function compilePolicy(policy: unknown, kind: PolicyKind): Policy {
  if (!isRecord(policy)) throw malformed('Policy is not an object')
  if (Object.keys(policy).some((member) => !MEMBERS.has(member))) throw malformed('Policy has an unknown member')
  const { Version: version, Id: id, Statement: statement } = policy
  if (version !== undefined && !VERSIONS.has(version)) throw malformed('Policy has an invalid Version')
  if (id !== undefined && typeof id !== 'string') throw malformed('Policy has an invalid Id')
  const list = statement === undefined ? [] : listOf(statement)
  if (list.length === 0) throw malformed('Policy has no statement')
  const options: Options = { kind, dynamic: version === DYNAMIC, asks: new Set() }
  const statements = list.map((item) => compileStatement(item, options))
  checkSids(list)
  return { statements, asks: options.asks }
}

/** @throws PolicyError */
export function parsePolicy(text: string, kind: PolicyKind): Policy {
  let policy: unknown
  try {
    policy = JSON.parse(text)
  } catch {
    throw malformed('Policy contains invalid JSON')
  }
  return compilePolicy(policy, kind)
}

/** One request, as statements are asked about it. */
export type Question = {
  /** In lower case: `kms:encrypt`. */
  readonly action: string
  readonly resource: string
  readonly context: Context
  readonly variables: Variables
}

/** Whether a statement is about the request, whoever makes it. */
export const applies = ({ action, resource, conditions }: Statement, question: Question): boolean =>
  action(question.action, question.variables) &&
  resource(question.resource, question.variables) &&
  conditions.every((holds) => holds(question.context, question.variables))
