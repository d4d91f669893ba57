/** Users, roles and account roots. Only the administrator's commands have these operations. */
import { invalidArgument } from '../error.ts'
import { type Env, realmOperation } from '../operation.ts'
import { PolicyError, parsePolicy } from '../policy/aws/document.ts'
import type { Stored, Write } from '../ports.ts'
import {
  ACCOUNT,
  type AccessKey,
  type AccessKeyUse,
  newPrincipalId,
  PRINCIPAL_NAME,
  type PrincipalKind,
  principalArn,
  type StoredPrincipal,
} from '../principals/principal.ts'
import { parseTrust } from '../principals/trust.ts'
import { foldName } from '../schema.ts'

export type PrincipalName = { readonly kind: PrincipalKind; readonly account: string; readonly name: string }
/** Of a principal, what may be said of it when it is made and changed later. */
export type PrincipalFacts = Partial<
  Pick<StoredPrincipal, 'policies' | 'boundary' | 'trust' | 'maxSessionSeconds' | 'tags'>
>

const MAX_POLICIES = 10
const MAX_TAGS = 50
const SESSION_SECONDS = { least: 3600, most: 43_200 }

/** @throws KmsError invalid_argument */
export function checkName({ kind, account, name }: PrincipalName): void {
  if (!ACCOUNT.test(account)) throw invalidArgument('account', 'not a 12-digit account number')
  if (kind === 'root' ? name !== 'root' : !PRINCIPAL_NAME.test(name)) {
    throw invalidArgument(
      'name',
      kind === 'root' ? 'the root of an account has no name' : 'not 1 to 64 of A-Za-z0-9_+=,.@-',
    )
  }
}

function checkPolicy(field: string, text: string, kind: 'identity' | 'trust'): void {
  try {
    if (kind === 'trust') parseTrust(text)
    else parsePolicy(text, kind)
  } catch (error) {
    if (error instanceof PolicyError) throw invalidArgument(field, error.message)
    throw error
  }
}

/** @throws KmsError invalid_argument */
export function checkFacts(kind: PrincipalKind, facts: PrincipalFacts): void {
  const { policies = [], trust, maxSessionSeconds, tags = {} } = facts
  if (policies.length > MAX_POLICIES) throw invalidArgument('policies', `more than ${MAX_POLICIES}`)
  if ((kind === 'role') !== (trust !== undefined)) {
    throw invalidArgument('trust', kind === 'role' ? 'a role needs a trust policy' : 'only a role has a trust policy')
  }
  if (maxSessionSeconds !== undefined) {
    if (kind !== 'role') throw invalidArgument('maxSessionSeconds', 'only a role has sessions')
    const { least, most } = SESSION_SECONDS
    if (!Number.isInteger(maxSessionSeconds) || maxSessionSeconds < least || maxSessionSeconds > most) {
      throw invalidArgument('maxSessionSeconds', `not from ${least} to ${most}`)
    }
  }
  for (const text of policies) checkPolicy('policies', text, 'identity')
  if (facts.boundary !== undefined) checkPolicy('boundary', facts.boundary, 'identity')
  if (trust !== undefined) checkPolicy('trust', trust, 'trust')
  const entries = Object.entries(tags)
  if (entries.length > MAX_TAGS) throw invalidArgument('tags', `more than ${MAX_TAGS}`)
  const bad = entries.find(([key, value]) => key === '' || key.length > 128 || value.length > 256)
  if (bad !== undefined) throw invalidArgument('tags', 'a key of 1 to 128 characters, a value of at most 256')
}

const describe = ({ kind, account, name }: PrincipalName): string =>
  kind === 'root' ? `root of account ${account}` : `${kind} ${name} in account ${account}`

/** @throws KmsError invalid_argument */
export async function findPrincipal(
  { store }: Pick<Env, 'store'>,
  name: PrincipalName,
): Promise<Stored<StoredPrincipal>> {
  const found = await store.find('principals', 'name', [name.account, name.kind, foldName(name.name)])
  if (found === undefined) throw invalidArgument('name', `there is no ${describe(name)}`)
  return found
}

