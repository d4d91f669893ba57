import { createHash, randomBytes } from 'node:crypto'
import { KmsError } from '../error.ts'
import type { Realm } from '../key.ts'
import { type Env, type KeyInput, type KeyTarget, keyOperation, realmOperation } from '../operation.ts'
import { arnOfKey } from '../policy/aws/arn.ts'
import type { Grant } from '../policy/aws/grant.ts'
import type { Stored } from '../ports.ts'
import type { Paging } from './list-keys.ts'
import { unchanged } from './unchanged-key.ts'

export type CreateGrantInput = KeyInput &
  Pick<Grant, 'grantee' | 'operations' | 'constraints'> & {
    readonly name?: string | undefined
    readonly retiring?: string | undefined
    /** Most grants that a key may have. */
    readonly limit: number
    /** Whether the key can do what the grant would allow; throws for one that can't. */
    check(target: KeyTarget): void
    readonly dryRun?: boolean | undefined
  }
export type GrantOutput = KeyTarget & { readonly grant: Grant }

/** Injective, whatever the order of operations and of the pairs of a context. */
function fingerprint(issuer: string, { name, grantee, retiring, operations, constraints }: CreateGrantInput): string {
  const sorted = (map: Readonly<Record<string, string>> | undefined) => map && Object.entries(map).sort()
  const { equals, subset } = constraints
  const asked = [name, issuer, grantee, retiring, [...new Set(operations)].sort(), sorted(equals), sorted(subset)]
  return createHash('sha256')
    .update(JSON.stringify(asked.map((part) => part ?? null)))
    .digest('hex')
}

const addressOf = ({ aws }: Realm): { readonly account: string; readonly region: string } => {
  if (aws === undefined) throw new KmsError('internal')
  return aws
}

function newGrant(env: Env, { realm, key }: KeyTarget, input: CreateGrantInput): Grant {
  const { account, region } = addressOf(realm)
  const issuer = env.call.principal.aws?.account ?? account
  const { name, retiring, grantee, operations, constraints } = input
  return {
    id: randomBytes(32).toString('hex'),
    keyId: key.id,
    arn: arnOfKey({ account, region }, key),
    region,
    account,
    ...(name !== undefined && { name, fingerprint: fingerprint(issuer, input) }),
    grantee,
    ...(retiring !== undefined && { retiring }),
    issuer,
    operations: [...new Set(operations)],
    constraints,
    createdAt: env.now,
  }
}

/**
 * Under a name, the same request again finds the grant that it made.
 * @throws KmsError key_disabled and what other states stand for, limit_exceeded
 */
export const createGrant = keyOperation<CreateGrantInput, GrantOutput>({
  name: 'CreateGrant',
  action: 'create-grant',
  states: ['enabled', 'unavailable'],
  async run(env, target, input) {
    input.check(target)
    const grant = newGrant(env, target, input)
    const { fingerprint: asked, keyId } = grant
    const known = asked === undefined ? undefined : await env.store.find('grants', 'asked', [keyId, asked])
    if (known !== undefined) return { output: { ...target, grant: known } }
    if ((await env.store.count('grants', 'key', [keyId])) >= input.limit) {
      throw new KmsError('limit_exceeded', { limit: `${input.limit} grants of a key` })
    }
    if (input.dryRun === true) return { output: { ...target, grant } }
    return {
      output: { ...target, grant },
      writes: [unchanged(target), { kind: 'insert', collection: 'grants', row: grant }],
    }
  },
})

export type GrantList = { readonly grants: readonly Grant[]; readonly next?: string }

export type ListGrantsInput = KeyInput &
  Paging & {
    readonly id?: string | undefined
    readonly grantee?: string | undefined
  }

/** Of one key; all of them, or those of one grantee. */
export const listGrants = keyOperation<ListGrantsInput, KeyTarget & GrantList>({
  name: 'ListGrants',
  action: 'list-grants',
  async run({ store }, target, { id, grantee, after, limit }) {
    const keyId = target.key.id
    if (id !== undefined) {
      const grant = await store.get('grants', id)
      const meant = grant?.keyId === keyId && (grantee === undefined || grant.grantee === grantee)
      return { output: { ...target, grants: meant ? [grant] : [] } }
    }
    const { rows, next } =
      grantee === undefined
        ? await store.page('grants', 'key', [keyId], after, limit)
        : await store.page('grants', 'grantee', [keyId, grantee], after, limit)
    return { output: { ...target, grants: rows, ...(next !== undefined && { next }) } }
  },
})

/** Those that a principal can retire, of keys of any account in the realm's region. */
export const listRetirableGrants = realmOperation<Paging & { readonly retiring: string }, GrantList>({
  name: 'ListRetirableGrants',
  action: 'list-retirable-grants',
  async run({ store }, { realm }, { retiring, after, limit }) {
    const { region } = addressOf(realm)
    const { rows, next } = await store.page('grants', 'retiring', [region, retiring], after, limit)
    return { output: { grants: rows, ...(next !== undefined && { next }) } }
  },
})

export type EndGrantInput = KeyInput & { readonly id: string; readonly dryRun?: boolean | undefined }

async function findGrant({ store }: Env, { key }: KeyTarget, id: string): Promise<Stored<Grant>> {
  const grant = await store.get('grants', id)
  if (grant?.keyId !== key.id) throw new KmsError('grant_not_found', { reference: id })
  return grant
}

/** By whom, is what the two differ in. @throws KmsError grant_not_found */
const ending = (name: string, action: string) =>
  keyOperation<EndGrantInput, GrantOutput>({
    name,
    action,
    async run(env, target, { id, dryRun }) {
      const { revision, ...grant } = await findGrant(env, target, id)
      if (dryRun === true) return { output: { ...target, grant } }
      return { output: { ...target, grant }, writes: [{ kind: 'delete', collection: 'grants', id, revision }] }
    },
  })

export const retireGrant = ending('RetireGrant', 'retire-grant')
export const revokeGrant = ending('RevokeGrant', 'revoke-grant')
