import t from 'tap'
import { AwsError } from '../../src/api/aws/aws-error.ts'
import { type InputName, validatorOf } from '../../src/api/aws/validate.ts'

/** Type and message of the refusal. */
function refusal(operation: InputName, body: unknown): readonly [string, string] {
  try {
    validatorOf(operation)(body)
  } catch (error) {
    if (error instanceof AwsError) return [error.type, error.message]
    throw error
  }
  return ['accepted', '']
}
const KEY = '1234abcd-12ab-34cd-56ef-1234567890ab'
const one = (text: string) => ['ValidationException', `1 validation error detected: ${text}`]

// "Recorded": answered by the service itself.
const RECORDED: readonly (readonly [InputName, unknown, string])[] = [
  [
    'GenerateRandom',
    { NumberOfBytes: 0 },
    "Value '0' at 'numberOfBytes' failed to satisfy constraint: Member must have value greater than or equal to 1",
  ],
  [
    'GenerateRandom',
    { NumberOfBytes: 1025 },
    "Value '1025' at 'numberOfBytes' failed to satisfy constraint: Member must have value less than or equal to 1024",
  ],
  [
    'GenerateMac',
    { KeyId: KEY, Message: 'aGk=', MacAlgorithm: 'INVALID' },
    "Value 'INVALID' at 'macAlgorithm' failed to satisfy constraint: Member must satisfy enum value set: [HMAC_SHA_384, HMAC_SHA_256, HMAC_SHA_224, HMAC_SHA_512]",
  ],
  [
    'DeriveSharedSecret',
    { KeyId: KEY, PublicKey: 'aGk=', KeyAgreementAlgorithm: 'INVALID' },
    "Value 'INVALID' at 'keyAgreementAlgorithm' failed to satisfy constraint: Member must satisfy enum value set: [ECDH]",
  ],
  [
    'CreateKey',
    { Tags: [{ TagKey: 'a'.repeat(129), TagValue: 'v' }] },
    `Value '${'a'.repeat(129)}' at 'tags.1.member.tagKey' failed to satisfy constraint: Member must have length less than or equal to 128`,
  ],
  [
    'CreateKey',
    { Tags: [{ TagKey: 'a', TagValue: 'v'.repeat(257) }] },
    `Value '${'v'.repeat(257)}' at 'tags.1.member.tagValue' failed to satisfy constraint: Member must have length less than or equal to 256`,
  ],
  [
    'Encrypt',
    { KeyId: KEY, Plaintext: Buffer.alloc(4097).toString('base64') },
    "Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096",
  ],
]

t.test('recorded messages, word for word', async (t) => {
  for (const [operation, body, text] of RECORDED) t.same(refusal(operation, body), one(text), text.slice(0, 60))
})

t.test('a recorded enumeration is named in its recorded order, with newer values after it', async (t) => {
  const [type, message] = refusal('CreateKey', { KeySpec: 'HMAC_random' })
  t.equal(type, 'ValidationException')
  t.match(
    message,
    "1 validation error detected: Value 'HMAC_random' at 'keySpec' failed to satisfy constraint: Member must satisfy enum value set: [RSA_2048, ECC_NIST_P384, ECC_NIST_P256, ECC_NIST_P521, HMAC_384, RSA_3072, ECC_SECG_P256K1, RSA_4096, SYMMETRIC_DEFAULT, HMAC_256, HMAC_224, HMAC_512, SM2, ML_DSA_44,",
  )
  t.match(
    refusal('CreateKey', { KeyUsage: 'RANDOM' })[1],
    '[ENCRYPT_DECRYPT, SIGN_VERIFY, GENERATE_VERIFY_MAC, KEY_AGREEMENT, ENCAPSULATE_DECAPSULATE]',
  )
})

t.test('null and absent', async (t) => {
  const missing = one("Value null at 'keyId' failed to satisfy constraint: Member must not be null")
  t.same(refusal('DescribeKey', {}), missing)
  t.same(refusal('DescribeKey', { KeyId: null }), missing)
  t.same(
    refusal('CreateKey', { Tags: [{ TagKey: 'k' }] }),
    one("Value null at 'tags.1.member.tagValue' failed to satisfy constraint: Member must not be null"),
  )
  t.same(refusal('ListKeys', { Marker: null }), ['accepted', ''])
})

