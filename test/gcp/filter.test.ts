/** Filters, orders and page tokens of lists: as a language, and over both transports. */
import { create } from '@bufbuild/protobuf'
import t from 'tap'
import { readFilter } from '../../src/api/gcp/filter.ts'
import {
  CryptoKeyVersion_CryptoKeyVersionAlgorithm as Algorithm,
  CryptoKeySchema,
  CryptoKey_CryptoKeyPurpose as Purpose,
  CryptoKeyVersion_CryptoKeyVersionState as State,
} from '../../src/api/gcp/gen/google/cloud/kms/v1/resources_pb.js'
import { both, kms, newKey, RING, symmetric } from './fixture.ts'
import { LOCATION } from './support.ts'

const KEY = create(CryptoKeySchema, {
  name: 'projects/p/locations/global/keyRings/r/cryptoKeys/Quick-Start',
  purpose: Purpose.ENCRYPT_DECRYPT,
  createTime: { seconds: 1_767_225_600n, nanos: 500_000_000 },
  rotationSchedule: { case: 'rotationPeriod', value: { seconds: 86_400n } },
  primary: { state: State.ENABLED, algorithm: Algorithm.GOOGLE_SYMMETRIC_ENCRYPTION },
  labels: { team: 'alpha', 'cost-center': '42' },
})

const TRUE = [
  'name:quick',
  'name:"QUICK-start"',
  'name = Quick-Start',
  "name='projects/p/locations/global/keyRings/r/cryptoKeys/Quick-Start'",
  'name != "quick-start"',
  '-name="x"',
  'NOT name = x',
  'NOT NOT name:quick',
  'name > "Apple" AND name < "Zebra"',
  'purpose=ENCRYPT_DECRYPT',
  'purpose = 1',
  'purpose:encrypt',
  'purpose != ASYMMETRIC_SIGN',
  'primary.state=ENABLED primary.algorithm=GOOGLE_SYMMETRIC_ENCRYPTION',
  'primary:*',
  'labels.team=alpha',
  'labels.team:ALPH',
  'labels.cost-center = "42"',
  'labels:team',
  'labels:*',
  'labels.team:*',
  'labels.none != x',
  'createTime >= 2026-01-01T00:00:00Z',
  'create_time => "2026-01-01T01:00:00.5+01:00"',
  'createTime < 2026-01-01T00:00:01Z',
  'rotationPeriod = 86400s',
  'rotation_period <= 1000000s',
  'importOnly = false',
  'next_rotation_time != 2026-01-01T00:00:00Z',
  'purpose=MAC OR name:quick',
  // OR binds tighter than AND.
  'name:quick AND purpose=MAC OR purpose=ENCRYPT_DECRYPT',
  'purpose=ENCRYPT_DECRYPT OR purpose=MAC name:quick',
  '(purpose=MAC AND name:x) OR name:quick',
  'NOT (purpose=MAC name:quick)',
  '((((name:quick))))',
  '  name : quick  ',
]
const FALSE = [
  'name:other',
  'name="quick-start"',
  'purpose=MAC',
  '-name:quick',
  'primary.state=DISABLED',
  'labels.none=x',
  'labels:none',
  'createTime > 2027-01-01T00:00:00Z',
  'nextRotationTime < 2030-01-01T00:00:00Z',
  'nextRotationTime:*',
  'name:quick OR name:x purpose=MAC',
  'purpose=MAC AND (name:quick OR name:x)',
]
const BAD = [
  'quick',
  'name',
  'name=',
  '=x',
  'bogus=1',
  'name.first=x',
  'primary.bogus=x',
  'primary=x',
  'labels=x',
  'purpose=NOPE',
  'purpose > MAC',
  'importOnly=maybe',
  'importOnly>true',
  'createTime=yesterday',
  'createTime > 2026-13-45T00:00:00Z',
  'createTime:2026',
  'rotationPeriod=1d',
  'constructor=1',
  'labels',
  '(name:x',
  'name:x)',
  '()',
  'AND',
  'name:x AND',
  'name:x OR',
  'OR name:x',
  'NOT',
  '-',
  'name="unterminated',
  'name~x',
  'name == x',
  '\u0000',
  'name:x; DROP',
]

function refusalOf(text: string): unknown {
  try {
    readFilter(text, CryptoKeySchema)
  } catch (error) {
    return error
  }
  return `accepted: ${text.slice(0, 60)}`
}

t.test('the language', async (t) => {
  for (const text of TRUE) t.equal(readFilter(text, CryptoKeySchema)?.(KEY), true, text)
  for (const text of FALSE) t.equal(readFilter(text, CryptoKeySchema)?.(KEY), false, text)
  for (const text of BAD) {
    t.match(refusalOf(text), {
      status: 'INVALID_ARGUMENT',
      violations: [{ field: 'filter', description: /^Invalid filter: / }],
    })
  }
  t.equal(readFilter('', CryptoKeySchema), undefined)
  t.equal(readFilter(' \n', CryptoKeySchema), undefined)
})

