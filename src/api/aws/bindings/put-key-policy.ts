import { putKeyPolicy } from '../../../core/ops/key-facts.ts'
import { parseKeyIdOrArn } from '../names.ts'
import { checkNewPolicy, checkPolicyName } from '../policy-document.ts'
import { bind } from '../route.ts'

export const putKeyPolicyBinding = bind({
  wire: 'PutKeyPolicy',
  operation: putKeyPolicy,
  toInput(wire, ctx) {
    const key = parseKeyIdOrArn(wire.KeyId, ctx.realm)
    checkPolicyName(wire.PolicyName)
    checkNewPolicy(wire.Policy, { ...ctx.realm, keyId: key.id, bypass: wire.BypassPolicyLockoutSafetyCheck })
    return { key, awsPolicy: wire.Policy }
  },
  toOutput: () => ({}),
})
