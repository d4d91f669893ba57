import { listRealmKeys } from '../../../core/ops/list-keys.ts'
import { pageEnd, readLimit, readMarker } from '../marker.ts'
import { arnOfKey, awsKeyId, isExpressible } from '../names.ts'
import { bind } from '../route.ts'

const LIST = 'keys'

export const listKeysBinding = bind({
  wire: 'ListKeys',
  operation: listRealmKeys,
  toInput: (wire) => ({
    include: isExpressible,
    after: readMarker(LIST, wire.Marker),
    limit: readLimit(wire.Limit, { byDefault: 100, max: 1000 }),
  }),
  toOutput: ({ keys, next }, _wire, ctx) => ({
    Keys: keys.map(({ key }) => ({ KeyId: awsKeyId(key), KeyArn: arnOfKey(ctx.realm, key) })),
    ...pageEnd(LIST, next),
  }),
})
