import { KmsError } from '../error.ts'
import { DIALECTS, type Dialect, isShown, type KeyRing, type Realm } from '../key.ts'
import { type RingInput, type RingTarget, realmOperation, ringOperation } from '../operation.ts'
import { newRing } from '../provision.ts'
import { countShown, MAX_SCAN, type Paging } from './list-keys.ts'
import { dialectOf } from './material.ts'

export type RingView = { readonly realm: Realm; readonly ring: KeyRing }
export type ListRingsInput = Paging & {
  /** Which of the rings that are shown the caller asks for. */
  readonly matches?: (ring: KeyRing) => boolean
}
export type RingList = {
  readonly realm: Realm
  readonly rings: readonly KeyRing[]
  readonly next?: string
  /** Where it was asked for. */
  readonly total?: number
}

export type CreateRingInput = {
  readonly name: string
  /** Seen in every dialect, not in the caller's alone. */
  readonly shared: boolean
  /** Those that see it, where an administrator says so. */
  readonly dialects?: readonly Dialect[] | undefined
}

/** @throws KmsError ring_exists */
export const createRing = realmOperation<CreateRingInput, RingView>({
  name: 'CreateRing',
  action: 'create-ring',
  async run(env, { realm }, { name, shared, dialects: asked }) {
    if ((await env.store.find('rings', 'name', [realm.id, name])) !== undefined) {
      throw new KmsError('ring_exists', { reference: name })
    }
    const dialects = asked ?? (shared ? DIALECTS : [dialectOf(env)])
    const ring = await newRing(env.store, env.sealer, { realmId: realm.id, name, dialects, now: env.now })
    return { output: { realm, ring }, writes: [{ kind: 'insert', collection: 'rings', row: ring }] }
  },
})

/** @throws KmsError ring_not_found */
export const getRing = ringOperation<RingInput, RingTarget>({
  name: 'GetRing',
  action: 'get-ring',
  run: async (_env, target) => ({ output: target }),
})

/** The realm's rings that the caller's dialect may see, by name. */
export const listRings = realmOperation<ListRingsInput, RingList>({
  name: 'ListRings',
  action: 'list-rings',
  async run(env, { realm }, { after: start, limit, order, matches, counted }) {
    const shown = (ring: KeyRing): boolean => isShown(ring, env.call.dialect)
    const wanted = (ring: KeyRing): boolean => shown(ring) && matches?.(ring) !== false
    const scan = (after: string | undefined, rows: number) =>
      env.store.page('rings', 'name', [realm.id], after, rows, order)
    const rings: KeyRing[] = []
    let after = start
    let scanned = 0
    do {
      const page = await scan(after, limit - rings.length)
      scanned += page.rows.length
      rings.push(...page.rows.filter(wanted))
      after = page.next
    } while (after !== undefined && rings.length < limit && scanned < MAX_SCAN)
    const total = counted === true ? { total: await countShown(scan, shown) } : {}
    return { output: { realm, rings, ...total, ...(after !== undefined && { next: after }) } }
  },
})
