import { listGrants } from '../../../core/ops/grants.ts'
import { checkGrantId, PAGE, renderGrants } from '../grants.ts'
import { readLimit, readMarker } from '../marker.ts'
import { parseKeyIdOrArn } from '../names.ts'
import { bind } from '../route.ts'

const LIST = 'grants'

export const listGrantsBinding = bind({
  wire: 'ListGrants',
  operation: listGrants,
  toInput(wire, ctx) {
    if (wire.GrantId !== undefined) checkGrantId(wire.GrantId)
    return {
      key: parseKeyIdOrArn(wire.KeyId, ctx.realm),
      id: wire.GrantId,
      grantee: wire.GranteePrincipal,
      after: readMarker(LIST, wire.Marker),
      limit: readLimit(wire.Limit, PAGE),
    }
  },
  toOutput: (output) => renderGrants(LIST, output),
})
