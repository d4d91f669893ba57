/** Making a version's key material: shared by create-key, create-version, put-key and import-key. */
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import {
  ALGORITHM_NAMES,
  type Algorithm,
  type KeySpec,
  type KeyUse,
  mixesPurposes,
  type Purpose,
  purposeOfAlgorithm,
  purposesOf,
  specHas,
  specRow,
} from '../algorithm.ts'
import { KmsError } from '../error.ts'
import { DIALECTS, type Dialect, type ImportedMaterial, type Key, type KeyRing, type KeyVersion } from '../key.ts'
import { publicHalf } from '../key-pair.ts'
import { unkeyedId } from '../material-ids.ts'
import type { Env } from '../operation.ts'
import type { CallContext, CryptoBackend, KeyHome } from '../ports.ts'
import type { Secret } from '../secret.ts'

/** What a caller may set on a new version. */
export type VersionOptions = {
  readonly enabled?: boolean | undefined
  /** Allow-list; absent means all of the spec's. */
  readonly algorithms?: readonly Algorithm[] | undefined
  /** Its own; absent: its key's. */
  readonly uses?: readonly KeyUse[] | undefined
  readonly tags?: Readonly<Record<string, string>> | undefined
  readonly notBefore?: number | undefined
  readonly expiresAt?: number | undefined
  /** Imported instead of generated: raw for symmetric keys, PKCS#8 DER for asymmetric ones. */
  readonly material?: Secret | undefined
  /** Of imported material. */
  readonly imported?: ImportedMaterial | undefined
}

/** @throws KmsError unsupported_spec where the backend can do nothing with keys of the spec and purpose */
export function checkSpec(backend: CryptoBackend, spec: KeySpec, purpose: Purpose): void {
  const able = ALGORITHM_NAMES.some(
    (algorithm) =>
      specHas(spec, algorithm) && purposeOfAlgorithm(algorithm) === purpose && backend.supports(spec, algorithm),
  )
  if (!able) throw new KmsError('unsupported_spec', { spec, backend: backend.name })
}

/**
 * The dialect of the caller; XKS makes nothing, and of the EKM protocols only Google's do. An administrator has none: what
 * he does is done as in the thing's `own`.
 */
export function dialectOf({ call: { dialect } }: Env, own?: Dialect): Dialect {
  if (dialect !== 'system') {
    if (dialect === 'xks') throw new KmsError('internal')
    return dialect === 'ekm' ? 'gcp' : dialect
  }
  if (own === undefined) throw new KmsError('internal')
  return own
}

/** One dialect's tags, and none of the others'. */
export const keyTags = (dialect: Dialect, tags: Readonly<Record<string, string>>): Key['tags'] => {
  const none = Object.fromEntries(DIALECTS.map((name) => [name, {}])) as Record<Dialect, Record<string, string>>
  return { ...none, [dialect]: tags }
}

export type NewVersion = { readonly version: KeyVersion; readonly undo: () => Promise<void> }

const publicId = (spki: Uint8Array): string => createHash('sha256').update(spki).digest('hex')

/**
 * Public halves are enough to tell asymmetric material apart. Symmetric material that was imported goes by its own bytes;
 * generated material never leaves its backend, so that its id is drawn.
 */
function materialIdOf(
  { materialIds }: Env,
  spec: KeySpec,
  spki: Uint8Array | undefined,
  material: Secret | undefined,
): string {
  if (spki !== undefined) return publicId(spki)
  return material === undefined ? randomBytes(32).toString('hex') : materialIds.of(spec, material)
}

/**
 * The ids that versions of material from outside may have, the one that a new version gets first.
 * @throws KmsError material_mismatch for what is no key of the spec
 */
export function importedMaterialIds(
  { materialIds }: Env,
  spec: KeySpec,
  material: Secret,
): readonly [string, ...string[]] {
  const row = specRow(spec)
  if (row.type === 'aes' || row.type === 'hmac') {
    if (material.length !== row.bytes) throw new KmsError('material_mismatch', { reason: `not ${row.bytes} bytes` })
    return [materialIds.of(spec, material), unkeyedId(spec, material)]
  }
  const spki = material.use((bytes) => publicHalf(bytes, row))
  if (spki === undefined) throw new KmsError('material_mismatch', { reason: `not a PKCS#8 ${spec} private key` })
  return [publicId(spki)]
}

const externalHome = ({ id, keyStore }: Pick<Key, 'id' | 'keyStore'>): Pick<KeyHome, 'external'> =>
  keyStore?.externalKeyId === undefined
    ? {}
    : { external: { storeId: keyStore.id, externalKeyId: keyStore.externalKeyId, keyId: id } }

/** A version with uses of its own may be given others, of all purposes that its spec mixes. */
const purposesEver = (
  { spec, purpose }: Pick<Key, 'spec' | 'purpose'>,
  { uses }: VersionOptions,
): readonly Purpose[] => (uses !== undefined && mixesPurposes(spec) ? purposesOf(spec) : [purpose])

/** Generates or imports material for version `number` of a key. `undo` destroys it again. */
export async function makeVersion(
  env: Env,
  ring: KeyRing,
  key: Pick<Key, 'id' | 'spec' | 'purpose' | 'backend' | 'algorithms' | 'keyStore'>,
  number: number,
  options: VersionOptions,
): Promise<NewVersion> {
  const backend = env.backends.named(key.backend)
  const home = { ringId: ring.id, versionId: randomUUID(), ...externalHome(key) }
  const { material } = options
  const place = { ...home, purposes: purposesEver(key, options) }
  const { ref, spki } = await (material === undefined
    ? backend.generateKey(key.spec, place, env.call)
    : backend.importKey(key.spec, material, place, env.call))
  const enabled = options.enabled !== false
  const algorithms = options.algorithms ?? key.algorithms
  const version: KeyVersion = {
    id: home.versionId,
    keyId: key.id,
    number,
    hexId: randomBytes(16).toString('hex'),
    materialId: materialIdOf(env, key.spec, spki, material),
    spec: key.spec,
    state: enabled ? 'enabled' : 'disabled',
    ...(!enabled && { disabledBy: dialectOf(env) }),
    backend: backend.name,
    ref,
    ...(spki && { spki }),
    ...(algorithms && { algorithms }),
    ...(options.uses && { uses: options.uses }),
    ...(options.tags && { tags: options.tags }),
    createdAt: env.now,
    updatedAt: env.now,
    ...(options.notBefore !== undefined && { notBefore: options.notBefore }),
    ...(options.expiresAt !== undefined && { expiresAt: options.expiresAt }),
    ...(material && { imported: options.imported ?? {} }),
  }
  const handle = { ...home, spec: key.spec, ref }
  return { version, undo: () => backend.destroyKey(handle, detached(env.call)) }
}

/** Cleaning up goes on when the caller has gone. */
export const detached = (ctx: CallContext): CallContext => ({
  signal: new AbortController().signal,
  requestId: ctx.requestId,
})
