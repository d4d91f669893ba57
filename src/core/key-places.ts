/** Where keys are that the configuration names, for whoever watches over the backends. */
import { UUID } from './key.ts'
import type { Store } from './ports.ts'
import type { KeyReference } from './reference.ts'
import { foldName, sortable } from './schema.ts'

async function findKey(store: Store, realmId: string, reference: KeyReference) {
  if (reference.by !== 'name' || reference.ring.by !== 'name') return undefined
  const ring = await store.find('rings', 'name', [realmId, reference.ring.name])
  if (ring === undefined) return undefined
  const named = await store.find('keys', 'name', [ring.id, foldName(reference.name)])
  if (named !== undefined || !UUID.test(reference.name)) return named
  const key = await store.get('keys', reference.name.toLowerCase())
  return key?.ringId === ring.id ? key : undefined
}

/** Names of the backends that the keys' current versions are in; a key that is not there is nowhere. */
export async function placesOf(
  store: Store,
  realmId: string,
  references: readonly KeyReference[],
): Promise<ReadonlySet<string>> {
  const places = new Set<string>()
  for (const reference of references) {
    const key = await findKey(store, realmId, reference)
    if (key === undefined) continue
    const current = await store.find('versions', 'number', [key.id, sortable(key.current)])
    places.add(current?.backend ?? key.backend)
  }
  return places
}
