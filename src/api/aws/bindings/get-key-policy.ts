import { getKeyPolicy } from '../../../core/ops/get-key.ts'
import { parseKeyIdOrArn } from '../names.ts'
import { checkPolicyName, defaultPolicy, POLICY_NAME } from '../policy-document.ts'
import { bind } from '../route.ts'

export const getKeyPolicyBinding = bind({
  wire: 'GetKeyPolicy',
  operation: getKeyPolicy,
  toInput(wire, ctx) {
    checkPolicyName(wire.PolicyName)
    return { key: parseKeyIdOrArn(wire.KeyId, ctx.realm) }
  },
  toOutput: ({ key }, _wire, ctx) => ({ Policy: key.awsPolicy ?? defaultPolicy(ctx.realm), PolicyName: POLICY_NAME }),
})
