import { specRow } from '../algorithm.ts'
import { KmsError } from '../error.ts'
import { sealImportToken } from '../import-token.ts'
import type { Key } from '../key.ts'
import { generatePrivateKey, spkiOf } from '../key-pair.ts'
import { canWrap, type KeyWrapping, type WrappingKeySpec } from '../key-wrapping.ts'
import { type KeyInput, keyOperation } from '../operation.ts'
import type { KeyView } from '../view.ts'

/** How long a wrapping key may be used. */
const LIFETIME_MS = 24 * 3_600_000

export type ImportParametersInput = KeyInput & {
  readonly wrapping: KeyWrapping
  /** Of the key that wraps. */
  readonly wrappingKey: WrappingKeySpec
}
export type ImportParameters = KeyView & {
  /** DER SubjectPublicKeyInfo of the wrapping key. */
  readonly spki: Uint8Array
  readonly token: Uint8Array
  readonly expiresAt: number
}

/** @throws KmsError unsupported_operation for a key whose material does not come from outside */
export function checkImportable({ origin }: Key): void {
  if (origin !== 'imported') throw new KmsError('unsupported_operation', { origin })
}

/**
 * A fresh wrapping key for material of one key.
 * @throws KmsError unsupported_operation, unsupported_algorithm for material that can't be wrapped so, key_pending_deletion
 */
export const getImportParameters = keyOperation<ImportParametersInput, ImportParameters>({
  name: 'GetImportParameters',
  action: 'get-import-parameters',
  states: ['enabled', 'disabled', 'pending_import', 'unavailable'],
  async run(env, target, { wrapping, wrappingKey }) {
    const { id: keyId, realmId, spec } = target.key
    checkImportable(target.key)
    if (!canWrap(wrapping, wrappingKey, spec))
      throw new KmsError('unsupported_algorithm', { algorithm: wrapping, spec })
    const row = specRow(wrappingKey)
    if (row.type !== 'rsa') throw new KmsError('internal')
    const key = await generatePrivateKey(row)
    const pkcs8 = key.export({ format: 'der', type: 'pkcs8' })
    const expiresAt = env.now + LIFETIME_MS
    try {
      const token = await sealImportToken(env.backupSealer, realmId, { keyId, wrapping, expiresAt, pkcs8 })
      return { output: { ...target, spki: spkiOf(key), token, expiresAt } }
    } finally {
      pkcs8.fill(0)
    }
  },
})