/** All that a principal may have: no more than two. */
export async function accessKeysOf({ store }: Pick<Env, 'store'>, id: string): Promise<readonly Stored<AccessKey>[]> {
  return (await store.page('accessKeys', 'principal', [id], undefined, 100)).rows
}

export const createPrincipal = realmOperation<PrincipalName & PrincipalFacts, StoredPrincipal>({
  name: 'CreatePrincipal',
  action: 'create-principal',
  async run({ store, now }, _target, { kind, account, name, ...facts }) {
    checkName({ kind, account, name })
    checkFacts(kind, facts)
    if ((await store.find('principals', 'name', [account, kind, foldName(name)])) !== undefined) {
      throw invalidArgument('name', `there is a ${describe({ kind, account, name })} already`)
    }
    const row: StoredPrincipal = {
      policies: [],
      tags: {},
      ...facts,
      id: newPrincipalId(kind, account),
      kind,
      account,
      name,
      createdAt: now,
    }
    return {
      output: row,
      writes: [{ kind: 'insert', collection: 'principals', row }],
      about: principalArn(row),
    }
  },
})

export type PrincipalChange = { readonly [F in keyof PrincipalFacts]: PrincipalFacts[F] | null }

/** What is `null` is taken away, what is absent stays. */
export const updatePrincipal = realmOperation<PrincipalName & PrincipalChange, StoredPrincipal>({
  name: 'UpdatePrincipal',
  action: 'update-principal',
  async run(env, _target, { kind, account, name, ...change }) {
    const { revision, ...old } = await findPrincipal(env, { kind, account, name })
    const { boundary, trust, maxSessionSeconds, ...rest } = { ...old, ...definedOf(change) }
    const row: StoredPrincipal = {
      ...rest,
      policies: rest.policies ?? [],
      tags: rest.tags ?? {},
      ...(boundary && { boundary }),
      ...(trust && { trust }),
      ...(maxSessionSeconds && { maxSessionSeconds }),
    }
    checkFacts(kind, row)
    return {
      output: row,
      writes: [{ kind: 'update', collection: 'principals', row, revision }],
      about: principalArn(row),
    }
  },
})

const definedOf = <T extends object>(change: T): Partial<T> =>
  Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)) as Partial<T>

export const deletePrincipal = realmOperation<PrincipalName, StoredPrincipal>({
  name: 'DeletePrincipal',
  action: 'delete-principal',
  async run(env, _target, name) {
    const { revision, ...row } = await findPrincipal(env, name)
    const keys = await accessKeysOf(env, row.id)
    const writes: Write[] = [{ kind: 'delete', collection: 'principals', id: row.id, revision }]
    for (const key of keys) writes.push(...(await deletionOf(env, key)))
    return { output: row, writes, about: principalArn(row) }
  },
})

/** An access key's own row, and that of its last use. */
export async function deletionOf({ store }: Pick<Env, 'store'>, key: Stored<AccessKey>): Promise<readonly Write[]> {
  const use = await store.get('accessKeyUses', key.id)
  return [
    { kind: 'delete', collection: 'accessKeys', id: key.id, revision: key.revision },
    ...(use === undefined
      ? []
      : ([{ kind: 'delete', collection: 'accessKeyUses', id: use.id, revision: use.revision }] as const)),
  ]
}

export type PrincipalView = {
  readonly principal: StoredPrincipal
  readonly accessKeys: readonly { readonly key: AccessKey; readonly lastUse: AccessKeyUse | undefined }[]
}

const PAGE = 500

/** All of them: an installation has as many as it has services that call it. */
export const listPrincipals = realmOperation<Record<string, never>, readonly PrincipalView[]>({
  name: 'ListPrincipals',
  action: 'list-principals',
  async run(env) {
    const views: PrincipalView[] = []
    let after: string | undefined
    do {
      const { rows, next } = await env.store.page('principals', 'name', [], after, PAGE)
      for (const principal of rows) {
        const keys = await accessKeysOf(env, principal.id)
        const accessKeys = keys.map(async (key) => ({ key, lastUse: await env.store.get('accessKeyUses', key.id) }))
        views.push({ principal, accessKeys: await Promise.all(accessKeys) })
      }
      after = next
    } while (after !== undefined)
    return { output: views }
  },
})
