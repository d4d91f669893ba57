/** What callers may, with policies and grants enforced; and AWS's words to those who may not. */
import t from 'tap'
import { routes } from '../../src/api/aws/bindings/index.ts'
import {
  admin,
  arnOf,
  denied,
  HERE,
  keyPolicy,
  makeEnforced,
  missing,
  policy,
  REGION,
  root,
  session,
  statement,
  THERE,
  UNKNOWN,
  user,
} from './enforced.ts'
import { UNNAMED } from './support.ts'

const Plaintext = 'aGVsbG8='
const allow = (...actions: string[]): object => policy(statement(actions.map((action) => `kms:${action}`)))
const NO_OWN = 'identity-based policy'
const NO_KEY = 'resource-based policy'
const to = (who: { readonly arn: string }, Action: string | string[], more: object = {}): object =>
  statement(Action, { Principal: { AWS: who.arn }, ...more })

t.test('the words of a denial', async (t) => {
  const { verdict, createKey } = await makeEnforced()
  const open = await createKey()
  const closed = await createKey({ Policy: keyPolicy(), BypassPolicyLockoutSafetyCheck: true })
  const arn = arnOf(open)
  const plain = user('plain')
  const all = policy(statement('kms:*'))
  const some = user('some', [allow('Encrypt')])
  const rows: readonly (readonly [Parameters<typeof denied>[0], string, string])[] = [
    [plain, open, missing(NO_OWN, 'Encrypt')],
    [user('decrypter', [allow('Decrypt')]), open, missing(NO_OWN, 'Encrypt')],
    [some, closed, missing(NO_KEY, 'Encrypt')],
    [
      user('denied', [policy(statement('*'), statement('kms:Enc*', { Effect: 'Deny' }))]),
      open,
      'with an explicit deny in an identity-based policy',
    ],
    [{ ...some, boundary: allow('Decrypt') }, open, missing('permissions boundary', 'Encrypt')],
    [
      { ...some, boundary: policy(statement('*', { Effect: 'Deny' })) },
      open,
      'with an explicit deny in a permissions boundary',
    ],
    [session('App', [all], { sessionPolicies: [allow('Decrypt')] }), open, missing('session policy', 'Encrypt')],
    [
      session('App', [all], { sessionPolicies: [policy(statement('*', { Effect: 'Deny' }))] }),
      open,
      'with an explicit deny in a session policy',
    ],
    [user('stranger', [all], THERE), open, UNKNOWN],
  ]
  for (const [who, id, why] of rows) {
    t.equal(await verdict(who, 'Encrypt', { KeyId: arnOf(id), Plaintext }), denied(who, 'Encrypt', arnOf(id), why))
  }
  t.equal(await verdict(some, 'Encrypt', { KeyId: arn, Plaintext }), 'ok')
  const shut = await createKey({
    Policy: keyPolicy(to(some, 'kms:*', { Effect: 'Deny' })),
    BypassPolicyLockoutSafetyCheck: true,
  })
  t.equal(
    await verdict(some, 'Encrypt', { KeyId: shut, Plaintext }),
    denied(some, 'Encrypt', arnOf(shut), 'with an explicit deny in a resource-based policy'),
  )
  t.equal(await verdict(plain, 'CreateKey', {}), denied(plain, 'CreateKey', '*', missing(NO_OWN, 'CreateKey')))
  t.equal(
    await verdict(undefined, 'Encrypt', { KeyId: open, Plaintext }),
    denied(undefined, 'Encrypt', arn, missing(NO_KEY, 'Encrypt')),
  )
})

t.test('what is not there is told of only to those who may ask', async (t) => {
  const { verdict, createKey } = await makeEnforced()
  const absent = '00000000-0000-4000-8000-000000000000'
  const plain = user('plain')
  t.equal(await verdict(plain, 'DescribeKey', { KeyId: absent }), denied(plain, 'DescribeKey', arnOf(absent), UNKNOWN))
  t.equal(
    await verdict(admin, 'DescribeKey', { KeyId: absent }),
    `NotFoundException: Key '${arnOf(absent)}' does not exist`,
  )
  const alias = `arn:aws:kms:${REGION}:${HERE}:alias/no`
  t.equal(await verdict(plain, 'DescribeKey', { KeyId: 'alias/no' }), denied(plain, 'DescribeKey', alias, UNKNOWN))
  t.equal(await verdict(admin, 'DescribeKey', { KeyId: 'alias/no' }), `NotFoundException: Alias ${alias} is not found.`)
  const theirs = arnOf(await createKey(), THERE)
  t.equal(await verdict(plain, 'DescribeKey', { KeyId: theirs }), denied(plain, 'DescribeKey', theirs, UNKNOWN))
  t.equal(await verdict(admin, 'DescribeKey', { KeyId: theirs }), `NotFoundException: Key '${theirs}' does not exist`)
})

