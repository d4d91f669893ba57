/** What grants allow, with policies enforced: to whom, under which context, on whose strength, and who may end them. */
import t from 'tap'
import {
  admin,
  arnOf,
  denied,
  type Enforced,
  HERE,
  keyPolicy,
  makeEnforced,
  missing,
  policy,
  root,
  session,
  statement,
  THERE,
  UNKNOWN,
  user,
} from './enforced.ts'

const Plaintext = 'aGVsbG8='
const alice = user('alice')
const bob = user('bob')
const NO_KEY = 'resource-based policy'

async function make() {
  const aws = await makeEnforced()
  const id = await aws.createKey({ Policy: keyPolicy(), BypassPolicyLockoutSafetyCheck: true })
  const grant = (input: object, who = admin): Promise<{ GrantId: string; GrantToken: string }> =>
    aws.attempt(who, 'CreateGrant', { KeyId: id, Operations: ['Encrypt', 'Decrypt'], ...input })
  const refusal = (who: Parameters<Enforced['verdict']>[0], operation: string) =>
    denied(who, operation, arnOf(id), missing(NO_KEY, operation))
  return { ...aws, id, grant, refusal }
}

t.test('a grant works at once, is on record, and stops when it is ended', async (t) => {
  const { verdict, attempt, id, grant, refusal, audit } = await make()
  const encrypt = { KeyId: id, Plaintext }
  t.equal(await verdict(alice, 'Encrypt', encrypt), refusal(alice, 'Encrypt'))
  const { GrantId, GrantToken } = await grant({ GranteePrincipal: alice.arn })
  t.equal(await verdict(alice, 'Encrypt', encrypt), 'ok', 'without its token')
  t.match(audit.records.at(-1), { operation: 'Encrypt', decision: 'allow', grant: GrantId, principal: alice.arn })
  t.equal(await verdict(alice, 'Encrypt', { ...encrypt, GrantTokens: [GrantToken] }), 'ok', 'and with it')
  t.equal(
    await verdict(bob, 'Encrypt', { ...encrypt, GrantTokens: [GrantToken] }),
    refusal(bob, 'Encrypt'),
    'a token is no permission',
  )
  t.equal(await verdict(alice, 'DescribeKey', { KeyId: id }), refusal(alice, 'DescribeKey'), 'not what it does not say')
  await attempt(admin, 'Encrypt', encrypt)
  t.notOk(audit.records.at(-1)?.grant, 'policies come first')
  t.equal(await verdict(admin, 'RevokeGrant', { KeyId: id, GrantId }), 'ok')
  t.equal(await verdict(alice, 'Encrypt', { ...encrypt, GrantTokens: [GrantToken] }), refusal(alice, 'Encrypt'))
})

t.test('to roles, sessions and accounts', async (t) => {
  const { verdict, id, grant, refusal } = await make()
  const encrypt = { KeyId: id, Plaintext }
  const app = session('App')
  const other = session('Other')
  t.equal(await verdict(app, 'Encrypt', encrypt), refusal(app, 'Encrypt'))
  await grant({ GranteePrincipal: app.roleArn })
  t.equal(await verdict(app, 'Encrypt', encrypt), 'ok', 'a session of the role')
  const narrowed = session('App', [], { sessionPolicies: [policy(statement('kms:Decrypt'))] })
  t.equal(await verdict(narrowed, 'Encrypt', encrypt), refusal(narrowed, 'Encrypt'), 'its own policy narrows')
  t.equal(await verdict(other, 'Encrypt', encrypt), refusal(other, 'Encrypt'))
  await grant({ GranteePrincipal: other.arn })
  t.equal(await verdict(other, 'Encrypt', encrypt), 'ok', 'one session')
  await grant({ GranteePrincipal: `arn:aws:iam::${THERE}:root` })
  const poor = user('poor', [], THERE)
  const rich = user('rich', [policy(statement('kms:*'))], THERE)
  t.equal(await verdict(poor, 'Encrypt', { KeyId: arnOf(id), Plaintext }), denied(poor, 'Encrypt', arnOf(id), UNKNOWN))
  t.equal(await verdict(rich, 'Encrypt', { KeyId: arnOf(id), Plaintext }), 'ok', 'an account, by its own policies')
})

