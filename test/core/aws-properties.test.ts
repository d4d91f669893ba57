/** What holds of every policy and grant, of random ones (`TREFOIL_TEST_SEED` repeats a run). */
import t from 'tap'
import { type Grant, isWithin, matchGrant } from '../../src/core/policy/aws/grant.ts'
import type { AwsIdentity } from '../../src/core/ports.ts'
import { Random, REPEAT } from '../support/random.ts'
import {
  ALICE,
  type Asked,
  ask,
  BOB,
  CAROL,
  FOREIGN_ROOT,
  HERE,
  KEY,
  ROLE,
  ROOT,
  type Rule,
  SESSION,
  THERE,
  WHO,
  type Who,
} from './aws-policy.ts'

t.comment(REPEAT)
const random = new Random()
const RUNS = process.env.TEST_LONG === '1' ? 50_000 : 3_000

const some = <T>(values: readonly T[]): T[] => values.filter(() => random.chance(0.4))
const oneOr = <T>(values: readonly T[]): T | T[] =>
  random.chance(0.5) ? random.pick(values) : [random.pick(values), ...some(values)]
const NAMES = [ALICE, BOB, CAROL, ROLE, SESSION, ROOT, FOREIGN_ROOT, HERE, THERE, '*']
const ACTIONS = ['kms:*', '*', 'kms:Decrypt', 'kms:*crypt', 'kms:Generate*', 'KMS:ENCRYPT', 'kms:Create?rant']
const RESOURCES = ['*', KEY, 'arn:aws:kms:*:*:key/*', KEY.replace('1234', '4321')]
const CONDITIONS: readonly Rule[] = [
  { StringEquals: { a: 'x' } },
  { StringNotEquals: { a: ['x', 'y'] } },
  { 'ForAllValues:StringLike': { l: 'p*' } },
  { 'ForAnyValue:StringEquals': { l: ['p', 'q'] } },
  { Null: { a: 'true' } },
  { NumericLessThanIfExists: { n: '5' } },
]

function rule(named: boolean): Rule {
  const principals = { AWS: oneOr(NAMES) }
  return {
    Effect: random.chance(0.75) ? 'Allow' : 'Deny',
    ...(named && (random.chance(0.85) ? { Principal: principals } : { NotPrincipal: principals })),
    ...(random.chance(0.85) ? { Action: oneOr(ACTIONS) } : { NotAction: oneOr(ACTIONS) }),
    ...(random.chance(0.85) ? { Resource: oneOr(RESOURCES) } : { NotResource: oneOr(RESOURCES) }),
    ...(random.chance(0.3) && { Condition: random.pick(CONDITIONS) }),
  }
}
const rules = (named: boolean): readonly Rule[] => Array.from({ length: random.between(1, 4) }, () => rule(named))

const OPERATIONS = ['Decrypt', 'Encrypt', 'GenerateDataKey', 'CreateGrant'] as const
const contextMap = () => Object.fromEntries(some(['p', 'q']).map((name) => [name, random.pick(['1', '2'])]))

function constraints(): Grant['constraints'] {
  return { ...(random.chance(0.3) && { equals: contextMap() }), ...(random.chance(0.4) && { subset: contextMap() }) }
}
const grant = (): Partial<Grant> => ({
  grantee: random.pick(NAMES.filter((name) => name !== '*')),
  operations: some(OPERATIONS),
  constraints: constraints(),
})

const asked = (): Asked => ({
  who: random.pick(Object.keys(WHO) as Who[]),
  action: random.pick(OPERATIONS),
  key: rules(true),
  ...(random.chance(0.7) && { own: rules(false) }),
  ...(random.chance(0.3) && { session: rules(false) }),
  ...(random.chance(0.3) && { boundary: rules(false) }),
  grants: Array.from({ length: random.between(0, 3) }, grant),
  encryptionContext: contextMap(),
  context: {
    ...(random.chance(0.5) && { a: random.pick(['x', 'y', 'z']) }),
    ...(random.chance(0.5) && { l: some(['p', 'q', 'r']) }),
    ...(random.chance(0.5) && { n: String(random.between(0, 9)) }),
  },
})

