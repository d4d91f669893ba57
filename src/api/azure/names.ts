/** How Azure Key Vault names things: vaults in host names, key identifiers, key types and permitted operations. */
import { KEY_SPECS, type KeySpec, type KeyUse } from '../../core/algorithm.ts'
import { invalidArgument, KmsError } from '../../core/error.ts'
import type { Key, KeyVersion } from '../../core/key.ts'
import { UUID } from '../../core/key.ts'
import type { KeyReference, VersionReference } from '../../core/reference.ts'
import type { RequestHead } from '../surface.ts'
import { knows } from './api-version.ts'

const MANAGED_HSM_DOMAIN = 'managedhsm.azure.net'
/** Azure's own domains, served too when a client is led here by a proxy or a hosts file. */
const CLOUD_DOMAINS = ['vault.azure.net', MANAGED_HSM_DOMAIN] as const
const VAULT_LABEL = /^[0-9a-z](?:[0-9a-z-]{0,61}[0-9a-z])?$/
const HOST = /^(?:\[[0-9a-f:.]{2,45}\]|[0-9a-z](?:[0-9a-z.-]{0,251}[0-9a-z])?)(?::[0-9]{1,5})?$/i
/** The vault of a host that names none. */
const BARE_HOST_VAULT = 'default'

export type VaultHost = {
  /** Lower case. */
  readonly vault: string
  /** Domain the vault is in; undefined for a bare host. */
  readonly domain: string | undefined
  /** As requested, without its port, lower case. */
  readonly hostname: string
  /** `:7443`, or empty for the scheme's own port. */
  readonly port: string
}

/**
 * Reads a Host header: `<vault>.<vaultDomain>[:port]`, `<vault>.vault.azure.net`, `<vault>.managedhsm.azure.net`, or a bare host.
 * @throws KmsError invalid_argument for a header that is no host, realm_not_found for one that no vault can have
 */
export function parseHost(host: string, vaultDomain: string): VaultHost {
  if (!HOST.test(host)) throw invalidArgument('Host', 'not a host name')
  const [, hostname = '', port = ''] = /^(.*?)(:[0-9]+)?$/.exec(host.toLowerCase()) ?? []
  const domain = [vaultDomain.toLowerCase(), ...CLOUD_DOMAINS].find((candidate) => hostname.endsWith(`.${candidate}`))
  if (domain === undefined) return { vault: BARE_HOST_VAULT, domain, hostname, port }
  const vault = hostname.slice(0, -domain.length - 1)
  if (!VAULT_LABEL.test(vault)) throw new KmsError('realm_not_found', { address: vault })
  return { vault, domain, hostname, port }
}

export const isManagedHsm = ({ domain }: VaultHost): boolean => domain === MANAGED_HSM_DOMAIN

/** Whether a host can only be a vault's, told without any setting: used before a dialect is known. */
export const isVaultHost = (host: string): boolean =>
  /^[0-9a-z-]+\.(?:vault|managedhsm)\.[0-9a-z.-]+(?::[0-9]+)?$/i.test(host)

/** HTTP/2 names the host in a pseudo header. */
export const hostOf = (headers: RequestHead['headers']): string => {
  const host = headers.host ?? headers[':authority']
  return typeof host === 'string' ? host : ''
}

const KEY_NAME = /^[0-9a-zA-Z-]{1,127}$/
const VERSION_ID = /^[0-9a-f]{32}$/i

/** A name that Azure's grammar cannot say (an underscore, say) gives way to the key's UUID. */
export const azureName = (key: Pick<Key, 'id' | 'name'>): string => (KEY_NAME.test(key.name) ? key.name : key.id)

export const keyUrl = (base: string, key: Pick<Key, 'id' | 'name'>): string => `${base}/keys/${azureName(key)}`
export const keyId = (base: string, key: Pick<Key, 'id' | 'name'>, version: Pick<KeyVersion, 'hexId'>): string =>
  `${keyUrl(base, key)}/${version.hexId}`
export const recoveryId = (base: string, key: Pick<Key, 'id' | 'name'>): string =>
  `${base}/deletedkeys/${azureName(key)}`

/** @throws KmsError invalid_argument for a name outside Azure's grammar */
export function parseKeyName(name: string): string {
  if (!KEY_NAME.test(name))
    throw invalidArgument('request', 'The key name in the URL is not valid: ^[0-9a-zA-Z-]{1,127}$')
  return name
}