t.test('constraints look at the context that the operation binds', async (t) => {
  const { verdict, attempt, id, grant, refusal } = await make()
  const EncryptionContext = { Department: 'finance', project: 'x' }
  const Operations = ['Encrypt', 'Decrypt', 'ReEncryptFrom', 'ReEncryptTo', 'GenerateDataKey', 'DescribeKey']
  const Constraints = { EncryptionContextSubset: { department: 'finance' } }
  await grant({ GranteePrincipal: alice.arn, Operations, Constraints })
  t.equal(await verdict(alice, 'Encrypt', { KeyId: id, Plaintext }), refusal(alice, 'Encrypt'))
  const wrong = { Department: 'legal', project: 'x' }
  t.equal(
    await verdict(alice, 'Encrypt', { KeyId: id, Plaintext, EncryptionContext: wrong }),
    refusal(alice, 'Encrypt'),
  )
  const { CiphertextBlob } = await attempt(alice, 'Encrypt', { KeyId: id, Plaintext, EncryptionContext })
  t.equal(await verdict(alice, 'Decrypt', { CiphertextBlob, EncryptionContext }), 'ok')
  t.equal(await verdict(alice, 'GenerateDataKey', { KeyId: id, KeySpec: 'AES_256', EncryptionContext }), 'ok')
  t.equal(await verdict(alice, 'DescribeKey', { KeyId: id }), 'ok', 'what has no context is not bound')
  const move = { CiphertextBlob, SourceEncryptionContext: EncryptionContext, DestinationKeyId: id }
  t.equal(
    await verdict(alice, 'ReEncrypt', move),
    refusal(alice, 'ReEncryptTo'),
    'the destination has a context of its own',
  )
  t.equal(await verdict(alice, 'ReEncrypt', { ...move, DestinationEncryptionContext: { department: 'finance' } }), 'ok')
  const exact = { EncryptionContextEquals: { a: '1' } }
  await grant({ GranteePrincipal: bob.arn, Operations: ['Encrypt'], Constraints: exact })
  const asBob = (context: object) => verdict(bob, 'Encrypt', { KeyId: id, Plaintext, EncryptionContext: context })
  t.equal(await asBob({ a: '1' }), 'ok')
  t.equal(await asBob({ a: '1', b: '2' }), refusal(bob, 'Encrypt'))
  t.equal(await asBob({}), refusal(bob, 'Encrypt'))
})

t.test('a grant is made on the strength of another only within it', async (t) => {
  const { verdict, attempt, id, grant, refusal } = await make()
  const carol = user('carol')
  const Constraints = { EncryptionContextSubset: { a: '1' } }
  await grant({ GranteePrincipal: alice.arn, Operations: ['Encrypt', 'CreateGrant'], Constraints })
  const pass = (input: object) =>
    verdict(alice, 'CreateGrant', {
      KeyId: id,
      GranteePrincipal: bob.arn,
      Operations: ['Encrypt'],
      Constraints,
      ...input,
    })
  const no = refusal(alice, 'CreateGrant')
  t.equal(await pass({ Operations: ['Encrypt', 'Decrypt'] }), no, 'wider')
  t.equal(await pass({ Constraints: undefined }), no, 'unconstrained')
  t.equal(await pass({ Constraints: { EncryptionContextSubset: { b: '1' } } }), no, 'constrained by something else')
  t.equal(await pass({ Constraints: { EncryptionContextEquals: { a: '2' } } }), no)
  t.equal(await pass({}), 'ok')
  t.equal(
    await pass({
      Constraints: { EncryptionContextSubset: { a: '1', b: '2' } },
      Operations: ['Encrypt', 'CreateGrant'],
    }),
    'ok',
    'narrower',
  )
  const chained = { KeyId: id, GranteePrincipal: carol.arn, Operations: ['Encrypt'] }
  t.equal(
    await verdict(bob, 'CreateGrant', { ...chained, Constraints }),
    refusal(bob, 'CreateGrant'),
    'nor wider down the chain',
  )
  const deep = { EncryptionContextEquals: { a: '1', b: '2' } }
  t.equal(await verdict(bob, 'CreateGrant', { ...chained, Constraints: deep }), 'ok')
  t.equal(await verdict(carol, 'Encrypt', { KeyId: id, Plaintext, EncryptionContext: { a: '1', b: '2' } }), 'ok')
  t.equal(
    await verdict(carol, 'Encrypt', { KeyId: id, Plaintext, EncryptionContext: { a: '1' } }),
    refusal(carol, 'Encrypt'),
  )
  const { Grants } = await attempt(admin, 'ListGrants', { KeyId: id, GranteePrincipal: carol.arn })
  t.match(Grants, [{ IssuingAccount: `arn:aws:iam::${HERE}:root`, Constraints: deep }])
})

