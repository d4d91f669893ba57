/** Key policies as documents: their form, and the check that someone can change them again. */
import t from 'tap'
import { AwsError } from '../../src/api/aws/aws-error.ts'
import { checkNewPolicy, defaultPolicy } from '../../src/api/aws/policy-document.ts'

import { arnOf, makeAws } from './support.ts'

const HERE = { account: '111122223333', region: 'us-west-2' }
const ID = '1234abcd-12ab-34cd-56ef-1234567890ab'
const ROOT = 'arn:aws:iam::111122223333:root'
const BASE = { Effect: 'Allow', Principal: { AWS: ROOT }, Action: 'kms:*', Resource: '*' }

function verdict(text: string, { keyId, bypass }: { keyId?: string; bypass?: boolean } = {}): string {
  try {
    checkNewPolicy(text, { ...HERE, ...(keyId !== undefined && { keyId }), bypass })
  } catch (error) {
    if (error instanceof AwsError) return `${error.type}: ${error.message}`
    throw error
  }
  return 'accepted'
}
const document = (...statements: object[]): string =>
  JSON.stringify({ Version: '2012-10-17', Statement: statements.map((patch) => ({ ...BASE, ...patch })) })

t.test('the form of a document', async (t) => {
  t.equal(verdict(defaultPolicy(HERE)), 'accepted')
  t.equal(verdict(JSON.stringify({ Statement: BASE })), 'accepted', 'one statement need not be a list')
  const condition = { StringEquals: { 'kms:CallerAccount': ['1', '2'] }, Bool: { 'aws:SecureTransport': true } }
  for (const patch of [
    { Principal: '*' },
    { Principal: { AWS: ['111122223333', `${ROOT.slice(0, -4)}role/path/Admin`], Service: 'logs.amazonaws.com' } },
    { Principal: { AWS: ['arn:aws:sts::111122223333:assumed-role/Admin/session@x', ROOT] } },
    { Action: undefined, NotAction: ['kms:Decrypt'] },
    { Condition: condition, Sid: 'x' },
  ]) {
    t.equal(verdict(document(patch)), 'accepted', JSON.stringify(patch))
  }
  const cases: readonly (readonly [string, string])[] = [
    ['{', 'Policy contains invalid JSON'],
    ['[]', 'Policy is not an object'],
    ['"x"', 'Policy is not an object'],
    ['{}', 'Policy has no statement'],
    ['{"Statement":[]}', 'Policy has no statement'],
    ['{"Statement":[5]}', 'Policy contains a statement that is not an object'],
    ['{"Version":"2020-01-01","Statement":[]}', 'Policy has an invalid Version'],
    ['{"Statements":[]}', 'Policy has an unknown member'],
    [document({ Effect: 'Maybe' }), 'Policy contains a statement with an invalid Effect'],
    [document({ Effect: undefined }), 'Missing required field Effect'],
    [document({ Principal: undefined }), 'Policy contains a statement with no principal.'],
    [document({ Principal: {} }), 'Policy contains a statement with no principal.'],
    [document({ Principal: { AWS: [] } }), 'Policy contains a statement with no principal.'],
    [document({ Principal: { AWS: 'admin' } }), 'Policy contains a statement with one or more invalid principals.'],
    [document({ Principal: { Robot: '*' } }), 'Policy contains a statement with one or more invalid principals.'],
    [document({ Principal: { toString: '*' } }), 'Policy contains a statement with one or more invalid principals.'],
    [document({ Principal: { AWS: [ROOT, 5] } }), 'Policy contains a statement with one or more invalid principals.'],
    [document({ NotPrincipal: '*' }), 'Policy contains a statement with both Principal and NotPrincipal'],
    [document({ Action: undefined }), 'Missing required field Action'],
    [document({ Action: [] }), 'Policy contains a statement with an invalid Action'],
    [document({ Action: 5 }), 'Policy contains a statement with an invalid Action'],
    [document({ NotAction: 'kms:*' }), 'Policy contains a statement with both Action and NotAction'],
    [document({ Resource: undefined }), 'Missing required field Resource'],
    [document({ Condition: 'x' }), 'Policy contains a statement with an invalid Condition'],
    [document({ Condition: { Bool: 'x' } }), 'Policy contains a statement with an invalid Condition'],
    [document({ Extra: 1 }), 'Policy contains a statement with an unknown member'],
  ]
  for (const [text, message] of cases) {
    t.equal(verdict(text, { bypass: true }), `MalformedPolicyDocumentException: ${message}`, text)
  }
  t.match(verdict(' '.repeat(32_769)), /^LimitExceededException/)
})

