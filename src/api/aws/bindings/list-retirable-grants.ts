import { listRetirableGrants } from '../../../core/ops/grants.ts'
import { checkPrincipal, PAGE, renderGrants } from '../grants.ts'
import { readLimit, readMarker } from '../marker.ts'
import { bind } from '../route.ts'

const LIST = 'retirable-grants'

export const listRetirableGrantsBinding = bind({
  wire: 'ListRetirableGrants',
  operation: listRetirableGrants,
  toInput(wire) {
    checkPrincipal(wire.RetiringPrincipal)
    return {
      retiring: wire.RetiringPrincipal,
      after: readMarker(LIST, wire.Marker),
      limit: readLimit(wire.Limit, PAGE),
    }
  },
  toOutput: (output) => renderGrants(LIST, output),
})
