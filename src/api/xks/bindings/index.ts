import type { Coverage } from '../../surface.ts'
import type { BoundOperation } from '../binding.ts'
import { decryptBinding } from './decrypt.ts'
import { encryptBinding } from './encrypt.ts'
import { getKeyMetadataBinding } from './get-key-metadata.ts'

export const BINDINGS: readonly BoundOperation[] = [getKeyMetadataBinding, encryptBinding, decryptBinding]

/** Of no key: it is about what keeps the keys. */
export const HEALTH = { wire: 'GetHealthStatus', route: 'health' } as const

/** The specification's operations, in its order. */
export const coverage: readonly Coverage[] = [
  ...BINDINGS.map(({ wire, operation }) => ({ wire, operation: operation.name })),
  { wire: HEALTH.wire, operation: 'health of the backends' },
]
