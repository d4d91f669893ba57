/**
 * Errors that AWS itself was seen to answer (reference recordings of 2026-11), each with the request that provokes it here.
 * `<…>` stands for what a recording replaced: names of the recorder's own keys, account and regions.
 */
import { randomBytes } from 'node:crypto'
import { arnOf, REGION, type TestAws, UNKNOWN_ID } from './support.ts'
import { FOREVER, SHA_256, wrapped } from './wrapping.ts'

export type Asked = {
  readonly operation: string
  readonly body: object
  readonly region?: string
  /** What stands here for what the recording replaced. */
  readonly names?: Readonly<Record<string, string>>
}
export type Recording = {
  /** Name of the recorder's test. */
  readonly by: string
  readonly code: string
  readonly message: string
  /** Values of the enumeration that are newer than the recording; the service names them after those that it had. */
  readonly newer?: readonly string[]
  ask(aws: TestAws): Promise<Asked> | Asked
}

const KINDS = {
  symmetric: {},
  rsa: { KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' },
  rsa3072: { KeySpec: 'RSA_3072', KeyUsage: 'ENCRYPT_DECRYPT' },
  rsa4096: { KeySpec: 'RSA_4096', KeyUsage: 'ENCRYPT_DECRYPT' },
  rsaSigner: { KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' },
  signer: { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' },
  signer384: { KeySpec: 'ECC_NIST_P384', KeyUsage: 'SIGN_VERIFY' },
  agreement: { KeySpec: 'ECC_NIST_P256', KeyUsage: 'KEY_AGREEMENT' },
  mac: { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' },
  mac224: { KeySpec: 'HMAC_224', KeyUsage: 'GENERATE_VERIFY_MAC' },
  imported: { Origin: 'EXTERNAL' },
} as const
type Kind = keyof typeof KINDS

const made = new WeakMap<TestAws, Map<string, Promise<string>>>()
function once(aws: TestAws, name: string, make: () => Promise<string>): Promise<string> {
  const known = made.get(aws) ?? new Map<string, Promise<string>>()
  made.set(aws, known)
  const value = known.get(name) ?? make()
  known.set(name, value)
  return value
}
export const key = (aws: TestAws, kind: Kind): Promise<string> => once(aws, kind, () => aws.createKey(KINDS[kind]))

export const base64 = (length: number): string => Buffer.alloc(length, 1).toString('base64')
export const HI = base64(2)
const OTHER_REGION = 'us-west-2'

/** A request about a key of that kind, which the message names. */
export const about =
  (operation: string, kind: Kind, more: object = {}) =>
  async (aws: TestAws): Promise<Asked> => {
    const KeyId = await key(aws, kind)
    return { operation, body: { KeyId, ...more }, names: { '<key-arn>': arnOf(KeyId) } }
  }
export const plain = (operation: string, body: object) => (): Asked => ({ operation, body })
export const newKey = (body: object) => plain('CreateKey', body)

export const ECDH = { KeyAgreementAlgorithm: 'ECDH' } as const
const agreeing = async (aws: TestAws): Promise<object> => {
  const { body } = await aws.ask('GetPublicKey', { KeyId: await key(aws, 'agreement') })
  return { ...ECDH, PublicKey: body.PublicKey }
}
const macOf = async (aws: TestAws, Message: string): Promise<object> => {
  const KeyId = await key(aws, 'mac')
  const { body } = await aws.ask('GenerateMac', { KeyId, Message, MacAlgorithm: 'HMAC_SHA_256' })
  return { KeyId, Mac: body.Mac, MacAlgorithm: 'HMAC_SHA_256' }
}

export const USES: readonly Recording[] = [
  {
    by: 'test_generate_data_key_pair_dry_run',
    code: 'DryRunOperationException',
    message: 'The request would have succeeded, but the DryRun option is set.',
    ask: about('GenerateDataKeyPair', 'symmetric', { KeyPairSpec: 'RSA_2048', DryRun: true }),
  },
  {
    by: 'test_error_messaging_for_invalid_keys',
    code: 'IncorrectKeyException',
    message: 'The key ID in the request does not identify a CMK that can perform this operation.',
    async ask(aws) {
      const { body } = await aws.ask('Encrypt', { KeyId: await key(aws, 'symmetric'), Plaintext: HI })
      const KeyId = await aws.createKey()
      return { operation: 'Decrypt', body: { KeyId, CiphertextBlob: body.CiphertextBlob } }
    },
  },
  {
    by: 'test_encrypt_decrypt_encryption_context',
    code: 'InvalidCiphertextException',
    message: '',
    async ask(aws) {
      const request = { KeyId: await key(aws, 'symmetric'), Plaintext: HI, EncryptionContext: { a: 'b' } }
      const { body } = await aws.ask('Encrypt', request)
      return { operation: 'Decrypt', body: { CiphertextBlob: body.CiphertextBlob, EncryptionContext: { a: 'c' } } }
    },
  },
  {
    by: 'test_derive_shared_secret',
    code: 'InvalidKeyUsageException',
    message: '<key-arn> key usage is ENCRYPT_DECRYPT which is not valid for DeriveSharedSecret.',
    ask: async (aws) => about('DeriveSharedSecret', 'symmetric', await agreeing(aws))(aws),
  },
  {
    by: 'test_error_messaging_for_invalid_keys',
    code: 'InvalidKeyUsageException',
    message: '<key-arn> key usage is ENCRYPT_DECRYPT which is not valid for GenerateMac.',
    ask: about('GenerateMac', 'symmetric', { Message: HI, MacAlgorithm: 'HMAC_SHA_224' }),
  },
  {
    by: 'test_error_messaging_for_invalid_keys',
    code: 'InvalidKeyUsageException',
    message: '<key-arn> key usage is ENCRYPT_DECRYPT which is not valid for Verify.',
    ask: about('Verify', 'rsa', { Message: HI, Signature: HI, SigningAlgorithm: 'RSASSA_PSS_SHA_256' }),
  },
  {
    by: 'test_error_messaging_for_invalid_keys',
    code: 'InvalidKeyUsageException',
    message: '<key-arn> key usage is GENERATE_VERIFY_MAC which is not valid for Sign.',
    ask: about('Sign', 'mac', { Message: HI, SigningAlgorithm: 'RSASSA_PSS_SHA_256' }),
  },
  {
    by: 'test_derive_shared_secret',
    code: 'InvalidKeyUsageException',
    message: '<key-arn> key usage is SIGN_VERIFY which is not valid for DeriveSharedSecret.',
    ask: async (aws) => about('DeriveSharedSecret', 'signer', await agreeing(aws))(aws),
  },
  {
    by: 'test_error_messaging_for_invalid_keys',
    code: 'InvalidKeyUsageException',
    message: '<key-arn> key usage is SIGN_VERIFY which is not valid for Encrypt.',
    ask: about('Encrypt', 'signer', { Plaintext: HI }),
  },
  {
    by: 'test_invalid_generate_mac[HMAC_224-HMAC_SHA_256]',
    code: 'InvalidKeyUsageException',
    message: 'Algorithm HMAC_SHA_256 is incompatible with key spec HMAC_224.',
    ask: about('GenerateMac', 'mac224', { Message: HI, MacAlgorithm: 'HMAC_SHA_256' }),
  },
  {
    by: 'test_invalid_verify_mac[HMAC_256-HMAC_SHA_512-some important message]',
    code: 'InvalidKeyUsageException',
    message: 'Algorithm HMAC_SHA_512 is incompatible with key spec HMAC_256.',
    ask: about('VerifyMac', 'mac', { Message: HI, Mac: base64(64), MacAlgorithm: 'HMAC_SHA_512' }),
  },
  {
    by: 'test_invalid_verify_mac[HMAC_256-HMAC_SHA_256-some different important message]',
    code: 'KMSInvalidMacException',
    message: '',
    ask: async (aws) => ({ operation: 'VerifyMac', body: { ...(await macOf(aws, HI)), Message: base64(3) } }),
  },
  {
    by: 'test_sign_verify[RSA_2048-RSASSA_PSS_SHA_256]',
    code: 'KMSInvalidSignatureException',
    message: '',
    ask: about('Verify', 'rsaSigner', {
      Message: HI,
      Signature: base64(256),
      SigningAlgorithm: 'RSASSA_PSS_SHA_256',
    }),
  },
]

const MRK = `mrk-${'0'.repeat(32)}`
export const LIFE: readonly Recording[] = [
  {
    by: 'test_rotate_key_on_demand_raises_error_given_key_is_disabled',
    code: 'DisabledException',
    message: '<key-arn> is disabled.',
    async ask(aws) {
      const KeyId = await aws.createKey()
      await aws.ask('DisableKey', { KeyId })
      return { operation: 'RotateKeyOnDemand', body: { KeyId }, names: { '<key-arn>': arnOf(KeyId) } }
    },
  },
  {
    by: 'test_import_key_material_raises_if_there_is_already_key_material_pending',
    code: 'KMSInvalidStateException',
    message:
      'New key material (id: <key-material-id>) cannot be imported into KMS key <key-id:1>, because another key material (id: <key-material-id:2>) is pending rotation.',
    async ask(aws) {
      const KeyId = await aws.createKey({ Origin: 'EXTERNAL' })
      const NEW = { ...FOREVER, ImportType: 'NEW_KEY_MATERIAL' }
      await aws.ask('ImportKeyMaterial', { ...(await wrapped(aws, KeyId, randomBytes(32))), ...FOREVER })
      const second = await aws.ask('ImportKeyMaterial', { ...(await wrapped(aws, KeyId, randomBytes(32))), ...NEW })
      const third = randomBytes(32)
      // What the third's id is, another key tells.
      const twin = await aws.createKey({ Origin: 'EXTERNAL' })
      const known = await aws.ask('ImportKeyMaterial', { ...(await wrapped(aws, twin, third)), ...FOREVER })
      return {
        operation: 'ImportKeyMaterial',
        body: { ...(await wrapped(aws, KeyId, third)), ...NEW },
        names: {
          '<key-material-id>': known.body.KeyMaterialId,
          '<key-id:1>': KeyId,
          '<key-material-id:2>': second.body.KeyMaterialId,
        },
      }
    },
  },
  {
    by: 'test_rotate_key_on_demand_raises_for_no_pending_key_material',
    code: 'KMSInvalidStateException',
    message: 'No available key material pending rotation for the key: <key-arn>.',
    async ask(aws) {
      const KeyId = await aws.createKey({ Origin: 'EXTERNAL' })
      await aws.ask('ImportKeyMaterial', { ...(await wrapped(aws, KeyId, randomBytes(32))), ...FOREVER })
      return { operation: 'RotateKeyOnDemand', body: { KeyId }, names: { '<key-arn>': arnOf(KeyId) } }
    },
  },
  {
    by: 'test_import_key_symmetric',
    code: 'KMSInvalidStateException',
    message: 'arn:<partition>:kms:<region>:111111111111:key/<key-id:1> is pending import.',
    async ask(aws) {
      const KeyId = await key(aws, 'imported')
      const names = { 'arn:<partition>:kms:<region>:111111111111:key/<key-id:1>': arnOf(KeyId) }
      return { operation: 'Encrypt', body: { KeyId, Plaintext: HI }, names }
    },
  },
  {
    by: 'test_key_rotations_limits',
    code: 'LimitExceededException',
    message:
      'The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can be performed for this key: <key-arn>',
    async ask(aws) {
      const KeyId = await aws.createKey()
      for (let i = 0; i < 25; i++) await aws.ask('RotateKeyOnDemand', { KeyId })
      return { operation: 'RotateKeyOnDemand', body: { KeyId }, names: { '<key-arn>': arnOf(KeyId) } }
    },
  },
  {
    by: 'test_rotate_key_on_demand_raises_error_given_non_symmetric_key',
    code: 'UnsupportedOperationException',
    message: '',
    ask: about('RotateKeyOnDemand', 'rsa'),
  },
  {
    by: 'test_get_parameters_for_import',
    code: 'UnsupportedOperationException',
    message: '<key-arn> origin is AWS_KMS which is not valid for this operation.',
    ask: about('GetParametersForImport', 'symmetric', SHA_256),
  },
  {
    by: 'test_rotate_key_on_demand_raises_error_given_key_with_imported_key_material',
    code: 'UnsupportedOperationException',
    message: '<key-arn> origin is EXTERNAL which is not valid for this operation.',
    ask: about('RotateKeyOnDemand', 'imported'),
  },
  {
    by: 'test_replicate_replica_key_should_fail',
    code: 'UnsupportedOperationException',
    message: '<mrk-key-arn> is not a multi-region primary key.',
    async ask(aws) {
      const KeyId = await aws.createKey({ MultiRegion: true })
      await aws.ask('ReplicateKey', { KeyId, ReplicaRegion: OTHER_REGION })
      const body = { KeyId, ReplicaRegion: 'eu-central-1' }
      const names = { '<mrk-key-arn>': arnOf(KeyId).replace(REGION, OTHER_REGION) }
      return { operation: 'ReplicateKey', body, region: OTHER_REGION, names }
    },
  },
]

const describe = (KeyId: string, names: Asked['names'] = {}) => ({ operation: 'DescribeKey', body: { KeyId }, names })
export const NAMES: readonly Recording[] = [
  {
    by: 'test_get_key_in_different_region',
    code: 'NotFoundException',
    message: 'Invalid arn <secondary-region>',
    ask: () => describe(arnOf(UNKNOWN_ID).replace(REGION, OTHER_REGION), { '<secondary-region>': OTHER_REGION }),
  },
  ...(
    [
      ['134f2428cec14b25a1ae9048164dba47', 'test_get_key_invalid_uuid'],
      ['fake-key-id', 'test_get_key_invalid_uuid'],
      ['key_id', 'test_generate_and_verify_mac[HMAC_224-HMAC_SHA_224]'],
      ['mrk-fake-key-id', 'test_get_key_invalid_uuid'],
    ] as const
  ).map(
    ([id, by]): Recording => ({
      by,
      code: 'NotFoundException',
      message: `Invalid keyId '${id}'`,
      ask: () =>
        id === 'key_id'
          ? { operation: 'GenerateMac', body: { KeyId: id, Message: HI, MacAlgorithm: 'HMAC_SHA_224' } }
          : describe(id),
    }),
  ),
  {
    by: 'test_get_key_does_not_exist',
    code: 'NotFoundException',
    message: "Key '<key-arn>' does not exist",
    ask: () => describe(UNKNOWN_ID, { '<key-arn>': arnOf(UNKNOWN_ID) }),
  },
  {
    by: 'test_get_key_does_not_exist',
    code: 'NotFoundException',
    message: "Key '<mrk-key-arn>' does not exist",
    ask: () => describe(MRK, { '<mrk-key-arn>': arnOf(MRK) }),
  },
  {
    by: 'test_get_key_in_different_region',
    code: 'NotFoundException',
    message: "Key 'arn:<partition>:kms:<region>:111111111111:key/<key-id:1>' does not exist",
    async ask(aws) {
      const KeyId = await key(aws, 'symmetric')
      const there = arnOf(KeyId).replace(REGION, OTHER_REGION)
      const names = { 'arn:<partition>:kms:<region>:111111111111:key/<key-id:1>': there }
      return { ...describe(KeyId, names), region: OTHER_REGION }
    },
  },
  {
    by: 'test_replicate_key',
    code: 'NotFoundException',
    message: "Key 'arn:<partition>:kms:ap-southeast-1:111111111111:key/<key-id:1>' does not exist",
    async ask(aws) {
      const KeyId = await aws.createKey({ MultiRegion: true })
      await aws.ask('ReplicateKey', { KeyId, ReplicaRegion: OTHER_REGION })
      const there = arnOf(KeyId).replace(REGION, 'ap-southeast-1')
      const names = { 'arn:<partition>:kms:ap-southeast-1:111111111111:key/<key-id:1>': there }
      return { ...describe(KeyId, names), region: 'ap-southeast-1' }
    },
  },
]

const tags = (...names: readonly string[]) => names.map((TagKey) => ({ TagKey, TagValue: 'v' }))
export const TAGS: readonly Recording[] = [
  {
    by: 'test_tag_key_with_duplicate_tag_keys_raises_error',
    code: 'TagException',
    message: 'Duplicate tag keys',
    ask: about('TagResource', 'symmetric', { Tags: tags('a', 'a') }),
  },
  {
    by: 'test_tag_existing_key_with_invalid_tag_key',
    code: 'TagException',
    message: 'Tags beginning with aws: are reserved',
    ask: about('TagResource', 'symmetric', { Tags: tags('aws:key') }),
  },
  {
    by: 'test_create_key_with_too_many_tags_raises_error',
    code: 'TagException',
    message: 'Too many tags',
    ask: newKey({ Tags: tags(...Array.from({ length: 51 }, (_, index) => `k${index}`)) }),
  },
]
