import { getKey } from '../../../core/ops/get-key.ts'
import { parseKeyReference } from '../names.ts'
import { renderKeyMetadata } from '../render-key-metadata.ts'
import { bind } from '../route.ts'

export const describeKeyBinding = bind({
  wire: 'DescribeKey',
  operation: getKey,
  toInput: (wire, ctx) => ({ key: parseKeyReference(wire.KeyId, ctx.realm) }),
  toOutput: (view, _wire, ctx) => ({ KeyMetadata: renderKeyMetadata(view, ctx.realm) }),
})
