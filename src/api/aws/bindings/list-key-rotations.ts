import type { RotationKind } from '../../../core/key.ts'
import { listRotations } from '../../../core/ops/list-rotations.ts'
import type { RotationType } from '../gen/types.ts'
import { pageEnd, readLimit, readMarker } from '../marker.ts'
import { parseKeyIdOrArn } from '../names.ts'
import { seconds } from '../render-key-metadata.ts'
import { bind } from '../route.ts'

const TYPES = { automatic: 'AUTOMATIC', on_demand: 'ON_DEMAND' } as const satisfies Record<RotationKind, RotationType>
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
  toOutput: ({ key, versions, next }) => ({
    Rotations: versions.map((version) => ({
      KeyId: key.id,
      KeyMaterialId: version.materialId,
      KeyMaterialState: version.number === key.current ? 'CURRENT' : 'NON_CURRENT',
      ...(version.rotation !== undefined && {
        RotationDate: seconds(version.createdAt),
        RotationType: TYPES[version.rotation],
      }),
    })),
    ...pageEnd(listOf(key.id), next),
  }),
})
