import { type SecretInput, secretOperation } from '../operation.ts'
import type { SecretView } from '../view.ts'

/** Without its value. @throws KmsError secret_not_deleted, secret_disabled */
export const getDeletedSecret = secretOperation<SecretInput, SecretView>({
  name: 'GetDeletedSecret',
  action: 'get-secret',
  expect: 'deleted',
  enabledOnly: true,
  run: async (_env, target) => ({ output: target }),
})
