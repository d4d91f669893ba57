import { revokeGrant } from '../../../core/ops/grants.ts'
import { checkGrantId } from '../grants.ts'
import { parseKeyIdOrArn } from '../names.ts'
import { bind, checkDryRun } from '../route.ts'

export const revokeGrantBinding = bind({
  wire: 'RevokeGrant',
  operation: revokeGrant,
  toInput(wire, ctx) {
    checkGrantId(wire.GrantId)
    return { key: parseKeyIdOrArn(wire.KeyId, ctx.realm), id: wire.GrantId, dryRun: wire.DryRun }
  },
  toOutput(_output, wire) {
    checkDryRun(wire)
    return {}
  },
})
