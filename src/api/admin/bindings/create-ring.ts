import { Type } from '@sinclair/typebox'
import { invalidArgument } from '../../../core/error.ts'
import { DIALECTS } from '../../../core/key.ts'
import { createRing } from '../../../core/ops/rings.ts'
import { type AdminContext, command } from '../binding.ts'
import { closed, DialectName, Name, shownRing } from '../names.ts'

type Asked = { readonly dialects?: readonly (typeof DIALECTS)[number][]; readonly crossDialect?: boolean }

/** Or a role in one dialect would walk past a policy in another. @throws KmsError invalid_argument */
function checkShared({ dialects = [], crossDialect }: Asked, { profile, auth }: AdminContext): void {
  if (profile === 'dev' || dialects.length === 1) return
  if (dialects.length === 0)
    throw invalidArgument('dialects', 'production wants to be told which dialect sees the ring')
  if (crossDialect !== true) throw invalidArgument('dialects', 'several dialects see one ring with crossDialect only')
  const lax = dialects.find((dialect) => auth[dialect] !== 'enforce')
  if (lax !== undefined) throw invalidArgument('dialects', `auth.${lax} is not enforce`)
}

export const createRingCommand = command({
  wire: 'ring create',
  inRealm: true,
  operation: createRing,
  schema: Type.Object(
    {
      name: Name,
      dialects: Type.Optional(Type.Array(DialectName, { minItems: 1, uniqueItems: true })),
      crossDialect: Type.Optional(Type.Boolean()),
    },
    closed,
  ),
  toInput({ name, ...asked }, ctx) {
    checkShared(asked, ctx)
    return { name, shared: false, dialects: asked.dialects ?? DIALECTS }
  },
  toOutput: ({ ring }) => shownRing(ring),
})
