import { ALGORITHM_NAMES, algorithmRow, isAsymmetric, specHas } from '../../core/algorithm.ts'
import { effectiveKeyState, type Key, type KeyVersion } from '../../core/key.ts'
import type { KeyStore } from '../../core/key-store.ts'
import type { Member } from '../../core/multi-region.ts'
import type { KeyView } from '../../core/view.ts'
import { SHAPES } from './gen/shapes.ts'
import type {
  CustomerMasterKeySpec,
  EncapsulationAlgorithmSpec,
  EncryptionAlgorithmSpec,
  KeyAgreementAlgorithmSpec,
  KeyMetadata,
  MacAlgorithmSpec,
  SigningAlgorithmSpec,
} from './gen/types.ts'
import {
  type AwsAddress,
  arnOfKey,
  awsKeyId,
  keyStoreName,
  wireAlgorithm,
  wireOrigin,
  wireSpec,
  wireState,
  wireUsage,
} from './names.ts'

const DAY = 86_400_000

/** Seconds, with the milliseconds that AWS's own timestamps have. */
export const seconds = (at: number): number => at / 1000

/** What AWS says of material that came from outside, while it is there. */
export const renderExpiration = (expiresAt: number | undefined) =>
  expiresAt === undefined
    ? ({ ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' } as const)
    : ({ ExpirationModel: 'KEY_MATERIAL_EXPIRES', ValidTo: seconds(expiresAt) } as const)

function renderKeyStore({ keyStore: membership }: Key, keyStore: KeyStore | undefined) {
  if (membership === undefined) return {}
  const { externalKeyId } = membership
  return {
    CustomKeyStoreId: keyStoreName(membership.id),
    ...(keyStore?.place.kind === 'token' && { CloudHsmClusterId: keyStore.place.cluster }),
    ...(externalKeyId !== undefined && { XksKeyConfiguration: { Id: externalKeyId } }),
  }
}

const LISTS = {
  encrypt_decrypt: { member: 'EncryptionAlgorithms', op: 'encrypt' },
  sign_verify: { member: 'SigningAlgorithms', op: 'sign' },
  mac: { member: 'MacAlgorithms', op: 'mac' },
  key_agreement: { member: 'KeyAgreementAlgorithms', op: 'agree' },
  key_encapsulation: { member: 'EncapsulationAlgorithms', op: 'decapsulate' },
} as const satisfies Partial<Record<Key['purpose'], { member: keyof KeyMetadata; op: string }>>

type AlgorithmLists = {
  readonly EncryptionAlgorithms?: readonly EncryptionAlgorithmSpec[]
  readonly SigningAlgorithms?: readonly SigningAlgorithmSpec[]
  readonly MacAlgorithms?: readonly MacAlgorithmSpec[]
  readonly KeyAgreementAlgorithms?: readonly KeyAgreementAlgorithmSpec[]
  readonly EncapsulationAlgorithms?: readonly EncapsulationAlgorithmSpec[]
}

/** What the key can be asked to do through AWS, in the order in which AWS lists it; a version's allow-list narrows it. */
export function renderAlgorithms(key: Key, version: KeyVersion | undefined): AlgorithmLists {
  // AWS has no word for raw AES, and so does not show such keys.
  if (key.purpose === 'raw_encrypt_decrypt') return {}
  const { member, op } = LISTS[key.purpose]
  const names = ALGORITHM_NAMES.filter(
    (name) =>
      specHas(key.spec, name) &&
      algorithmRow(name).op === op &&
      (version?.algorithms === undefined || !isAsymmetric(key.spec) || version.algorithms.includes(name)),
  )
  const words = names.flatMap((name) => wireAlgorithm(name) ?? [])
  return { [member]: [...new Set(words)].sort() }
}

/** The deprecated twin of KeySpec ends where KeySpec went on. */
const DEPRECATED_SPECS: ReadonlySet<string> = new Set(SHAPES.CustomerMasterKeySpec.enum)
const isDeprecatedSpec = (spec: string): spec is CustomerMasterKeySpec => DEPRECATED_SPECS.has(spec)

/** KeySpec and its deprecated twin, as AWS gives both. */
export function renderSpec(key: Key) {
  const spec = wireSpec(key.spec)
  return { KeySpec: spec, ...(isDeprecatedSpec(spec) && { CustomerMasterKeySpec: spec }) }
}

const renderMember = ({ realm, key }: Member) =>
  realm.aws === undefined ? [] : [{ Arn: arnOfKey(realm.aws, key), Region: realm.aws.region }]

/** Which of a set of keys this one is, and where the others are. */
function renderFamily({ multiRegion }: Key, family: readonly Member[] = []) {
  if (multiRegion === undefined) return { MultiRegion: false }
  const isPrimary = ({ key }: Member): boolean => key.multiRegion?.role === 'primary'
  const [PrimaryKey] = family.filter(isPrimary).flatMap(renderMember)
  const ReplicaKeys = family.filter((member) => !isPrimary(member)).flatMap(renderMember)
  const byRegion = ReplicaKeys.sort((a, b) => (a.Region < b.Region ? -1 : 1))
  return {
    MultiRegion: true,
    MultiRegionConfiguration: {
      MultiRegionKeyType: multiRegion.role === 'primary' ? ('PRIMARY' as const) : ('REPLICA' as const),
      ...(PrimaryKey && { PrimaryKey }),
      ReplicaKeys: byRegion,
    },
  }
}

export function renderKeyMetadata({ key, current, keyStore, family }: KeyView, address: AwsAddress): KeyMetadata {
  const state = effectiveKeyState(key, current, keyStore)
  return {
    AWSAccountId: address.account,
    KeyId: awsKeyId(key),
    Arn: arnOfKey(address, key),
    CreationDate: seconds(key.createdAt),
    Enabled: state === 'enabled',
    Description: key.description,
    KeyUsage: wireUsage(key.purpose),
    KeyState: wireState(state),
    ...(key.deletion !== undefined && state === 'pending_deletion' && { DeletionDate: seconds(key.deletion.dueAt) }),
    ...(key.deletionPlan !== undefined && { PendingDeletionWindowInDays: Math.ceil(key.deletionPlan.delay / DAY) }),
    Origin: wireOrigin(key.origin, key.keyStore !== undefined),
    ...renderKeyStore(key, keyStore),
    ...(key.origin === 'imported' && state !== 'pending_import' && renderExpiration(key.materialExpiresAt)),
    KeyManager: 'CUSTOMER',
    ...renderSpec(key),
    ...renderAlgorithms(key, current),
    ...renderFamily(key, family),
    ...(!isAsymmetric(key.spec) &&
      key.purpose === 'encrypt_decrypt' &&
      key.keyStore === undefined &&
      current !== undefined && { CurrentKeyMaterialId: current.materialId }),
  }
}
