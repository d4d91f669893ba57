import { Type } from '@sinclair/typebox'
import { listPrincipals } from '../../../core/ops/principals.ts'
import { type AdminContext, command } from '../binding.ts'
import { closed } from '../names.ts'
import { shown, shownKey } from '../principals.ts'

/** What the configuration describes is in no store. */
const fixedOf = ({ directory }: AdminContext) =>
  directory.all
    .filter(({ id }) => directory.isFixed(id))
    .map((principal) => ({
      ...shown(principal),
      source: 'configuration',
      accessKeys: directory.accessKeysOf(principal.id).map((key) => shownKey(key, directory.uses.recent(key.id))),
    }))

export const listPrincipalsCommand = command({
  wire: 'principal list',
  operation: listPrincipals,
  schema: Type.Object({}, closed),
  toInput: () => ({}),
  toOutput: (views, ctx) => ({
    principals: [
      ...fixedOf(ctx),
      ...views.map(({ principal, accessKeys }) => ({
        ...shown(principal),
        source: 'commands',
        accessKeys: accessKeys.map(({ key, lastUse }) => shownKey(key, ctx.directory.uses.recent(key.id) ?? lastUse)),
      })),
    ],
  }),
})
