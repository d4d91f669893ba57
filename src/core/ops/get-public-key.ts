import { KmsError } from '../error.ts'
import { type VersionInput, versionOperation } from '../operation.ts'
import type { VersionView } from '../view.ts'

export type PublicKeyView = VersionView & { /** DER SubjectPublicKeyInfo. */ readonly spki: Uint8Array }

/** @throws KmsError usage_mismatch for a symmetric key, and the state errors */
export const getPublicKey = versionOperation<VersionInput, PublicKeyView>({
  name: 'GetPublicKey',
  action: 'get-public-key',
  plane: 'data',
  keyStates: ['enabled', 'updating'],
  states: ['enabled'],
  async run(_env, target) {
    const { spki } = target.version
    if (spki === undefined)
      throw new KmsError('usage_mismatch', { usage: target.key.purpose, operation: 'GetPublicKey' })
    return { output: { ...target, spki } }
  },
})
