/** The values of condition keys that the store has to be asked for. */
import type { Key } from '../../key.ts'
import type { AccessRequest, Store } from '../../ports.ts'
import type { ContextSource } from './context.ts'

export const ALIASES = 'kms:resourcealiases'
export const SAME_KEY = 'kms:reencryptonsamekey'

/** AWS's quota is 50 aliases of a key. */
const MAX_ALIASES = 100

async function aliasesOf(store: Store, key: Key): Promise<readonly string[]> {
  const { rows } = await store.page('aliases', 'key', [key.id], undefined, MAX_ALIASES)
  return rows.map(({ name }) => name)
}

/** The key that a re-encryption is to, from either of its decisions. */
async function destinationId(store: Store, { aws, action, realm, key }: AccessRequest): Promise<string | undefined> {
  if (action === 're-encrypt-to') return key?.id
  const to = aws?.destination
  if (to?.by === 'id') return to.id
  if (to?.by === 'multi_region') return key?.multiRegion?.id === to.id ? key.id : undefined
  if (to?.by !== 'alias' || realm === undefined || to.realm !== undefined) return undefined
  return (await store.find('aliases', 'name', [realm.id, to.name]))?.keyId
}

async function isSameKey(store: Store, request: AccessRequest): Promise<string | undefined> {
  const { action, source, key } = request
  const from = action === 're-encrypt-to' ? source : action === 're-encrypt-from' ? key : undefined
  return from === undefined ? undefined : String(from.id === (await destinationId(store, request)))
}

export async function lookUp(
  store: Store,
  request: AccessRequest,
  key: Key | undefined,
  names: readonly string[],
): Promise<NonNullable<ContextSource['looked']>> {
  const looked = new Map<string, string | readonly string[] | undefined>()
  if (names.includes(ALIASES) && key !== undefined) looked.set(ALIASES, await aliasesOf(store, key))
  if (names.includes(SAME_KEY)) looked.set(SAME_KEY, await isSameKey(store, request))
  return looked
}
