import type { BoundRoute } from '../binding.ts'
import { delegate } from './delegate.ts'
import { digest } from './digest.ts'
import { privateKeyDecrypt } from './private-key-decrypt.ts'
import { privateKeySign } from './private-key-sign.ts'
import { privilegedPrivateKeyDecrypt } from './privileged-private-key-decrypt.ts'
import { privilegedUnwrap } from './privileged-unwrap.ts'
import { privilegedWrap } from './privileged-wrap.ts'
import { rewrap } from './rewrap.ts'
import { unwrap } from './unwrap.ts'
import { wrap } from './wrap.ts'
import { wrapPrivateKey } from './wrap-private-key.ts'

export const BINDINGS: readonly BoundRoute[] = [
  wrap,
  unwrap,
  privilegedWrap,
  privilegedUnwrap,
  digest,
  rewrap,
  wrapPrivateKey,
  privateKeySign,
  privateKeyDecrypt,
  privilegedPrivateKeyDecrypt,
  delegate,
]