export const keyReference = (name: string): KeyReference => ({
  by: 'name',
  ring: { by: 'default' },
  name: parseKeyName(name),
})

/** UUID-shaped names belong to keys that were made without one. */
export const isReservedName = (name: string): boolean => UUID.test(name)

/**
 * A version in a URL; empty means the current one.
 * @throws KmsError unknown_operation: Azure takes a segment that is no version for an operation
 */
export function versionReference(version: string): VersionReference | undefined {
  if (version === '') return undefined
  if (!VERSION_ID.test(version)) throw new KmsError('unknown_operation', { operation: version.slice(0, 64) })
  return { by: 'hex', hex: version.toLowerCase() }
}

export const KEY_TYPES = ['RSA', 'RSA-HSM', 'EC', 'EC-HSM', 'AKP', 'AKP-HSM', 'oct', 'oct-HSM'] as const
export type KeyType = (typeof KEY_TYPES)[number]
type KeyFamily = 'RSA' | 'EC' | 'AKP' | 'oct'
/** The type without where its keys live. */
export const familyOf = (kty: KeyType): KeyFamily => kty.replace(/-HSM$/, '') as KeyFamily

/** RFC 9964's names of the algorithm that an AKP key is made for. */
export const AKP_ALGORITHMS = {
  'ML-DSA-44': 'ml_dsa_44',
  'ML-DSA-65': 'ml_dsa_65',
  'ML-DSA-87': 'ml_dsa_87',
} as const satisfies Record<string, KeySpec>
export type AkpAlgorithm = keyof typeof AKP_ALGORITHMS
export const isAkpAlgorithm = (alg: string): alg is AkpAlgorithm => Object.hasOwn(AKP_ALGORITHMS, alg)
/** Whether the version of the API has a word for keys of the type. */
export function knowsType(apiVersion: string, kty: KeyType): boolean {
  if (familyOf(kty) === 'AKP') return knows(apiVersion, 'akp')
  return kty !== 'oct-HSM' || knows(apiVersion, 'aes')
}
/** Whether it has words for what the key does. */
export function knowsKey(apiVersion: string, key: Pick<Key, 'spec' | 'protection' | 'purpose'>): boolean {
  const kty = keyTypeOf(key)
  return kty !== undefined && knowsType(apiVersion, kty) && (!isMacSpec(key.spec) || knows(apiVersion, 'hmac'))
}

export const CURVES = {
  'P-256': 'ec_p256',
  'P-384': 'ec_p384',
  'P-521': 'ec_p521',
  'P-256K': 'ec_secp256k1',
} as const satisfies Record<string, KeySpec>
export type Curve = keyof typeof CURVES
const CURVE_OF: Readonly<Partial<Record<KeySpec, Curve>>> = Object.fromEntries(
  Object.entries(CURVES).map(([curve, spec]) => [spec, curve]),
)
export const curveOf = (spec: KeySpec): Curve | undefined => CURVE_OF[spec]

export const RSA_SIZES = { 2048: 'rsa_2048', 3072: 'rsa_3072', 4096: 'rsa_4096' } as const satisfies Record<
  number,
  KeySpec
>
export const isRsaSize = (bits: number): bits is keyof typeof RSA_SIZES => Object.hasOwn(RSA_SIZES, bits)
export const AES_SIZES = { 128: 'aes_128', 192: 'aes_192', 256: 'aes_256' } as const satisfies Record<number, KeySpec>
/** An oct key for MACs: as long as the hash of its one algorithm, which RFC 7518 section 3.2 asks for at least. */
export const MAC_SIZES = { 256: 'hmac_256', 384: 'hmac_384', 512: 'hmac_512' } as const satisfies Record<
  number,
  KeySpec
>
export const isMacSize = (bits: number): bits is keyof typeof MAC_SIZES => Object.hasOwn(MAC_SIZES, bits)
const MAC_SPECS: ReadonlySet<KeySpec> = new Set<KeySpec>(Object.values(MAC_SIZES))
const isMacSpec = (spec: KeySpec): boolean => MAC_SPECS.has(spec)
export const isAesSize = (bits: number): bits is keyof typeof AES_SIZES => Object.hasOwn(AES_SIZES, bits)
/** In bits; undefined for keys that have none (AKP). */
export function sizeOf(spec: KeySpec): number | undefined {
  const row = KEY_SPECS[spec]
  if (row.type === 'rsa') return row.bits
  if (row.type === 'aes' || row.type === 'hmac') return row.bytes * 8
  // Azure's curves have their sizes in their names.
  const curve = curveOf(spec)
  return curve === undefined ? undefined : Number.parseInt(curve.slice(2), 10)
}
export const isCurve = (curve: string): curve is Curve => Object.hasOwn(CURVES, curve)
export const isKeyType = (kty: string): kty is KeyType => (KEY_TYPES as readonly string[]).includes(kty)

