/** Access keys of users and account roots: two at most, so that one takes over from the other. */
import { invalidArgument } from '../error.ts'
import { type Env, realmOperation } from '../operation.ts'
import type { Stored } from '../ports.ts'
import { accessKeyContext } from '../principals/directory.ts'
import {
  type AccessKey,
  MAX_ACCESS_KEYS,
  newAccessKeyId,
  newSecretAccessKey,
  principalArn,
  type StoredPrincipal,
} from '../principals/principal.ts'
import { accessKeysOf, deletionOf, findPrincipal, type PrincipalName } from './principals.ts'

/** The only time that the secret is seen. */
export type NewAccessKey = { readonly principal: StoredPrincipal; readonly id: string; readonly secret: string }

export const createAccessKey = realmOperation<PrincipalName, NewAccessKey>({
  name: 'CreateAccessKey',
  action: 'create-access-key',
  async run(env, _target, name) {
    const principal = await findPrincipal(env, name)
    if (principal.kind === 'role') throw invalidArgument('name', 'a role has no access keys: it is assumed')
    if ((await accessKeysOf(env, principal.id)).length >= MAX_ACCESS_KEYS) {
      throw invalidArgument(
        'name',
        `it has ${MAX_ACCESS_KEYS} access keys already: delete the one that is not used any more`,
      )
    }
    const id = newAccessKeyId()
    const secret = newSecretAccessKey()
    const sealedSecret = await env.sealer.seal(Buffer.from(secret), accessKeyContext(id))
    const row: AccessKey = { id, principalId: principal.id, sealedSecret, enabled: true, createdAt: env.now }
    const { revision, ...owner } = principal
    return {
      output: { principal: owner, id, secret },
      writes: [
        // Two at once would make three keys of one.
        { kind: 'update', collection: 'principals', row: owner, revision },
        { kind: 'insert', collection: 'accessKeys', row },
      ],
      about: principalArn(owner),
    }
  },
})

async function find(env: Env, id: string): Promise<{ key: Stored<AccessKey>; about: { readonly about?: string } }> {
  const key = await env.store.get('accessKeys', id)
  if (key === undefined) throw invalidArgument('accessKeyId', 'there is no such access key')
  const owner = await env.store.get('principals', key.principalId)
  return { key, about: owner === undefined ? {} : { about: principalArn(owner) } }
}

export const setAccessKeyEnabled = realmOperation<{ readonly id: string; readonly enabled: boolean }, AccessKey>({
  name: 'SetAccessKeyEnabled',
  action: 'set-access-key-enabled',
  async run(env, _target, { id, enabled }) {
    const { key, about } = await find(env, id)
    const { revision, ...old } = key
    const row = { ...old, enabled }
    return { output: row, writes: [{ kind: 'update', collection: 'accessKeys', row, revision }], ...about }
  },
})

export const deleteAccessKey = realmOperation<{ readonly id: string }, AccessKey>({
  name: 'DeleteAccessKey',
  action: 'delete-access-key',
  async run(env, _target, { id }) {
    const { key, about } = await find(env, id)
    return { output: key, writes: await deletionOf(env, key), ...about }
  },
})
