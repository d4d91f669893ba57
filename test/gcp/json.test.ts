import {
  create,
  createRegistry,
  type DescField,
  type DescMessage,
  fromJson,
  type Message,
  ScalarType,
  toBinary,
  toJson,
} from '@bufbuild/protobuf'
import t from 'tap'
import { CryptoKeySchema } from '../../src/api/gcp/gen/google/cloud/kms/v1/resources_pb.js'
import {
  AsymmetricSignRequestSchema,
  CreateCryptoKeyRequestSchema,
  EncryptRequestSchema,
  file_google_cloud_kms_v1_service,
  GetPublicKeyRequestSchema,
  ListKeyRingsRequestSchema,
  UpdateCryptoKeyRequestSchema,
} from '../../src/api/gcp/gen/google/cloud/kms/v1/service_pb.js'
import { JsonReader, messageToJson } from '../../src/api/gcp/json.ts'
import { METHODS } from '../../src/api/gcp/services.ts'
import { RpcError } from '../../src/api/gcp/status.ts'
import { Random, REPEAT } from '../support/random.ts'
import { randomMessage } from './random-message.ts'

const registry = createRegistry(file_google_cloud_kms_v1_service)

function read(desc: DescMessage, json: unknown): Message {
  const reader = new JsonReader()
  const message = reader.message(desc, json)
  reader.finish()
  return message
}
function refusal(desc: DescMessage, json: unknown): string {
  try {
    read(desc, json)
  } catch (error) {
    if (error instanceof RpcError && error.status === 'INVALID_ARGUMENT') return error.message
    throw error
  }
  return 'accepted'
}

t.test('agrees with the library on random messages of every method', async (t) => {
  t.comment(REPEAT)
  const random = new Random()
  const descs = METHODS.flatMap(({ method }) => [method.input, method.output]).filter(
    ({ typeName }) => !/longrunning/.test(typeName),
  )
  for (let round = 0; round < 6; round++) {
    for (const desc of descs) {
      const message = randomMessage(random, desc)
      for (const enumAsInteger of [false, true]) {
        const json = messageToJson(desc, message, enumAsInteger)
        t.same(json, toJson(desc, message, { registry, enumAsInteger }), `${REPEAT}: ${desc.typeName} written`)
        const again = read(desc, JSON.parse(JSON.stringify(json)))
        t.same(
          toBinary(desc, again),
          toBinary(desc, fromJson(desc, json, { registry })),
          `${REPEAT}: ${desc.typeName} read`,
        )
      }
    }
  }
})

t.test('the contract has no field kinds that the reader does not know', async (t) => {
  const known = new Set([ScalarType.STRING, ScalarType.BYTES, ScalarType.BOOL, ScalarType.INT32, ScalarType.INT64])
  const seen = new Set<DescMessage>()
  const visit = (desc: DescMessage): void => {
    if (seen.has(desc) || desc.typeName.startsWith('google.protobuf.')) return
    seen.add(desc)
    for (const field of desc.fields as readonly DescField[]) {
      if (field.scalar !== undefined) t.ok(known.has(field.scalar), `${desc.typeName}.${field.name}`)
      if (field.fieldKind === 'map') t.equal(field.mapKey, ScalarType.STRING)
      if (field.message !== undefined) visit(field.message)
    }
  }
  for (const { method } of METHODS) visit(method.input)
  t.ok(seen.size > 60)
})

t.test('what Google also reads', async (t) => {
  const byName = read(CreateCryptoKeyRequestSchema, {
    crypto_key: { purpose: 5, version_template: { algorithm: 'EC_SIGN_P256_SHA256' } },
  })
  t.match(byName, { cryptoKey: { purpose: 5, versionTemplate: { algorithm: 12 } } })
  t.match(read(EncryptRequestSchema, { plaintext: '-_8', plaintextCrc32c: 12 }), {
    plaintext: Buffer.of(0xfb, 0xff),
    plaintextCrc32c: 12n,
  })
  t.match(read(EncryptRequestSchema, { plaintextCrc32c: '0', name: null }), { plaintextCrc32c: 0n, name: '' })
  t.match(read(ListKeyRingsRequestSchema, { pageSize: '7' }), { pageSize: 7 })
  t.match(read(UpdateCryptoKeyRequestSchema, { updateMask: 'nextRotationTime,labels,version_template.algorithm' }), {
    updateMask: { paths: ['next_rotation_time', 'labels', 'version_template.algorithm'] },
  })
  t.match(
    read(CryptoKeySchema, { rotationPeriod: '86400s', nextRotationTime: '2027-01-01T00:00:00Z', labels: { a: 'b' } }),
    {
      rotationSchedule: { case: 'rotationPeriod', value: { seconds: 86400n } },
      labels: { a: 'b' },
    },
  )
})

