import type { BoundOperation } from '../binding.ts'
import { metadata } from './metadata.ts'
import { unwrapkey } from './unwrapkey.ts'
import { wrapkey } from './wrapkey.ts'

export const BINDINGS: readonly BoundOperation[] = [metadata, wrapkey, unwrapkey]
