import { getImportParameters } from '../../../core/ops/import-parameters.ts'
import { unsupported } from '../aws-error.ts'
import { arnOfKey, coreWrapping, coreWrappingKey, parseKeyIdOrArn } from '../names.ts'
import { seconds } from '../render-key-metadata.ts'
import { bind } from '../route.ts'

export const getParametersForImportBinding = bind({
  wire: 'GetParametersForImport',
  operation: getImportParameters,
  toInput(wire, ctx) {
    const wrapping = coreWrapping(wire.WrappingAlgorithm)
    const wrappingKey = coreWrappingKey(wire.WrappingKeySpec)
    if (wrapping === undefined) throw unsupported(`WrappingAlgorithm ${wire.WrappingAlgorithm} is not supported.`)
    if (wrappingKey === undefined) throw unsupported(`WrappingKeySpec ${wire.WrappingKeySpec} is not supported.`)
    return { key: parseKeyIdOrArn(wire.KeyId, ctx.realm), wrapping, wrappingKey }
  },
  toOutput: ({ key, token, spki, expiresAt }, _wire, ctx) => ({
    KeyId: arnOfKey(ctx.realm, key),
    ImportToken: token,
    PublicKey: spki,
    ParametersValidTo: seconds(expiresAt),
  }),
})
