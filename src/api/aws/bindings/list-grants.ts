import { listGrants } from '../../../core/ops/grants.ts'
import { AwsError } from '../aws-error.ts'
import { PAGE, renderGrants } from '../grants.ts'
import { readLimit, readMarker } from '../marker.ts'
import { parseKeyIdOrArn } from '../names.ts'
import { bind } from '../route.ts'

const LIST = 'grants'
const GRANT_ID = /^[0-9a-f]{1,64}$/

export const listGrantsBinding = bind({
  wire: 'ListGrants',
  operation: listGrants,
  toInput(wire, ctx) {
    if (wire.GrantId !== undefined && !GRANT_ID.test(wire.GrantId)) throw new AwsError('InvalidGrantIdException')
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
