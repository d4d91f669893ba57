import { KmsError } from '../error.ts'
import { realmOperation } from '../operation.ts'
import type { CryptoBackend } from '../ports.ts'
import { connectedStore } from './key-stores.ts'

export type GenerateRandomInput = {
  readonly bytes: number
  /** Where they come from; absent: the default backend. */
  readonly protection?: CryptoBackend['protection'] | undefined
  /** The custom key store whose token they come from; absent: none. */
  readonly keyStoreId?: string | undefined
}
export type GenerateRandomOutput = { readonly bytes: Uint8Array }

/** @throws KmsError unsupported_spec where there is no such backend, invalid_argument (keyStore) for an external manager's */
export const generateRandom = realmOperation<GenerateRandomInput, GenerateRandomOutput>({
  name: 'GenerateRandom',
  action: 'generate-random',
  plane: 'data',
  async run(env, { realm }, { bytes, protection, keyStoreId }) {
    const { backends, call } = env
    if (keyStoreId !== undefined) {
      const { backend } = await connectedStore(env, realm, { id: keyStoreId, kind: 'token' })
      return { output: { bytes: await backends.named(backend).random(bytes, call) } }
    }
    const backend = backends.forProtection(protection)
    if (backend === undefined) throw new KmsError('unsupported_spec', { backend: protection ?? '' })
    return { output: { bytes: await backend.random(bytes, call) } }
  },
})