t.test('no operation is open to a caller whom nothing allows', async (t) => {
  const { verdict, attempt, createKey } = await makeEnforced()
  const KeyId = await createKey()
  const signing = await createKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' })
  await attempt(admin, 'CreateAlias', { AliasName: 'alias/a', TargetKeyId: KeyId })
  const { CiphertextBlob } = await attempt(admin, 'Encrypt', { KeyId, Plaintext })
  const { GrantId } = await attempt(admin, 'CreateGrant', {
    KeyId,
    GranteePrincipal: admin.arn,
    Operations: ['Decrypt'],
  })
  const members = {
    KeyId,
    TargetKeyId: KeyId,
    DestinationKeyId: KeyId,
    AliasName: 'alias/a',
    CiphertextBlob,
    Plaintext,
    Message: Plaintext,
    MacAlgorithm: 'HMAC_SHA_256',
    Mac: Plaintext,
    SigningAlgorithm: 'ECDSA_SHA_256',
    Signature: Plaintext,
    GrantId,
    GranteePrincipal: admin.arn,
    RetiringPrincipal: admin.arn,
    Operations: ['Decrypt'],
    NumberOfBytes: 16,
    KeyPairSpec: 'ECC_NIST_P256',
    Tags: [{ TagKey: 'a', TagValue: 'b' }],
    TagKeys: ['a'],
    Description: '',
    Policy: keyPolicy(),
    BypassPolicyLockoutSafetyCheck: true,
    KeyAgreementAlgorithm: 'ECDH',
    PublicKey: Plaintext,
    EncapsulationAlgorithm: 'ML_KEM',
    SharedSecretCiphertextBlob: Plaintext,
  }
  const shapes: Readonly<Record<string, object>> = {
    CreateKey: {},
    ListKeyRotations: { KeyId },
    Sign: { ...members, KeyId: signing },
  }
  const plain = user('plain')
  for (const { wire } of routes) {
    const said = await verdict(plain, wire, shapes[wire] ?? members)
    // What needs more than these members is refused for its form, before anybody is asked.
    if (!/^(?:Validation|UnsupportedOperation|InvalidImportToken|NotFound)/.test(said))
      t.match(said, /^AccessDeniedException: /, wire)
    t.not(said, 'ok', wire)
  }
})

t.test('a ciphertext of another key is that, whoever may use the other', async (t) => {
  const { verdict, attempt, createKey } = await makeEnforced()
  const [mine, theirs] = [await createKey(), await createKey()]
  const { CiphertextBlob } = await attempt(admin, 'Encrypt', { KeyId: theirs, Plaintext })
  const who = user('who', [policy(statement('kms:Decrypt', { Resource: arnOf(mine) }))])
  const wrong =
    'IncorrectKeyException: The key ID in the request does not identify a CMK that can perform this operation.'
  t.equal(await verdict(who, 'Decrypt', { KeyId: mine, CiphertextBlob }), wrong)
  t.equal(
    await verdict(who, 'Decrypt', { CiphertextBlob }),
    denied(who, 'Decrypt', arnOf(theirs), missing(NO_OWN, 'Decrypt')),
  )
})

t.test('what conditions have to look at is bounded', async (t) => {
  const { verdict, createKey } = await makeEnforced()
  const KeyId = await createKey()
  const context = (length: number) => ({ KeyId, Plaintext, EncryptionContext: { k: 'a'.repeat(length) } })
  const wild = `${'*'.repeat(100)}${'a'.repeat(8_000)}b`
  const who = user('who', [
    policy(statement('kms:Encrypt', { Condition: { StringNotLike: { 'kms:EncryptionContext:k': wild } } })),
  ])
  t.equal(await verdict(who, 'Encrypt', context(8_191)), 'ok')
  t.equal(
    await verdict(who, 'Encrypt', context(8_192)),
    'ValidationException: EncryptionContext is larger than 8192 bytes.',
  )
})

