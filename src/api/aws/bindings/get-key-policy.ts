import { getKeyPolicy } from '../../../core/ops/get-key.ts'
import { AwsError } from '../aws-error.ts'
import { parseKeyIdOrArn } from '../names.ts'
import { defaultPolicy, POLICY_NAME } from '../policy-document.ts'
import { bind } from '../route.ts'

export const getKeyPolicyBinding = bind({
  wire: 'GetKeyPolicy',
  operation: getKeyPolicy,
  toInput: (wire, ctx) => ({ key: parseKeyIdOrArn(wire.KeyId, ctx.realm) }),
  toOutput({ key }, wire, ctx) {
    const name = wire.PolicyName ?? POLICY_NAME
    if (name !== POLICY_NAME) throw new AwsError('NotFoundException', 'No such policy exists')
    return { Policy: key.awsPolicy ?? defaultPolicy(ctx.realm), PolicyName: name }
  },
})