t.test('someone of the account can change it again', async (t) => {
  const LOCKED =
    'MalformedPolicyDocumentException: The new key policy will not allow you to update the key policy in the future.'
  const here = `arn:aws:kms:us-west-2:111122223333:key/${ID}`
  const open: readonly (readonly object[])[] = [
    [{ Action: 'kms:Put*' }],
    [{ Action: ['kms:Encrypt', 'KMS:putkeypolic?'] }],
    [{ Principal: { AWS: 'arn:aws:iam::111122223333:user/bob' } }],
    [{ Resource: here }],
    [{ Resource: 'arn:aws:kms:*:*:key/*' }],
    [{ Action: undefined, NotAction: 'kms:Decrypt' }],
    [{}, { Effect: 'Deny', Principal: { AWS: 'arn:aws:iam::111122223333:user/eve' } }],
    [{}, { Effect: 'Deny', Principal: '*', Action: 'kms:Decrypt' }],
    [{}, { Effect: 'Deny', Principal: '*', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }],
  ]
  for (const statements of open) {
    t.equal(verdict(document(...statements), { keyId: ID }), 'accepted', JSON.stringify(statements))
  }
  const locked: readonly (readonly object[])[] = [
    [{ Action: 'kms:Encrypt' }],
    [{ Action: undefined, NotAction: ['kms:Put*'] }],
    [{ Effect: 'Deny' }],
    [{ Principal: { AWS: 'arn:aws:iam::999999999999:root' } }],
    [{ Principal: { Service: 'logs.amazonaws.com' } }],
    [{ Resource: here.replace(ID, 'another') }],
    [{ Resource: undefined, NotResource: '*' }],
    [{}, { Effect: 'Deny', Principal: '*', Action: 'kms:PutKeyPolicy' }],
    [{}, { Effect: 'Deny', Principal: { AWS: '111122223333' } }],
  ]
  for (const statements of locked) {
    t.equal(verdict(document(...statements), { keyId: ID }), LOCKED, JSON.stringify(statements))
    t.equal(verdict(document(...statements), { keyId: ID, bypass: true }), 'accepted')
  }
  t.equal(verdict(document({ Resource: here })), LOCKED, 'a key that is not there yet has no ARN to name')
  const stars = document({ Action: `kms:${'*a'.repeat(5_000)}z` })
  t.equal(verdict(stars, { keyId: ID }), LOCKED, 'wildcards cost no more than their length')
})

t.test('a policy put, got and listed', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const id = await aws.createKey()
  const first = (await aws.ask('GetKeyPolicy', { KeyId: id })).body
  t.equal(first.PolicyName, 'default')
  t.same(JSON.parse(first.Policy).Statement[0].Principal, { AWS: 'arn:aws:iam::000000000000:root' })
  t.same((await aws.ask('ListKeyPolicies', { KeyId: arnOf(id) })).body, { PolicyNames: ['default'], Truncated: false })
  t.match(await aws.refusal('ListKeyPolicies', { KeyId: id, Marker: 'x' }), /^ValidationException/)
  const Policy = first.Policy.replace('key-default-1', 'mine')
  t.equal(await aws.refusal('PutKeyPolicy', { KeyId: id, Policy, PolicyName: 'default' }), 'ok')
  t.equal((await aws.ask('GetKeyPolicy', { KeyId: id })).body.Policy, Policy, 'to the letter')
  const wrong = { KeyId: id, Policy, PolicyName: 'other' }
  t.equal(await aws.refusal('PutKeyPolicy', wrong), 'NotFoundException: No such policy exists')
  const locking = Policy.replace('kms:*', 'kms:Decrypt')
  t.match(await aws.refusal('PutKeyPolicy', { KeyId: id, Policy: locking }), /will not allow you to update/)
  t.match(await aws.refusal('CreateKey', { Policy: locking }), /will not allow you to update/)
  const bypass = { Policy: locking, BypassPolicyLockoutSafetyCheck: true }
  t.equal(await aws.refusal('PutKeyPolicy', { KeyId: id, ...bypass }), 'ok')
  t.ok(await aws.createKey(bypass))
  await aws.ask('ScheduleKeyDeletion', { KeyId: id })
  t.equal(
    await aws.refusal('PutKeyPolicy', { KeyId: id, Policy }),
    'ok',
    'a key that waits for its deletion has one too',
  )
  t.equal((await aws.ask('GetKeyPolicy', { KeyId: id })).body.Policy, Policy)
})
