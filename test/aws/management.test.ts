/** Facts of keys that change after their creation: aliases, descriptions, tags. */
import t from 'tap'
import { ACCOUNT, arnOf, makeAws, REGION, UNKNOWN_ID } from './support.ts'

const tag = (TagKey: string, TagValue = '') => ({ TagKey, TagValue })

t.test('an alias moves to another key of its sort', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const [one, two] = [await aws.createKey(), await aws.createKey()]
  const AliasName = 'alias/moving'
  await aws.ask('CreateAlias', { AliasName, TargetKeyId: one })
  const created = aws.clock.now() / 1000
  await aws.advance(60_000)
  t.equal((await aws.ask('UpdateAlias', { AliasName, TargetKeyId: arnOf(two) })).text, '')
  t.equal((await aws.ask('DescribeKey', { KeyId: AliasName })).body.KeyMetadata.KeyId, two)
  t.same((await aws.ask('ListAliases', { KeyId: two })).body.Aliases, [
    {
      AliasName,
      AliasArn: `arn:aws:kms:${REGION}:${ACCOUNT}:${AliasName}`,
      TargetKeyId: two,
      CreationDate: created,
      LastUpdatedDate: created + 60,
    },
  ])
  t.same((await aws.ask('ListAliases', { KeyId: one })).body.Aliases, [])

  const rsa = await aws.createKey({ KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' })
  const p256 = await aws.createKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' })
  const p384 = await aws.createKey({ KeySpec: 'ECC_NIST_P384', KeyUsage: 'SIGN_VERIFY' })
  for (const TargetKeyId of [rsa, p256]) {
    t.match(await aws.refusal('UpdateAlias', { AliasName, TargetKeyId }), /^ValidationException: Invalid key/)
  }
  await aws.ask('CreateAlias', { AliasName: 'alias/signing', TargetKeyId: p256 })
  t.equal(
    await aws.refusal('UpdateAlias', { AliasName: 'alias/signing', TargetKeyId: p384 }),
    'ok',
    'curves may differ',
  )

  await aws.ask('ScheduleKeyDeletion', { KeyId: two })
  t.equal(await aws.refusal('UpdateAlias', { AliasName, TargetKeyId: one }), 'ok', 'away from a key to be deleted')
  const pending = `KMSInvalidStateException: ${arnOf(two)} is pending deletion.`
  t.equal(await aws.refusal('UpdateAlias', { AliasName, TargetKeyId: two }), pending)
  const cases: readonly (readonly [object, string])[] = [
    [
      { AliasName: 'alias/none', TargetKeyId: one },
      `NotFoundException: Alias arn:aws:kms:${REGION}:${ACCOUNT}:alias/none is not found.`,
    ],
    [{ AliasName, TargetKeyId: UNKNOWN_ID }, `NotFoundException: Key '${arnOf(UNKNOWN_ID)}' does not exist`],
    [{ AliasName, TargetKeyId: 'alias/x' }, 'ValidationException: Aliases must refer to keys. Not aliases'],
    [{ AliasName: 'alias/aws/ebs', TargetKeyId: one }, 'NotAuthorizedException'],
  ]
  for (const [body, refused] of cases) t.equal(await aws.refusal('UpdateAlias', body), refused)
})

t.test('a key has at most fifty aliases', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const TargetKeyId = await aws.createKey()
  for (let i = 0; i < 50; i++) await aws.ask('CreateAlias', { AliasName: `alias/a${i}`, TargetKeyId })
  const more = { AliasName: 'alias/more', TargetKeyId }
  t.match(await aws.refusal('CreateAlias', more), /^LimitExceededException/)
  await aws.ask('DeleteAlias', { AliasName: 'alias/a7' })
  t.equal(await aws.refusal('CreateAlias', more), 'ok')
  t.match(await aws.refusal('ListAliases', { KeyId: TargetKeyId, Limit: 101 }), "Value '101' at 'limit'")
  const { body } = await aws.ask('ListAliases', { KeyId: TargetKeyId, Limit: 20 })
  t.equal(await aws.refusal('ListAliases', { Marker: body.NextMarker }), 'InvalidMarkerException', 'of another list')
})

