/** AWS's names: ARNs and what may stand for a key, and its words for the core's specs, algorithms, uses and states. */
import { ALGORITHM_NAMES, type Algorithm, KEY_SPEC_NAMES, type KeySpec, type Purpose } from '../../core/algorithm.ts'
import { KmsError } from '../../core/error.ts'
import type { Key, KeyState } from '../../core/key.ts'
import { UUID } from '../../core/key.ts'
import { type KeyWrapping, WRAPPING_KEY_SPECS, type WrappingKeySpec } from '../../core/key-wrapping.ts'
import { type AwsAddress, partitionOf } from '../../core/policy/aws/arn.ts'
import type { KeyReference } from '../../core/reference.ts'
import { AwsError, unsupported, validationError } from './aws-error.ts'
import type {
  AlgorithmSpec,
  EncapsulationAlgorithmSpec,
  EncryptionAlgorithmSpec,
  KeyAgreementAlgorithmSpec,
  KeyUsageType,
  MacAlgorithmSpec,
  OriginType,
  SigningAlgorithmSpec,
  KeySpec as WireSpec,
  KeyState as WireState,
  WrappingKeySpec as WireWrappingKey,
} from './gen/types.ts'

export { type AwsAddress, aliasArn, arnOfKey, arnPrefix, awsKeyId, keyArn, rootArn } from '../../core/policy/aws/arn.ts'

/** Undefined: AWS has no word for it, and keys of it are not there for AWS. */
const SPECS = {
  aes_128: undefined,
  aes_192: undefined,
  aes_256: 'SYMMETRIC_DEFAULT',
  rsa_2048: 'RSA_2048',
  rsa_3072: 'RSA_3072',
  rsa_4096: 'RSA_4096',
  ec_p256: 'ECC_NIST_P256',
  ec_p384: 'ECC_NIST_P384',
  ec_p521: 'ECC_NIST_P521',
  ec_secp256k1: 'ECC_SECG_P256K1',
  ed25519: 'ECC_NIST_EDWARDS25519',
  x25519: undefined,
  hmac_160: undefined,
  hmac_224: 'HMAC_224',
  hmac_256: 'HMAC_256',
  hmac_384: 'HMAC_384',
  hmac_512: 'HMAC_512',
  ml_dsa_44: 'ML_DSA_44',
  ml_dsa_65: 'ML_DSA_65',
  ml_dsa_87: 'ML_DSA_87',
  slh_dsa_sha2_128s: undefined,
  ml_kem_512: 'ML_KEM_512',
  ml_kem_768: 'ML_KEM_768',
  ml_kem_1024: 'ML_KEM_1024',
  x_wing: undefined,
} as const satisfies Record<KeySpec, WireSpec | undefined>

type WireAlgorithm =
  | EncryptionAlgorithmSpec
  | SigningAlgorithmSpec
  | MacAlgorithmSpec
  | KeyAgreementAlgorithmSpec
  | EncapsulationAlgorithmSpec
/** Undefined: AWS has no name for it, and so no way to ask for it. */
const ALGORITHM_WORDS = {
  envelope_hmac_kdf: 'SYMMETRIC_DEFAULT',
  envelope_cbc_kdf: 'SYMMETRIC_DEFAULT',
  aes_gcm: undefined,
  aes_cbc: undefined,
  aes_cbc_pad: undefined,
  aes_ctr: undefined,
  aes_kw: undefined,
  aes_kwp: undefined,
  rsa_oaep_sha1: 'RSAES_OAEP_SHA_1',
  rsa_oaep_sha256: 'RSAES_OAEP_SHA_256',
  rsa_oaep_sha512: undefined,
  rsa_encrypt_pkcs1: undefined,
  rsa_pss_sha256: 'RSASSA_PSS_SHA_256',
  rsa_pss_sha384: 'RSASSA_PSS_SHA_384',
  rsa_pss_sha512: 'RSASSA_PSS_SHA_512',
  rsa_pkcs1_sha256: 'RSASSA_PKCS1_V1_5_SHA_256',
  rsa_pkcs1_sha384: 'RSASSA_PKCS1_V1_5_SHA_384',
  rsa_pkcs1_sha512: 'RSASSA_PKCS1_V1_5_SHA_512',
  rsa_pkcs1_raw: undefined,
  ecdsa_sha256: 'ECDSA_SHA_256',
  ecdsa_sha384: 'ECDSA_SHA_384',
  ecdsa_sha512: 'ECDSA_SHA_512',
  ed25519: 'ED25519_SHA_512',
  ed25519_ph: 'ED25519_PH_SHA_512',
  ml_dsa: 'ML_DSA_SHAKE_256',
  ml_dsa_mu: 'ML_DSA_SHAKE_256',
  slh_dsa: undefined,
  slh_dsa_sha256: undefined,
  hmac_sha1: undefined,
  hmac_sha224: 'HMAC_SHA_224',
  hmac_sha256: 'HMAC_SHA_256',
  hmac_sha384: 'HMAC_SHA_384',
  hmac_sha512: 'HMAC_SHA_512',
  ecdh: 'ECDH',
  ml_kem: 'ML_KEM',
  x_wing: undefined,
} as const satisfies Record<Algorithm, WireAlgorithm | undefined>

