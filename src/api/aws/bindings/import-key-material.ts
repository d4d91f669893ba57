import { type ImportMaterialInput, importMaterial } from '../../../core/ops/import-material.ts'
import { validationError } from '../aws-error.ts'
import type { ImportKeyMaterialRequest } from '../gen/types.ts'
import { arnOfKey, parseKeyIdOrArn } from '../names.ts'
import { bind } from '../route.ts'

/** The longest life of imported material that AWS documents. */
const MAX_LIFE_MS = 365 * 86_400_000

const MATERIALS = { NEW_KEY_MATERIAL: 'new', EXISTING_KEY_MATERIAL: 'existing' } as const

/** The date that material expires, ms; it expires by default. @throws AwsError, the first as recorded from the service */
function readExpiry({ ExpirationModel: model, ValidTo: at }: ImportKeyMaterialRequest, now: number) {
  if (model === 'KEY_MATERIAL_DOES_NOT_EXPIRE') {
    if (at === undefined) return undefined
    throw validationError('A validTo date must not be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE')
  }
  if (at === undefined)
    throw validationError('A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES')
  const expiresAt = Math.floor(at * 1000)
  if (expiresAt <= now) throw validationError('The validTo date must be in the future')
  if (expiresAt > now + MAX_LIFE_MS) throw validationError('The validTo date must be within 365 days')
  return expiresAt
}

/** @throws AwsError for an id of material that can't have one yet */
function readMaterial({ ImportType: type, KeyMaterialId: materialId }: ImportKeyMaterialRequest) {
  if (type === 'NEW_KEY_MATERIAL' && materialId !== undefined)
    throw validationError('KeyMaterialId cannot be specified when ImportType is NEW_KEY_MATERIAL')
  return { material: type && MATERIALS[type], materialId }
}

export const importKeyMaterialBinding = bind({
  wire: 'ImportKeyMaterial',
  operation: importMaterial,
  toInput(wire, ctx): ImportMaterialInput {
    return {
      key: parseKeyIdOrArn(wire.KeyId, ctx.realm),
      token: wire.ImportToken,
      wrapped: wire.EncryptedKeyMaterial,
      ...readMaterial(wire),
      expiresAt: readExpiry(wire, ctx.now),
      description: wire.KeyMaterialDescription,
    }
  },
  toOutput: ({ key, version }, _wire, ctx) => ({
    KeyId: arnOfKey(ctx.realm, key),
    KeyMaterialId: version.materialId,
  }),
})
