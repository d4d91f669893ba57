import type { Key, KeyVersion, RotationKind } from '../../../core/key.ts'
import { listRotations } from '../../../core/ops/list-rotations.ts'
import type { KeyMaterialState, RotationType } from '../gen/types.ts'
import { pageEnd, readLimit, readMarker } from '../marker.ts'
import { awsKeyId, parseKeyIdOrArn } from '../names.ts'
import { renderExpiration, seconds } from '../render-key-metadata.ts'
import { bind } from '../route.ts'

const TYPES = { automatic: 'AUTOMATIC', on_demand: 'ON_DEMAND' } as const satisfies Record<RotationKind, RotationType>
const isPending = (key: Key, version: KeyVersion): boolean => version.number === key.pendingVersion

/** `awaited`: replicas wait for the material that waits for its rotation. */
function stateOf(key: Key, version: KeyVersion, awaited: boolean): KeyMaterialState {
  if (isPending(key, version)) {
    return awaited || version.ref.length === 0 ? 'PENDING_MULTI_REGION_IMPORT_AND_ROTATION' : 'PENDING_ROTATION'
  }
  return version.number === key.current ? 'CURRENT' : 'NON_CURRENT'
}

/** What AWS says of imported material alone. */
function renderImport({ origin }: Key, version: KeyVersion) {
  const { imported } = version
  if (origin !== 'imported' || imported === undefined) return {}
  const there = version.ref.length > 0
  return {
    ...(imported.description !== undefined && { KeyMaterialDescription: imported.description }),
    ImportState: there ? ('IMPORTED' as const) : ('PENDING_IMPORT' as const),
    ...(there && renderExpiration(imported.expiresAt)),
  }
}

const listOf = (keyId: string): string => `rotations of ${keyId.toLowerCase()}`

export const listKeyRotationsBinding = bind({
  wire: 'ListKeyRotations',
  operation: listRotations,
  toInput(wire, ctx) {
    const key = parseKeyIdOrArn(wire.KeyId, ctx.realm)
    return {
      key,
      all: wire.IncludeKeyMaterial === 'ALL_KEY_MATERIAL',
      after: readMarker(listOf(key.id), wire.Marker),
      limit: readLimit(wire.Limit, { byDefault: 100, max: 1000 }),
    }
  },
  toOutput: ({ key, versions, next, awaited }) => ({
    Rotations: versions.map((version) => ({
      KeyId: awsKeyId(key),
      KeyMaterialId: version.materialId,
      KeyMaterialState: stateOf(key, version, awaited),
      ...renderImport(key, version),
      ...(version.rotation !== undefined && {
        RotationDate: seconds(version.rotatedAt ?? version.createdAt),
        RotationType: TYPES[version.rotation],
      }),
    })),
    ...pageEnd(listOf(awsKeyId(key)), next),
  }),
})
