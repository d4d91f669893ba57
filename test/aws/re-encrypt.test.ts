/** ReEncrypt: from one key, context and algorithm to another, each key answering for itself. */
import t from 'tap'
import { arnOf, makeAws, UNKNOWN_ID } from './support.ts'

const base64 = (data: string | Uint8Array): string => Buffer.from(data).toString('base64')
const DRY = 'DryRunOperationException: The request would have succeeded, but the DryRun option is set.'
const Plaintext = base64('attack at dawn')

t.test('between symmetric keys, contexts and versions', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const [one, two] = [await aws.createKey(), await aws.createKey()]
  const { CiphertextBlob } = (await aws.ask('Encrypt', { KeyId: one, Plaintext, EncryptionContext: { a: 'b' } })).body
  const request = {
    CiphertextBlob,
    SourceEncryptionContext: { a: 'b' },
    DestinationKeyId: two,
    DestinationEncryptionContext: { c: 'd' },
  }
  const { body } = await aws.ask('ReEncrypt', request)
  const material = async (KeyId: string) => (await aws.ask('DescribeKey', { KeyId })).body.KeyMetadata
  t.same(body, {
    CiphertextBlob: body.CiphertextBlob,
    SourceKeyId: arnOf(one),
    KeyId: arnOf(two),
    SourceEncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
    DestinationEncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
    SourceKeyMaterialId: (await material(one)).CurrentKeyMaterialId,
    DestinationKeyMaterialId: (await material(two)).CurrentKeyMaterialId,
  })
  const again = { CiphertextBlob: body.CiphertextBlob, EncryptionContext: { c: 'd' } }
  t.match((await aws.ask('Decrypt', again)).body, { Plaintext, KeyId: arnOf(two) })
  t.equal(await aws.refusal('Decrypt', { ...again, EncryptionContext: { a: 'b' } }), 'InvalidCiphertextException')

  await aws.ask('RotateKeyOnDemand', { KeyId: one })
  const renewed = (await aws.ask('ReEncrypt', { ...request, DestinationKeyId: one })).body
  t.equal(renewed.KeyId, arnOf(one))
  t.equal(renewed.SourceKeyMaterialId, body.SourceKeyMaterialId)
  t.not(renewed.DestinationKeyMaterialId, renewed.SourceKeyMaterialId, 'to the current material')

  t.equal(await aws.refusal('ReEncrypt', { ...request, SourceKeyId: arnOf(one) }), 'ok')
  t.match(await aws.refusal('ReEncrypt', { ...request, SourceKeyId: two }), /^IncorrectKeyException: /)
  const wrong = { ...request, SourceEncryptionContext: { a: 'c' } }
  t.equal(await aws.refusal('ReEncrypt', wrong), 'InvalidCiphertextException')
  t.equal(await aws.refusal('ReEncrypt', { ...request, CiphertextBlob: 'aGk=' }), 'InvalidCiphertextException')
  t.equal(
    await aws.refusal('ReEncrypt', { ...request, DestinationKeyId: UNKNOWN_ID }),
    `NotFoundException: Key '${arnOf(UNKNOWN_ID)}' does not exist`,
  )
  t.equal(await aws.refusal('ReEncrypt', { ...request, DryRun: true }), DRY)
  t.equal(await aws.refusal('ReEncrypt', { ...request, GrantTokens: ['no!'] }), 'InvalidGrantTokenException')
  t.equal(
    await aws.refusal('ReEncrypt', { DestinationKeyId: two }),
    "ValidationException: 1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: Member must not be null",
  )

  const [given, taken] = [await aws.createKey(), await aws.createKey()]
  const fresh = (await aws.ask('Encrypt', { KeyId: given, Plaintext })).body.CiphertextBlob
  await aws.ask('ReEncrypt', { CiphertextBlob: fresh, DestinationKeyId: taken })
  for (const KeyId of [given, taken]) {
    t.match((await aws.ask('GetKeyLastUsage', { KeyId })).body, { KeyLastUsage: { Operation: 'ReEncrypt' } })
  }
  const records = aws.audit.records.filter(({ wire, outcome }) => wire === 'ReEncrypt' && outcome === 'ok')
  t.match(records.at(-1), { key: taken, sourceKey: given, decision: 'allow' }, 'one record of both')

  await aws.ask('DisableKey', { KeyId: two })
  t.equal(await aws.refusal('ReEncrypt', request), `DisabledException: ${arnOf(two)} is disabled.`)
  t.equal(await aws.refusal('ReEncrypt', { ...request, DryRun: true }), `DisabledException: ${arnOf(two)} is disabled.`)
  await aws.ask('EnableKey', { KeyId: two })
  await aws.ask('DisableKey', { KeyId: one })
  t.equal(await aws.refusal('ReEncrypt', request), `DisabledException: ${arnOf(one)} is disabled.`)
})