t.test('aliases: the alias and every key that it stands for', async (t) => {
  const { verdict, createKey } = await makeEnforced()
  const [one, two] = [await createKey(), await createKey()]
  const alias = `arn:aws:kms:${REGION}:${HERE}:alias/app`
  const on = (...Resource: string[]) => policy(statement('kms:*Alias', { Resource }))
  const [both, keyOnly, aliasOnly, oldOnly] = [
    user('both', [on(alias, arnOf(one))]),
    user('key', [on(arnOf(one))]),
    user('alias', [on(alias)]),
    user('old', [on(alias, arnOf(two))]),
  ]
  const make = { AliasName: 'alias/app', TargetKeyId: one }
  t.equal(
    await verdict(keyOnly, 'CreateAlias', make),
    denied(keyOnly, 'CreateAlias', alias, missing(NO_OWN, 'CreateAlias')),
  )
  t.equal(
    await verdict(aliasOnly, 'CreateAlias', make),
    denied(aliasOnly, 'CreateAlias', arnOf(one), missing(NO_OWN, 'CreateAlias')),
  )
  t.equal(await verdict(both, 'CreateAlias', make), 'ok')
  const move = { AliasName: 'alias/app', TargetKeyId: two }
  t.equal(
    await verdict(both, 'UpdateAlias', move),
    denied(both, 'UpdateAlias', arnOf(two), missing(NO_OWN, 'UpdateAlias')),
    'the new key',
  )
  t.equal(
    await verdict(oldOnly, 'UpdateAlias', move),
    denied(oldOnly, 'UpdateAlias', arnOf(one), missing(NO_OWN, 'UpdateAlias')),
    'the old one',
  )
  const name = { AliasName: 'alias/app' }
  t.equal(
    await verdict(keyOnly, 'DeleteAlias', name),
    denied(keyOnly, 'DeleteAlias', alias, missing(NO_OWN, 'DeleteAlias')),
  )
  t.equal(
    await verdict(aliasOnly, 'DeleteAlias', name),
    denied(aliasOnly, 'DeleteAlias', arnOf(one), missing(NO_OWN, 'DeleteAlias')),
  )
  t.equal(await verdict(both, 'DeleteAlias', name), 'ok')
  t.equal(await verdict(user('l', [policy(statement('kms:ListAliases'))]), 'ListAliases', { KeyId: one }), 'ok')
  const narrow = user('n', [policy(statement('kms:ListAliases', { Resource: arnOf(one) }))])
  t.equal(
    await verdict(narrow, 'ListAliases', { KeyId: one }),
    denied(narrow, 'ListAliases', '*', missing(NO_OWN, 'ListAliases')),
  )
})

t.test('a key made with tags takes the right to tag', async (t) => {
  const { verdict } = await makeEnforced()
  const maker = user('maker', [allow('CreateKey')])
  const Tags = [{ TagKey: 'team', TagValue: 'red' }]
  t.equal(await verdict(maker, 'CreateKey', {}), 'ok')
  t.equal(
    await verdict(maker, 'CreateKey', { Tags }),
    denied(maker, 'TagResource', arnOf('*'), missing(NO_OWN, 'TagResource')),
  )
  t.equal(await verdict(user('tagger', [allow('CreateKey', 'TagResource')]), 'CreateKey', { Tags }), 'ok')
})

t.test('re-encryption: from one key, to another', async (t) => {
  const { verdict, attempt, createKey } = await makeEnforced()
  const [one, two] = [await createKey(), await createKey()]
  await attempt(admin, 'CreateAlias', { AliasName: 'alias/two', TargetKeyId: two })
  const { CiphertextBlob } = await attempt(admin, 'Encrypt', { KeyId: one, Plaintext })
  const request = { CiphertextBlob, DestinationKeyId: two }
  const from = statement('kms:ReEncryptFrom', { Resource: arnOf(one) })
  const into = statement('kms:ReEncryptTo', { Resource: arnOf(two) })
  const [neither, half, whole] = [user('n'), user('h', [policy(from)]), user('w', [policy(from, into)])]
  t.equal(
    await verdict(neither, 'ReEncrypt', request),
    denied(neither, 'ReEncryptFrom', arnOf(one), missing(NO_OWN, 'ReEncryptFrom')),
  )
  t.equal(
    await verdict(half, 'ReEncrypt', request),
    denied(half, 'ReEncryptTo', arnOf(two), missing(NO_OWN, 'ReEncryptTo')),
  )
  t.equal(await verdict(whole, 'ReEncrypt', request), 'ok')
  const onSame = (same: string) =>
    user('s', [policy(statement('kms:ReEncrypt*', { Condition: { Bool: { 'kms:ReEncryptOnSameKey': same } } }))])
  for (const [DestinationKeyId, same] of [
    [one, 'true'],
    [two, 'false'],
    [arnOf(one), 'true'],
    ['alias/two', 'false'],
  ] as const) {
    const other = same === 'true' ? 'false' : 'true'
    t.equal(await verdict(onSame(same), 'ReEncrypt', { CiphertextBlob, DestinationKeyId }), 'ok', DestinationKeyId)
    t.match(
      await verdict(onSame(other), 'ReEncrypt', { CiphertextBlob, DestinationKeyId }),
      /^AccessDenied/,
      DestinationKeyId,
    )
  }
})

