import type { BoundMethod } from '../binding.ts'
import { asymmetricSign } from './asymmetric-sign.ts'
import { checkCryptoSpacePermissions } from './check-crypto-space-permissions.ts'
import { createKey } from './create-key.ts'
import { destroyKey } from './destroy-key.ts'
import { getPublicKey } from './get-public-key.ts'
import { unwrap } from './unwrap.ts'
import { wrap } from './wrap.ts'

export const BINDINGS: readonly BoundMethod[] = [
  wrap,
  unwrap,
  getPublicKey,
  asymmetricSign,
  createKey,
  destroyKey,
  checkCryptoSpacePermissions,
]
