import { Type } from '@sinclair/typebox'
import { KEY_SPEC_NAMES, type KeySpec, PURPOSES, type Purpose } from '../../../core/algorithm.ts'
import { createKey } from '../../../core/ops/create-key.ts'
import { command } from '../binding.ts'
import { closed, Name, ringReference, shownKey } from '../names.ts'

const Spec = Type.Unsafe<KeySpec>(Type.Union(KEY_SPEC_NAMES.map((name) => Type.Literal(name))))
const PurposeName = Type.Unsafe<Purpose>(Type.Union(PURPOSES.map((name) => Type.Literal(name))))

export const createKeyCommand = command({
  wire: 'key create',
  inRealm: true,
  operation: createKey,
  schema: Type.Object(
    {
      name: Type.Optional(Name),
      ring: Type.Optional(Name),
      spec: Spec,
      purpose: Type.Optional(PurposeName),
      protection: Type.Optional(Type.Union([Type.Literal('software'), Type.Literal('hsm')])),
      description: Type.Optional(Type.String({ maxLength: 8192 })),
    },
    closed,
  ),
  toInput: ({ ring, ...input }) => ({ ...input, ring: ringReference(ring) }),
  toOutput: shownKey,
})
