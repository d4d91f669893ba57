import { type ReplicateKeyInput, replicateKey } from '../../../core/ops/replicate-key.ts'
import { askerOf } from '../facts.ts'
import { parseKeyIdOrArn, regionAddress } from '../names.ts'
import { checkNewPolicy, defaultPolicy } from '../policy-document.ts'
import { renderKeyMetadata } from '../render-key-metadata.ts'
import { bind } from '../route.ts'
import { readTags, writeTags } from '../tags.ts'

export const replicateKeyBinding = bind({
  wire: 'ReplicateKey',
  operation: replicateKey,
  toInput(wire, ctx): ReplicateKeyInput {
    const realm = regionAddress(wire.ReplicaRegion, ctx.realm)
    if (wire.Policy !== undefined) {
      checkNewPolicy(wire.Policy, {
        ...realm,
        bypass: wire.BypassPolicyLockoutSafetyCheck,
        asker: askerOf('ReplicateKey', wire, ctx),
      })
    }
    return {
      key: parseKeyIdOrArn(wire.KeyId, ctx.realm),
      realm,
      description: wire.Description,
      tags: readTags(wire.Tags ?? []),
      awsPolicy: wire.Policy,
    }
  },
  toOutput(view, wire, ctx) {
    const address = regionAddress(wire.ReplicaRegion, ctx.realm)
    return {
      ReplicaKeyMetadata: renderKeyMetadata(view, address),
      ReplicaPolicy: view.key.awsPolicy ?? defaultPolicy(address),
      ReplicaTags: writeTags(view.key.tags.aws),
    }
  },
})
