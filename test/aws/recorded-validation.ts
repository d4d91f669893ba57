/** The part of the recordings (recorded-errors.ts) that is about members of a request. */
import { about, base64, ECDH, HI, key, newKey, plain, type Recording } from './recorded-errors.ts'

const member = (shown: string, path: string, text: string): string =>
  `1 validation error detected: Value ${shown}at '${path}' failed to satisfy constraint: Member must ${text}`
const [LONG_KEY, LONG_VALUE] = ['a'.repeat(129), 'v'.repeat(257)]

export const VALIDATION: readonly Recording[] = [
  {
    by: 'test_derive_shared_secret',
    code: 'ValidationException',
    message: '',
    ask: about('DeriveSharedSecret', 'agreement', { ...ECDH, PublicKey: base64(91) }),
  },
  {
    by: 'test_generate_random_invalid_number_of_bytes[0]',
    code: 'ValidationException',
    message: member("'0' ", 'numberOfBytes', 'have value greater than or equal to 1'),
    ask: plain('GenerateRandom', { NumberOfBytes: 0 }),
  },
  {
    by: 'test_generate_random_invalid_number_of_bytes[1025]',
    code: 'ValidationException',
    message: member("'1025' ", 'numberOfBytes', 'have value less than or equal to 1024'),
    ask: plain('GenerateRandom', { NumberOfBytes: 1025 }),
  },
  {
    by: 'test_hmac_create_key_invalid_operations',
    code: 'ValidationException',
    message: member(
      "'HMAC_random' ",
      'keySpec',
      'satisfy enum value set: [RSA_2048, ECC_NIST_P384, ECC_NIST_P256, ECC_NIST_P521, HMAC_384, RSA_3072, ECC_SECG_P256K1, RSA_4096, SYMMETRIC_DEFAULT, HMAC_256, HMAC_224, HMAC_512]',
    ),
    newer: [
      'SM2',
      'ML_DSA_44',
      'ML_DSA_65',
      'ML_DSA_87',
      'ECC_NIST_EDWARDS25519',
      'ML_KEM_1024',
      'ML_KEM_512',
      'ML_KEM_768',
    ],
    ask: newKey({ KeySpec: 'HMAC_random' }),
  },
  {
    by: 'test_derive_shared_secret',
    code: 'ValidationException',
    message: member("'INVALID' ", 'keyAgreementAlgorithm', 'satisfy enum value set: [ECDH]'),
    ask: about('DeriveSharedSecret', 'agreement', { KeyAgreementAlgorithm: 'INVALID', PublicKey: HI }),
  },
  {
    by: 'test_invalid_generate_mac[HMAC_256-INVALID]',
    code: 'ValidationException',
    message: member(
      "'INVALID' ",
      'macAlgorithm',
      'satisfy enum value set: [HMAC_SHA_384, HMAC_SHA_256, HMAC_SHA_224, HMAC_SHA_512]',
    ),
    ask: about('GenerateMac', 'mac', { Message: HI, MacAlgorithm: 'INVALID' }),
  },
  {
    by: 'test_hmac_create_key_invalid_operations',
    code: 'ValidationException',
    message: member(
      "'RANDOM' ",
      'keyUsage',
      'satisfy enum value set: [ENCRYPT_DECRYPT, SIGN_VERIFY, GENERATE_VERIFY_MAC]',
    ),
    newer: ['KEY_AGREEMENT', 'ENCAPSULATE_DECAPSULATE'],
    ask: newKey({ KeySpec: 'HMAC_256', KeyUsage: 'RANDOM' }),
  },
  {
    by: 'test_create_key_with_invalid_tag_key[too_long_key]',
    code: 'ValidationException',
    message: member(`'${LONG_KEY}' `, 'tags.1.member.tagKey', 'have length less than or equal to 128'),
    ask: newKey({ Tags: [{ TagKey: LONG_KEY, TagValue: 'v' }] }),
  },
  {
    by: 'test_key_with_long_tag_value_raises_error',
    code: 'ValidationException',
    message: member(`'${LONG_VALUE}' `, 'tags.1.member.tagValue', 'have length less than or equal to 256'),
    ask: newKey({ Tags: [{ TagKey: 'k', TagValue: LONG_VALUE }] }),
  },
  {
    by: 'test_plaintext_size_for_encrypt',
    code: 'ValidationException',
    message: member('', 'plaintext', 'have length less than or equal to 4096'),
    ask: about('Encrypt', 'symmetric', { Plaintext: base64(4097) }),
  },
  {
    by: 'test_import_key_symmetric',
    code: 'ValidationException',
    message: 'A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES',
    ask: about('ImportKeyMaterial', 'imported', { ImportToken: HI, EncryptedKeyMaterial: HI }),
  },
  ...(
    [
      ['rsa', 'RSA_2048', 'RSAES_OAEP_SHA_1', 214],
      ['rsa3072', 'RSA_3072', 'RSAES_OAEP_SHA_1', 342],
      ['rsa4096', 'RSA_4096', 'RSAES_OAEP_SHA_1', 470],
      ['rsa', 'RSA_2048', 'RSAES_OAEP_SHA_256', 190],
      ['rsa3072', 'RSA_3072', 'RSAES_OAEP_SHA_256', 318],
      ['rsa4096', 'RSA_4096', 'RSAES_OAEP_SHA_256', 446],
    ] as const
  ).map(
    ([kind, spec, EncryptionAlgorithm, limit]): Recording => ({
      by: `test_encrypt_validate_plaintext_size_per_key_type[${spec}-${EncryptionAlgorithm}]`,
      code: 'ValidationException',
      message: `Algorithm ${EncryptionAlgorithm} and key spec ${spec} cannot encrypt data larger than ${limit} bytes.`,
      ask: about('Encrypt', kind, { Plaintext: base64(limit + 1), EncryptionAlgorithm }),
    }),
  ),
  {
    by: 'test_create_alias',
    code: 'ValidationException',
    message:
      'Alias must start with the prefix "alias/". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html',
    ask: async (aws) => ({
      operation: 'CreateAlias',
      body: { AliasName: 'no-prefix', TargetKeyId: await key(aws, 'symmetric') },
    }),
  },
  ...(
    [
      ['ECC_NIST_P256', 'signer', 'ECDSA_SHA_256'],
      ['ECC_NIST_P384', 'signer384', 'ECDSA_SHA_384'],
      ['RSA_4096', 'rsaSigner', 'RSASSA_PKCS1_V1_5_SHA_256'],
      ['RSA_4096', 'rsaSigner', 'RSASSA_PKCS1_V1_5_SHA_512'],
      ['RSA_2048', 'rsaSigner', 'RSASSA_PSS_SHA_256'],
      ['RSA_2048', 'rsaSigner', 'RSASSA_PSS_SHA_384'],
      ['RSA_2048', 'rsaSigner', 'RSASSA_PSS_SHA_512'],
    ] as const
  ).map(
    ([spec, kind, SigningAlgorithm]): Recording => ({
      by: `test_sign_verify[${spec}-${SigningAlgorithm}]`,
      code: 'ValidationException',
      message: `Digest is invalid length for algorithm ${SigningAlgorithm}.`,
      ask: about('Sign', kind, { Message: base64(21), MessageType: 'DIGEST', SigningAlgorithm }),
    }),
  ),
  {
    by: 'test_derive_shared_secret',
    code: 'ValidationException',
    message: 'KeyUsage KEY_AGREEMENT is not compatible with KeySpec RSA_2048',
    ask: newKey({ KeySpec: 'RSA_2048', KeyUsage: 'KEY_AGREEMENT' }),
  },
  {
    by: 'test_generate_random_invalid_number_of_bytes[None]',
    code: 'ValidationException',
    message: 'NumberOfBytes is required.',
    ask: plain('GenerateRandom', {}),
  },
  {
    by: 'test_hmac_create_key_invalid_operations',
    code: 'ValidationException',
    message: 'You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.',
    ask: newKey({ KeySpec: 'HMAC_256' }),
  },
]
