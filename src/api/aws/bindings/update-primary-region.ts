import { updatePrimary } from '../../../core/ops/update-primary.ts'
import { parseKeyIdOrArn, regionAddress } from '../names.ts'
import { bind } from '../route.ts'

export const updatePrimaryRegionBinding = bind({
  wire: 'UpdatePrimaryRegion',
  operation: updatePrimary,
  toInput: (wire, ctx) => ({
    key: parseKeyIdOrArn(wire.KeyId, ctx.realm),
    realm: regionAddress(wire.PrimaryRegion, ctx.realm),
  }),
  toOutput: () => ({}),
})
