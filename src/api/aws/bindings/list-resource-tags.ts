import { listKeyTags } from '../../../core/ops/get-key.ts'
import type { ListResourceTagsRequest } from '../gen/types.ts'
import { pageEnd, readLimit, readMarker } from '../marker.ts'
import { parseKeyIdOrArn } from '../names.ts'
import { bind } from '../route.ts'
import { writeTags } from '../tags.ts'

const LIST = 'tags'
const pageOf = (wire: ListResourceTagsRequest) => ({
  after: readMarker(LIST, wire.Marker) ?? '',
  limit: readLimit(wire.Limit, { byDefault: 50, max: 50 }),
})

export const listResourceTagsBinding = bind({
  wire: 'ListResourceTags',
  operation: listKeyTags,
  toInput(wire, ctx) {
    pageOf(wire)
    return { key: parseKeyIdOrArn(wire.KeyId, ctx.realm) }
  },
  /** A page ends with a tag's key, so that it stays where it was whatever is tagged meanwhile. */
  toOutput({ key }, wire) {
    const { after, limit } = pageOf(wire)
    const rest = writeTags(key.tags.aws).filter((tag) => tag.TagKey > after)
    const page = rest.slice(0, limit)
    return { Tags: page, ...pageEnd(LIST, rest.length > limit ? page.at(-1)?.TagKey : undefined) }
  },
})