t.test('descriptions and tags', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const KeyId = await aws.createKey({ Description: 'old', Tags: [tag('kept', '1'), tag('changed', 'old')] })
  t.equal((await aws.ask('UpdateKeyDescription', { KeyId, Description: '' })).text, '')
  t.equal((await aws.ask('DescribeKey', { KeyId })).body.KeyMetadata.Description, '')
  const tags = async () => (await aws.ask('ListResourceTags', { KeyId })).body.Tags
  t.equal((await aws.ask('TagResource', { KeyId, Tags: [tag('changed', 'new'), tag('Kept', '2')] })).text, '')
  t.same(await tags(), [tag('Kept', '2'), tag('changed', 'new'), tag('kept', '1')])
  t.equal((await aws.ask('UntagResource', { KeyId: arnOf(KeyId), TagKeys: ['kept', 'never there'] })).text, '')
  t.same(await tags(), [tag('Kept', '2'), tag('changed', 'new')])

  const many = Array.from({ length: 48 }, (_, index) => tag(`k${index}`))
  t.equal(await aws.refusal('TagResource', { KeyId, Tags: many }), 'ok')
  t.match(await aws.refusal('TagResource', { KeyId, Tags: [tag('one too many')] }), /^LimitExceededException/)
  t.equal(await aws.refusal('TagResource', { KeyId, Tags: [tag('k1', 'again')] }), 'ok', 'an old one may change')
  const cases: readonly (readonly [string, object, string])[] = [
    ['TagResource', { Tags: [tag('x'), tag('x', '2')] }, 'TagException: Duplicate tag keys'],
    ['TagResource', { Tags: Array.from({ length: 51 }, (_, i) => tag(`${i}`)) }, 'TagException: Too many tags'],
    ['TagResource', { Tags: [tag('AWS:x')] }, 'TagException: Tags beginning with aws: are reserved'],
    ['UntagResource', { TagKeys: ['aws:x'] }, 'TagException: Tags beginning with aws: are reserved'],
  ]
  for (const [operation, body, refused] of cases) {
    t.equal(await aws.refusal(operation, { KeyId, ...body }), refused)
  }
  await aws.ask('DisableKey', { KeyId })
  t.equal(await aws.refusal('UpdateKeyDescription', { KeyId, Description: 'of a disabled key' }), 'ok')
  t.equal(await aws.refusal('UntagResource', { KeyId, TagKeys: many.map(({ TagKey }) => TagKey) }), 'ok')
  await aws.ask('ScheduleKeyDeletion', { KeyId })
  const pending = `KMSInvalidStateException: ${arnOf(KeyId)} is pending deletion.`
  t.equal(await aws.refusal('UpdateKeyDescription', { KeyId, Description: '' }), pending)
  t.equal(await aws.refusal('TagResource', { KeyId, Tags: [tag('x')] }), pending)
  t.equal(await aws.refusal('UntagResource', { KeyId, TagKeys: ['Kept'] }), pending)
  t.same(await tags(), [tag('Kept', '2'), tag('changed', 'new')])
})

t.test('pages of tags and aliases stay where they are while others come and go', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const KeyId = await aws.createKey({ Tags: Array.from({ length: 9 }, (_, index) => tag(`k${index}`)) })
  for (let i = 0; i < 9; i++) await aws.ask('CreateAlias', { AliasName: `alias/k${i}`, TargetKeyId: KeyId })
  const seen = { tags: [] as string[], aliases: [] as string[] }
  const markers: { tags?: string; aliases?: string } = {}
  for (let page = 0; page < 4; page++) {
    const tags = (await aws.ask('ListResourceTags', { KeyId, Limit: 3, Marker: markers.tags })).body
    const aliases = (await aws.ask('ListAliases', { KeyId, Limit: 3, Marker: markers.aliases })).body
    seen.tags.push(...tags.Tags.map(({ TagKey }: { TagKey: string }) => TagKey))
    seen.aliases.push(...aliases.Aliases.map(({ AliasName }: { AliasName: string }) => AliasName))
    t.equal(tags.Truncated, tags.NextMarker !== undefined)
    t.equal(aliases.Truncated, aliases.NextMarker !== undefined)
    markers.tags = tags.NextMarker
    markers.aliases = aliases.NextMarker
    if (markers.tags === undefined && markers.aliases === undefined) break
    // Before the page's end, and away from under it: neither may shift what follows.
    await aws.ask('TagResource', { KeyId, Tags: [tag(`a${page}`)] })
    await aws.ask('UntagResource', { KeyId, TagKeys: [seen.tags.at(-1)] })
    await aws.ask('CreateAlias', { AliasName: `alias/a${page}`, TargetKeyId: KeyId })
    await aws.ask('DeleteAlias', { AliasName: seen.aliases.at(-1) })
  }
  const all = Array.from({ length: 9 }, (_, index) => `k${index}`)
  t.same(seen.tags, all)
  t.same(
    seen.aliases,
    all.map((name) => `alias/${name}`),
  )
})

t.test('the last use of a key', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const KeyId = await aws.createKey()
  const KeyCreationDate = aws.clock.now() / 1000
  const unused = { KeyId, KeyLastUsage: {}, TrackingStartDate: KeyCreationDate, KeyCreationDate }
  t.same((await aws.ask('GetKeyLastUsage', { KeyId: arnOf(KeyId) })).body, unused)
  t.match(await aws.refusal('Encrypt', { KeyId, Plaintext: 'aGk=', DryRun: true }), /^DryRunOperationException/)
  t.match(await aws.refusal('Sign', { KeyId, Message: 'aGk=', SigningAlgorithm: 'ECDSA_SHA_256' }), /^InvalidKeyUsage/)
  t.same((await aws.ask('GetKeyLastUsage', { KeyId })).body, unused, 'neither was a use')
  await aws.advance(60_000)
  const { headers } = await aws.ask('GenerateDataKey', { KeyId, KeySpec: 'AES_256' })
  const { KeyLastUsage } = (await aws.ask('GetKeyLastUsage', { KeyId })).body
  t.match(KeyLastUsage, {
    Operation: 'GenerateDataKey',
    Timestamp: aws.clock.now() / 1000,
    CloudTrailEventId: /^[0-9a-f-]{36}$/,
    KmsRequestId: headers['x-amzn-requestid'],
  })
  t.match(await aws.refusal('GetKeyLastUsage', { KeyId: 'alias/x' }), /^InvalidArnException/)
})
