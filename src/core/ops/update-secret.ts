import { invalidArgument } from '../error.ts'
import { type SecretInput, secretOperation } from '../operation.ts'
import type { SecretAttributes, SecretVersion } from '../stored-secret.ts'
import type { SecretView } from '../view.ts'
import { unrevised } from './all-versions.ts'

export type UpdateSecretInput = SecretInput & {
  /** What is absent stays as it is. */
  readonly changes: Partial<SecretAttributes>
}

/** @throws KmsError secret_not_found, secret_deleted, invalid_argument */
export const updateSecret = secretOperation<UpdateSecretInput, SecretView>({
  name: 'UpdateSecret',
  action: 'update-secret',
  expect: 'live',
  async run(env, target, { changes }) {
    const { revision } = target.secretVersion
    const row: SecretVersion = { ...unrevised(target.secretVersion), ...changes, updatedAt: env.now }
    const { notBefore, expiresAt } = row
    if (notBefore !== undefined && expiresAt !== undefined && expiresAt <= notBefore) {
      throw invalidArgument('attributes.exp', 'must be later than nbf')
    }
    return {
      output: { ...target, secretVersion: row },
      writes: [{ kind: 'update', collection: 'secretVersions', row, revision }],
    }
  },
})
