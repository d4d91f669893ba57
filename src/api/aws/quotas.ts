/**
 * Request quotas as AWS publishes them: requests a second that one account may make in one region, one number for each
 * operation, and for the cryptographic ones one for each kind of key, which they share.
 */
import { nearest } from '../../config/nearest.ts'
import { KmsError } from '../../core/error.ts'
import type { Key } from '../../core/key.ts'
import type { Clock } from '../../core/ports.ts'
import { Problem } from '../../core/problem.ts'
import { TokenBuckets } from '../../core/token-buckets.ts'
import type { InputName } from './validate.ts'

/** Of the operations that use keys. */
const CRYPTOGRAPHIC = {
  'Cryptographic operations (symmetric)': 10_000,
  'Cryptographic operations (RSA)': 1000,
  'Cryptographic operations (ECC)': 1000,
  'Cryptographic operations (ML-DSA)': 1000,
  'Cryptographic operations (ML-KEM)': 1000,
} as const
type Shared = keyof typeof CRYPTOGRAPHIC

const PAIRS = {
  'GenerateDataKeyPair (RSA_2048)': 20,
  'GenerateDataKeyPair (RSA_3072)': 4,
  'GenerateDataKeyPair (RSA_4096)': 1,
  'GenerateDataKeyPair (ECC)': 100,
} as const

/** `shared`: counted with the kind of key. */
const OPERATIONS = {
  CancelKeyDeletion: 5,
  ConnectCustomKeyStore: 5,
  CreateAlias: 5,
  CreateCustomKeyStore: 5,
  CreateGrant: 50,
  CreateKey: 5,
  Decapsulate: 'shared',
  Decrypt: 'shared',
  DeleteAlias: 15,
  DeleteCustomKeyStore: 5,
  DeleteImportedKeyMaterial: 15,
  DeriveSharedSecret: 'shared',
  DescribeCustomKeyStores: 5,
  DescribeKey: 2000,
  DisableKey: 5,
  DisableKeyRotation: 5,
  DisconnectCustomKeyStore: 5,
  EnableKey: 5,
  EnableKeyRotation: 15,
  Encapsulate: 'shared',
  Encrypt: 'shared',
  GenerateDataKey: 'shared',
  GenerateDataKeyPair: 'pair',
  GenerateDataKeyPairWithoutPlaintext: 'pair',
  GenerateDataKeyWithoutPlaintext: 'shared',
  GenerateMac: 'shared',
  GenerateRandom: 'shared',
  GetKeyLastUsage: 5,
  GetKeyPolicy: 1000,
  GetKeyRotationStatus: 1000,
  GetParametersForImport: 1,
  GetPublicKey: 2000,
  ImportKeyMaterial: 15,
  ListAliases: 500,
  ListGrants: 100,
  ListKeyPolicies: 100,
  ListKeyRotations: 100,
  ListKeys: 500,
  ListResourceTags: 2000,
  ListRetirableGrants: 100,
  PutKeyPolicy: 15,
  ReEncrypt: 'shared',
  ReplicateKey: 5,
  RetireGrant: 30,
  RevokeGrant: 30,
  RotateKeyOnDemand: 5,
  ScheduleKeyDeletion: 15,
  Sign: 'shared',
  TagResource: 10,
  UntagResource: 5,
  UpdateAlias: 5,
  UpdateCustomKeyStore: 5,
  UpdateKeyDescription: 5,
  UpdatePrimaryRegion: 5,
  Verify: 'shared',
  VerifyMac: 'shared',
} as const satisfies Record<InputName, number | 'shared' | 'pair'>

type Quota = Shared | keyof typeof PAIRS | InputName

/** Requests a second; absent: none. */
export type Quotas = Readonly<Partial<Record<string, number>>>

const numbers: [string, number][] = Object.entries(OPERATIONS).flatMap(([name, limit]) =>
  typeof limit === 'number' ? [[name, limit] as [string, number]] : [],
)
/** AWS's own numbers. */
export const AWS_QUOTAS: Quotas = Object.fromEntries([...Object.entries({ ...CRYPTOGRAPHIC, ...PAIRS }), ...numbers])

/** With others over some of them. @throws Problem for one that AWS does not have */
export function quotasWith(limits: Readonly<Record<string, number>>): Quotas {
  for (const name of Object.keys(limits)) {
    if (name in AWS_QUOTAS) continue
    const meant = nearest(name, Object.keys(AWS_QUOTAS))
    throw new Problem(
      `aws.quotaLimits: there is no quota ${JSON.stringify(name)}`,
      meant === undefined
        ? 'name an operation of AWS KMS, or a group that docs/aws.md lists'
        : `did you mean ${meant}?`,
    )
  }
  return { ...AWS_QUOTAS, ...limits }
}

function sharedBy(spec: Key['spec'] | undefined): Shared {
  if (spec === undefined) return 'Cryptographic operations (symmetric)'
  if (spec.startsWith('rsa_')) return 'Cryptographic operations (RSA)'
  if (spec.startsWith('ml_dsa')) return 'Cryptographic operations (ML-DSA)'
  if (spec.startsWith('ml_kem')) return 'Cryptographic operations (ML-KEM)'
  if (spec.startsWith('ec_') || spec.startsWith('ed')) return 'Cryptographic operations (ECC)'
  return 'Cryptographic operations (symmetric)'
}

/** `body` is not validated yet. */
function quotaOf(wire: InputName, key: Key | undefined, body: unknown): Quota {
  const rule = OPERATIONS[wire]
  if (rule === 'shared') return sharedBy(key?.spec)
  if (rule !== 'pair') return wire
  const spec = typeof body === 'object' && body !== null && 'KeyPairSpec' in body ? body.KeyPairSpec : undefined
  const name = `GenerateDataKeyPair (${String(spec)})`
  return name in PAIRS ? (name as keyof typeof PAIRS) : 'GenerateDataKeyPair (ECC)'
}

export class RequestQuotas {
  readonly #quotas: Quotas
  readonly #clock: Clock
  readonly #buckets = new TokenBuckets()

  constructor(quotas: Quotas, clock: Clock) {
    this.#quotas = quotas
    this.#clock = clock
  }

  /**
   * For one request of somebody's, however many keys it names: counts it once for each quota that it falls under.
   * @param who account and region
   */
  admitter(who: string, wire: InputName, body: unknown): (key: Key | undefined) => void {
    const counted = new Set<Quota>()
    return (key) => {
      const quota = quotaOf(wire, key, body)
      if (counted.has(quota)) return
      counted.add(quota)
      this.#take(`${who}/${quota}`, this.#quotas[quota])
    }
  }

  /** @throws KmsError throttled */
  #take(name: string, rate: number | undefined): void {
    if (rate !== undefined && this.#buckets.take(name, rate, this.#clock.now()) > 0) throw new KmsError('throttled')
  }
}