t.test("offences, in Google's words", async (t) => {
  t.equal(
    refusal(EncryptRequestSchema, { plain: 1 }),
    'Invalid JSON payload received. Unknown name "plain": Cannot find field.',
  )
  t.equal(
    refusal(CreateCryptoKeyRequestSchema, { cryptoKey: { versionTemplate: { alg: 1 } } }),
    'Invalid JSON payload received. Unknown name "alg" at \'crypto_key.version_template\': Cannot find field.',
  )
  t.equal(
    refusal(EncryptRequestSchema, []),
    'Invalid JSON payload received. Unknown name "": Root element must be a message.',
  )
  t.equal(refusal(EncryptRequestSchema, { name: 1 }), "Invalid value at 'name' (TYPE_STRING)")
  t.equal(refusal(ListKeyRingsRequestSchema, { pageSize: 1.5 }), "Invalid value at 'page_size' (TYPE_INT32), 1.5")
  t.equal(
    refusal(ListKeyRingsRequestSchema, { pageSize: 2 ** 31 }),
    "Invalid value at 'page_size' (TYPE_INT32), 2147483648",
  )
  t.equal(
    refusal(CreateCryptoKeyRequestSchema, { cryptoKey: { purpose: 'SIGNING' } }),
    'Invalid value at \'crypto_key.purpose\' (type.googleapis.com/google.cloud.kms.v1.CryptoKey.CryptoKeyPurpose), "SIGNING"',
  )
  t.equal(
    refusal(CreateCryptoKeyRequestSchema, { cryptoKey: 'k' }),
    "Invalid value at 'crypto_key' (type.googleapis.com/google.cloud.kms.v1.CryptoKey)",
  )
  t.match(
    refusal(EncryptRequestSchema, { name: ['n'] }),
    /Unknown name "name": Proto field is not repeating, cannot start list\./,
  )
  t.match(
    refusal(AsymmetricSignRequestSchema, { digest: { sha256: 'AA==', sha384: 'AA==' } }),
    /oneof field 'digest' is already set/,
  )
  t.match(refusal(UpdateCryptoKeyRequestSchema, { updateMask: 'a b' }), /update_mask.*FieldMask/)
  t.match(refusal(CryptoKeySchema, { rotationPeriod: 'soon' }), /rotation_period.*Duration/)
  t.match(refusal(CryptoKeySchema, { labels: { a: 1 } }), /labels\["a"\].*TYPE_STRING/)
  t.match(refusal(GetPublicKeyRequestSchema, { publicKeyFormat: true }), /public_key_format.*PublicKeyFormat/)
  t.match(refusal(EncryptRequestSchema, { name: '\ud800' }), /TYPE_STRING/)
})

t.test('all offences are told at once, and no payload is', async (t) => {
  const secret = Buffer.from('a secret text').toString('base64')
  const text = refusal(EncryptRequestSchema, { plaintext: `${secret}*`, name: 5, other: 1 })
  t.equal(text.split('\n').length, 3)
  t.notMatch(text, secret)
  const many = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`field${index}`, 1]))
  t.equal(refusal(EncryptRequestSchema, many).split('\n').length, 32)
  t.ok(refusal(EncryptRequestSchema, { ['x'.repeat(100_000)]: 1 }).length < 300)
})

t.test('text of URLs', async (t) => {
  const reader = new JsonReader()
  const message = create(CreateCryptoKeyRequestSchema)
  reader.text(message, CreateCryptoKeyRequestSchema, 'skipInitialVersionCreation', 'true')
  reader.text(message, CreateCryptoKeyRequestSchema, 'crypto_key.purpose', '5')
  reader.text(message, CreateCryptoKeyRequestSchema, 'cryptoKey.versionTemplate.algorithm', 'EC_SIGN_P256_SHA256')
  reader.finish()
  t.match(message, { skipInitialVersionCreation: true, cryptoKey: { purpose: 5, versionTemplate: { algorithm: 12 } } })
  for (const [name, value] of [
    ['nothing', '1'],
    ['cryptoKey', '1'],
    ['crypto_key.labels', 'a'],
    ['parent.more', 'a'],
    ['skipInitialVersionCreation', '1'],
  ] as const) {
    const bad = new JsonReader()
    bad.text(create(CreateCryptoKeyRequestSchema), CreateCryptoKeyRequestSchema, name, value)
    t.throws(() => bad.finish(), RpcError, name)
  }
})
