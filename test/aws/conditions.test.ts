/** What requests say under each condition key: a policy with a condition that holds allows, with one that fails it does not. */
import t from 'tap'
import { admin, HERE, makeEnforced, policy, REGION, root, statement, THERE, user } from './enforced.ts'

const Plaintext = 'aGVsbG8='

t.test('what requests say under condition keys', async (t) => {
  const transport = { address: '192.0.2.7', secure: true, userAgent: 'aws-cli/2' }
  const { attempt, verdict, createKey } = await makeEnforced('enforce', transport)
  const KeyId = await createKey({ Tags: [{ TagKey: 'team', TagValue: 'red' }] })
  const signing = await createKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' })
  const mac = await createKey({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' })
  const agreeing = await createKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'KEY_AGREEMENT' })
  await attempt(admin, 'CreateAlias', { AliasName: 'alias/app', TargetKeyId: KeyId })
  const { PublicKey } = await attempt(admin, 'GetPublicKey', { KeyId: agreeing })
  const encrypt = { KeyId, Plaintext, EncryptionContext: { AppName: 'x', Stage: 'prod' } }
  const sign = { KeyId: signing, Message: Plaintext, SigningAlgorithm: 'ECDSA_SHA_256' }
  const grant = { KeyId, GranteePrincipal: admin.arn, RetiringPrincipal: root.arn, Operations: ['Decrypt', 'Encrypt'] }
  const constrained = { ...grant, Constraints: { EncryptionContextSubset: { a: 'b' } } }
  const made = { KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY', Tags: [{ TagKey: 'Team', TagValue: 'red' }] }
  const rows: readonly (readonly [wire: string, body: object, holds: object, fails: object])[] = [
    [
      'Encrypt',
      encrypt,
      { StringEquals: { 'kms:EncryptionContext:appname': 'x' } },
      { StringEquals: { 'kms:EncryptionContext:AppName': 'y' } },
    ],
    [
      'Encrypt',
      encrypt,
      { 'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': ['AppName', 'Stage'] } },
      { 'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': ['appname', 'Stage'] } },
    ],
    [
      'Encrypt',
      { KeyId, Plaintext },
      { Null: { 'kms:EncryptionContext:AppName': 'true' } },
      { StringEquals: { 'kms:EncryptionContext:AppName': 'x' } },
    ],
    [
      'Encrypt',
      encrypt,
      { StringEquals: { 'kms:EncryptionAlgorithm': 'SYMMETRIC_DEFAULT' } },
      { StringEquals: { 'kms:EncryptionAlgorithm': 'RSAES_OAEP_SHA_1' } },
    ],
    [
      'Encrypt',
      encrypt,
      { StringEquals: { 'kms:CallerAccount': HERE } },
      { StringEquals: { 'kms:CallerAccount': THERE } },
    ],
    [
      'Encrypt',
      encrypt,
      { StringEquals: { 'kms:KeySpec': 'SYMMETRIC_DEFAULT' } },
      { StringEquals: { 'kms:KeySpec': 'RSA_2048' } },
    ],
    [
      'Encrypt',
      encrypt,
      { StringEquals: { 'kms:CustomerMasterKeySpec': 'SYMMETRIC_DEFAULT' } },
      { StringEquals: { 'kms:CustomerMasterKeyUsage': 'SIGN_VERIFY' } },
    ],
    [
      'Encrypt',
      encrypt,
      { StringEquals: { 'kms:KeyUsage': 'ENCRYPT_DECRYPT' } },
      { StringEquals: { 'kms:KeyUsage': 'SIGN_VERIFY' } },
    ],
    [
      'Encrypt',
      encrypt,
      { StringEquals: { 'kms:KeyOrigin': 'AWS_KMS' } },
      { StringEquals: { 'kms:KeyOrigin': 'EXTERNAL' } },
    ],
    ['Encrypt', encrypt, { Bool: { 'kms:MultiRegion': 'false' } }, { Bool: { 'kms:MultiRegion': 'true' } }],
    [
      'Encrypt',
      { ...encrypt, KeyId: 'alias/app' },
      { StringEquals: { 'kms:RequestAlias': 'alias/app' } },
      { StringEquals: { 'kms:RequestAlias': 'alias/other' } },
    ],
    ['Encrypt', encrypt, { Null: { 'kms:RequestAlias': 'true' } }, { StringLike: { 'kms:RequestAlias': 'alias/*' } }],
    [
      'Encrypt',
      encrypt,
      { 'ForAnyValue:StringLike': { 'kms:ResourceAliases': 'alias/a*' } },
      { 'ForAnyValue:StringLike': { 'kms:ResourceAliases': 'alias/b*' } },
    ],
    [
      'Encrypt',
      encrypt,
      { StringEquals: { 'aws:ResourceTag/Team': 'red' } },
      { StringEquals: { 'aws:ResourceTag/team': 'blue' } },
    ],
    [
      'Encrypt',
      encrypt,
      { StringEquals: { 'aws:ResourceAccount': HERE } },
      { StringEquals: { 'aws:ResourceAccount': THERE } },
    ],
    [
      'Encrypt',
      encrypt,
      { ArnLike: { 'aws:PrincipalArn': `arn:aws:iam::${HERE}:user/w*` } },
      { ArnLike: { 'aws:PrincipalArn': 'arn:aws:iam::*:role/*' } },
    ],
    [
      'Encrypt',
      encrypt,
      { StringEquals: { 'aws:PrincipalType': 'User', 'aws:PrincipalAccount': HERE } },
      { StringEquals: { 'aws:PrincipalType': 'AssumedRole' } },
    ],
    [
      'Encrypt',
      encrypt,
      { StringEquals: { 'aws:PrincipalTag/dept': 'x', 'aws:userid': 'AIDAW', 'aws:username': 'w' } },
      { StringEquals: { 'aws:PrincipalTag/dept': 'y' } },
    ],
    [
      'Encrypt',
      encrypt,
      { IpAddress: { 'aws:SourceIp': '192.0.2.0/24' } },
      { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } },
    ],
    ['Encrypt', encrypt, { Bool: { 'aws:SecureTransport': 'true' } }, { Bool: { 'aws:SecureTransport': 'false' } }],
    [
      'Encrypt',
      encrypt,
      { StringLike: { 'aws:UserAgent': 'aws-cli/*' } },
      { StringLike: { 'aws:UserAgent': 'curl/*' } },
    ],
    [
      'Encrypt',
      encrypt,
      { DateGreaterThan: { 'aws:CurrentTime': '2025-12-31T23:59:59Z' } },
      { DateLessThan: { 'aws:EpochTime': '2026-01-01' } },
    ],
    [
      'Encrypt',
      encrypt,
      { StringEquals: { 'aws:RequestedRegion': REGION } },
      { StringEquals: { 'aws:RequestedRegion': 'eu-west-1' } },
    ],
    [
      'Encrypt',
      encrypt,
      { Null: { 'kms:ViaService': 'true' } },
      { StringEquals: { 'kms:ViaService': 's3.us-east-1.amazonaws.com' } },
    ],
    [
      'Sign',
      sign,
      { StringEquals: { 'kms:SigningAlgorithm': 'ECDSA_SHA_256' } },
      { StringEquals: { 'kms:SigningAlgorithm': 'ECDSA_SHA_384' } },
    ],
    ['Sign', sign, { StringEquals: { 'kms:MessageType': 'RAW' } }, { StringEquals: { 'kms:MessageType': 'DIGEST' } }],
    [
      'GenerateMac',
      { KeyId: mac, Message: Plaintext, MacAlgorithm: 'HMAC_SHA_256' },
      { StringEquals: { 'kms:MacAlgorithm': 'HMAC_SHA_256' } },
      { StringEquals: { 'kms:MacAlgorithm': 'HMAC_SHA_512' } },
    ],
    [
      'DeriveSharedSecret',
      { KeyId: agreeing, KeyAgreementAlgorithm: 'ECDH', PublicKey },
      { StringEquals: { 'kms:KeyAgreementAlgorithm': 'ECDH' } },
      { Null: { 'kms:KeyAgreementAlgorithm': 'true' } },
    ],
    [
      'GenerateDataKeyPair',
      { KeyId, KeyPairSpec: 'ECC_NIST_P256' },
      { StringEquals: { 'kms:DataKeyPairSpec': 'ECC_NIST_P256' } },
      { StringEquals: { 'kms:DataKeyPairSpec': 'RSA_2048' } },
    ],
    [
      'CreateGrant',
      grant,
      { 'ForAllValues:StringEquals': { 'kms:GrantOperations': ['Decrypt', 'Encrypt'] } },
      { 'ForAllValues:StringEquals': { 'kms:GrantOperations': ['Decrypt'] } },
    ],
    [
      'CreateGrant',
      grant,
      { StringEquals: { 'kms:GranteePrincipal': admin.arn } },
      { StringEquals: { 'kms:RetiringPrincipal': admin.arn } },
    ],
    [
      'CreateGrant',
      constrained,
      { StringEquals: { 'kms:GrantConstraintType': 'EncryptionContextSubset' } },
      { StringEquals: { 'kms:GrantConstraintType': 'EncryptionContextEquals' } },
    ],
    [
      'CreateGrant',
      grant,
      { Bool: { 'kms:GrantIsForAWSResource': 'false' } },
      { Bool: { 'kms:GrantIsForAWSResource': 'true' } },
    ],
    [
      'CreateKey',
      made,
      { StringEquals: { 'kms:KeySpec': 'RSA_2048', 'aws:RequestTag/team': 'red' } },
      { StringEquals: { 'aws:RequestTag/team': 'blue' } },
    ],
    [
      'CreateKey',
      made,
      { 'ForAllValues:StringEquals': { 'aws:TagKeys': ['Team'] } },
      { 'ForAnyValue:StringEquals': { 'aws:TagKeys': ['Other'] } },
    ],
    [
      'CreateKey',
      made,
      { Bool: { 'kms:BypassPolicyLockoutSafetyCheck': 'false' } },
      { Bool: { 'kms:BypassPolicyLockoutSafetyCheck': 'true' } },
    ],
    [
      'UntagResource',
      { KeyId: signing, TagKeys: ['x'] },
      { 'ForAllValues:StringEquals': { 'aws:TagKeys': ['x'] } },
      { 'ForAllValues:StringEquals': { 'aws:TagKeys': ['y'] } },
    ],
    [
      'EnableKeyRotation',
      { KeyId, RotationPeriodInDays: 180 },
      { NumericEquals: { 'kms:RotationPeriodInDays': '180' } },
      { NumericGreaterThan: { 'kms:RotationPeriodInDays': '180' } },
    ],
    [
      'ScheduleKeyDeletion',
      { KeyId: mac },
      { NumericGreaterThanEquals: { 'kms:ScheduleKeyDeletionPendingWindowInDays': '30' } },
      { NumericLessThan: { 'kms:ScheduleKeyDeletionPendingWindowInDays': '30' } },
    ],
  ]
  const under = (Condition: object) => ({
    ...user('w', [policy(statement('kms:*', { Condition }))]),
    tags: { dept: 'x' },
  })
  for (const [wire, body, holds, fails] of rows) {
    t.match(
      await verdict(under(fails), wire, body),
      /^AccessDeniedException: .*identity-based policy/,
      JSON.stringify(fails),
    )
    t.equal(await verdict(under(holds), wire, body), 'ok', JSON.stringify(holds))
  }
})
