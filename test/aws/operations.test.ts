import { createPublicKey, verify as verifySignature } from 'node:crypto'
import t from 'tap'
import { isExpressible } from '../../src/api/aws/names.ts'
import { KEY_SPEC_NAMES } from '../../src/core/algorithm.ts'
import { arnOf, makeAws, REGION, UNKNOWN_ID, UNNAMED } from './support.ts'

const base64 = (data: string | Uint8Array): string => Buffer.from(data).toString('base64')

t.test('a key from creation to deletion', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const tags = [
    { TagKey: 'z', TagValue: '1' },
    { TagKey: 'a', TagValue: '' },
  ]
  const { body } = await aws.ask('CreateKey', { Description: 'first', Tags: tags })
  const { KeyId: id, CurrentKeyMaterialId: material, ...metadata } = body.KeyMetadata
  t.match(material, /^[0-9a-f]{64}$/)
  t.same(metadata, {
    AWSAccountId: '000000000000',
    Arn: arnOf(id),
    CreationDate: aws.clock.now() / 1000,
    Enabled: true,
    Description: 'first',
    KeyUsage: 'ENCRYPT_DECRYPT',
    KeyState: 'Enabled',
    Origin: 'AWS_KMS',
    KeyManager: 'CUSTOMER',
    KeySpec: 'SYMMETRIC_DEFAULT',
    CustomerMasterKeySpec: 'SYMMETRIC_DEFAULT',
    EncryptionAlgorithms: ['SYMMETRIC_DEFAULT'],
    MultiRegion: false,
  })
  t.same((await aws.ask('DescribeKey', { KeyId: id })).body, body)
  t.same((await aws.ask('ListResourceTags', { KeyId: id })).body, {
    Tags: [
      { TagKey: 'a', TagValue: '' },
      { TagKey: 'z', TagValue: '1' },
    ],
    Truncated: false,
  })
  t.same((await aws.ask('GetKeyRotationStatus', { KeyId: id })).body, { KeyRotationEnabled: false, KeyId: id })

  const disabled = await aws.ask('DisableKey', { KeyId: arnOf(id) })
  t.equal(disabled.text, '')
  t.match((await aws.ask('DescribeKey', { KeyId: id })).body.KeyMetadata, { Enabled: false, KeyState: 'Disabled' })
  t.equal(
    await aws.refusal('Encrypt', { KeyId: id, Plaintext: 'aGk=' }),
    `DisabledException: ${arnOf(id)} is disabled.`,
  )
  t.equal(await aws.refusal('EnableKey', { KeyId: id }), 'ok')

  const scheduled = await aws.ask('ScheduleKeyDeletion', { KeyId: id, PendingWindowInDays: 7 })
  const due = aws.clock.now() / 1000 + 7 * 86_400
  t.same(scheduled.body, { KeyId: arnOf(id), DeletionDate: due, KeyState: 'PendingDeletion', PendingWindowInDays: 7 })
  t.match((await aws.ask('DescribeKey', { KeyId: id })).body.KeyMetadata, {
    DeletionDate: due,
    KeyState: 'PendingDeletion',
    Enabled: false,
  })
  const pending = `KMSInvalidStateException: ${arnOf(id)} is pending deletion.`
  for (const operation of ['EnableKey', 'DisableKey', 'ScheduleKeyDeletion']) {
    t.equal(await aws.refusal(operation, { KeyId: id }), pending, operation)
  }
  t.equal(await aws.refusal('Encrypt', { KeyId: id, Plaintext: 'aGk=' }), pending)
  t.equal(await aws.refusal('CreateAlias', { AliasName: 'alias/late', TargetKeyId: id }), pending)
  t.same((await aws.ask('CancelKeyDeletion', { KeyId: id })).body, { KeyId: arnOf(id) })
  t.equal((await aws.ask('DescribeKey', { KeyId: id })).body.KeyMetadata.KeyState, 'Disabled')
  t.equal(
    await aws.refusal('CancelKeyDeletion', { KeyId: id }),
    `KMSInvalidStateException: ${arnOf(id)} is not pending deletion.`,
  )

  await aws.ask('ScheduleKeyDeletion', { KeyId: id, PendingWindowInDays: 7 })
  await aws.advance(7 * 86_400_000)
  t.equal(await aws.refusal('DescribeKey', { KeyId: id }), `NotFoundException: Key '${arnOf(id)}' does not exist`)
})

