import { retireGrant } from '../../../core/ops/grants.ts'
import { grantToRetire } from '../grants.ts'
import { bind, checkDryRun } from '../route.ts'

export const retireGrantBinding = bind({
  wire: 'RetireGrant',
  operation: retireGrant,
  toInput: (wire, ctx) => ({ ...grantToRetire(wire, ctx.realm), dryRun: wire.DryRun }),
  toOutput(_output, wire) {
    checkDryRun(wire)
    return {}
  },
})
