import { createAlias } from '../../../core/ops/aliases.ts'
import { AwsError, validationError } from '../aws-error.ts'
import { checkAliasPrefix, parseKeyReference } from '../names.ts'
import { bind } from '../route.ts'

/** @throws AwsError for a name that AWS gives to no one */
function checkAliasName(name: string): void {
  checkAliasPrefix(name)
  if (name === 'alias/') throw validationError('Alias must not be empty')
  if (name.startsWith('alias/aws/')) throw new AwsError('NotAuthorizedException')
  if (name.includes(':')) throw validationError(`${name} contains invalid characters for an alias`)
}

export const createAliasBinding = bind({
  wire: 'CreateAlias',
  operation: createAlias,
  toInput(wire, ctx) {
    checkAliasName(wire.AliasName)
    const key = parseKeyReference(wire.TargetKeyId, ctx.realm)
    if (key.by === 'alias') throw validationError('Aliases must refer to keys. Not aliases')
    return { key, alias: wire.AliasName }
  },
  toOutput: () => ({}),
})
