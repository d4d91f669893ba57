/** DryRun on every operation that has it: all the checks, and then neither the deed nor an answer. */
import { generateKeyPairSync } from 'node:crypto'
import t from 'tap'
import { routes } from '../../src/api/aws/bindings/index.ts'
import { OPERATIONS } from '../../src/api/aws/gen/operations.ts'
import { SHAPES } from '../../src/api/aws/gen/shapes.ts'
import { arnOf, makeAws, type TestAws } from './support.ts'

const DRY = 'DryRunOperationException: The request would have succeeded, but the DryRun option is set.'
const MESSAGE = 'aGk='

type Body = Readonly<Record<string, string | readonly string[]>> & { readonly KeyId?: string }
type Run = readonly [wire: string, body: Body]

async function runsOf(aws: TestAws) {
  const encrypting = await aws.createKey()
  const signing = await aws.createKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' })
  const mac = await aws.createKey({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' })
  const agreeing = await aws.createKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'KEY_AGREEMENT' })
  const kem = await aws.createKey({ KeySpec: 'ML_KEM_512', KeyUsage: 'ENCAPSULATE_DECAPSULATE' })
  const peer = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).publicKey
  const PublicKey = peer.export({ format: 'der', type: 'spki' }).toString('base64')
  const { CiphertextBlob } = (await aws.ask('Encrypt', { KeyId: encrypting, Plaintext: MESSAGE })).body
  const encapsulated = { KeyId: kem, EncapsulationAlgorithm: 'ML_KEM' }
  const { SharedSecretCiphertextBlob } = (await aws.ask('Encapsulate', encapsulated)).body
  const signed = { KeyId: signing, Message: MESSAGE, SigningAlgorithm: 'ECDSA_SHA_256' }
  const maced = { KeyId: mac, Message: MESSAGE, MacAlgorithm: 'HMAC_SHA_256' }
  const pair = { KeyId: encrypting, KeyPairSpec: 'ECC_NIST_P256' }
  const grant = { KeyId: encrypting, GranteePrincipal: 'arn:aws:iam::000000000000:root', Operations: ['Decrypt'] }
  const grantId = async (): Promise<string> => (await aws.ask('CreateGrant', grant)).body.GrantId
  const runs: readonly Run[] = [
    ['CreateGrant', grant],
    ['Decapsulate', { ...encapsulated, SharedSecretCiphertextBlob }],
    ['Decrypt', { KeyId: encrypting, CiphertextBlob }],
    ['DeriveSharedSecret', { KeyId: agreeing, KeyAgreementAlgorithm: 'ECDH', PublicKey }],
    ['Encapsulate', encapsulated],
    ['Encrypt', { KeyId: encrypting, Plaintext: MESSAGE }],
    ['GenerateDataKey', { KeyId: encrypting, KeySpec: 'AES_256' }],
    ['GenerateDataKeyPair', pair],
    ['GenerateDataKeyPairWithoutPlaintext', pair],
    ['GenerateDataKeyWithoutPlaintext', { KeyId: encrypting, KeySpec: 'AES_256' }],
    ['GenerateMac', maced],
    ['ReEncrypt', { CiphertextBlob, SourceKeyId: encrypting, DestinationKeyId: encrypting }],
    ['RetireGrant', { KeyId: encrypting, GrantId: await grantId() }],
    ['RevokeGrant', { KeyId: encrypting, GrantId: await grantId() }],
    ['Sign', signed],
    ['Verify', { ...signed, Signature: MESSAGE }],
    ['VerifyMac', { ...maced, Mac: MESSAGE }],
  ]
  return { runs, keys: [encrypting, signing, mac, agreeing, kem] }
}

const hasDryRun = (wire: keyof typeof OPERATIONS): boolean => {
  const input = SHAPES[OPERATIONS[wire].input as keyof typeof SHAPES]
  return input.type === 'structure' && 'DryRun' in input.members
}

