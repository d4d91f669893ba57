import { type Static, Type } from '@sinclair/typebox'
import { invalidArgument } from '../../../core/error.ts'
import { applyRights, type Declaration, planRights } from '../../../core/ops/apply.ts'
import type { PrincipalFacts } from '../../../core/ops/principals.ts'
import { type AdminContext, type Command, command } from '../binding.ts'
import { closed } from '../names.ts'
import { NAME, nameOf } from '../principals.ts'
import { iamResource } from '../rights.ts'

const Text = Type.String({ minLength: 1, maxLength: 1024 })
const Document = Type.Record(Type.String(), Type.Unknown())
const Actions = Type.Array(Type.String({ minLength: 1, maxLength: 256 }), { maxItems: 128 })
const list = <T extends Parameters<typeof Type.Array>[0]>(item: T) =>
  Type.Optional(Type.Array(item, { maxItems: 10_000 }))

const Declared = Type.Object(
  {
    principals: list(
      Type.Object(
        {
          ...NAME,
          policies: Type.Optional(Type.Array(Document, { maxItems: 10 })),
          boundary: Type.Optional(Document),
          trust: Type.Optional(Document),
          maxSessionSeconds: Type.Optional(Type.Integer()),
          tags: Type.Optional(Type.Record(Type.String(), Type.String())),
          /** With their secrets, which the command line has fetched. */
          accessKeys: Type.Optional(
            Type.Array(Type.Object({ id: Text, secret: Type.String({ maxLength: 1024 }) }, closed), { maxItems: 2 }),
          ),
        },
        closed,
      ),
    ),
    roleDefinitions: list(
      Type.Object({ name: Text, dataActions: Actions, notDataActions: Type.Optional(Actions) }, closed),
    ),
    roleAssignments: list(
      Type.Object({ role: Text, principal: Text, scope: Text, deny: Type.Optional(Type.Boolean()) }, closed),
    ),
    iamPolicies: list(
      Type.Object(
        {
          resource: Text,
          bindings: Type.Array(Type.Object({ role: Text, members: Type.Array(Text, { maxItems: 1500 }) }, closed), {
            maxItems: 1500,
          }),
        },
        closed,
      ),
    ),
    prune: Type.Optional(Type.Boolean()),
  },
  closed,
)
type Declared = Static<typeof Declared>

/** Says of each entry which one it was. @throws KmsError invalid_argument */
function within<T>(where: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    const { field, reason } = (error as { params?: { field?: unknown; reason?: unknown } }).params ?? {}
    throw field === undefined ? error : invalidArgument(`${where}.${field}`, String(reason))
  }
}

function principalOf(declared: NonNullable<Declared['principals']>[number], ctx: AdminContext) {
  const { kind, account, name, accessKeys, policies, boundary, trust, maxSessionSeconds, tags } = declared
  const facts: PrincipalFacts = {
    ...(policies !== undefined && { policies: policies.map((one) => JSON.stringify(one)) }),
    ...(boundary !== undefined && { boundary: JSON.stringify(boundary) }),
    ...(trust !== undefined && { trust: JSON.stringify(trust) }),
    ...(maxSessionSeconds !== undefined && { maxSessionSeconds }),
    ...(tags !== undefined && { tags }),
  }
  const fixed = accessKeys?.find(({ id }) => ctx.directory.isKeyFixed(id))
  if (fixed !== undefined) throw invalidArgument('accessKeys', `the configuration has ${fixed.id}: change it there`)
  return { ...nameOf({ kind, account, name }, ctx), facts, ...(accessKeys !== undefined && { accessKeys }) }
}

const declarationOf = (body: Declared, ctx: AdminContext): Declaration => ({
  principals: body.principals?.map((one, at) => within(`principals.${at}`, () => principalOf(one, ctx))),
  roleDefinitions: body.roleDefinitions?.map(({ notDataActions = [], ...one }) => ({ ...one, notDataActions })),
  roleAssignments: body.roleAssignments?.map(({ principal, deny = false, ...one }) => ({
    ...one,
    principalId: principal,
    deny,
  })),
  iamPolicies: body.iamPolicies?.map(({ resource, bindings }, at) =>
    within(`iamPolicies.${at}`, () => ({ resource: iamResource(resource), bindings })),
  ),
  prune: body.prune === true,
})

export const applyCommands: readonly Command[] = [
  command({
    wire: 'apply',
    operation: applyRights,
    schema: Declared,
    toInput: declarationOf,
    toOutput: (changes) => ({ changes }),
  }),
  command({
    wire: 'apply plan',
    operation: planRights,
    schema: Declared,
    toInput: declarationOf,
    toOutput: (changes) => ({ changes }),
  }),
]
