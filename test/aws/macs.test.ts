/** MACs, random bytes and data keys without their plaintext, as AWS answers them. */
import { createHmac } from 'node:crypto'
import t from 'tap'
import { arnOf, makeAws, UNKNOWN_ID } from './support.ts'

const base64 = (data: string | Uint8Array): string => Buffer.from(data).toString('base64')
const DRY = 'DryRunOperationException: The request would have succeeded, but the DryRun option is set.'

t.test('MACs', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const KeyId = await aws.createKey({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' })
  const request = { KeyId, Message: base64('a message'), MacAlgorithm: 'HMAC_SHA_256' }
  const { body } = await aws.ask('GenerateMac', request)
  t.match(body, { KeyId: arnOf(KeyId), MacAlgorithm: 'HMAC_SHA_256' })
  t.equal(Buffer.from(body.Mac, 'base64').length, 32)
  t.not(body.Mac, createHmac('sha256', '').update('a message').digest('base64'))
  t.same((await aws.ask('GenerateMac', request)).body, body, 'the same key makes the same MAC')
  const check = { ...request, Mac: body.Mac }
  t.same((await aws.ask('VerifyMac', check)).body, {
    KeyId: arnOf(KeyId),
    MacValid: true,
    MacAlgorithm: 'HMAC_SHA_256',
  })
  const flipped = Buffer.from(body.Mac, 'base64')
  flipped.writeUInt8(flipped.readUInt8(31) ^ 1, 31)
  for (const wrong of [
    { ...check, Mac: base64(flipped) },
    { ...check, Mac: base64(Buffer.from(body.Mac, 'base64').subarray(0, 31)) },
    { ...check, Message: base64('another message') },
    { ...check, KeyId: await aws.createKey({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' }) },
  ]) {
    t.equal(await aws.refusal('VerifyMac', wrong), 'KMSInvalidMacException')
  }
  t.equal(
    await aws.refusal('GenerateMac', { ...request, MacAlgorithm: 'HMAC_SHA_512' }),
    'InvalidKeyUsageException: Algorithm HMAC_SHA_512 is incompatible with key spec HMAC_256.',
  )
  const aes = await aws.createKey()
  t.equal(
    await aws.refusal('GenerateMac', { ...request, KeyId: aes }),
    `InvalidKeyUsageException: ${arnOf(aes)} key usage is ENCRYPT_DECRYPT which is not valid for GenerateMac.`,
  )
  t.equal(
    await aws.refusal('VerifyMac', { ...check, KeyId: UNKNOWN_ID }),
    `NotFoundException: Key '${arnOf(UNKNOWN_ID)}' does not exist`,
  )
  t.equal(await aws.refusal('GenerateMac', { ...request, DryRun: true }), DRY)
  t.equal(await aws.refusal('VerifyMac', { ...check, Mac: base64(flipped), DryRun: true }), DRY)
  await aws.ask('DisableKey', { KeyId })
  t.equal(await aws.refusal('GenerateMac', request), `DisabledException: ${arnOf(KeyId)} is disabled.`)
  t.equal(await aws.refusal('VerifyMac', check), `DisabledException: ${arnOf(KeyId)} is disabled.`)
})

t.test('random bytes', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const seen = new Set<string>()
  for (const NumberOfBytes of [1, 32, 32, 1024]) {
    const { body } = await aws.ask('GenerateRandom', { NumberOfBytes })
    t.equal(Buffer.from(body.Plaintext, 'base64').length, NumberOfBytes)
    seen.add(body.Plaintext)
  }
  t.equal(seen.size, 4)
  t.match(await aws.refusal('GenerateRandom', {}), 'ValidationException')
  t.match(await aws.refusal('GenerateRandom', { NumberOfBytes: 0 }), /ValidationException.*numberOfBytes/)
  t.match(await aws.refusal('GenerateRandom', { NumberOfBytes: 1025 }), /ValidationException.*numberOfBytes/)
  t.match(
    await aws.refusal('GenerateRandom', { NumberOfBytes: 8, CustomKeyStoreId: 'cks-1234567890abcdef0' }),
    'CustomKeyStoreNotFoundException',
  )
})

t.test('data keys without their plaintext', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const KeyId = await aws.createKey()
  const EncryptionContext = { purpose: 'test' }
  const { body } = await aws.ask('GenerateDataKeyWithoutPlaintext', { KeyId, KeySpec: 'AES_256', EncryptionContext })
  t.same(Object.keys(body).sort(), ['CiphertextBlob', 'KeyId', 'KeyMaterialId'])
  const opened = await aws.ask('Decrypt', { CiphertextBlob: body.CiphertextBlob, EncryptionContext })
  t.equal(Buffer.from(opened.body.Plaintext, 'base64').length, 32)
  t.equal(await aws.refusal('Decrypt', { CiphertextBlob: body.CiphertextBlob }), 'InvalidCiphertextException')
  t.match(await aws.refusal('GenerateDataKeyWithoutPlaintext', { KeyId }), 'either number of bytes or key spec.')
  t.match(
    await aws.refusal('GenerateDataKeyWithoutPlaintext', { KeyId, KeySpec: 'AES_128', NumberOfBytes: 16 }),
    'but not both',
  )
  t.equal(await aws.refusal('GenerateDataKeyWithoutPlaintext', { KeyId, NumberOfBytes: 16, DryRun: true }), DRY)
})