t.test('another account, by ARN', async (t) => {
  const { verdict, attempt, createKey, audit } = await makeEnforced()
  const carol = user('carol', [policy(statement('kms:*'))], THERE)
  const poor = user('poor', [], THERE)
  const theirRoot = { Principal: { AWS: `arn:aws:iam::${THERE}:root` } }
  const shared = statement(
    ['kms:Encrypt', 'kms:Decrypt', 'kms:CreateGrant', 'kms:DisableKey', 'kms:ReEncrypt*'],
    theirRoot,
  )
  const id = await createKey({ Policy: keyPolicy(shared), BypassPolicyLockoutSafetyCheck: true })
  const KeyId = arnOf(id)
  const sealed = await attempt(carol, 'Encrypt', { KeyId, Plaintext })
  t.equal(sealed.KeyId, KeyId, 'the key’s account, not the caller’s')
  t.match(audit.records.at(-1), { key: id, principal: carol.arn, outcome: 'ok' })
  const { CiphertextBlob } = sealed
  const opened = await attempt(carol, 'Decrypt', { CiphertextBlob })
  t.same([opened.KeyId, opened.Plaintext], [KeyId, Plaintext], 'a ciphertext leads there')
  t.equal(
    await verdict(poor, 'Encrypt', { KeyId, Plaintext }),
    denied(poor, 'Encrypt', KeyId, missing(NO_OWN, 'Encrypt')),
  )
  const hidden =
    'AccessDeniedException: The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.'
  const closed = await createKey()
  const inside = await attempt(admin, 'Encrypt', { KeyId: closed, Plaintext })
  t.equal(await verdict(carol, 'Decrypt', { CiphertextBlob: inside.CiphertextBlob }), hidden)
  t.equal(
    await verdict(carol, 'DisableKey', { KeyId }),
    denied(carol, 'DisableKey', KeyId, UNKNOWN),
    'not across accounts',
  )
  t.equal(
    await verdict(carol, 'Encrypt', { KeyId: id, Plaintext }),
    `NotFoundException: Key '${arnOf(id, THERE)}' does not exist`,
  )

  const own = (await attempt(carol, 'CreateKey', {})).KeyMetadata
  t.equal(own.AWSAccountId, THERE)
  t.same((await attempt(carol, 'ListKeys', {})).Keys, [{ KeyId: own.KeyId, KeyArn: own.Arn }])
  const moved = await attempt(carol, 'ReEncrypt', { CiphertextBlob, DestinationKeyId: own.KeyId })
  t.same([moved.SourceKeyId, moved.KeyId], [KeyId, own.Arn])

  const grant = await attempt(carol, 'CreateGrant', { KeyId, GranteePrincipal: poor.arn, Operations: ['Encrypt'] })
  t.equal(await verdict(poor, 'Encrypt', { KeyId, Plaintext }), 'ok', 'a grant alone allows across accounts')
  const { Grants } = await attempt(admin, 'ListGrants', { KeyId: id })
  t.match(Grants, [{ GrantId: grant.GrantId, KeyId, IssuingAccount: `arn:aws:iam::${THERE}:root` }])
})