/** Undefined as with the specs. */
const USAGES = {
  encrypt_decrypt: 'ENCRYPT_DECRYPT',
  raw_encrypt_decrypt: undefined,
  sign_verify: 'SIGN_VERIFY',
  mac: 'GENERATE_VERIFY_MAC',
  key_agreement: 'KEY_AGREEMENT',
  key_encapsulation: 'ENCAPSULATE_DECAPSULATE',
} as const satisfies Record<Purpose, KeyUsageType | undefined>

const STATES = {
  creating: 'Creating',
  enabled: 'Enabled',
  disabled: 'Disabled',
  updating: 'Updating',
  pending_import: 'PendingImport',
  pending_deletion: 'PendingDeletion',
  pending_replica_deletion: 'PendingReplicaDeletion',
  unavailable: 'Unavailable',
} as const satisfies Record<KeyState, WireState>

const specWord = (spec: KeySpec): WireSpec | undefined => SPECS[spec]
const usageWord = (purpose: Purpose): KeyUsageType | undefined => USAGES[purpose]

/** Whether AWS has words for a key. It is left out of lists and not found otherwise (design section 1). */
export const isExpressible = ({ spec, purpose }: Pick<Key, 'spec' | 'purpose'>): boolean =>
  specWord(spec) !== undefined && usageWord(purpose) !== undefined

/** 'imported' is AWS's EXTERNAL; what never comes here at all is an external key store's. */
const ORIGINS = {
  generated: 'AWS_KMS',
  imported: 'EXTERNAL',
  external: 'EXTERNAL_KEY_STORE',
} as const satisfies Record<Key['origin'], OriginType>

/** `inStore`: keys that a custom key store's token made are of an origin of their own. */
export const wireOrigin = (origin: Key['origin'], inStore = false): OriginType =>
  inStore && origin === 'generated' ? 'AWS_CLOUDHSM' : ORIGINS[origin]

/** SM2PKE is China's alone; RSAES_PKCS1_V1_5 is none of AWS's any more. */
const WRAPPINGS = {
  rsa_oaep_sha1: 'RSAES_OAEP_SHA_1',
  rsa_oaep_sha256: 'RSAES_OAEP_SHA_256',
  rsa_aes_sha1: 'RSA_AES_KEY_WRAP_SHA_1',
  rsa_aes_sha256: 'RSA_AES_KEY_WRAP_SHA_256',
} as const satisfies Record<KeyWrapping, AlgorithmSpec>
const wrappingsByWire: ReadonlyMap<string, KeyWrapping> = new Map(
  (Object.keys(WRAPPINGS) as KeyWrapping[]).map((wrapping) => [WRAPPINGS[wrapping], wrapping]),
)
export const coreWrapping = (wire: AlgorithmSpec): KeyWrapping | undefined => wrappingsByWire.get(wire)
export const coreWrappingKey = (wire: WireWrappingKey): WrappingKeySpec | undefined =>
  WRAPPING_KEY_SPECS.find((spec) => SPECS[spec] === wire)

/** For keys that are expressible, which the kernel sees to. */
function expressed<T>(word: T | undefined): T {
  if (word === undefined) throw new KmsError('internal')
  return word
}
export const wireSpec = (spec: KeySpec): WireSpec => expressed(specWord(spec))
export const wireUsage = (purpose: Purpose): KeyUsageType => expressed(usageWord(purpose))
export const wireState = (state: KeyState): WireState => STATES[state]
export const wireAlgorithm = (algorithm: Algorithm): (typeof ALGORITHM_WORDS)[Algorithm] => ALGORITHM_WORDS[algorithm]

const specsByWire: ReadonlyMap<string | undefined, KeySpec> = new Map(KEY_SPEC_NAMES.map((spec) => [SPECS[spec], spec]))
const algorithmsByWire: ReadonlyMap<string, Algorithm> = new Map(
  ALGORITHM_NAMES.flatMap((name) => {
    const word = ALGORITHM_WORDS[name]
    return word === undefined || word === 'SYMMETRIC_DEFAULT' ? [] : [[word, name] as const]
  }),
)
const purposesByWire: ReadonlyMap<string | undefined, Purpose> = new Map(
  (Object.keys(USAGES) as Purpose[]).map((purpose) => [USAGES[purpose], purpose]),
)

/** Undefined for what AWS has and the core does not. */
export const coreSpec = (wire: WireSpec): KeySpec | undefined => specsByWire.get(wire)
export const corePurpose = (wire: KeyUsageType): Purpose | undefined => purposesByWire.get(wire)
/** Not for SYMMETRIC_DEFAULT, which stands for whichever envelope the key's backend has. */
export const coreAlgorithm = (wire: WireAlgorithm): Algorithm | undefined => algorithmsByWire.get(wire)

