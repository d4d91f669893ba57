import { getPublicKey } from '../../../core/ops/get-public-key.ts'
import { arnOfKey, parseKeyReference, wireUsage } from '../names.ts'
import { renderAlgorithms, renderSpec } from '../render-key-metadata.ts'
import { bind } from '../route.ts'

export const getPublicKeyBinding = bind({
  wire: 'GetPublicKey',
  operation: getPublicKey,
  toInput(wire, ctx) {
    return { key: parseKeyReference(wire.KeyId, ctx.realm) }
  },
  toOutput: ({ key, version, spki }, _wire, ctx) => ({
    KeyId: arnOfKey(ctx.realm, key),
    PublicKey: spki,
    ...renderSpec(key),
    KeyUsage: wireUsage(key.purpose),
    ...renderAlgorithms(key, version),
  }),
})
