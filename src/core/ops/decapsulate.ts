import { type SharedSecretInput, sharedSecretOperation } from './shared-secret.ts'

export type DecapsulateInput = SharedSecretInput & { readonly ciphertext: Uint8Array }

/** @throws KmsError invalid_ciphertext for a wrong length; whatever else is wrong gives another secret */
export const decapsulate = sharedSecretOperation<DecapsulateInput>({
  name: 'Decapsulate',
  action: 'decapsulate',
  use: 'decapsulate',
  secretOf: ({ backend, handle }, algorithm, { ciphertext }, call) =>
    backend.decapsulate(handle, algorithm, ciphertext, call),
})