t.test('encryption, its context and data keys', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const id = await aws.createKey()
  const other = await aws.createKey()
  const Plaintext = base64('attack at dawn')
  const { body } = await aws.ask('Encrypt', { KeyId: id, Plaintext, EncryptionContext: { a: 'bc' } })
  const { CiphertextBlob } = body
  t.same(body, { CiphertextBlob, KeyId: arnOf(id), EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' })
  const opened = await aws.ask('Decrypt', { CiphertextBlob, EncryptionContext: { a: 'bc' } })
  t.match(opened.body, {
    Plaintext,
    KeyId: arnOf(id),
    EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
    KeyMaterialId: /^[0-9a-f]{64}$/,
  })
  t.equal(await aws.refusal('Decrypt', { KeyId: id, CiphertextBlob, EncryptionContext: { a: 'bc' } }), 'ok')
  for (const EncryptionContext of [{}, { ab: 'c' }, { a: 'bc', d: '' }, { A: 'bc' }]) {
    t.equal(await aws.refusal('Decrypt', { CiphertextBlob, EncryptionContext }), 'InvalidCiphertextException')
  }
  t.equal(
    await aws.refusal('Decrypt', { KeyId: other, CiphertextBlob, EncryptionContext: { a: 'bc' } }),
    'IncorrectKeyException: The key ID in the request does not identify a CMK that can perform this operation.',
  )
  const bytes = Buffer.from(CiphertextBlob, 'base64')
  for (let at = 0; at < bytes.length; at += 7) {
    const flipped = Buffer.from(bytes)
    flipped[at] = (flipped[at] ?? 0) ^ 1
    const refused = await aws.refusal('Decrypt', { CiphertextBlob: base64(flipped), EncryptionContext: { a: 'bc' } })
    // The name of the key's version is in bytes 2 to 17.
    const names = at >= 2 && at < 18
    t.equal(refused, names ? UNNAMED : 'InvalidCiphertextException', `byte ${at}`)
  }
  t.equal(await aws.refusal('Decrypt', { CiphertextBlob: base64('garbage') }), 'InvalidCiphertextException')

  for (const [size, input] of [
    [32, { KeySpec: 'AES_256' }],
    [16, { KeySpec: 'AES_128' }],
    [64, { NumberOfBytes: 64 }],
  ] as const) {
    const made = (await aws.ask('GenerateDataKey', { KeyId: id, ...input })).body
    t.equal(Buffer.from(made.Plaintext, 'base64').length, size)
    t.equal((await aws.ask('Decrypt', { CiphertextBlob: made.CiphertextBlob })).body.Plaintext, made.Plaintext)
  }
  t.match(await aws.refusal('GenerateDataKey', { KeyId: id }), /^ValidationException/)
  t.match(
    await aws.refusal('GenerateDataKey', { KeyId: id, KeySpec: 'AES_256', NumberOfBytes: 1 }),
    /^ValidationException/,
  )
})

t.test('every spec that is there, made and asked for its public half', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const usages: Readonly<Record<string, string>> = { HMAC: 'GENERATE_VERIFY_MAC', SYMM: 'ENCRYPT_DECRYPT' }
  const specs = [
    'SYMMETRIC_DEFAULT',
    'RSA_2048',
    'ECC_NIST_P256',
    'ECC_NIST_P384',
    'ECC_NIST_P521',
    'ECC_SECG_P256K1',
    'ECC_NIST_EDWARDS25519',
    'HMAC_224',
    'HMAC_256',
    'HMAC_384',
    'HMAC_512',
    'ML_DSA_44',
    'ML_DSA_65',
    'ML_DSA_87',
  ]
  const words = KEY_SPEC_NAMES.filter((spec) => isExpressible({ spec, purpose: 'sign_verify' }))
  t.equal(specs.length, words.length - 5, 'all but the two larger RSA sizes, and ML-KEM, which signs nothing')
  for (const KeySpec of specs) {
    const KeyUsage = usages[KeySpec.slice(0, 4)] ?? 'SIGN_VERIFY'
    const { body, text } = await aws.ask('CreateKey', { KeySpec, KeyUsage })
    const metadata = body.KeyMetadata ?? t.fail(text)
    t.match(metadata, { KeySpec, KeyUsage, KeyState: 'Enabled' })
    const algorithms = metadata.SigningAlgorithms ?? metadata.EncryptionAlgorithms ?? metadata.MacAlgorithms
    t.ok(algorithms.length > 0, KeySpec)
    if (metadata.SigningAlgorithms === undefined) continue
    const { body: shown } = await aws.ask('GetPublicKey', { KeyId: metadata.KeyId })
    t.match(shown, { KeyId: metadata.Arn, KeySpec, KeyUsage, SigningAlgorithms: algorithms })
    for (const SigningAlgorithm of algorithms) {
      const ready = SigningAlgorithm === 'ED25519_PH_SHA_512'
      const message = ready
        ? { Message: base64(Buffer.alloc(64, 1)), MessageType: 'DIGEST' }
        : { Message: base64('message') }
      const input = { KeyId: metadata.KeyId, ...message, SigningAlgorithm }
      const { body: signed } = await aws.ask('Sign', input)
      t.match(signed, { KeyId: metadata.Arn, SigningAlgorithm })
      t.same((await aws.ask('Verify', { ...input, Signature: signed.Signature })).body, {
        KeyId: metadata.Arn,
        SignatureValid: true,
        SigningAlgorithm,
      })
      const bad = Buffer.from(signed.Signature, 'base64')
      bad[bad.length - 1] = (bad.at(-1) ?? 0) ^ 1
      for (const Signature of [base64(bad), base64('x'), signed.Signature.slice(4)]) {
        t.equal(await aws.refusal('Verify', { ...input, Signature }), 'KMSInvalidSignatureException', SigningAlgorithm)
      }
      if (SigningAlgorithm.startsWith('ECDSA')) {
        const key = createPublicKey({ key: Buffer.from(shown.PublicKey, 'base64'), format: 'der', type: 'spki' })
        const hash = SigningAlgorithm.replace('ECDSA_SHA_', 'sha')
        t.ok(verifySignature(hash, Buffer.from('message'), key, Buffer.from(signed.Signature, 'base64')), 'DER')
      }
    }
  }
})