/** Azure's type of a key; undefined where this dialect has none for it, so that it isn't shown. */
export function keyTypeOf(key: Pick<Key, 'spec' | 'protection' | 'purpose'>): KeyType | undefined {
  const { type } = KEY_SPECS[key.spec]
  const hsm = key.protection === 'hsm'
  if (type === 'rsa') return hsm ? 'RSA-HSM' : 'RSA'
  // A key for agreement alone has no operation of Azure's, and clients refuse a key without one.
  if (type === 'ec' && key.purpose !== 'key_agreement') return hsm ? 'EC-HSM' : 'EC'
  if (type === 'ml-dsa') return hsm ? 'AKP-HSM' : 'AKP'
  // Envelopes are no algorithm of Azure's, and their keys serve nothing else.
  if ((type === 'aes' && key.purpose === 'raw_encrypt_decrypt') || isMacSpec(key.spec)) return hsm ? 'oct-HSM' : 'oct'
  return undefined
}

/** `oct` is the use of symmetric keys, whose raw encryption and MACs are not what the others do. */
const KEY_OPS = {
  encrypt: { use: 'encrypt', oct: 'raw_encrypt' },
  decrypt: { use: 'decrypt', oct: 'raw_decrypt' },
  sign: { use: 'sign', oct: 'mac_sign' },
  verify: { use: 'verify', oct: 'mac_verify' },
  wrapKey: { use: 'wrap', oct: 'wrap' },
  unwrapKey: { use: 'unwrap', oct: 'unwrap' },
} as const satisfies Record<string, { readonly use: KeyUse; readonly oct: KeyUse }>
export type KeyOp = keyof typeof KEY_OPS
export const KEY_OP_NAMES = Object.keys(KEY_OPS) as readonly KeyOp[]
export const isKeyOp = (name: string): name is KeyOp => Object.hasOwn(KEY_OPS, name)
export const useOf = (op: KeyOp, kty: KeyType): KeyUse => KEY_OPS[op][familyOf(kty) === 'oct' ? 'oct' : 'use']
/** What an operation asks of a key. @throws KmsError key_not_found for one that this dialect can't show */
export function useOfKey(op: KeyOp, key: Key): KeyUse {
  const kty = keyTypeOf(key)
  if (kty === undefined) throw new KmsError('key_not_found', { reference: key.name })
  return useOf(op, kty)
}
/** In Azure's order; uses it has no name for are left out. */
export const keyOpsOf = (uses: readonly KeyUse[], kty: KeyType): readonly KeyOp[] =>
  KEY_OP_NAMES.filter((op) => uses.includes(useOf(op, kty)))

const FAMILY_OPS: Readonly<Record<KeyFamily, readonly KeyOp[]>> = {
  RSA: ['encrypt', 'decrypt', 'sign', 'verify', 'wrapKey', 'unwrapKey'],
  EC: ['sign', 'verify'],
  AKP: ['sign', 'verify'],
  oct: ['encrypt', 'decrypt', 'wrapKey', 'unwrapKey'],
}
const MAC_OPS = ['sign', 'verify'] as const satisfies readonly KeyOp[]
/** Whether an oct key is to make MACs: no key does that and encrypts. */
export const isForMacs = (kty: KeyType, ops: readonly string[] = []): boolean =>
  familyOf(kty) === 'oct' && ops.length > 0 && ops.every((op) => (MAC_OPS as readonly string[]).includes(op))
/**
 * What a key of this type may do, and does when the caller names nothing. Never empty: clients refuse a key without
 * operations.
 */
export const possibleOps = (kty: KeyType, ops?: readonly string[]): readonly KeyOp[] =>
  isForMacs(kty, ops) ? MAC_OPS : FAMILY_OPS[familyOf(kty)]
export const defaultUses = (kty: KeyType, ops?: readonly string[]): readonly KeyUse[] =>
  possibleOps(kty, ops).map((op) => useOf(op, kty))
