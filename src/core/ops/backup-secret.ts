import { sealBackup } from '../backup.ts'
import { KmsError } from '../error.ts'
import { type SecretInput, secretOperation } from '../operation.ts'
import { openSecret } from '../sealed-secret.ts'
import type { SecretVersion } from '../stored-secret.ts'
import type { SecretView } from '../view.ts'
import { allSecretVersions } from './purge-secret.ts'

/** Azure's own limit of a backup. */
export const MAX_BACKED_UP = 500

export type SecretBackup = {
  readonly name: string
  /** Oldest first; values in base64. */
  readonly versions: readonly (Omit<SecretVersion, 'id' | 'secretId' | 'number' | 'sealed'> & {
    readonly value: string
  })[]
}

/** All versions with their values, sealed for this installation. @throws KmsError limit_exceeded */
export const backupSecret = secretOperation<SecretInput, SecretView & { readonly blob: Uint8Array }>({
  name: 'BackupSecret',
  action: 'backup-secret',
  expect: 'live',
  async run(env, target) {
    const { realm, ring, secret } = target
    const versions = await allSecretVersions(env, secret.id)
    if (versions.length > MAX_BACKED_UP) throw new KmsError('limit_exceeded', { limit: `${MAX_BACKED_UP} versions` })
    const ringKey = await env.ringKeys.get(ring.id)
    const backup: SecretBackup = {
      name: secret.name,
      versions: versions.map(({ id, secretId, number: _, revision: __, sealed, ...rest }) => {
        const value = openSecret(ringKey, { ringId: ring.id, secretId, versionId: id }, sealed)
        return { ...rest, value: value.toString('base64') }
      }),
    }
    const payload = Buffer.from(JSON.stringify(backup))
    const blob = await sealBackup(env.backupSealer, { kind: 'secret', realmId: realm.id }, payload)
    payload.fill(0)
    return { output: { ...target, blob } }
  },
})
