/** What the imported material of a key makes of the key as a whole. */
import { type Key, type KeyVersion, materialExpiry } from './key.ts'

const SETTLED: ReadonlySet<Key['state']> = new Set<Key['state']>(['enabled', 'disabled', 'pending_import'])

/** Whether material is missing that the key ever encrypted with; what waits for its rotation does not count. */
export const lacksMaterial = ({ pendingVersion }: Key, versions: readonly KeyVersion[]): boolean =>
  versions.some(({ number, state }) => state === 'pending_import' && number !== pendingVersion)

/**
 * A key is usable while no material is missing.
 * @param versions all of the key's
 */
export function withMaterial(key: Key, versions: readonly KeyVersion[], now: number): Key {
  const { materialExpiresAt: _, ...rest } = key
  const own = versions.filter(({ number }) => number !== key.pendingVersion)
  const expiries = own.flatMap((version) => materialExpiry(version) ?? [])
  const complete = own.length > 0 && !lacksMaterial(key, versions)
  const state = complete ? (key.state === 'pending_import' ? 'enabled' : key.state) : 'pending_import'
  return {
    ...rest,
    // A deletion in waiting stands above it.
    state: SETTLED.has(key.state) ? state : key.state,
    ...(expiries.length > 0 && { materialExpiresAt: Math.min(...expiries) }),
    updatedAt: now,
  }
}
