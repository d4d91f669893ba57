import { isAsymmetric } from '../algorithm.ts'
import { KmsError } from '../error.ts'
import { openImportToken } from '../import-token.ts'
import { withMaterial } from '../imported.ts'
import { handleOf, type ImportedMaterial, type Key, type KeyVersion, toVersionState } from '../key.ts'
import { unwrapMaterial } from '../key-wrapping.ts'
import { checkPrimary, replicated } from '../multi-region.ts'
import { type Env, type KeyInput, type KeyTarget, keyOperation, type Outcome } from '../operation.ts'
import type { Stored, Write } from '../ports.ts'
import type { Secret } from '../secret.ts'
import type { VersionView } from '../view.ts'
import { allVersions, unrevised } from './all-versions.ts'
import { checkImportable } from './import-parameters.ts'
import { detached, dialectOf, importedMaterialIds, makeVersion } from './material.ts'

export type ImportMaterialInput = KeyInput & {
  readonly token: Uint8Array
  readonly wrapped: Uint8Array
  /** Whether the key is to have the material already; absent: unless it has none at all. */
  readonly material?: 'new' | 'existing' | undefined
  /** The id that the material is to have. */
  readonly materialId?: string | undefined
  readonly expiresAt?: number | undefined
  /** Absent: as it was with the same material before. */
  readonly description?: string | undefined
}

type Import = {
  readonly env: Env
  readonly target: KeyTarget
  readonly input: ImportMaterialInput
  readonly material: Secret
  readonly id: string
  readonly versions: readonly Stored<KeyVersion>[]
}

const mismatch = (reason: string): KmsError => new KmsError('material_mismatch', { reason })

/** What the backend finds wrong with material is what AWS says of material that is not the key's. */
function asMismatch(cause: unknown): never {
  const error = KmsError.from(cause)
  throw error.code === 'invalid_argument' ? mismatch(String(error.params.reason ?? '')) : error
}

const importedBy = ({ expiresAt, description }: ImportMaterialInput, before?: ImportedMaterial): ImportedMaterial => ({
  ...(expiresAt !== undefined && { expiresAt }),
  description: description ?? before?.description,
})

function outcomeOf(
  { env, target, versions }: Import,
  key: Key,
  version: KeyVersion,
  write: Write,
): Outcome<VersionView> {
  const all = [...versions.filter(({ id }) => id !== version.id), version]
  const row = withMaterial(key, all, env.now)
  const current = row.current === version.number ? version : target.current
  return {
    output: { ...target, key: row, version, current },
    writes: [{ kind: 'update', collection: 'keys', row, revision: target.key.revision }, write],
    subject: { key: row, version },
  }
}

/** Brings back what was deleted or has expired; of what is there, the date and the description change. */
async function importAgain(work: Import, old: Stored<KeyVersion>): Promise<Outcome<VersionView>> {
  const { env, target, input, material } = work
  if (old.state === 'destroy_scheduled') throw new KmsError('version_state', { state: old.state })
  const imported = importedBy(input, old.imported)
  const key = unrevised(target.key)
  const write = (row: KeyVersion): Write => ({ kind: 'update', collection: 'versions', row, revision: old.revision })
  if (old.ref.length > 0) {
    const version = { ...unrevised(old), imported, updatedAt: env.now }
    return outcomeOf(work, key, version, write(version))
  }
  const backend = env.backends.named(old.backend)
  const home = handleOf(target.ring, old)
  const { ref, spki } = await backend
    .importKey(old.spec, material, { ...home, purposes: [key.purpose] }, env.call)
    .catch(asMismatch)
  const { destroyAt: _, destroyedAt: __, ...rest } = unrevised(old)
  // A version that another dialect had disabled stays so, and one that waits for its rotation is.
  const waits = old.number === key.pendingVersion ? { disabledBy: dialectOf(env) } : disabler(old)
  const back = toVersionState(rest, waits.disabledBy === undefined ? 'enabled' : 'disabled', env.now)
  const version: KeyVersion = { ...back, ref, imported, ...(spki && { spki }), ...waits }
  const undo = () => backend.destroyKey({ ...home, ref }, detached(env.call))
  return { ...outcomeOf(work, key, version, write(version)), undo }
}

/** Who had disabled a version, kept while it has no material. */
export const disabler = ({ disabledBy }: KeyVersion): Pick<KeyVersion, 'disabledBy'> =>
  disabledBy === undefined ? {} : { disabledBy }

/** The first material of a key is its current; what comes later waits for a rotation on demand. */
async function importNew(work: Import): Promise<Outcome<VersionView>> {
  const { env, target, input, material, versions, id } = work
  const old = unrevised(target.key)
  checkPrimary(old)
  const first = versions.length === 0
  if (!first && !hasSuccession(old)) throw mismatch('the key had other material')
  const pending = versions.find(({ number }) => number === old.pendingVersion)
  if (pending !== undefined) throw new KmsError('material_pending', { material: id, pending: pending.materialId })
  const number = old.versionCounter + 1
  const options = { material, imported: importedBy(input), enabled: first }
  const { version, undo } = await makeVersion(env, target.ring, old, number, options).catch(asMismatch)
  const key = { ...old, versionCounter: number, ...(first ? { current: number } : { pendingVersion: number }) }
  const outcome = outcomeOf(work, key, version, { kind: 'insert', collection: 'versions', row: version })
  const copies = await replicated(env.store, key, version)
  return { ...outcome, writes: [...(outcome.writes ?? []), ...copies], undo }
}

/** Only symmetric encryption keys have one material after another. */
const hasSuccession = ({ spec, purpose }: Key): boolean => !isAsymmetric(spec) && purpose === 'encrypt_decrypt'

function checkSuccession(key: Key, { material, materialId, description }: ImportMaterialInput): void {
  const asked = [material, materialId, description].some((one) => one !== undefined)
  if (asked && !hasSuccession(key)) throw new KmsError('unsupported_operation', { spec: key.spec })
}

async function importUnwrapped(work: Omit<Import, 'id' | 'versions'>): Promise<Outcome<VersionView>> {
  const { env, target, input, material } = work
  const versions = await allVersions(env, target.key.id)
  const ids = importedMaterialIds(env, target.key.spec, material)
  const wanted = input.material ?? (versions.length === 0 ? 'new' : 'existing')
  const known = versions.find(({ materialId }) => ids.includes(materialId))
  const id = known?.materialId ?? ids[0]
  if (input.materialId !== undefined && input.materialId !== id) throw mismatch('it has another id')
  if (wanted === 'new' && known !== undefined) throw mismatch('the key has it already')
  if (wanted === 'existing' && known === undefined) throw mismatch('the key never had it')
  return known === undefined ? importNew({ ...work, id, versions }) : importAgain({ ...work, id, versions }, known)
}

/**
 * Material for a key that takes it from outside.
 * @throws KmsError unsupported_operation, import_token_invalid, import_token_expired, invalid_ciphertext,
 *   material_mismatch, material_pending, key_pending_deletion
 */
export const importMaterial = keyOperation<ImportMaterialInput, VersionView>({
  name: 'ImportMaterial',
  action: 'import-material',
  states: ['enabled', 'disabled', 'pending_import', 'unavailable'],
  async run(env, target, input) {
    checkImportable(target.key)
    checkSuccession(target.key, input)
    const { wrapping, pkcs8 } = await openImportToken(env.backupSealer, target.key, input.token, env.now)
    const material = await unwrapMaterial(wrapping, pkcs8, input.wrapped).finally(() => pkcs8.fill(0))
    try {
      return await importUnwrapped({ env, target, input, material })
    } finally {
      material.wipe()
    }
  },
})
