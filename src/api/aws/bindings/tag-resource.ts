import { tagKey } from '../../../core/ops/key-facts.ts'
import { parseKeyIdOrArn } from '../names.ts'
import { bind } from '../route.ts'
import { MAX_TAGS, readTags } from '../tags.ts'

export const tagResourceBinding = bind({
  wire: 'TagResource',
  operation: tagKey,
  toInput: (wire, ctx) => ({
    key: parseKeyIdOrArn(wire.KeyId, ctx.realm),
    tags: readTags(wire.Tags),
    limit: MAX_TAGS,
  }),
  toOutput: () => ({}),
})
