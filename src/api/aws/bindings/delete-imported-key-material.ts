import { deleteMaterial } from '../../../core/ops/delete-material.ts'
import { arnOfKey, parseKeyIdOrArn } from '../names.ts'
import { bind } from '../route.ts'

export const deleteImportedKeyMaterialBinding = bind({
  wire: 'DeleteImportedKeyMaterial',
  operation: deleteMaterial,
  toInput: (wire, ctx) => ({ key: parseKeyIdOrArn(wire.KeyId, ctx.realm), materialId: wire.KeyMaterialId }),
  toOutput: ({ key, version }, _wire, ctx) => ({
    KeyId: arnOfKey(ctx.realm, key),
    ...(version && { KeyMaterialId: version.materialId }),
  }),
})
