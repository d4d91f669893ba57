/** Signed requests from the model, legal and then wrong in one place each: AWS's own client errors and nothing half-made. */
import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { routes } from '../../src/api/aws/bindings/index.ts'
import { OPERATIONS } from '../../src/api/aws/gen/operations.ts'
import { Random, REPEAT } from '../support/random.ts'
import { broken, type Json, type Known, structure } from './model-requests.ts'
import { type Answer, arnOf, makeAws, type TestAws, UNKNOWN_ID } from './support.ts'
import { wrapped } from './wrapping.ts'

const LEGAL_ROUNDS = 12
/** Answered by the service's front for any operation, and what stands for the parts that are not there. */
const COMMON: ReadonlySet<string> = new Set([
  'ValidationException',
  'SerializationException',
  'UnsupportedOperationException',
  'NotAuthorizedException',
])

const FAULTY: ReadonlySet<string> = new Set(['ValidationException', 'SerializationException'])

async function world(aws: TestAws): Promise<Known> {
  const symmetric = await aws.createKey()
  const signing = await aws.createKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' })
  const rsa = await aws.createKey({ KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' })
  const mac = await aws.createKey({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' })
  const agreement = await aws.createKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'KEY_AGREEMENT' })
  const kem = await aws.createKey({ KeySpec: 'ML_KEM_512', KeyUsage: 'ENCAPSULATE_DECAPSULATE' })
  await aws.ask('CreateAlias', { AliasName: 'alias/one', TargetKeyId: symmetric })
  const { CiphertextBlob } = (await aws.ask('Encrypt', { KeyId: symmetric, Plaintext: 'aGk=' })).body
  const external = await aws.createKey({ Origin: 'EXTERNAL' })
  const multi = await aws.createKey({ MultiRegion: true })
  const { EncryptedKeyMaterial, ImportToken } = await wrapped(aws, external, randomBytes(32))
  const { PublicKey } = (await aws.ask('GetPublicKey', { KeyId: agreement })).body
  const encapsulated = { KeyId: kem, EncapsulationAlgorithm: 'ML_KEM' }
  const { SharedSecretCiphertextBlob } = (await aws.ask('Encapsulate', encapsulated)).body
  const principals = ['arn:aws:iam::000000000000:user/one', 'arn:aws:iam::000000000000:root']
  const grant = { KeyId: symmetric, GranteePrincipal: principals[0], Operations: ['Decrypt'] }
  const { GrantId, GrantToken } = (await aws.ask('CreateGrant', grant)).body
  const KeyId = [
    symmetric,
    signing,
    rsa,
    mac,
    agreement,
    kem,
    external,
    external,
    multi,
    multi,
    arnOf(symmetric),
    'alias/one',
    UNKNOWN_ID,
  ]
  return {
    KeyId,
    TargetKeyId: KeyId,
    SourceKeyId: KeyId,
    DestinationKeyId: KeyId,
    AliasName: ['alias/one', 'alias/two', 'alias/x/y'],
    PrincipalIdType: principals,
    GrantIdType: [GrantId],
    GrantTokenType: [GrantToken],
    CiphertextBlob: [CiphertextBlob],
    PublicKey: [PublicKey],
    ImportToken: [ImportToken],
    EncryptedKeyMaterial: [EncryptedKeyMaterial],
    // RSA generation is slow; the larger sizes add nothing here.
    WrappingKeySpec: ['RSA_2048', 'SM2'],
    RegionType: ['us-west-2', 'eu-west-1', 'us-east-1', 'cn-north-1'],
    ValidTo: [aws.clock.now() / 1000 + 1000],
    SharedSecretCiphertextBlob: [SharedSecretCiphertextBlob],
    KeySpec: ['SYMMETRIC_DEFAULT', 'ECC_NIST_P256', 'HMAC_256', 'SM2', 'ECC_NIST_EDWARDS25519', 'AES_256'],
    KeyPairSpec: ['RSA_2048', 'ECC_NIST_P256', 'ECC_NIST_EDWARDS25519', 'ML_KEM_512', 'SM2'],
    CustomerMasterKeySpec: ['SYMMETRIC_DEFAULT', 'ECC_NIST_P384'],
  }
}

type Tally = { made: number; refused: number }

async function check(t: Test, aws: TestAws, wire: keyof typeof OPERATIONS, body: Json, what: string, tally: Tally) {
  const answer: Answer = await aws.ask(wire, body)
  const shown = `${REPEAT}: ${wire} ${what} ${JSON.stringify(body).slice(0, 200)} → ${answer.text.slice(0, 200)}`
  if (answer.status === 200) {
    if (wire === 'CreateKey') tally.made++
    return answer
  }
  tally.refused++
  if (answer.status !== 400) t.fail(shown)
  const declared: readonly string[] = OPERATIONS[wire].errors
  if (!COMMON.has(answer.body.__type) && !declared.includes(answer.body.__type)) t.fail(shown)
  return answer
}

async function countKeys(aws: TestAws): Promise<number> {
  const { body } = await aws.ask('ListKeys', { Limit: 1000 })
  for (const { KeyId } of body.Keys) {
    const { status, text } = await aws.ask('DescribeKey', { KeyId })
    if (status !== 200) throw new Error(text)
  }
  return body.Keys.length
}

t.test('legal and broken requests', async (t) => {
  t.comment(REPEAT)
  const aws = await makeAws('enforce')
  t.teardown(() => aws.close())
  const random = new Random()
  const known = await world(aws)
  const before = await countKeys(aws)
  const tally: Tally = { made: 0, refused: 0 }
  for (const { wire } of routes) {
    const { input } = OPERATIONS[wire]
    const asked = tally.refused
    for (let round = 0; round < LEGAL_ROUNDS; round++) {
      await check(t, aws, wire, structure(random, input, known), 'legal', tally)
    }
    for (const { body, what } of broken(random, input, structure(random, input, known))) {
      const answer = await check(t, aws, wire, body, what, tally)
      // The fault itself must be what is refused, before the key, its state or anything else is looked at.
      if (!FAULTY.has(answer.body?.__type)) {
        t.fail(`${REPEAT}: ${wire} with ${what}: ${JSON.stringify(body).slice(0, 200)} → ${answer.text.slice(0, 200)}`)
      }
    }
    t.ok(tally.refused > asked, `${wire}: ${tally.refused - asked} refused`)
  }
  t.equal(await countKeys(aws), before + tally.made, 'every key there was acknowledged, and whole')
})
