/** Taking the root key away from a server, and giving it back: what does so is outside of the core, which records it. */
import { realmOperation } from '../operation.ts'

const recorded = (name: string, action: string) =>
  realmOperation<Record<string, never>, void>({ name, action, run: async () => ({ output: undefined }) })

export const seal = recorded('Seal', 'seal')
export const unseal = recorded('Unseal', 'unseal')
