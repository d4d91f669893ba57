import { KmsError } from '../error.ts'
import { realmOperation } from '../operation.ts'
import type { CryptoBackend } from '../ports.ts'

export type GenerateRandomInput = {
  readonly bytes: number
  /** Where they come from; absent: the default backend. */
  readonly protection?: CryptoBackend['protection'] | undefined
}
export type GenerateRandomOutput = { readonly bytes: Uint8Array }

/** @throws KmsError unsupported_spec where there is no such backend */
export const generateRandom = realmOperation<GenerateRandomInput, GenerateRandomOutput>({
  name: 'GenerateRandom',
  action: 'generate-random',
  async run({ backends, call }, _target, { bytes, protection }) {
    const backend = backends.forProtection(protection)
    if (backend === undefined) throw new KmsError('unsupported_spec', { backend: protection ?? '' })
    return { output: { bytes: await backend.random(bytes, call) } }
  },
})