t.test('several errors are told together', async (t) => {
  t.same(refusal('Encrypt', { KeyId: '', EncryptionAlgorithm: 'X' }), [
    'ValidationException',
    "3 validation errors detected: Value '' at 'keyId' failed to satisfy constraint: Member must have length greater than or equal to 1; Value null at 'plaintext' failed to satisfy constraint: Member must not be null; Value 'X' at 'encryptionAlgorithm' failed to satisfy constraint: Member must satisfy enum value set: [SYMMETRIC_DEFAULT, RSAES_OAEP_SHA_1, RSAES_OAEP_SHA_256, SM2PKE]",
  ])
})

t.test('lists of plain values report at the list, patterns whole, secrets never', async (t) => {
  t.same(
    refusal('UntagResource', { KeyId: KEY, TagKeys: ['fine', ''] }),
    one(
      "Value '[fine, ]' at 'tagKeys' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 128, Member must have length greater than or equal to 1]",
    ),
  )
  t.same(
    refusal('CreateAlias', { AliasName: 'alias/a b', TargetKeyId: KEY }),
    one(
      "Value 'alias/a b' at 'aliasName' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$",
    ),
  )
  t.equal(refusal('CreateAlias', { AliasName: 'alias/a\n', TargetKeyId: KEY })[0], 'ValidationException')
  const password = 'geheim'
  const [, message] = refusal('ConnectCustomKeyStore', {})
  t.match(message, "'customKeyStoreId'")
  t.notMatch(refusal('UpdateCustomKeyStore', { CustomKeyStoreId: 'x', KeyStorePassword: password })[1], password)
})

t.test('wrong JSON types and bad base64 are serialization errors', async (t) => {
  const wrong: readonly (readonly [InputName, unknown])[] = [
    ['DescribeKey', { KeyId: 5 }],
    ['DescribeKey', { KeyId: {} }],
    ['DescribeKey', { KeyId: [] }],
    ['DescribeKey', []],
    ['DescribeKey', 'text'],
    ['DescribeKey', null],
    ['DescribeKey', undefined],
    ['GenerateRandom', { NumberOfBytes: '5' }],
    ['GenerateRandom', { NumberOfBytes: 1.5 }],
    ['GenerateRandom', { NumberOfBytes: 1e300 }],
    ['GenerateRandom', { NumberOfBytes: true }],
    ['Encrypt', { KeyId: KEY, Plaintext: 'aGk=', DryRun: 'true' }],
    ['Encrypt', { KeyId: KEY, Plaintext: 'aGk=', GrantTokens: 'x' }],
    ['Encrypt', { KeyId: KEY, Plaintext: 'aGk=', EncryptionContext: { a: 1 } }],
    ['Encrypt', { KeyId: KEY, Plaintext: 'aGk=', EncryptionContext: [] }],
    ['ImportKeyMaterial', { KeyId: KEY, ImportToken: 'aGk=', EncryptedKeyMaterial: 'aGk=', ValidTo: 'now' }],
    ...['a', 'aGk', 'aGk*', 'aG k', 'a-k=', 'a_k=', 'aGk=aGk=', '====', 'aGk\u0141', 'aGk=\n'].map(
      (Plaintext) => ['Encrypt', { KeyId: KEY, Plaintext }] as const,
    ),
  ]
  for (const [operation, body] of wrong)
    t.equal(refusal(operation, body)[0], 'SerializationException', JSON.stringify(body))
  t.same(refusal('GenerateRandom', { NumberOfBytes: '5' })[1], 'STRING_VALUE can not be converted to an Integer')
})

t.test('decodes what it accepts and leaves out what AWS does not know', async (t) => {
  const body = { KeyId: KEY, Plaintext: 'aGk=', EncryptionContext: { a: 'b' }, Surprise: 1, DryRun: null }
  const decoded = validatorOf('Encrypt')(body)
  t.same(decoded, { KeyId: KEY, Plaintext: Buffer.from('hi'), EncryptionContext: { a: 'b' } })
})
