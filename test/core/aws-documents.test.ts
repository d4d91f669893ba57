/** Policy documents by themselves: what is wrong with them, what can't be read, and the addresses in their conditions. */
import t from 'tap'
import { callerOf, keyPolicyOf } from '../../src/core/policy/aws/compiled.ts'
import { decideByPolicies } from '../../src/core/policy/aws/decide.ts'
import { PolicyError, parsePolicy } from '../../src/core/policy/aws/document.ts'
import { contains, parseRange } from '../../src/core/policy/aws/ip.ts'
import type { AwsIdentity } from '../../src/core/ports.ts'
import { HERE, KEY, ownDocument, ROOT, WHO } from './aws-policy.ts'

function fault(document: unknown, kind: 'key' | 'identity'): string {
  try {
    parsePolicy(typeof document === 'string' ? document : JSON.stringify(document), kind)
    return 'accepted'
  } catch (error) {
    return error instanceof PolicyError ? error.message : String(error)
  }
}

t.test('an identity’s policy', (t) => {
  const own = (rule: object) => fault(ownDocument([rule as Record<string, unknown>]), 'identity')
  t.equal(own({}), 'accepted')
  t.equal(own({ Action: 's3:GetObject', Resource: 'arn:aws:s3:::bucket/*' }), 'accepted', 'of another service')
  t.equal(own({ Principal: '*' }), 'Policy document should not specify a principal.')
  t.equal(own({ NotPrincipal: { AWS: ROOT } }), 'Policy document should not specify a principal.')
  t.equal(own({ Action: 'Encrypt' }), 'Policy contains a statement with an invalid Action')
  t.equal(own({ Condition: { StringSounds: { a: 'b' } } }), 'Invalid Condition type : StringSounds.')
  for (const Condition of [
    { NumericEquals: { n: 'many' } },
    { DateLessThan: { d: 'tomorrow' } },
    { Bool: { b: 'perhaps' } },
    { IpAddress: { ip: '192.0.2.0/33' } },
    { Null: { a: 'maybe' } },
    { StringEquals: { a: { b: 'c' } } },
    { StringEquals: { a: null } },
  ]) {
    t.equal(own({ Condition }), 'Policy contains a statement with an invalid Condition', JSON.stringify(Condition))
  }
  const twice = ownDocument([{ Sid: 'a' }, { Sid: 'a' }])
  t.equal(fault(twice, 'identity'), 'Statement IDs (SID) in a single policy must be unique.')
  for (const text of ['', 'null', '[', '['.repeat(100_000), '{"Statement":{"Effect":"Allow"}}']) {
    t.match(fault(text, 'identity'), /^(?:Policy |Missing )/, text.slice(0, 20))
  }
  t.end()
})

t.test('a document that can’t be read denies everything', (t) => {
  const everything = ownDocument([{}])
  const verdict = (identity: AwsIdentity, keyText: string) =>
    decideByPolicies({
      caller: callerOf(identity),
      account: HERE,
      keyPolicy: keyPolicyOf(keyText),
      question: { action: 'kms:decrypt', resource: KEY, context: () => undefined, variables: () => undefined },
    }).allow
  const open = JSON.stringify({ Statement: [{ Effect: 'Allow', Principal: '*', Action: '*', Resource: '*' }] })
  const alice = { ...WHO.alice, policies: [everything] }
  t.equal(verdict(alice, open), true)
  t.equal(verdict(alice, '{'), false)
  for (const broken of [{}, 'text', null, { Statement: [{ Effect: 'Allow' }] }]) {
    t.equal(verdict({ ...alice, policies: [everything, broken] }, open), false)
    t.equal(verdict({ ...alice, sessionPolicies: [broken] }, open), false)
    t.equal(verdict({ ...alice, boundary: broken }, open), false)
  }
  t.end()
})

t.test('addresses and ranges', (t) => {
  for (const text of [
    '256.0.0.1',
    '1.2.3',
    '01.2.3.4',
    '1.2.3.4/33',
    '::1/129',
    ':::',
    '1::2::3',
    'g::',
    '1.2.3.4/',
    '::1.2.3',
    '',
  ]) {
    t.equal(parseRange(text), undefined, text)
  }
  const rows = [
    ['0.0.0.0/0', '203.0.113.9', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['::/0', '2001:db8::1', true],
    ['203.0.113.8/30', '203.0.113.11', true],
    ['203.0.113.8/30', '203.0.113.12', false],
    ['2001:db8::/126', '2001:DB8:0:0:0:0:0:3', true],
    ['2001:db8::/126', '2001:db8::4', false],
    ['::ffff:203.0.113.9', '203.0.113.9', true],
    ['203.0.113.9', 'no address', false],
  ] as const
  for (const [range, address, inside] of rows) {
    const parsed = parseRange(range)
    t.equal(parsed !== undefined && contains(parsed, address), inside, `${address} in ${range}`)
  }
  t.end()
})
