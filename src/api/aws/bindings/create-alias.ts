import { createAlias } from '../../../core/ops/aliases.ts'
import { checkAliasName, parseTargetKey } from '../names.ts'
import { bind } from '../route.ts'

/** AWS's quota. */
const MAX_ALIASES = 50

export const createAliasBinding = bind({
  wire: 'CreateAlias',
  operation: createAlias,
  toInput(wire, ctx) {
    checkAliasName(wire.AliasName)
    return { key: parseTargetKey(wire.TargetKeyId, ctx.realm), alias: wire.AliasName, limit: MAX_ALIASES }
  },
  toOutput: () => ({}),
})
