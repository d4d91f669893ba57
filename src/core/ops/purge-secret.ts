import { allRows } from '../all-rows.ts'
import { KmsError } from '../error.ts'
import { type Env, type Outcome, type SecretInput, type SecretTarget, secretOperation } from '../operation.ts'
import type { Stored, Write } from '../ports.ts'
import type { SecretVersion } from '../stored-secret.ts'

export type PurgeSecretOutput = { readonly purged: boolean }

/** Every version of a secret, oldest first. */
export const allSecretVersions = (
  env: Pick<Env, 'store'>,
  secretId: string,
): Promise<readonly Stored<SecretVersion>[]> => allRows(env.store, 'secretVersions', 'number', [secretId])

async function purge(env: Env, { secret }: SecretTarget): Promise<Outcome<PurgeSecretOutput>> {
  const versions = await allSecretVersions(env, secret.id)
  const remove = ({ id, revision }: Stored<SecretVersion>): Write => ({
    kind: 'delete',
    collection: 'secretVersions',
    id,
    revision,
  })
  return {
    output: { purged: true },
    writes: [
      { kind: 'delete', collection: 'secrets', id: secret.id, revision: secret.revision },
      ...versions.map(remove),
    ],
  }
}

/** @throws KmsError secret_not_deleted, purge_protected */
export const purgeSecret = secretOperation<SecretInput, PurgeSecretOutput>({
  name: 'PurgeSecret',
  action: 'purge-secret',
  expect: 'deleted',
  async run(env, target) {
    if (env.ringSettings(target.ring).purgeProtected) throw new KmsError('purge_protected')
    return purge(env, target)
  },
})

/** The clock's own purge, when a deletion has fallen due. */
export const purgeDueSecret = secretOperation<SecretInput, PurgeSecretOutput>({
  name: 'PurgeDueSecret',
  action: 'purge-secret',
  async run(env, target) {
    const { deletion } = target.secret
    if (deletion === undefined || deletion.dueAt > env.now) return { output: { purged: false } }
    return purge(env, target)
  },
})