t.test('denials stand against grants', async (t) => {
  const { verdict, attempt, id, grant } = await make()
  await grant({ GranteePrincipal: alice.arn })
  const encrypt = { KeyId: id, Plaintext }
  const forbidden = user('alice', [policy(statement('kms:Encrypt', { Effect: 'Deny' }))])
  t.equal(
    await verdict(forbidden, 'Encrypt', encrypt),
    denied(alice, 'Encrypt', arnOf(id), 'with an explicit deny in an identity-based policy'),
  )
  t.equal(await verdict(alice, 'Encrypt', encrypt), 'ok')
  const Policy = keyPolicy(statement('kms:Encrypt', { Effect: 'Deny', Principal: { AWS: alice.arn } }))
  await attempt(admin, 'PutKeyPolicy', { KeyId: id, Policy })
  t.equal(
    await verdict(alice, 'Encrypt', encrypt),
    denied(alice, 'Encrypt', arnOf(id), 'with an explicit deny in a resource-based policy'),
  )
})

t.test('who may retire a grant', async (t) => {
  const { verdict, id, grant } = await make()
  const retirer = user('retirer')
  const delegate = user('delegate', [policy(statement('kms:RetireGrant'))])
  const forbidden = user('retirer', [policy(statement('kms:RetireGrant', { Effect: 'Deny' }))])
  const no = (who: Parameters<Enforced['verdict']>[0]) => denied(who, 'RetireGrant', arnOf(id), UNKNOWN)
  const input = { GranteePrincipal: alice.arn, RetiringPrincipal: retirer.arn }
  const fresh = async (more: object = {}) => (await grant({ ...input, ...more })).GrantToken
  const retire = async (who: Parameters<Enforced['verdict']>[0], more?: object) =>
    verdict(who, 'RetireGrant', { GrantToken: await fresh(more) })
  t.equal(await retire(retirer), 'ok', 'the one whom it names')
  t.match(await retire(forbidden), /with an explicit deny in an identity-based policy$/)
  t.match(
    await retire(alice),
    /^AccessDeniedException: .*no identity-based policy allows the kms:RetireGrant/,
    'its grantee',
  )
  t.equal(await retire(alice, { Operations: ['Encrypt', 'RetireGrant'] }), 'ok', 'its grantee, if it says so')
  t.equal(await retire(root), 'ok', 'the account’s root')
  t.equal(await retire(delegate), 'ok', 'and whom the account lets')
  const theirs = user('carol', [policy(statement('kms:*'))], THERE)
  t.equal(await retire(theirs), no(theirs), 'not by the policies of another account')
  t.equal(await retire(theirs, { RetiringPrincipal: `arn:aws:iam::${THERE}:root` }), 'ok', 'unless that may retire it')
  const poor = user('poor', [], THERE)
  t.match(await retire(poor, { RetiringPrincipal: `arn:aws:iam::${THERE}:root` }), /no identity-based policy allows/)
  const { GrantId, GrantToken } = await grant(input)
  t.equal(
    await verdict(retirer, 'RetireGrant', { GrantToken, DryRun: true }),
    'DryRunOperationException: The request would have succeeded, but the DryRun option is set.',
  )
  t.match(await verdict(alice, 'RetireGrant', { GrantToken, DryRun: true }), /^AccessDenied/)
  t.equal(await verdict(retirer, 'RetireGrant', { KeyId: arnOf(id), GrantId }), 'ok')
  t.match(
    await verdict(retirer, 'RetireGrant', { KeyId: arnOf(id), GrantId }),
    /^AccessDenied/,
    'whether it is gone is not for him to know',
  )
  t.equal(
    await verdict(root, 'RetireGrant', { KeyId: arnOf(id), GrantId }),
    `NotFoundException: Grant ID ${GrantId} not found`,
  )
})

t.test('the retiring principal is what a list of retirable grants is about', async (t) => {
  const { verdict, attempt, grant } = await make()
  await grant({ GranteePrincipal: alice.arn, RetiringPrincipal: bob.arn })
  const list = user('l', [policy(statement('kms:ListRetirableGrants', { Resource: bob.arn }))])
  t.equal((await attempt(list, 'ListRetirableGrants', { RetiringPrincipal: bob.arn })).Grants.length, 1)
  const action = 'ListRetirableGrants'
  const asked = { RetiringPrincipal: alice.arn }
  t.equal(await verdict(list, action, asked), denied(list, action, alice.arn, missing('identity-based policy', action)))
})