t.test('a new policy must let its maker change it again', async (t) => {
  const { verdict, createKey } = await makeEnforced()
  const locked =
    'MalformedPolicyDocumentException: The new key policy will not allow you to update the key policy in the future.'
  const writer = user('writer', [allow('CreateKey', 'PutKeyPolicy')])
  const KeyId = await createKey()
  const put = (Policy: string, more: object = {}) => verdict(writer, 'PutKeyPolicy', { KeyId, Policy, ...more })
  t.equal(await put(keyPolicy()), locked, 'somebody else may')
  t.equal(await put(keyPolicy(to(writer, 'kms:Encrypt'))), locked)
  t.equal(await put(keyPolicy(to(writer, 'kms:*', { Condition: { Bool: { 'aws:SecureTransport': 'true' } } }))), locked)
  t.equal(await put(keyPolicy(to(root, 'kms:*'))), 'ok', 'by the account, and his own policy')
  t.equal(await put(keyPolicy(to(writer, 'kms:PutKeyPolicy'))), 'ok')
  const maker = user('maker', [allow('CreateKey')])
  const delegating = JSON.stringify(policy(to(root, 'kms:*')))
  t.equal(await verdict(maker, 'CreateKey', { Policy: delegating }), locked, 'his own policy does not let him')
  t.equal(await verdict(maker, 'CreateKey', { Policy: delegating, BypassPolicyLockoutSafetyCheck: true }), 'ok')
  t.equal(await verdict(maker, 'CreateKey', {}), 'ok', 'the default policy is not asked about')
})

t.test('permissive allows, and reports each thing once', async (t) => {
  const { verdict, createKey, reports } = await makeEnforced('permissive')
  const KeyId = await createKey()
  reports.length = 0
  const plain = user('plain')
  for (let round = 0; round < 3; round++) {
    t.equal(await verdict(plain, 'Encrypt', { KeyId, Plaintext }), 'ok')
    t.equal(await verdict(plain, 'DescribeKey', { KeyId }), 'ok')
  }
  t.same(reports, [
    denied(plain, 'Encrypt', arnOf(KeyId), missing(NO_OWN, 'Encrypt')).replace('AccessDeniedException: ', ''),
    denied(plain, 'DescribeKey', arnOf(KeyId), missing(NO_OWN, 'DescribeKey')).replace('AccessDeniedException: ', ''),
  ])
})

t.test('a ciphertext whose key is gone tells nobody that it is', async (t) => {
  const { attempt, verdict, createKey, advance } = await makeEnforced()
  const KeyId = await createKey()
  const { CiphertextBlob } = await attempt(root, 'Encrypt', { KeyId, Plaintext })
  const nobody = user('nobody', [policy(statement('kms:*'))], THERE)
  const requests = [
    ['Decrypt', { CiphertextBlob }],
    ['Decrypt', { CiphertextBlob, DryRun: true }],
    ['ReEncrypt', { CiphertextBlob, DestinationKeyId: await createKey() }],
  ] as const
  for (const [operation, body] of requests) t.equal(await verdict(nobody, operation, body), UNNAMED, 'it is there')
  await attempt(root, 'ScheduleKeyDeletion', { KeyId, PendingWindowInDays: 7 })
  await advance(8 * 86_400_000)
  for (const who of [nobody, admin, root]) {
    for (const [operation, body] of requests) t.equal(await verdict(who, operation, body), UNNAMED, 'it is gone')
  }
  const named = { CiphertextBlob, KeyId: await createKey() }
  t.equal(await verdict(admin, 'Decrypt', named), 'InvalidCiphertextException')
})

t.test('a service that calls for somebody', async (t) => {
  const { verdict, createKey, attempt } = await makeEnforced()
  const all = [policy(statement('kms:*'))]
  const bucket = { ...user('storage', all), service: 's3' }
  const other = { ...user('database', all), service: 'rds' }
  const via = { Condition: { StringEquals: { 'kms:ViaService': `s3.${REGION}.amazonaws.com` } } }
  const forResources = { Condition: { Bool: { 'kms:GrantIsForAWSResource': 'true' } } }
  const Policy = keyPolicy(
    statement('kms:Encrypt', { Principal: '*', ...via }),
    statement('kms:CreateGrant', { Principal: '*', ...forResources }),
  )
  const KeyId = await createKey({ Policy, BypassPolicyLockoutSafetyCheck: true })
  t.equal(await verdict(bucket, 'Encrypt', { KeyId, Plaintext }), 'ok')
  for (const who of [other, user('himself', all)]) {
    t.equal(
      await verdict(who, 'Encrypt', { KeyId, Plaintext }),
      denied(who, 'Encrypt', arnOf(KeyId), missing(NO_KEY, 'Encrypt')),
    )
  }
  const grant = { KeyId, GranteePrincipal: other.arn, Operations: ['Decrypt'] }
  t.equal(
    await verdict(user('himself', all), 'CreateGrant', grant),
    denied(user('himself'), 'CreateGrant', arnOf(KeyId), missing(NO_KEY, 'CreateGrant')),
  )
  t.ok((await attempt(other, 'CreateGrant', grant)).GrantId)
})