/** For messages: AWS's word for a core name, or the text itself. */
export const algorithmWireName = (text: string): string =>
  text === 'envelope'
    ? 'SYMMETRIC_DEFAULT'
    : (({ ...WRAPPINGS, ...ALGORITHM_WORDS } as Record<string, string | undefined>)[text] ?? text)
export const specWireName = (text: string): string => (SPECS as Record<string, string | undefined>)[text] ?? text
export const usageWireName = (text: string): string => (USAGES as Record<string, string | undefined>)[text] ?? text

const notFound = (message: string): AwsError => new AwsError('NotFoundException', message)
const MULTI_REGION_ID = /^mrk-[0-9a-f]{32}$/
const ARN = /^arn:(aws[a-z-]*):kms:([a-z0-9-]+):(\d{12}):(key|alias)\/(.+)$/

/** A key by an id of its own, or by the one that it shares with keys of other Regions. */
export type KeyIdReference = KeyReference & { readonly by: 'id' | 'multi_region' }

function readKeyId(id: string): KeyIdReference | undefined {
  if (UUID.test(id)) return { by: 'id', id }
  return MULTI_REGION_ID.test(id) ? { by: 'multi_region', id } : undefined
}

function refuseKeyId(message: string): never {
  throw notFound(message)
}

/** The caller's account in another Region. @throws AwsError: keys have no relatives in other partitions */
export function regionAddress(region: string, { account, region: own }: AwsAddress) {
  if (partitionOf(region) !== partitionOf(own)) throw unsupported(`Region ${region} is in another partition.`)
  return { dialect: 'aws', account, region } as const
}

/**
 * A key id, key ARN, alias name or alias ARN.
 *
 * @throws AwsError NotFoundException, as recorded from the service
 */
export function parseKeyReference(text: string, address: AwsAddress): KeyReference {
  if (text.startsWith('arn:')) return parseArn(text, address)
  if (text.startsWith('alias/')) return { by: 'alias', name: text }
  return readKeyId(text) ?? refuseKeyId(`Invalid keyId '${text}'`)
}

function parseArn(text: string, address: AwsAddress): KeyReference {
  const [, partition, region, account, kind, id] = ARN.exec(text) ?? []
  if (region === undefined || id === undefined) throw notFound(`Invalid arn ${text}`)
  if (region !== address.region || partition !== partitionOf(region)) throw notFound(`Invalid arn ${region}`)
  const reference =
    kind === 'key'
      ? (readKeyId(id) ?? refuseKeyId(`Key '${text}' does not exist`))
      : ({ by: 'alias', name: `alias/${id}` } as const)
  return account === undefined || account === address.account ? reference : inAccount(reference, account, region)
}

/** A key of another account, in the same region. */
export const inAccount = <R extends KeyReference>(reference: R, account: string, region: string) => ({
  ...reference,
  realm: { dialect: 'aws', account, region } as const,
})

/** What AWS calls custom key stores by. */
const STORE_PREFIX = 'cks-'
export const keyStoreName = (id: string): string => `${STORE_PREFIX}${id}`
/** Any text: one that is no store's name is no store's id either. */
export const parseKeyStore = (text: string): string =>
  text.startsWith(STORE_PREFIX) ? text.slice(STORE_PREFIX.length) : text

/** For operations that AWS lets name a key by its id or ARN only. @throws AwsError for an alias, as the service answers */
export function parseKeyIdOrArn(text: string, address: AwsAddress): KeyIdReference {
  const reference = parseKeyReference(text, address)
  if (reference.by === 'id' || reference.by === 'multi_region') return reference
  throw new AwsError('InvalidArnException', 'Key Aliases are not supported for this operation.')
}

/** For operations on aliases, which take no alias for a key. */
export function parseTargetKey(text: string, address: AwsAddress): KeyReference {
  const reference = parseKeyReference(text, address)
  if (reference.by === 'alias') throw validationError('Aliases must refer to keys. Not aliases')
  if (reference.realm !== undefined) throw notFound(`Key '${text}' does not exist`)
  return reference
}

/** @throws AwsError as recorded from the service */
export function checkAliasPrefix(name: string): void {
  if (name.startsWith('alias/')) return
  throw validationError(
    'Alias must start with the prefix "alias/". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html',
  )
}

/** AWS's quota of aliases of a key. */
export const MAX_ALIASES = 50

/** @throws AwsError for a name that AWS gives to no one */
export function checkAliasName(name: string): void {
  checkAliasPrefix(name)
  if (name === 'alias/') throw validationError('Alias must not be empty')
  if (name.startsWith('alias/aws/')) throw new AwsError('NotAuthorizedException')
  if (name.includes(':')) throw validationError(`${name} contains invalid characters for an alias`)
}
