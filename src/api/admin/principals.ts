/** How commands name principals, and what they are shown of them. */
import { Type } from '@sinclair/typebox'
import { invalidArgument } from '../../core/error.ts'
import type { PrincipalName } from '../../core/ops/principals.ts'
import type { AccessKey, AccessKeyUse, StoredPrincipal } from '../../core/principals/principal.ts'
import { principalArn } from '../../core/principals/principal.ts'
import type { AdminContext } from './binding.ts'
import { iso } from './names.ts'

export const Text = Type.String({ maxLength: 64 * 1024 })

export const NAME = {
  kind: Type.Optional(Type.Union([Type.Literal('user'), Type.Literal('role'), Type.Literal('root')])),
  account: Type.Optional(Type.String({ maxLength: 12 })),
  name: Type.Optional(Type.String({ maxLength: 64 })),
}
export const FACTS = {
  /** Documents as JSON text. */
  policies: Type.Optional(Type.Array(Text, { maxItems: 10 })),
  boundary: Type.Optional(Text),
  trust: Type.Optional(Text),
  maxSessionSeconds: Type.Optional(Type.Integer()),
  tags: Type.Optional(Type.Record(Type.String(), Type.String())),
}

type Named = { readonly [F in keyof PrincipalName]?: PrincipalName[F] | undefined }

/** @throws KmsError invalid_argument for one that the configuration describes: no command changes it */
export function nameOf({ kind = 'user', account, name }: Named, ctx: AdminContext): PrincipalName {
  const full = { kind, account: account ?? ctx.account, name: name ?? (kind === 'root' ? 'root' : '') }
  if (ctx.directory.isNameFixed(full)) throw invalidArgument('name', 'the configuration describes it: change it there')
  return full
}

export const shown = (principal: StoredPrincipal) => ({
  arn: principalArn(principal),
  id: principal.id,
  kind: principal.kind,
  account: principal.account,
  name: principal.name,
  policies: principal.policies.map((text) => JSON.parse(text) as unknown),
  ...(principal.boundary !== undefined && { boundary: JSON.parse(principal.boundary) as unknown }),
  ...(principal.trust !== undefined && { trust: JSON.parse(principal.trust) as unknown }),
  ...(principal.maxSessionSeconds !== undefined && { maxSessionSeconds: principal.maxSessionSeconds }),
  tags: principal.tags,
})

export const shownKey = (
  key: Pick<AccessKey, 'id' | 'enabled'> & { readonly createdAt?: number },
  lastUse?: AccessKeyUse,
) => ({
  accessKeyId: key.id,
  enabled: key.enabled,
  ...(key.createdAt !== undefined && { createdAt: iso(key.createdAt) }),
  ...(lastUse !== undefined && { lastUsed: { at: iso(lastUse.at), service: lastUse.service, region: lastUse.region } }),
})