t.test('RSA encryption is AWS sized, and limited as recorded', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const id = await aws.createKey({ KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' })
  for (const [EncryptionAlgorithm, limit] of [
    ['RSAES_OAEP_SHA_1', 214],
    ['RSAES_OAEP_SHA_256', 190],
  ] as const) {
    const input = { KeyId: id, EncryptionAlgorithm }
    const { body } = await aws.ask('Encrypt', { ...input, Plaintext: base64(Buffer.alloc(limit, 7)) })
    t.equal(Buffer.from(body.CiphertextBlob, 'base64').length, 256)
    const opened = (await aws.ask('Decrypt', { ...input, CiphertextBlob: body.CiphertextBlob })).body
    t.same(opened, { KeyId: arnOf(id), Plaintext: base64(Buffer.alloc(limit, 7)), EncryptionAlgorithm })
    t.equal(
      await aws.refusal('Encrypt', { ...input, Plaintext: base64(Buffer.alloc(limit + 1)) }),
      `ValidationException: Algorithm ${EncryptionAlgorithm} and key spec RSA_2048 cannot encrypt data larger than ${limit} bytes.`,
    )
    t.equal(
      await aws.refusal('Decrypt', { ...input, CiphertextBlob: base64(Buffer.alloc(256)) }),
      'InvalidCiphertextException',
    )
  }
  t.equal(
    await aws.refusal('Encrypt', { KeyId: id, Plaintext: 'aGk=' }),
    'InvalidKeyUsageException: Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048.',
  )
  t.match(
    await aws.refusal('Decrypt', { CiphertextBlob: 'aGk=', EncryptionAlgorithm: 'RSAES_OAEP_SHA_1' }),
    /^ValidationException/,
  )
})

t.test('refusals recorded from the service', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const symmetric = await aws.createKey()
  const signing = await aws.createKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' })
  const rsa = await aws.createKey({ KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' })
  const mac = await aws.createKey({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' })
  const message = { Message: 'aGk=', SigningAlgorithm: 'ECDSA_SHA_256' }
  const cases: readonly (readonly [string, object, string])[] = [
    ['DescribeKey', { KeyId: 'fake-key-id' }, "NotFoundException: Invalid keyId 'fake-key-id'"],
    ['DescribeKey', { KeyId: UNKNOWN_ID }, `NotFoundException: Key '${arnOf(UNKNOWN_ID)}' does not exist`],
    ['DescribeKey', { KeyId: arnOf(UNKNOWN_ID) }, `NotFoundException: Key '${arnOf(UNKNOWN_ID)}' does not exist`],
    [
      'DescribeKey',
      { KeyId: arnOf(symmetric).replace(REGION, 'eu-west-1') },
      'NotFoundException: Invalid arn eu-west-1',
    ],
    [
      'DescribeKey',
      { KeyId: 'alias/none' },
      `NotFoundException: Alias arn:aws:kms:${REGION}:000000000000:alias/none is not found.`,
    ],
    [
      'Verify',
      { KeyId: symmetric, Signature: 'aGk=', ...message },
      `InvalidKeyUsageException: ${arnOf(symmetric)} key usage is ENCRYPT_DECRYPT which is not valid for Verify.`,
    ],
    [
      'Sign',
      { KeyId: mac, ...message },
      `InvalidKeyUsageException: ${arnOf(mac)} key usage is GENERATE_VERIFY_MAC which is not valid for Sign.`,
    ],
    [
      'Encrypt',
      { KeyId: signing, Plaintext: 'aGk=' },
      `InvalidKeyUsageException: ${arnOf(signing)} key usage is SIGN_VERIFY which is not valid for Encrypt.`,
    ],
    [
      'Sign',
      { KeyId: signing, ...message, SigningAlgorithm: 'ECDSA_SHA_384' },
      'InvalidKeyUsageException: Algorithm ECDSA_SHA_384 is incompatible with key spec ECC_NIST_P256.',
    ],
    [
      'Sign',
      { KeyId: signing, ...message, MessageType: 'DIGEST' },
      'ValidationException: Digest is invalid length for algorithm ECDSA_SHA_256.',
    ],
    [
      'Sign',
      { KeyId: rsa, Message: 'aGk=', SigningAlgorithm: 'RSASSA_PSS_SHA_512', MessageType: 'DIGEST' },
      'ValidationException: Digest is invalid length for algorithm RSASSA_PSS_SHA_512.',
    ],
    [
      'CreateKey',
      { KeySpec: 'HMAC_256' },
      'ValidationException: You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.',
    ],
    [
      'CreateKey',
      { KeySpec: 'RSA_2048', KeyUsage: 'KEY_AGREEMENT' },
      'ValidationException: KeyUsage KEY_AGREEMENT is not compatible with KeySpec RSA_2048',
    ],
    [
      'CreateAlias',
      { AliasName: 'name', TargetKeyId: symmetric },
      'ValidationException: Alias must start with the prefix "alias/". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html',
    ],
    [
      'CreateAlias',
      { AliasName: 'alias/x', TargetKeyId: 'alias/y' },
      'ValidationException: Aliases must refer to keys. Not aliases',
    ],
    ['CreateKey', { Tags: [{ TagKey: 'aws:x', TagValue: '' }] }, 'TagException: Tags beginning with aws: are reserved'],
  ]
  for (const [operation, body, text] of cases) t.equal(await aws.refusal(operation, body), text, text)
})

t.test('what AWS has and Trefoil does not is refused, never ignored', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const id = await aws.createKey()
  const keys = (await aws.ask('ListKeys')).body.Keys.length
  const signing = await aws.createKey({ KeySpec: 'ML_DSA_44', KeyUsage: 'SIGN_VERIFY' })
  const cases: readonly (readonly [string, object])[] = [
    ['CreateKey', { KeySpec: 'SM2', KeyUsage: 'SIGN_VERIFY' }],
    ['GenerateDataKey', { KeyId: id, KeySpec: 'AES_256', Recipient: {} }],
    ['Sign', { KeyId: signing, Message: 'aGk=', SigningAlgorithm: 'SM2DSA' }],
    ['GenerateDataKeyPair', { KeyId: id, KeyPairSpec: 'SM2' }],
  ]
  for (const [operation, body] of cases) {
    t.match(
      await aws.refusal(operation, body),
      /^UnsupportedOperationException/,
      `${operation} ${JSON.stringify(body)}`,
    )
  }
  t.equal((await aws.ask('ListKeys')).body.Keys.length, keys + 1, 'nothing half-made')
})

t.test('aliases', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const [one, two] = [await aws.createKey(), await aws.createKey()]
  for (const AliasName of ['alias/a', 'alias/b/c']) await aws.ask('CreateAlias', { AliasName, TargetKeyId: one })
  await aws.ask('CreateAlias', { AliasName: 'alias/other', TargetKeyId: arnOf(two) })
  t.equal(
    await aws.refusal('CreateAlias', { AliasName: 'alias/a', TargetKeyId: two }),
    `AlreadyExistsException: An alias with the name arn:aws:kms:${REGION}:000000000000:alias/a already exists`,
  )
  t.match(await aws.refusal('CreateAlias', { AliasName: 'alias/aws/ebs', TargetKeyId: two }), 'NotAuthorizedException')
  for (const KeyId of ['alias/b/c', `arn:aws:kms:${REGION}:000000000000:alias/b/c`]) {
    const { body } = await aws.ask('Encrypt', { KeyId, Plaintext: 'aGk=' })
    t.equal(body.KeyId, arnOf(one))
  }
  const names = async (input: object) =>
    (await aws.ask('ListAliases', input)).body.Aliases.map((alias: { AliasName: string }) => alias.AliasName)
  t.same(await names({}), ['alias/a', 'alias/b/c', 'alias/other'])
  t.same(await names({ KeyId: one }), ['alias/a', 'alias/b/c'])
  t.equal(await aws.refusal('DeleteAlias', { AliasName: 'alias/a' }), 'ok')
  t.match(await aws.refusal('DeleteAlias', { AliasName: 'alias/a' }), /^NotFoundException: Alias arn:/)
  t.same(await names({ KeyId: arnOf(one) }), ['alias/b/c'])
  t.match(await aws.refusal('DisableKey', { KeyId: 'alias/b/c' }), /^InvalidArnException/)
})

t.test('pages hold what was there throughout, once, while keys come and go', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const ids = new Set<string>()
  for (let i = 0; i < 12; i++) ids.add(await aws.createKey({ Tags: [{ TagKey: `t${i}`, TagValue: 'v' }] }))
  const seen: string[] = []
  let Marker: string | undefined
  do {
    const { body } = await aws.ask('ListKeys', { Limit: 5, Marker })
    t.ok(body.Keys.length <= 5)
    t.equal(body.Truncated, body.NextMarker !== undefined)
    seen.push(...body.Keys.map((key: { KeyId: string }) => key.KeyId))
    Marker = body.NextMarker
    await aws.createKey()
  } while (Marker !== undefined)
  t.equal(new Set(seen).size, seen.length, 'no key twice')
  t.same(
    [...ids].filter((id) => !seen.includes(id)),
    [],
    'none missed',
  )
  for (const operation of ['ListKeys', 'ListAliases']) {
    t.equal(await aws.refusal(operation, { Marker: 'garbage' }), 'InvalidMarkerException')
  }
  t.match(await aws.refusal('ListAliases', { Limit: 101 }), "Value '101' at 'limit' failed to satisfy constraint")

  const Tags = Array.from({ length: 50 }, (_, index) => ({ TagKey: `k${index}`, TagValue: '' }))
  const tagged = await aws.createKey({ Tags })
  const first = (await aws.ask('ListResourceTags', { KeyId: tagged, Limit: 30 })).body
  const second = (await aws.ask('ListResourceTags', { KeyId: tagged, Limit: 30, Marker: first.NextMarker })).body
  t.equal(second.Truncated, false)
  t.equal(new Set([...first.Tags, ...second.Tags].map((tag) => tag.TagKey)).size, 50)
})