t.test('dry runs', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const { runs, keys } = await runsOf(aws)
  t.same(
    runs.map(([wire]) => wire),
    routes.map(({ wire }) => wire).filter(hasDryRun),
    'every operation that has the option',
  )
  for (const [wire, body] of runs) {
    t.equal(await aws.refusal(wire, { ...body, DryRun: true }), DRY, wire)
    t.not(await aws.refusal(wire, { ...body, DryRun: false }), DRY, wire)
  }
  for (const KeyId of keys) await aws.ask('DisableKey', { KeyId })
  // Grants are ended whatever the state of their key.
  const stateful = runs.filter(([wire]) => wire !== 'RetireGrant' && wire !== 'RevokeGrant')
  for (const [wire, body] of stateful) {
    const key = body.KeyId ?? keys[0] ?? ''
    t.equal(await aws.refusal(wire, { ...body, DryRun: true }), `DisabledException: ${arnOf(key)} is disabled.`, wire)
  }
  for (const KeyId of keys) await aws.ask('ScheduleKeyDeletion', { KeyId })
  for (const [wire, body] of stateful) {
    const text = `KMSInvalidStateException: ${arnOf(body.KeyId ?? keys[0] ?? '')} is pending deletion.`
    t.equal(await aws.refusal(wire, body), text, wire)
    t.equal(await aws.refusal(wire, { ...body, DryRun: true }), text, wire)
  }
})

t.test('a dry run looks at the ciphertext, unless it is told not to', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const { runs } = await runsOf(aws)
  const KeyId = await aws.createKey()
  const rsa = await aws.createKey({ KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' })
  const signing = await aws.createKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' })
  const CiphertextBlob = String(runs.find(([wire]) => wire === 'Decrypt')?.[1].CiphertextBlob)
  const bytes = Buffer.from(CiphertextBlob, 'base64')
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
  const broken = bytes.toString('base64')
  const algorithm = 'RSAES_OAEP_SHA_256'
  const IGNORING = { DryRun: true, DryRunModifiers: ['IGNORE_CIPHERTEXT'] }
  const asymmetric = { KeyId: rsa, EncryptionAlgorithm: algorithm }
  const moved = { SourceKeyId: rsa, SourceEncryptionAlgorithm: algorithm, DestinationKeyId: KeyId }
  for (const [wire, body] of [
    ['Decrypt', { CiphertextBlob: broken }],
    ['Decrypt', { CiphertextBlob, EncryptionContext: { a: 'b' } }],
    ['Decrypt', { ...asymmetric, CiphertextBlob: broken }],
    ['ReEncrypt', { CiphertextBlob: broken, DestinationKeyId: KeyId }],
    ['ReEncrypt', { ...moved, CiphertextBlob: broken }],
  ] as const) {
    t.equal(await aws.refusal(wire, { ...body, DryRun: true }), 'InvalidCiphertextException', wire)
  }
  for (const more of [{}, { CiphertextBlob: broken }]) {
    for (const [wire, body] of [
      ['Decrypt', { KeyId, EncryptionContext: { a: 'b' } }],
      ['Decrypt', asymmetric],
      ['ReEncrypt', { SourceKeyId: KeyId, DestinationKeyId: KeyId }],
      ['ReEncrypt', moved],
    ] as const) {
      t.equal(await aws.refusal(wire, { ...body, ...IGNORING, ...more }), DRY, wire)
      const usage = { ...body, ...IGNORING, [wire === 'Decrypt' ? 'KeyId' : 'SourceKeyId']: signing }
      t.match(await aws.refusal(wire, usage), /^InvalidKeyUsageException/, 'everything else is looked at')
    }
  }
  for (const [wire, body, member] of [
    ['Decrypt', {}, 'KeyId'],
    ['ReEncrypt', { DestinationKeyId: KeyId }, 'SourceKeyId'],
  ] as const) {
    const text = `ValidationException: ${member} is required when DryRunModifiers is set to IGNORE_CIPHERTEXT.`
    t.equal(await aws.refusal(wire, { ...body, ...IGNORING }), text)
    const missing = /^ValidationException: .* Value null at 'ciphertextBlob'/
    t.match(await aws.refusal(wire, { ...body, DryRun: true }), missing)
    t.match(await aws.refusal(wire, { ...body, DryRunModifiers: ['IGNORE_CIPHERTEXT'] }), missing, 'of a dry run only')
  }
  await aws.ask('DisableKey', { KeyId })
  t.equal(await aws.refusal('Decrypt', { KeyId, ...IGNORING }), `DisabledException: ${arnOf(KeyId)} is disabled.`)
})