t.test('to and from RSA', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const symmetric = await aws.createKey()
  const rsa = await aws.createKey({ KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' })
  const signing = await aws.createKey({ KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' })
  const { CiphertextBlob } = (await aws.ask('Encrypt', { KeyId: symmetric, Plaintext })).body
  const algorithm = 'RSAES_OAEP_SHA_256'
  const out = { CiphertextBlob, DestinationKeyId: rsa, DestinationEncryptionAlgorithm: algorithm }
  const { body } = await aws.ask('ReEncrypt', out)
  t.match(body, { KeyId: arnOf(rsa), DestinationEncryptionAlgorithm: algorithm, SourceKeyMaterialId: /^[0-9a-f]{64}$/ })
  t.notOk('DestinationKeyMaterialId' in body)
  t.equal(Buffer.from(body.CiphertextBlob, 'base64').length, 256)
  const back = {
    CiphertextBlob: body.CiphertextBlob,
    SourceEncryptionAlgorithm: algorithm,
    DestinationKeyId: symmetric,
  }
  const returned = await aws.ask('ReEncrypt', { ...back, SourceKeyId: rsa })
  t.notOk('SourceKeyMaterialId' in returned.body)
  t.equal((await aws.ask('Decrypt', { CiphertextBlob: returned.body.CiphertextBlob })).body.Plaintext, Plaintext)

  t.equal(
    await aws.refusal('ReEncrypt', back),
    'ValidationException: SourceKeyId is required to decrypt with an asymmetric KMS key.',
  )
  t.equal(
    await aws.refusal('ReEncrypt', { ...out, DestinationEncryptionContext: { a: 'b' } }),
    'ValidationException: EncryptionContext is only supported for symmetric encryption keys.',
  )
  t.equal(
    await aws.refusal('ReEncrypt', { CiphertextBlob, DestinationKeyId: rsa }),
    'InvalidKeyUsageException: Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048.',
  )
  t.equal(
    await aws.refusal('ReEncrypt', { ...out, DestinationKeyId: signing }),
    `InvalidKeyUsageException: ${arnOf(signing)} key usage is SIGN_VERIFY which is not valid for ReEncrypt.`,
  )
  const large = (await aws.ask('Encrypt', { KeyId: symmetric, Plaintext: base64(Buffer.alloc(191)) })).body
  t.equal(
    await aws.refusal('ReEncrypt', { ...out, CiphertextBlob: large.CiphertextBlob }),
    'ValidationException: Algorithm RSAES_OAEP_SHA_256 and key spec RSA_2048 cannot encrypt data larger than 190 bytes.',
  )
})

t.test('many at once, while one of the keys is disabled', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const [one, two] = [await aws.createKey(), await aws.createKey()]
  const { CiphertextBlob } = (await aws.ask('Encrypt', { KeyId: one, Plaintext })).body
  const request = { CiphertextBlob, DestinationKeyId: two }
  const before = await Promise.all(Array.from({ length: 20 }, () => aws.ask('ReEncrypt', request)))
  const blobs = new Set(before.map(({ body }) => body.CiphertextBlob))
  t.equal(blobs.size, 20, 'no two alike')
  for (const blob of blobs) t.equal((await aws.ask('Decrypt', { CiphertextBlob: blob })).body.Plaintext, Plaintext)
  const during = await Promise.all([
    ...Array.from({ length: 10 }, () => aws.refusal('ReEncrypt', request)),
    aws.refusal('DisableKey', { KeyId: two }),
    ...Array.from({ length: 10 }, () => aws.refusal('ReEncrypt', request)),
  ])
  const disabled = `DisabledException: ${arnOf(two)} is disabled.`
  t.same(
    during.filter((answer) => answer !== 'ok' && answer !== disabled),
    [],
  )
  t.equal(await aws.refusal('ReEncrypt', request), disabled)
})
