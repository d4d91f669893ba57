import { type SecretInput, secretOperation } from '../operation.ts'
import { openSecret } from '../sealed-secret.ts'
import { Secret } from '../secret.ts'
import type { SecretView } from '../view.ts'

export type SecretValue = SecretView & { readonly value: Secret }

/** @throws KmsError secret_not_found, secret_disabled */
export const getSecret = secretOperation<SecretInput, SecretValue>({
  name: 'GetSecret',
  action: 'get-secret',
  plane: 'data',
  expect: 'live',
  enabledOnly: true,
  async run(env, target) {
    const { ring, secret, secretVersion } = target
    const home = { ringId: ring.id, secretId: secret.id, versionId: secretVersion.id }
    const value = openSecret(await env.ringKeys.get(ring.id), home, secretVersion.sealed)
    return { output: { ...target, value: new Secret(value) } }
  },
})
