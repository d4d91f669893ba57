/** Request quotas: AWS's numbers, by account, region and kind of key. */
import t from 'tap'
import { AWS_QUOTAS, quotasWith } from '../../src/api/aws/quotas.ts'
import { makeAws } from './support.ts'

const THROTTLED =
  'ThrottlingException: You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.'

t.test('a second’s worth at once, and what a second brings', async (t) => {
  const aws = await makeAws('off', { quotas: AWS_QUOTAS })
  t.teardown(() => aws.close())
  const create = () => aws.refusal('CreateKey')
  for (let made = 0; made < 5; made++) t.equal(await create(), 'ok')
  t.equal(await create(), THROTTLED)
  t.match(aws.audit.records.at(-1), { wire: 'CreateKey', outcome: 'throttled' })
  t.equal(await aws.refusal('CreateKey', {}, { region: 'eu-west-1' }), 'ok', 'another region has its own')
  t.equal(await aws.refusal('ListKeys'), 'ok', 'another operation, too')
  aws.clock.time += 199
  t.equal(await create(), THROTTLED)
  aws.clock.time += 1
  t.equal(await create(), 'ok')
  t.equal(await create(), THROTTLED)
  aws.clock.time -= 60_000
  t.equal(await create(), THROTTLED, 'a clock that is set back brings nothing')
  aws.clock.time += 60_000
  for (let made = 0; made < 5; made++) t.equal(await create(), 'ok')
  t.equal(await create(), THROTTLED, 'no more than a second’s worth is saved')
  t.equal((await aws.ask('ListKeys')).body.Keys.length, 11)
})

t.test('cryptographic operations share one for each kind of key', async (t) => {
  const limits = { 'Cryptographic operations (symmetric)': 3, 'Cryptographic operations (ECC)': 2 }
  const aws = await makeAws('off', { quotas: quotasWith(limits) })
  t.teardown(() => aws.close())
  const symmetric = await aws.createKey()
  const mac = await aws.createKey({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' })
  const ecc = await aws.createKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' })
  const encrypt = () => aws.refusal('Encrypt', { KeyId: symmetric, Plaintext: 'aGk=' })
  const sign = () => aws.refusal('Sign', { KeyId: ecc, Message: 'aGk=', SigningAlgorithm: 'ECDSA_SHA_256' })
  const generateMac = () => aws.refusal('GenerateMac', { KeyId: mac, Message: 'aGk=', MacAlgorithm: 'HMAC_SHA_256' })
  t.equal(await encrypt(), 'ok')
  t.equal(await generateMac(), 'ok')
  t.equal(await aws.refusal('GenerateRandom', { NumberOfBytes: 8 }), 'ok')
  t.equal(await encrypt(), THROTTLED)
  t.equal(await aws.refusal('GenerateRandom', { NumberOfBytes: 8 }), THROTTLED)
  t.equal(await sign(), 'ok')
  t.equal(await sign(), 'ok')
  t.equal(await sign(), THROTTLED)
  aws.clock.time += 1000
  const { CiphertextBlob } = (await aws.ask('Encrypt', { KeyId: symmetric, Plaintext: 'aGk=' })).body
  aws.clock.time += 1000
  for (let made = 0; made < 3; made++)
    t.equal(await aws.refusal('Decrypt', { KeyId: symmetric, CiphertextBlob }), 'ok', 'counted once')
  t.equal(await aws.refusal('Decrypt', { CiphertextBlob }), THROTTLED)
})

t.test('data key pairs, by their kind', async (t) => {
  const aws = await makeAws('off', { quotas: quotasWith({ 'GenerateDataKeyPair (ECC)': 1 }) })
  t.teardown(() => aws.close())
  const KeyId = await aws.createKey()
  const pair = (KeyPairSpec: string) => aws.refusal('GenerateDataKeyPair', { KeyId, KeyPairSpec })
  t.equal(await pair('ECC_NIST_P256'), 'ok')
  t.equal(await pair('ECC_NIST_P384'), THROTTLED)
  t.equal(await pair('RSA_2048'), 'ok')
})

t.test('by account, whoever in it asks; and none unless they are wanted', async (t) => {
  const aws = await makeAws('enforce', { quotas: quotasWith({ ListKeys: 1 }) })
  t.teardown(() => aws.close())
  t.equal(await aws.refusal('ListKeys'), 'ok')
  t.equal(await aws.refusal('ListKeys'), THROTTLED)
  const user = aws.directory.all[0]
  if (user === undefined) throw new Error('no user')
  const { accessKeyId, secret, token } = aws.sessions.create({ principal: user, seconds: 900 })
  const as = { accessKeyId, secretAccessKey: secret, sessionToken: token }
  t.equal(await aws.refusal('ListKeys', {}, { as }), THROTTLED)
  const open = await makeAws()
  t.teardown(() => open.close())
  for (let asked = 0; asked < 20; asked++) t.equal(await open.refusal('CreateKey'), 'ok')
})

t.test('numbers of one’s own', (t) => {
  t.equal(quotasWith({ CreateKey: 0.5 }).CreateKey, 0.5)
  t.throws(() => quotasWith({ CreateKeys: 1 }), { message: 'aws.quotaLimits: there is no quota "CreateKeys"' })
  t.end()
})
