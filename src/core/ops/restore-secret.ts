import { randomUUID } from 'node:crypto'
import { openBackup } from '../backup.ts'
import { KmsError } from '../error.ts'
import { type Env, type RingInput, type RingTarget, ringOperation } from '../operation.ts'
import type { Write } from '../ports.ts'
import { sealSecret } from '../sealed-secret.ts'
import type { SecretVersion, StoredSecret } from '../stored-secret.ts'
import type { SecretView } from '../view.ts'
import type { SecretBackup } from './backup-secret.ts'
import { dialectOf } from './material.ts'
import { findNamesake } from './set-secret.ts'

export type RestoreSecretInput = RingInput & { readonly blob: Uint8Array }

async function versionsOf(env: Env, secret: StoredSecret, backup: SecretBackup): Promise<readonly SecretVersion[]> {
  const ringKey = await env.ringKeys.get(secret.ringId)
  return backup.versions.map(({ value, ...rest }, at) => {
    const id = randomUUID()
    const bytes = Buffer.from(value, 'base64')
    const sealed = sealSecret(ringKey, { ringId: secret.ringId, secretId: secret.id, versionId: id }, bytes)
    bytes.fill(0)
    return { ...rest, id, secretId: secret.id, number: at + 1, sealed }
  })
}

function secretOf(env: Env, target: RingTarget, backup: SecretBackup): StoredSecret {
  return {
    id: randomUUID(),
    realmId: target.realm.id,
    ringId: target.ring.id,
    name: backup.name,
    createdBy: dialectOf(env),
    createdAt: env.now,
    updatedAt: env.now,
    current: backup.versions.length,
    recoverableDays: env.ringSettings(target.ring).recoverableDays,
  }
}

/**
 * Under its own name, with its versions and their ids, in any ring of the realm it was backed up in.
 * @throws KmsError invalid_backup, secret_exists, secret_deleted
 */
export const restoreSecret = ringOperation<RestoreSecretInput, SecretView>({
  name: 'RestoreSecret',
  action: 'restore-secret',
  async run(env, target, { blob }) {
    const payload = await openBackup(env.backupSealer, { kind: 'secret', realmId: target.realm.id }, blob)
    const backup = JSON.parse(payload.toString('utf8')) as SecretBackup
    payload.fill(0)
    if ((await findNamesake(env, target, backup.name)) !== undefined) {
      throw new KmsError('secret_exists', { reference: backup.name, version: backup.versions.at(-1)?.hexId ?? '' })
    }
    const secret = secretOf(env, target, backup)
    const versions = await versionsOf(env, secret, backup)
    const secretVersion = versions.at(-1)
    if (secretVersion === undefined) throw new KmsError('invalid_backup')
    return {
      output: { ...target, secret, secretVersion },
      writes: [
        { kind: 'insert', collection: 'secrets', row: secret },
        ...versions.map((row): Write => ({ kind: 'insert', collection: 'secretVersions', row })),
      ],
      subject: { secret, secretVersion },
    }
  },
})
