import { createGrant } from '../../../core/ops/grants.ts'
import { validationError } from '../aws-error.ts'
import { writeGrantToken } from '../grant-token.ts'
import { checkGrantable, checkPrincipal, readConstraints } from '../grants.ts'
import { parseKeyIdOrArn } from '../names.ts'
import { bind, checkDryRun } from '../route.ts'

/** AWS's quota. */
const MAX_GRANTS = 50_000

export const createGrantBinding = bind({
  wire: 'CreateGrant',
  operation: createGrant,
  toInput(wire, ctx) {
    const { Operations: operations, GranteePrincipal: grantee, RetiringPrincipal: retiring } = wire
    if (operations.length === 0) throw validationError('Operations must name at least one operation.')
    checkPrincipal(grantee)
    checkPrincipal(retiring)
    const constraints = readConstraints(wire.Constraints)
    return {
      key: parseKeyIdOrArn(wire.KeyId, ctx.realm),
      name: wire.Name,
      grantee,
      retiring,
      operations,
      constraints,
      limit: MAX_GRANTS,
      check: ({ key }) => checkGrantable(key, { operations, constraints }),
      dryRun: wire.DryRun,
    }
  },
  toOutput({ grant }, wire) {
    checkDryRun(wire)
    return { GrantId: grant.id, GrantToken: writeGrantToken(grant) }
  },
})
