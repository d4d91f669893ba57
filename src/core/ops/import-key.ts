import { ringOperation } from '../operation.ts'
import type { Secret } from '../secret.ts'
import type { KeyView } from '../view.ts'
import { type PutKeyInput, putKeyIn } from './put-key.ts'

export type ImportKeyInput = PutKeyInput & {
  /** Raw for symmetric keys, PKCS#8 DER for asymmetric ones. */
  readonly material: Secret
}

/**
 * The caller's material as a new key, or as a new current version of the key that has the name.
 * @throws KmsError key_deleted, name_reserved, unsupported_spec, invalid_argument
 */
export const importKey = ringOperation<ImportKeyInput, KeyView>({
  name: 'ImportKey',
  action: 'import-key',
  existing: ({ name }) => ({ key: name }),
  run: (env, target, { material, ...input }) =>
    putKeyIn(env, target, { ...input, version: { ...input.version, material } }),
})
