import { type SecretInput, secretOperation } from '../operation.ts'
import type { SecretVersion } from '../stored-secret.ts'
import type { SecretView } from '../view.ts'
import type { Paging } from './list-keys.ts'

export type SecretVersionList = SecretView & { readonly versions: readonly SecretVersion[]; readonly next?: string }

/** Oldest first, without values. */
export const listSecretVersions = secretOperation<SecretInput & Paging, SecretVersionList>({
  name: 'ListSecretVersions',
  action: 'list-secret-versions',
  expect: 'live',
  async run({ store }, target, { after, limit }) {
    const { rows, next } = await store.page('secretVersions', 'number', [target.secret.id], after, limit)
    return { output: { ...target, versions: rows, ...(next !== undefined && { next }) } }
  },
})
