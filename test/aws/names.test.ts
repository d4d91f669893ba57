import t from 'tap'
import { AwsError } from '../../src/api/aws/aws-error.ts'
import { readMarker, writeMarker } from '../../src/api/aws/marker.ts'
import { keyArn, parseKeyIdOrArn, parseKeyReference } from '../../src/api/aws/names.ts'
import { readTags } from '../../src/api/aws/tags.ts'

const HERE = { account: '111122223333', region: 'us-west-2' }
const ID = '1234abcd-12ab-34cd-56ef-1234567890ab'
const refusal = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    if (error instanceof AwsError) return `${error.type}: ${error.message}`
    throw error
  }
  return 'accepted'
}

t.test('what may stand for a key', async (t) => {
  t.same(parseKeyReference(ID, HERE), { by: 'id', id: ID })
  t.same(parseKeyReference(keyArn(HERE, ID), HERE), { by: 'id', id: ID })
  t.same(parseKeyReference('alias/a/b', HERE), { by: 'alias', name: 'alias/a/b' })
  t.same(parseKeyReference(`arn:aws:kms:us-west-2:111122223333:alias/a/b`, HERE), { by: 'alias', name: 'alias/a/b' })
  const mrk = `mrk-${'0'.repeat(32)}`
  t.same(parseKeyReference(mrk, HERE), { by: 'multi_region', id: mrk })
})

t.test('recorded refusals', async (t) => {
  for (const id of ['134f2428cec14b25a1ae9048164dba47', 'fake-key-id', 'mrk-fake-key-id']) {
    t.equal(
      refusal(() => parseKeyReference(id, HERE)),
      `NotFoundException: Invalid keyId '${id}'`,
    )
  }
  const elsewhere = keyArn({ ...HERE, region: 'eu-west-1' }, ID)
  t.equal(
    refusal(() => parseKeyReference(elsewhere, HERE)),
    'NotFoundException: Invalid arn eu-west-1',
  )
  const theirs = keyArn({ ...HERE, account: '999999999999' }, ID)
  const realm = { dialect: 'aws', ...HERE, account: '999999999999' }
  t.same(parseKeyReference(theirs, HERE), { by: 'id', id: ID, realm }, 'an account that may be served here too')
  t.equal(
    refusal(() => parseKeyReference('arn:aws:s3:::bucket', HERE)),
    'NotFoundException: Invalid arn arn:aws:s3:::bucket',
  )
  t.equal(
    refusal(() => parseKeyIdOrArn('alias/x', HERE)),
    'InvalidArnException: Key Aliases are not supported for this operation.',
  )
})

t.test('partitions follow the region', async (t) => {
  const china = { account: '111122223333', region: 'cn-north-1' }
  t.equal(keyArn(china, ID), `arn:aws-cn:kms:cn-north-1:111122223333:key/${ID}`)
  t.same(parseKeyReference(keyArn(china, ID), china), { by: 'id', id: ID })
  t.equal(
    refusal(() => parseKeyReference(`arn:aws:kms:cn-north-1:111122223333:key/${ID}`, china)),
    'NotFoundException: Invalid arn cn-north-1',
  )
})

t.test('markers are told from garbage and from each other', async (t) => {
  const marker = writeMarker('keys', 'some\u0000position')
  t.equal(readMarker('keys', marker), 'some\u0000position')
  t.equal(readMarker('keys', undefined), undefined)
  const flipped = `${marker.startsWith('A') ? 'B' : 'A'}${marker.slice(1)}`
  for (const bad of [flipped, `${marker}=`, `${marker}\n`, '', 'garbage', marker.slice(0, 8)]) {
    t.match(
      refusal(() => readMarker('keys', bad)),
      'InvalidMarkerException',
      JSON.stringify(bad),
    )
  }
  t.match(
    refusal(() => readMarker('aliases', marker)),
    'InvalidMarkerException',
  )
})

t.test('tags', async (t) => {
  const tag = (TagKey: string) => ({ TagKey, TagValue: 'v' })
  t.same(readTags([tag('a'), tag('b')]), { a: 'v', b: 'v' })
  t.equal(
    refusal(() => readTags([tag('a'), tag('a')])),
    'TagException: Duplicate tag keys',
  )
  t.equal(
    refusal(() => readTags([tag('AWS:a')])),
    'TagException: Tags beginning with aws: are reserved',
  )
  const many = Array.from({ length: 51 }, (_, index) => tag(`k${index}`))
  t.equal(
    refusal(() => readTags(many)),
    'TagException: Too many tags',
  )
  t.equal(
    refusal(() => readTags(many.slice(1))),
    'accepted',
  )
})
