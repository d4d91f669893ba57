import { type SecretInput, secretOperation } from '../operation.ts'
import type { StoredSecret } from '../stored-secret.ts'
import type { SecretView } from '../view.ts'
import { unrevised } from './all-versions.ts'
import { dialectOf } from './material.ts'

const DAY = 86_400_000

/** Soft: the name stays taken until the secret is purged. @throws KmsError secret_not_found */
export const deleteSecret = secretOperation<SecretInput, SecretView>({
  name: 'DeleteSecret',
  action: 'delete-secret',
  expect: 'live',
  async run(env, target) {
    const { revision, recoverableDays } = target.secret
    const dueAt = env.now + recoverableDays * DAY
    const secret: StoredSecret = {
      ...unrevised(target.secret),
      deletion: { by: dialectOf(env), requestedAt: env.now, dueAt },
      updatedAt: env.now,
    }
    return { output: { ...target, secret }, writes: [{ kind: 'update', collection: 'secrets', row: secret, revision }] }
  },
})