const isAllowed = (verdict: string): boolean => verdict === 'allowed' || verdict.startsWith('granted')
const isDenied = (verdict: string): boolean => verdict.startsWith('denied') || verdict === 'unknown, denied'

/** A denial of the very request, in one of the places where one can stand. */
function denying(question: Asked): Asked {
  const action = `kms:${question.action}`
  const denial: Rule = {
    Effect: 'Deny',
    Action: random.pick([action, 'kms:*', '*']),
    Resource: random.pick(['*', KEY]),
  }
  const identity: AwsIdentity | undefined = WHO[question.who ?? 'alice']
  const places: readonly (keyof Asked)[] = identity === undefined ? ['key'] : ['key', 'own', 'session', 'boundary']
  const place = random.pick(places)
  const names = identity === undefined ? ['*'] : ['*', identity.arn, identity.account, identity.roleArn ?? identity.arn]
  const added = place === 'key' ? { ...denial, Principal: { AWS: random.pick(names) } } : denial
  const list = (question[place] as readonly Rule[] | undefined) ?? []
  const at = random.between(0, list.length)
  return { ...question, [place]: [...list.slice(0, at), added, ...list.slice(at)] }
}

t.test('a denial always wins', (t) => {
  const exceptions: string[] = []
  let allowed = 0
  for (let run = 0; run < RUNS; run++) {
    const question = asked()
    if (isAllowed(ask(question))) allowed += 1
    const worse = denying(question)
    const verdict = ask(worse)
    if (!isDenied(verdict)) exceptions.push(`${verdict}: ${JSON.stringify(worse)}`)
  }
  t.comment(`${allowed} of ${RUNS} were allowed before`)
  t.same(exceptions, [])
  t.end()
})

t.test('a boundary or a session policy never allows', (t) => {
  const exceptions: string[] = []
  for (let run = 0; run < RUNS; run++) {
    const { session: _, boundary: __, ...question } = asked()
    if (isAllowed(ask(question))) continue
    const narrowed = { ...question, ...(random.chance(0.7) ? { boundary: rules(false) } : { session: rules(false) }) }
    if (isAllowed(ask(narrowed))) exceptions.push(JSON.stringify(narrowed))
  }
  t.same(exceptions, [])
  t.end()
})

t.test('nobody of another account is allowed without both sides', (t) => {
  const exceptions: string[] = []
  for (let run = 0; run < RUNS; run++) {
    const question: Asked = { ...asked(), who: 'carol', grants: [] }
    const oneSide: Asked = random.chance(0.5)
      ? { ...question, key: [{ Effect: 'Allow', Principal: { AWS: [ALICE, ROOT] } }] }
      : { ...question, own: [{ Effect: 'Allow', Action: 's3:*' }] }
    if (isAllowed(ask(oneSide))) exceptions.push(JSON.stringify(oneSide))
  }
  t.same(exceptions, [])
  t.end()
})

t.test('no grant exceeds its grantor', (t) => {
  const exceptions: string[] = []
  const identity = WHO.alice
  const base = { id: 'g', keyId: 'k', arn: KEY, region: 'r', account: HERE, grantee: ALICE, issuer: HERE, createdAt: 0 }
  const make = (): Grant => ({ ...base, operations: some(OPERATIONS), constraints: constraints() })
  for (let run = 0; run < RUNS; run++) {
    const [parent, child] = [make(), make()]
    if (!isWithin(child, parent)) continue
    for (const operation of OPERATIONS) {
      for (let round = 0; round < 4; round++) {
        const question = { identity, operation, encryptionContext: contextMap(), wanted: undefined }
        const exceeds = matchGrant(child, question) !== 'none' && matchGrant(parent, question) === 'none'
        if (exceeds) exceptions.push(JSON.stringify({ parent, child, question }))
      }
    }
  }
  t.same(exceptions, [])
  t.end()
})

t.test('a grant is as wide as itself', (t) => {
  const exceptions: string[] = []
  for (let run = 0; run < RUNS; run++) {
    const wanted = { operations: some(OPERATIONS), constraints: constraints() }
    if (!isWithin(wanted, wanted)) exceptions.push(JSON.stringify(wanted))
  }
  t.same(exceptions, [])
  t.end()
})
