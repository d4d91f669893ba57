import { untagKey } from '../../../core/ops/key-facts.ts'
import { parseKeyIdOrArn } from '../names.ts'
import { bind } from '../route.ts'
import { checkTagNames } from '../tags.ts'

export const untagResourceBinding = bind({
  wire: 'UntagResource',
  operation: untagKey,
  toInput(wire, ctx) {
    checkTagNames(wire.TagKeys)
    return { key: parseKeyIdOrArn(wire.KeyId, ctx.realm), names: wire.TagKeys }
  },
  toOutput: () => ({}),
})
