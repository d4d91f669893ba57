import { putKeyPolicy } from '../../../core/ops/key-facts.ts'
import { askerOf } from '../facts.ts'
import { parseKeyIdOrArn } from '../names.ts'
import { checkNewPolicy, checkPolicyName } from '../policy-document.ts'
import { bind } from '../route.ts'

export const putKeyPolicyBinding = bind({
  wire: 'PutKeyPolicy',
  operation: putKeyPolicy,
  toInput(wire, ctx) {
    const key = parseKeyIdOrArn(wire.KeyId, ctx.realm)
    checkPolicyName(wire.PolicyName)
    const bypass = wire.BypassPolicyLockoutSafetyCheck
    const asker = askerOf('PutKeyPolicy', wire, ctx)
    checkNewPolicy(wire.Policy, { ...ctx.realm, keyId: key.id, bypass, asker })
    return { key, awsPolicy: wire.Policy }
  },
  toOutput: () => ({}),
})
