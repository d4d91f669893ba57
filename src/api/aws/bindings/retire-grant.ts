import { retireGrant } from '../../../core/ops/grants.ts'
import { validationError } from '../aws-error.ts'
import type { RetireGrantRequest } from '../gen/types.ts'
import { readGrantToken } from '../grant-token.ts'
import { inAccount, parseKeyIdOrArn } from '../names.ts'
import { type AwsContext, bind, checkDryRun } from '../route.ts'

/** @throws AwsError where the request names no grant, or names it twice */
export function grantToRetire({ GrantToken: token, KeyId: keyId, GrantId: id }: RetireGrantRequest, ctx: AwsContext) {
  if (token === undefined && keyId !== undefined && id !== undefined) {
    return { key: parseKeyIdOrArn(keyId, ctx.realm), id }
  }
  if (token === undefined || keyId !== undefined || id !== undefined) {
    throw validationError('Grant token OR (grant ID, key ID) must be specified')
  }
  const named = readGrantToken(token)
  const key = { by: 'id', id: named.keyId } as const
  const { account, region } = ctx.realm
  return { key: named.account === account ? key : inAccount(key, named.account, region), id: named.id }
}

export const retireGrantBinding = bind({
  wire: 'RetireGrant',
  operation: retireGrant,
  toInput: (wire, ctx) => ({ ...grantToRetire(wire, ctx), dryRun: wire.DryRun }),
  toOutput(_output, wire) {
    checkDryRun(wire)
    return {}
  },
})
