/** An exposure's rules: what a condition holds for, and what is refused by which rule. */
import t from 'tap'
import { Rules } from '../../src/api/xks/rules.ts'
import type { XksRule } from '../../src/config/exposures/xks.ts'

const ALICE = 'arn:aws:iam::111122223333:user/Alice'
const facts = {
  awsPrincipalArn: ALICE,
  kmsKeyArn: 'arn:aws:kms:us-east-1:111122223333:key/1',
  kmsOperation: 'Decrypt',
  kmsRequestId: 'r',
  key: 'payments-1',
}
const refusal = (rules: readonly XksRule[], more: object = {}) => new Rules(rules).refusal({ ...facts, ...more })
const allow = (more: Partial<XksRule>): XksRule => ({ name: 'a', effect: 'allow', ...more })
const deny = (more: Partial<XksRule>): XksRule => ({ name: 'd', effect: 'deny', ...more })

t.test('without rules everything is let through', async (t) => {
  t.equal(refusal([]), undefined)
})

t.test('a rule that denies', async (t) => {
  t.equal(refusal([deny({ principals: [ALICE] })]), 'd')
  t.equal(refusal([deny({ principals: ['*:user/Bob'] })]), undefined)
  t.equal(refusal([allow({}), deny({ operations: ['Dec*'] })]), 'd', 'goes over one that allows')
  t.equal(refusal([deny({ principals: [ALICE], operations: ['Encrypt'] })]), undefined, 'every condition must hold')
})

t.test('with one that allows, the rest is refused', async (t) => {
  const rules = [allow({ principals: ['arn:aws:iam::111122223333:*'], operations: ['Encrypt', 'Decrypt'] })]
  t.equal(refusal(rules), undefined)
  t.equal(refusal(rules, { kmsOperation: 'ReEncrypt' }), 'no rule allows it')
  t.equal(refusal(rules, { awsPrincipalArn: 'arn:aws:iam::999999999999:user/Alice' }), 'no rule allows it')
})

t.test('what the request does not say holds for nothing', async (t) => {
  const vpc = [allow({ vpcs: ['vpc-1'] })]
  t.equal(refusal(vpc), 'no rule allows it')
  t.equal(refusal(vpc, { awsSourceVpc: 'vpc-1' }), undefined)
  t.equal(refusal(vpc, { awsSourceVpc: 'vpc-2' }), 'no rule allows it')
  t.equal(refusal([deny({ services: ['*'] })]), undefined)
  t.equal(refusal([deny({ services: ['*'] })], { kmsViaService: 's3.us-east-1.amazonaws.com' }), 'd')
  t.equal(refusal([deny({ vpcEndpoints: ['vpce-?'] })], { awsSourceVpce: 'vpce-1' }), 'd')
  t.equal(refusal([deny({ kmsKeys: ['*:key/2'] })]), undefined)
  t.equal(refusal([deny({ keys: ['payments-*'] })]), 'd')
})

t.test('patterns are patterns and nothing else', async (t) => {
  t.equal(refusal([deny({ principals: ['.*'] })]), undefined)
  t.equal(refusal([deny({ principals: [ALICE.toLowerCase()] })]), undefined, 'case counts')
  const knotty = deny({ principals: ['*a*a*a*a*a*a*a*a*b'] })
  t.equal(refusal([knotty], { awsPrincipalArn: 'a'.repeat(2048) }), undefined, 'no pattern takes for ever')
})
