import { type RingInput, ringOperation } from '../operation.ts'
import { sortable } from '../schema.ts'
import type { SecretView } from '../view.ts'
import type { Paging } from './list-keys.ts'

export type ListSecretsInput = RingInput & Paging & { readonly deleted: boolean }
export type SecretList = { readonly secrets: readonly SecretView[]; readonly next?: string }

/** The ring's secrets by name, deleted ones apart; each with its current version and without values. */
export const listSecrets = ringOperation<ListSecretsInput, SecretList>({
  name: 'ListSecrets',
  action: 'list-secrets',
  async run({ store }, target, { deleted, limit, after: start }) {
    const secrets: SecretView[] = []
    let after = start
    do {
      const page = await store.page('secrets', 'name', [target.ring.id], after, limit - secrets.length)
      for (const secret of page.rows) {
        if ((secret.deletion !== undefined) !== deleted) continue
        const secretVersion = await store.find('secretVersions', 'number', [secret.id, sortable(secret.current)])
        if (secretVersion !== undefined) secrets.push({ ...target, secret, secretVersion })
      }
      after = page.next
    } while (after !== undefined && secrets.length < limit)
    return { output: { secrets, ...(after !== undefined && { next: after }) } }
  },
})
