/** Google's IAM policies: of projects, for the administrator; of key rings and keys, for whoever may. */
import { randomBytes } from 'node:crypto'
import { invalidArgument, KmsError } from '../error.ts'
import type { Key, KeyRing } from '../key.ts'
import { type Env, type KeyInput, keyOperation, type RingInput, realmOperation, ringOperation } from '../operation.ts'
import {
  checkBindings,
  type IamBinding,
  type IamPolicy,
  NO_POLICY_ETAG,
  projectPolicyId,
  withMember,
  withoutMember,
} from '../policy/gcp/policy.ts'
import type { Store, Stored, Write } from '../ports.ts'
import { foldName } from '../schema.ts'

/** What a resource has that nobody gave a policy. */
const noPolicy = (id: string): IamPolicy => ({ id, bindings: [], etag: NO_POLICY_ETAG, updatedAt: 0 })

export const newPolicy = (id: string, bindings: readonly IamBinding[], now: number): IamPolicy => ({
  id,
  bindings: checkBindings(bindings),
  etag: randomBytes(8).toString('hex'),
  updatedAt: now,
})

export const writePolicy = (row: IamPolicy, there: Stored<IamPolicy> | undefined): Write =>
  there === undefined
    ? { kind: 'insert', collection: 'iamPolicies', row }
    : { kind: 'update', collection: 'iamPolicies', row, revision: there.revision }

type NewPolicy = {
  readonly bindings: readonly IamBinding[]
  /** Of the policy that it was made from; absent: whatever is there is replaced. */
  readonly etag: string | undefined
}

async function read({ store }: Pick<Env, 'store'>, id: string) {
  return { output: (await store.get('iamPolicies', id)) ?? noPolicy(id) }
}

async function replace({ store, now }: Env, id: string, { bindings, etag }: NewPolicy) {
  const there = await store.get('iamPolicies', id)
  // Read again and retried by the kernel it would still be another policy's.
  if (etag !== undefined && etag !== (there?.etag ?? NO_POLICY_ETAG))
    throw new KmsError('conflict', { reason: 'policy' })
  const row = newPolicy(id, bindings, now)
  return { output: row, writes: [writePolicy(row, there)], about: id }
}

const GET = { name: 'GetIamPolicy', action: 'get-iam-policy' }
const SET = { name: 'SetIamPolicy', action: 'set-iam-policy' }

export const getRingPolicy = ringOperation<RingInput, IamPolicy>({ ...GET, run: (env, { ring }) => read(env, ring.id) })
export const getKeyPolicy = keyOperation<KeyInput, IamPolicy>({ ...GET, run: (env, { key }) => read(env, key.id) })
export const setRingPolicy = ringOperation<RingInput & NewPolicy, IamPolicy>({
  ...SET,
  run: (env, { ring }, input) => replace(env, ring.id, input),
})
export const setKeyPolicy = keyOperation<KeyInput & NewPolicy, IamPolicy>({
  ...SET,
  run: (env, { key }, input) => replace(env, key.id, input),
})

/** A project, or a key ring or key in one of its locations. */
export type IamResource = { readonly project: string } & (
  | { readonly location?: undefined }
  | { readonly location: string; readonly ring: string; readonly key?: string }
)

/** Its policy's id. @throws KmsError invalid_argument */
export async function policyIdOf(store: Pick<Store, 'find'>, resource: IamResource): Promise<string> {
  if (resource.location === undefined) return projectPolicyId(resource.project)
  const realm = await store.find('realms', 'gcp', [resource.project, resource.location])
  const ring = realm && (await store.find('rings', 'name', [realm.id, resource.ring]))
  if (ring === undefined) throw invalidArgument('resource', 'there is no such key ring')
  if (resource.key === undefined) return ring.id
  const key = await store.find('keys', 'name', [ring.id, foldName(resource.key)])
  if (key?.name !== resource.key) throw invalidArgument('resource', 'there is no such key')
  return key.id
}

export const describeResource = (resource: IamResource): string => {
  if (resource.location === undefined) return `projects/${resource.project}`
  const ring = `projects/${resource.project}/locations/${resource.location}/keyRings/${resource.ring}`
  return resource.key === undefined ? ring : `${ring}/cryptoKeys/${resource.key}`
}

type Binding = { readonly resource: IamResource; readonly role: string; readonly member: string }
export type PolicyView = { readonly resource: string; readonly policy: IamPolicy }

export const bindRole = realmOperation<Binding, PolicyView>({
  name: 'BindRole',
  action: 'bind-role',
  async run({ store, now }, _target, { resource, role, member }) {
    const id = await policyIdOf(store, resource)
    const there = await store.get('iamPolicies', id)
    const policy = newPolicy(id, withMember(there?.bindings ?? [], role, member), now)
    const name = describeResource(resource)
    return {
      output: { resource: name, policy },
      writes: [writePolicy(policy, there)],
      about: `${role} to ${member} on ${name}`,
    }
  },
})

export const unbindRole = realmOperation<Binding, PolicyView>({
  name: 'UnbindRole',
  action: 'unbind-role',
  async run({ store, now }, _target, { resource, role, member }) {
    const id = await policyIdOf(store, resource)
    const there = await store.get('iamPolicies', id)
    const bindings = withoutMember(there?.bindings ?? [], role, member)
    if (bindings === undefined) throw invalidArgument('member', 'it does not have that role there')
    const policy = newPolicy(id, bindings, now)
    const name = describeResource(resource)
    return {
      output: { resource: name, policy },
      writes: [writePolicy(policy, there)],
      about: `${role} to ${member} on ${name}`,
    }
  },
})

/** The name of what a policy is of; undefined for what is gone. */
export async function resourceOf(store: Pick<Store, 'get'>, { id }: IamPolicy): Promise<IamResource | undefined> {
  if (id.startsWith('projects/')) return { project: id.slice('projects/'.length) }
  const key: Key | undefined = await store.get('keys', id)
  const ring: KeyRing | undefined = await store.get('rings', key?.ringId ?? id)
  const realm = ring && (await store.get('realms', ring.realmId))
  if (ring === undefined || realm?.gcp === undefined) return undefined
  return { ...realm.gcp, ring: ring.name, ...(key !== undefined && { key: key.name }) }
}
