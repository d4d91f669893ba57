/** Keys that other dialects made, as AWS shows and uses them. */
import t from 'tap'
import { createKey } from '../../src/core/ops/create-key.ts'
import { createVersion } from '../../src/core/ops/create-version.ts'
import { encrypt } from '../../src/core/ops/encrypt.ts'
import { scheduleDeletion } from '../../src/core/ops/schedule-deletion.ts'
import { setVersionEnabled } from '../../src/core/ops/set-version-enabled.ts'
import { sign } from '../../src/core/ops/sign.ts'
import { arnOf, makeAws } from './support.ts'

const message = Buffer.from('message')
const RING = { by: 'default' } as const

t.test('an Azure key with several uses has one in AWS', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const { key } = await aws.run('azure', createKey, {
    ring: RING,
    name: 'both',
    spec: 'rsa_2048',
    uses: ['encrypt', 'decrypt', 'sign', 'verify', 'wrap', 'unwrap'],
  })
  const { KeyMetadata } = (await aws.ask('DescribeKey', { KeyId: key.id })).body
  t.match(KeyMetadata, { KeyId: key.id, KeyUsage: 'SIGN_VERIFY', KeySpec: 'RSA_2048', SigningAlgorithms: Array })
  t.notOk(KeyMetadata.EncryptionAlgorithms)
  const SigningAlgorithm = 'RSASSA_PSS_SHA_256'
  const signed = await aws.run('azure', sign, {
    key: { by: 'id', id: key.id },
    algorithm: 'rsa_pss_sha256',
    input: { message },
  })
  const Signature = Buffer.from(signed.signature).toString('base64')
  t.equal(
    await aws.refusal('Verify', { KeyId: key.id, Message: message.toString('base64'), Signature, SigningAlgorithm }),
    'ok',
  )
  t.equal(
    await aws.refusal('Encrypt', { KeyId: key.id, Plaintext: 'aGk=', EncryptionAlgorithm: 'RSAES_OAEP_SHA_256' }),
    `InvalidKeyUsageException: ${arnOf(key.id)} key usage is SIGN_VERIFY which is not valid for Encrypt.`,
  )
  const still = aws.run('azure', encrypt, {
    key: { by: 'id', id: key.id },
    algorithm: 'rsa_oaep_sha256',
    plaintext: message,
  })
  t.equal(await aws.code(still), 'ok', 'Azure has both')
})

t.test('a GCP key is limited to its algorithm, disabled with its version, and there by its id', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const { key } = await aws.run('gcp', createKey, {
    ring: RING,
    name: 'Signer_1',
    spec: 'rsa_2048',
    purpose: 'sign_verify',
    version: { algorithms: ['rsa_pss_sha256'] },
  })
  const KeyId = key.id
  t.same((await aws.ask('DescribeKey', { KeyId })).body.KeyMetadata.SigningAlgorithms, ['RSASSA_PSS_SHA_256'])
  t.same((await aws.ask('ListKeys')).body.Keys, [{ KeyId, KeyArn: arnOf(KeyId) }])
  const input = { KeyId, Message: 'aGk=' }
  t.equal(await aws.refusal('Sign', { ...input, SigningAlgorithm: 'RSASSA_PSS_SHA_256' }), 'ok')
  t.match(
    await aws.refusal('Sign', { ...input, SigningAlgorithm: 'RSASSA_PSS_SHA_512' }),
    /^InvalidKeyUsageException: Algorithm/,
  )
  const version = { key: { by: 'id', id: KeyId }, version: { by: 'number', number: 1 } } as const
  await aws.run('gcp', setVersionEnabled, { ...version, enabled: false })
  t.match((await aws.ask('DescribeKey', { KeyId })).body.KeyMetadata, { KeyState: 'Disabled', Enabled: false })
  t.equal(
    await aws.refusal('Sign', { ...input, SigningAlgorithm: 'RSASSA_PSS_SHA_256' }),
    `DisabledException: ${arnOf(KeyId)} is disabled.`,
  )
  t.equal(await aws.refusal('EnableKey', { KeyId }), 'ok')
  t.equal(await aws.refusal('Sign', { ...input, SigningAlgorithm: 'RSASSA_PSS_SHA_256' }), 'ok')
})

t.test('a key without a version is unavailable; one deleted in Azure is pending deletion', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const empty = await aws.run('gcp', createKey, { ring: RING, name: 'empty', spec: 'aes_256', withoutVersion: true })
  const KeyId = empty.key.id
  t.match((await aws.ask('DescribeKey', { KeyId })).body.KeyMetadata, { KeyState: 'Unavailable', Enabled: false })
  const refused = await aws.ask('Encrypt', { KeyId, Plaintext: 'aGk=' })
  t.same([refused.status, refused.body.__type], [500, 'KeyUnavailableException'])

  const id = await aws.createKey()
  await aws.run('azure', scheduleDeletion, { key: { by: 'id', id } })
  const { KeyMetadata } = (await aws.ask('DescribeKey', { KeyId: id })).body
  t.match(KeyMetadata, { KeyState: 'PendingDeletion', DeletionDate: Number })
})

t.test('old versions open and verify after a rotation elsewhere', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const symmetric = await aws.createKey()
  const signing = await aws.createKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' })
  const { CiphertextBlob } = (await aws.ask('Encrypt', { KeyId: symmetric, Plaintext: 'aGk=' })).body
  const signed = { KeyId: signing, Message: 'aGk=', SigningAlgorithm: 'ECDSA_SHA_256' }
  const { Signature } = (await aws.ask('Sign', signed)).body
  const before = (await aws.ask('DescribeKey', { KeyId: symmetric })).body.KeyMetadata.CurrentKeyMaterialId
  for (const id of [symmetric, signing]) {
    await aws.run('azure', createVersion, { key: { by: 'id', id }, makeCurrent: true })
  }
  const after = (await aws.ask('DescribeKey', { KeyId: symmetric })).body.KeyMetadata.CurrentKeyMaterialId
  t.not(after, before)
  t.match((await aws.ask('Decrypt', { CiphertextBlob })).body, { Plaintext: 'aGk=', KeyMaterialId: before })
  t.equal(await aws.refusal('Verify', { ...signed, Signature }), 'ok')
  t.not((await aws.ask('Sign', signed)).body.Signature, Signature)
})
