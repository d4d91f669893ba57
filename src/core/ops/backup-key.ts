import { sealBackup } from '../backup.ts'
import { KmsError } from '../error.ts'
import type { Key, KeyVersion } from '../key.ts'
import { type Env, type KeyInput, keyOperation, type RingTarget } from '../operation.ts'
import type { Stored } from '../ports.ts'
import type { KeyView } from '../view.ts'
import { allVersions, unrevised } from './all-versions.ts'

/** Azure's own limit of a backup. */
const MAX_BACKED_UP = 500

/** What a key's backup holds; bytes in base64. */
export type KeyBackup = {
  readonly key: Omit<Key, 'realmId' | 'ringId' | 'deletion'>
  /** Oldest first. A destroyed version has no material. */
  readonly versions: readonly (Omit<KeyVersion, 'keyId' | 'ref' | 'spki'> & {
    readonly spki?: string
    readonly material?: string
  })[]
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')

async function backedUp(
  env: Env,
  { ring }: RingTarget,
  row: Stored<KeyVersion>,
): Promise<KeyBackup['versions'][number]> {
  const { keyId: _, ref, spki, ...rest } = unrevised(row)
  const version = { ...rest, ...(spki && { spki: base64(spki) }) }
  if (row.state === 'destroyed') return version
  const { portable } = env.backends.named(row.backend)
  if (portable === undefined) throw new KmsError('unsupported_operation', { spec: row.spec })
  const exported = await portable.exportKey({ ringId: ring.id, versionId: row.id, spec: row.spec, ref }, env.call)
  try {
    return { ...version, material: exported.use(base64) }
  } finally {
    exported.wipe()
  }
}

/**
 * A key with all its versions, sealed for this installation.
 * @throws KmsError limit_exceeded, unsupported_operation for a key whose material can't leave its token
 */
export const backupKey = keyOperation<KeyInput, KeyView & { readonly blob: Uint8Array }>({
  name: 'BackupKey',
  action: 'backup-key',
  states: ['enabled', 'disabled', 'unavailable'],
  async run(env, target) {
    // Its material is not its own.
    if (target.key.multiRegion !== undefined) throw new KmsError('unsupported_operation', { spec: target.key.spec })
    const versions = await allVersions(env, target.key.id)
    if (versions.length > MAX_BACKED_UP) throw new KmsError('limit_exceeded', { limit: `${MAX_BACKED_UP} versions` })
    const { realmId, ringId: _, deletion: __, ...key } = unrevised(target.key)
    const backup: KeyBackup = { key, versions: await Promise.all(versions.map((row) => backedUp(env, target, row))) }
    const payload = Buffer.from(JSON.stringify(backup))
    try {
      return { output: { ...target, blob: await sealBackup(env.backupSealer, { kind: 'key', realmId }, payload) } }
    } finally {
      payload.fill(0)
    }
  },
})
