/** Every key spec of AWS's with every usage: the pairs that AWS has, made whole, and the others refused in its words. */
import { KeySpec as Specs, KeyUsageType as Usages } from '@aws-sdk/client-kms'
import t from 'tap'
import { createKey } from '../../src/core/ops/create-key.ts'
import { arnOf, makeAws } from './support.ts'

const ENCRYPTION = ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256']
const RSA_SIGNING = ['RSASSA_PKCS1_V1_5', 'RSASSA_PSS'].flatMap((scheme) =>
  [256, 384, 512].map((bits) => `${scheme}_SHA_${bits}`),
)
const ECDH = ['ECDH']

/** The algorithms that KeyMetadata lists for each usage that a spec has. */
const PAIRS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  SYMMETRIC_DEFAULT: { ENCRYPT_DECRYPT: ['SYMMETRIC_DEFAULT'] },
  RSA_2048: { ENCRYPT_DECRYPT: ENCRYPTION, SIGN_VERIFY: RSA_SIGNING },
  ECC_NIST_P256: { SIGN_VERIFY: ['ECDSA_SHA_256'], KEY_AGREEMENT: ECDH },
  ECC_NIST_P384: { SIGN_VERIFY: ['ECDSA_SHA_384'], KEY_AGREEMENT: ECDH },
  ECC_NIST_P521: { SIGN_VERIFY: ['ECDSA_SHA_512'], KEY_AGREEMENT: ECDH },
  ECC_SECG_P256K1: { SIGN_VERIFY: ['ECDSA_SHA_256'] },
  ECC_NIST_EDWARDS25519: { SIGN_VERIFY: ['ED25519_PH_SHA_512', 'ED25519_SHA_512'] },
  HMAC_224: { GENERATE_VERIFY_MAC: ['HMAC_SHA_224'] },
  HMAC_256: { GENERATE_VERIFY_MAC: ['HMAC_SHA_256'] },
  HMAC_384: { GENERATE_VERIFY_MAC: ['HMAC_SHA_384'] },
  HMAC_512: { GENERATE_VERIFY_MAC: ['HMAC_SHA_512'] },
  ML_DSA_44: { SIGN_VERIFY: ['ML_DSA_SHAKE_256'] },
  ML_DSA_65: { SIGN_VERIFY: ['ML_DSA_SHAKE_256'] },
  ML_DSA_87: { SIGN_VERIFY: ['ML_DSA_SHAKE_256'] },
  ML_KEM_512: { ENCAPSULATE_DECAPSULATE: ['ML_KEM'] },
  ML_KEM_768: { ENCAPSULATE_DECAPSULATE: ['ML_KEM'] },
  ML_KEM_1024: { ENCAPSULATE_DECAPSULATE: ['ML_KEM'] },
}
/** SM2 is in China's regions alone; the larger RSA keys are like the small one, and slow to make. */
const LEFT_OUT = ['SM2', 'RSA_3072', 'RSA_4096']
const LISTS: Readonly<Record<string, string>> = {
  ENCRYPT_DECRYPT: 'EncryptionAlgorithms',
  SIGN_VERIFY: 'SigningAlgorithms',
  GENERATE_VERIFY_MAC: 'MacAlgorithms',
  KEY_AGREEMENT: 'KeyAgreementAlgorithms',
  ENCAPSULATE_DECAPSULATE: 'EncapsulationAlgorithms',
}

t.test('specs and usages', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  t.same([...Object.keys(PAIRS), ...LEFT_OUT].sort(), Object.values(Specs).sort(), 'all that the SDK knows')
  t.same(Object.keys(LISTS).sort(), Object.values(Usages).sort())
  let made = 0
  for (const [KeySpec, usages] of Object.entries(PAIRS)) {
    for (const [KeyUsage, list] of Object.entries(LISTS)) {
      const algorithms = usages[KeyUsage]
      if (algorithms === undefined) {
        t.equal(
          await aws.refusal('CreateKey', { KeySpec, KeyUsage }),
          `ValidationException: KeyUsage ${KeyUsage} is not compatible with KeySpec ${KeySpec}`,
        )
        continue
      }
      const { KeyMetadata } = (await aws.ask('CreateKey', { KeySpec, KeyUsage })).body
      t.match(KeyMetadata, { KeySpec, KeyUsage, KeyState: 'Enabled', [list]: algorithms }, `${KeySpec} ${KeyUsage}`)
      const others = Object.values(LISTS).filter((name) => name !== list && KeyMetadata[name] !== undefined)
      t.same(others, [], 'one list')
      made += 1
    }
  }
  t.equal((await aws.ask('ListKeys', { Limit: 1000 })).body.Keys.length, made, 'nothing half made')
  for (const KeyUsage of ['SIGN_VERIFY', 'ENCRYPT_DECRYPT', 'KEY_AGREEMENT']) {
    t.match(await aws.refusal('CreateKey', { KeySpec: 'SM2', KeyUsage }), /^UnsupportedOperationException/)
  }
  t.match(await aws.refusal('CreateKey', { KeySpec: 'ML_KEM_768' }), /You must specify a KeyUsage value/)
})

t.test('keys that AWS has no words for', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const ring = { by: 'default' } as const
  const shown = await aws.createKey()
  for (const input of [
    { spec: 'x_wing' },
    { spec: 'slh_dsa_sha2_128s' },
    { spec: 'aes_128', purpose: 'raw_encrypt_decrypt' },
    { spec: 'aes_256', purpose: 'raw_encrypt_decrypt' },
  ] as const) {
    const { key } = await aws.run('gcp', createKey, { ring, ...input })
    t.equal(
      await aws.refusal('DescribeKey', { KeyId: key.id }),
      `NotFoundException: Key '${arnOf(key.id)}' does not exist`,
      input.spec,
    )
    t.match(await aws.refusal('ScheduleKeyDeletion', { KeyId: key.id }), /^NotFoundException/)
  }
  const { Keys } = (await aws.ask('ListKeys', { Limit: 1 })).body
  t.same(
    Keys.map(({ KeyId }: { KeyId: string }) => KeyId),
    [shown],
  )
})
