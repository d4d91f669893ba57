/** Keys that other dialects made, as AWS shows and uses them. */
import t from 'tap'
import { createKey } from '../../src/core/ops/create-key.ts'
import { createVersion } from '../../src/core/ops/create-version.ts'
import { encrypt } from '../../src/core/ops/encrypt.ts'
import { rotateKey } from '../../src/core/ops/rotate-key.ts'
import { scheduleDeletion } from '../../src/core/ops/schedule-deletion.ts'
import { setRotation } from '../../src/core/ops/set-rotation.ts'
import { setVersionEnabled } from '../../src/core/ops/set-version-enabled.ts'
import { sign } from '../../src/core/ops/sign.ts'
import { addDuration, days } from '../../src/core/rotation.ts'
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

t.test('rotation that another dialect set is AWS rotation, and AWS may end it', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const KeyId = await aws.createKey()
  const key = { by: 'id', id: KeyId } as const
  const status = async () => (await aws.ask('GetKeyRotationStatus', { KeyId })).body
  const start = aws.clock.now()
  const rotate = { from: 'creation', duration: { months: 0, ms: 36 * 3_600_000 } } as const
  await aws.run('gcp', setRotation, { key, kind: 'symmetric', policy: { rotate, anchor: 'schedule' } })
  t.same(await status(), {
    KeyId,
    KeyRotationEnabled: true,
    RotationPeriodInDays: 2,
    NextRotationDate: (start + 36 * 3_600_000) / 1000,
  })
  const yearly = { from: 'creation', duration: { months: 12, ms: 0 } } as const
  await aws.run('azure', setRotation, { key, kind: 'any', policy: { rotate: yearly, anchor: 'version' } })
  t.match(await status(), {
    RotationPeriodInDays: 365,
    NextRotationDate: addDuration(start, yearly.duration) / 1000,
  })
  const expiring = { from: 'expiry', duration: days(30) } as const
  await aws.run('azure', setRotation, { key, kind: 'any', policy: { rotate: expiring, anchor: 'version' } })
  t.same(await status(), { KeyId, KeyRotationEnabled: false }, 'nothing that expires, nothing that rotates')
  await aws.run('azure', setRotation, { key, kind: 'any', policy: { rotate: yearly, anchor: 'version' } })
  await aws.ask('DisableKeyRotation', { KeyId })
  await aws.advance(400 * 86_400_000)
  t.same((await aws.ask('ListKeyRotations', { KeyId })).body.Rotations, [])
})

t.test('rotations on demand count in all dialects; a version that never was current is no rotation', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const KeyId = await aws.createKey()
  const key = { by: 'id', id: KeyId } as const
  for (let i = 0; i < 24; i++) await aws.run('azure', rotateKey, { key, kind: 'any' })
  await aws.run('gcp', createVersion, { key, makeCurrent: false })
  t.equal(await aws.refusal('RotateKeyOnDemand', { KeyId }), 'ok')
  t.match(await aws.refusal('RotateKeyOnDemand', { KeyId }), /^LimitExceededException/)
  const types = async (IncludeKeyMaterial: string) =>
    (await aws.ask('ListKeyRotations', { KeyId, IncludeKeyMaterial })).body.Rotations.map(
      ({ RotationType }: { RotationType?: string }) => RotationType,
    )
  t.same(await types('ROTATIONS_ONLY'), Array(25).fill('ON_DEMAND'))
  t.same(await types('ALL_KEY_MATERIAL'), [undefined, ...Array(24).fill('ON_DEMAND'), undefined, 'ON_DEMAND'])
})
