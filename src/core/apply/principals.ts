/** AWS's users, roles and account roots as a declaration has them, with their access keys. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { allRows } from '../all-rows.ts'
import { invalidArgument } from '../error.ts'
import {
  accessKeysOf,
  checkFacts,
  checkName,
  deletionOf,
  type PrincipalFacts,
  type PrincipalName,
} from '../ops/principals.ts'
import type { Stored, Write } from '../ports.ts'
import { accessKeyContext } from '../principals/directory.ts'
import {
  ACCESS_KEY_ID,
  type AccessKey,
  MAX_ACCESS_KEYS,
  newPrincipalId,
  principalArn,
  type StoredPrincipal,
} from '../principals/principal.ts'
import { foldName } from '../schema.ts'
import { type Change, canonical, checkOnce, eachOf, gone, type PlanContext, type Section } from './plan.ts'

export type DeclaredKey = { readonly id: string; readonly secret: string }
export type DeclaredPrincipal = PrincipalName & {
  readonly facts: PrincipalFacts
  /** Absent: whatever there is stays. */
  readonly accessKeys?: readonly DeclaredKey[]
}

const keyOf = ({ account, kind, name }: PrincipalName): string => `${account} ${kind} ${foldName(name)}`
const parsed = (text: string | undefined): unknown => (text === undefined ? undefined : JSON.parse(text))

const shown = ({ policies = [], boundary, trust, maxSessionSeconds, tags = {} }: PrincipalFacts) => ({
  policies: policies.map(parsed),
  ...(boundary !== undefined && { boundary: parsed(boundary) }),
  ...(trust !== undefined && { trust: parsed(trust) }),
  ...(maxSessionSeconds !== undefined && { maxSessionSeconds }),
  tags,
})

/** @throws KmsError invalid_argument */
function check({ facts, accessKeys = [], ...name }: DeclaredPrincipal): void {
  checkName(name)
  checkFacts(name.kind, facts)
  if (accessKeys.length > MAX_ACCESS_KEYS) throw invalidArgument('accessKeys', `more than ${MAX_ACCESS_KEYS}`)
  if (name.kind === 'role' && accessKeys.length > 0) throw invalidArgument('accessKeys', 'a role is assumed')
  for (const { id, secret } of accessKeys) {
    if (!ACCESS_KEY_ID.test(id))
      throw invalidArgument('accessKeys', 'an id is not 16 to 128 letters, digits and underscores')
    if (secret === '') throw invalidArgument('accessKeys', 'a secret is empty')
  }
}

const digest = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest()

async function keyChange(
  { store, sealer, now }: PlanContext,
  owner: StoredPrincipal,
  { id, secret }: DeclaredKey,
): Promise<Section | undefined> {
  const there = await store.get('accessKeys', id)
  if (there !== undefined && there.principalId !== owner.id) {
    throw invalidArgument('accessKeys', `${id} is somebody else's`)
  }
  const same =
    there !== undefined &&
    timingSafeEqual(digest(await sealer.unseal(there.sealedSecret, accessKeyContext(id))), digest(Buffer.from(secret)))
  if (same && there.enabled) return undefined
  const sealedSecret = same ? there.sealedSecret : await sealer.seal(Buffer.from(secret), accessKeyContext(id))
  const row: AccessKey = { id, principalId: owner.id, sealedSecret, enabled: true, createdAt: there?.createdAt ?? now }
  const what = `access key ${id} of ${principalArn(owner)}`
  if (there === undefined) {
    return { changes: [{ kind: 'create', what }], writes: [{ kind: 'insert', collection: 'accessKeys', row }] }
  }
  // The secret itself is shown nowhere.
  const before = { enabled: there.enabled, secret: 'as it is' }
  const after = { enabled: true, secret: same ? 'as it is' : 'another one' }
  const writes: readonly Write[] = [{ kind: 'update', collection: 'accessKeys', row, revision: there.revision }]
  return { changes: [{ kind: 'update', what, before, after }], writes }
}

async function keyChanges(
  context: PlanContext,
  owner: StoredPrincipal,
  declared: readonly DeclaredKey[] | undefined,
): Promise<readonly Section[]> {
  if (declared === undefined) return []
  const sections: Section[] = []
  const existing = await accessKeysOf(context, owner.id)
  const listed = new Set(declared.map(({ id }) => id))
  const others = existing.filter(({ id }) => !listed.has(id))
  for (const key of declared) {
    const section = await keyChange(context, owner, key)
    if (section !== undefined) sections.push(section)
  }
  for (const other of others) {
    const change: Change = { kind: gone(context.prune), what: `access key ${other.id} of ${principalArn(owner)}` }
    sections.push({ changes: [change], writes: context.prune ? await deletionOf(context, other) : [] })
  }
  const kept = context.prune ? declared.length : declared.length + others.length
  if (kept > MAX_ACCESS_KEYS)
    throw invalidArgument('accessKeys', `with those that are there, more than ${MAX_ACCESS_KEYS}`)
  return sections
}

function ownChange(row: StoredPrincipal, there: Stored<StoredPrincipal> | undefined): Section | undefined {
  const what = `${row.kind} ${principalArn(row)}`
  if (there === undefined) {
    return {
      changes: [{ kind: 'create', what, after: shown(row) }],
      writes: [{ kind: 'insert', collection: 'principals', row }],
    }
  }
  const [before, after] = [shown(there), shown(row)]
  if (canonical(before) === canonical(after)) return undefined
  return {
    changes: [{ kind: 'update', what, before, after }],
    writes: [{ kind: 'update', collection: 'principals', row, revision: there.revision }],
  }
}

async function planOne(
  context: PlanContext,
  { facts, accessKeys, ...name }: DeclaredPrincipal,
): Promise<readonly Section[]> {
  const there = await context.store.find('principals', 'name', [name.account, name.kind, foldName(name.name)])
  const row: StoredPrincipal = {
    policies: [],
    tags: {},
    ...facts,
    ...name,
    name: there?.name ?? name.name,
    id: there?.id ?? newPrincipalId(name.kind, name.account),
    createdAt: there?.createdAt ?? context.now,
  }
  const own = ownChange(row, there)
  return [...(own === undefined ? [] : [own]), ...(await keyChanges(context, row, accessKeys))]
}

async function planRest(context: PlanContext, listed: ReadonlySet<string>): Promise<readonly Section[]> {
  const sections: Section[] = []
  for (const principal of await allRows(context.store, 'principals', 'name')) {
    if (listed.has(keyOf(principal))) continue
    const change: Change = { kind: gone(context.prune), what: `${principal.kind} ${principalArn(principal)}` }
    const writes: Write[] = []
    if (context.prune) {
      writes.push({ kind: 'delete', collection: 'principals', id: principal.id, revision: principal.revision })
      for (const key of await accessKeysOf(context, principal.id)) writes.push(...(await deletionOf(context, key)))
    }
    sections.push({ changes: [change], writes })
  }
  return sections
}

/** @throws KmsError invalid_argument */
export async function planPrincipals(
  context: PlanContext,
  declared: readonly DeclaredPrincipal[],
): Promise<readonly Section[]> {
  checkOnce('principals', declared.map(keyOf))
  checkOnce(
    'principals',
    declared.flatMap(({ accessKeys = [] }) => accessKeys.map(({ id }) => id)),
  )
  const planned = await eachOf('principals', declared, async (one) => {
    check(one)
    return planOne(context, one)
  })
  return [...planned.flat(), ...(await planRest(context, new Set(declared.map(keyOf))))]
}