t.test('size and depth are bounded', async (t) => {
  const refused = (text: string) => t.match(refusalOf(text), { status: 'INVALID_ARGUMENT' }, text.slice(0, 20))
  const before = process.cpuUsage()
  for (const piece of ['(', 'NOT ', '-', '"', "'", '\\', ' ', 'a.', 'name:x ', 'name:"', '((name:x)', 'x'])
    refused(piece.repeat(4_000_000 / piece.length))
  for (const piece of ['(', 'NOT ', '-', '"\\', 'a.', 'name:x OR ', 'labels.', 'name:"\\"'])
    refused(piece.repeat(Math.floor(4096 / piece.length)))
  // What a reader that goes over a text more than once would take is minutes; others' work does not count.
  t.ok(process.cpuUsage(before).user < 5_000_000, 'and quickly')
  t.equal(readFilter('name:q '.repeat(585), CryptoKeySchema)?.(KEY), true)
  t.equal(readFilter(`${'('.repeat(32)}name:q${')'.repeat(32)}`, CryptoKeySchema)?.(KEY), true)
  refused(`${'('.repeat(33)}name:q${')'.repeat(33)}`)
})

both('lists by filter and order', async (t, client) => {
  for (const id of ['a', 'b', 'c']) await symmetric(client, id)
  await newKey(client, 'd', Algorithm.EC_SIGN_P256_SHA256)
  const name = `${RING}/cryptoKeys/b`
  await client.get(kms.updateCryptoKey, {
    cryptoKey: { name, labels: { env: 'prod' } },
    updateMask: { paths: ['labels'] },
  })
  const keys = async (filter: string, more: object = {}) => {
    const page = await client.get(kms.listCryptoKeys, { parent: RING, filter, ...more })
    return { ids: page.cryptoKeys.map((key) => key.name.split('/').at(-1)).join(''), total: page.totalSize, page }
  }
  t.match(await keys(''), { ids: 'abcd', total: 4 })
  t.match(await keys('purpose=ENCRYPT_DECRYPT'), { ids: 'abc', total: 0 }, 'a filtered list says no total')
  t.match(await keys('labels.env=prod OR name=d'), { ids: 'bd' })
  t.match(await keys('primary.state=ENABLED', { orderBy: 'name desc' }), { ids: 'cba' })
  t.match(await keys('', { orderBy: 'name desc', pageSize: 3 }), { ids: 'dcb', total: 4 })
  t.match(await keys('', { orderBy: 'name asc' }), { ids: 'abcd' })
  const walked: string[] = []
  let pageToken = ''
  do {
    const { ids, page } = await keys('name != b', { pageSize: 1, pageToken, orderBy: 'name desc' })
    walked.push(ids)
    pageToken = page.nextPageToken
    if (pageToken !== '') {
      for (const other of [{ filter: '' }, { orderBy: 'name' }, { filter: 'name != b ' }]) {
        const request = { parent: RING, filter: 'name != b', orderBy: 'name desc', pageToken, ...other }
        t.equal(await client.status(kms.listCryptoKeys, request), 'INVALID_ARGUMENT', 'a token of another request')
      }
    }
  } while (pageToken !== '')
  t.equal(walked.join(''), 'dca')
  for (const filter of ['bogus=1', '('])
    t.equal(await client.status(kms.listCryptoKeys, { parent: RING, filter }), 'INVALID_ARGUMENT')
  for (const orderBy of ['create_time', 'name down', 'name,purpose', 'name desc x'])
    t.equal(await client.status(kms.listCryptoKeys, { parent: RING, orderBy }), 'INVALID_ARGUMENT', orderBy)
  for (let index = 0; index < 11; index++)
    await client.get(kms.createCryptoKeyVersion, { parent: name, cryptoKeyVersion: {} })
  await client.get(kms.destroyCryptoKeyVersion, { name: `${name}/cryptoKeyVersions/3` })
  const versions = async (request: object) =>
    (await client.get(kms.listCryptoKeyVersions, { parent: name, ...request })).cryptoKeyVersions.map((one) =>
      Number(one.name.split('/').at(-1)),
    )
  t.same(await versions({ filter: 'state=DESTROY_SCHEDULED' }), [3])
  t.same(await versions({ filter: 'destroyTime:*' }), [3])
  t.same(await versions({ orderBy: 'name desc', pageSize: 3 }), [12, 11, 10])
  t.same(await versions({ filter: 'algorithm=GOOGLE_SYMMETRIC_ENCRYPTION -state=ENABLED' }), [3])
  await client.get(kms.createKeyRing, { parent: LOCATION, keyRingId: 'zoo' })
  const rings = async (request: object) =>
    (await client.get(kms.listKeyRings, { parent: LOCATION, ...request })).keyRings.map((one) =>
      one.name.split('/').at(-1),
    )
  t.same(await rings({ filter: 'name:keyrings/z' }), ['zoo'])
  t.same(await rings({ orderBy: 'name desc' }), ['zoo', 'r', 'default'])
  t.equal(await client.status(kms.listKeyRings, { parent: LOCATION, filter: 'labels.a=b' }), 'INVALID_ARGUMENT')
})

both('forged page tokens', async (t, client) => {
  for (const id of ['a', 'b', 'c']) await symmetric(client, id)
  const { nextPageToken } = await client.get(kms.listCryptoKeys, { parent: RING, pageSize: 1 })
  const bytes = Buffer.from(nextPageToken, 'base64url')
  for (let at = 0; at < bytes.length; at++) {
    const forged = Buffer.from(bytes)
    forged[at] = (forged[at] ?? 0) ^ 1
    const pageToken = forged.toString('base64url')
    t.equal(await client.status(kms.listCryptoKeys, { parent: RING, pageToken }), 'INVALID_ARGUMENT', `byte ${at}`)
  }
  t.equal(await client.status(kms.listKeyRings, { parent: LOCATION, pageToken: nextPageToken }), 'INVALID_ARGUMENT')
  t.equal(await client.status(kms.listCryptoKeys, { parent: RING, pageSize: 2, pageToken: nextPageToken }), 'OK')
})
