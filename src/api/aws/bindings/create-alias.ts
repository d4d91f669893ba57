import { createAlias } from '../../../core/ops/aliases.ts'
import { checkAliasName, MAX_ALIASES, parseTargetKey } from '../names.ts'
import { bind } from '../route.ts'

export const createAliasBinding = bind({
  wire: 'CreateAlias',
  operation: createAlias,
  toInput(wire, ctx) {
    checkAliasName(wire.AliasName)
    return { key: parseTargetKey(wire.TargetKeyId, ctx.realm), alias: wire.AliasName, limit: MAX_ALIASES }
  },
  toOutput: () => ({}),
})
