import { deleteAlias } from '../../../core/ops/aliases.ts'
import { checkAliasPrefix } from '../names.ts'
import { bind } from '../route.ts'

export const deleteAliasBinding = bind({
  wire: 'DeleteAlias',
  operation: deleteAlias,
  toInput(wire) {
    checkAliasPrefix(wire.AliasName)
    return { alias: wire.AliasName }
  },
  toOutput: () => ({}),
})
