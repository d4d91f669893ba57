import { type SecretInput, secretOperation } from '../operation.ts'
import type { StoredSecret } from '../stored-secret.ts'
import type { SecretView } from '../view.ts'

/** @throws KmsError secret_not_found unless it is deleted */
export const recoverSecret = secretOperation<SecretInput, SecretView>({
  name: 'RecoverSecret',
  action: 'recover-secret',
  expect: 'deleted',
  async run(env, target) {
    const { revision, deletion: _, ...old } = target.secret
    const secret: StoredSecret = { ...old, updatedAt: env.now }
    return { output: { ...target, secret }, writes: [{ kind: 'update', collection: 'secrets', row: secret, revision }] }
  },
})
