import type { Key } from '../key.ts'
import { relativesOf } from '../multi-region.ts'
import { type Env, type KeyInput, keyOperation } from '../operation.ts'
import { sortable } from '../schema.ts'
import type { Paging } from './list-keys.ts'
import { listVersions, type VersionList } from './list-versions.ts'
import { checkKind } from './rotate-key.ts'

export type ListRotationsInput = KeyInput &
  Paging & {
    /** Also the versions that no rotation made current: a key's first, and those made by hand. */
    readonly all: boolean
  }

export type RotationList = VersionList & {
  /** Whether material that waits for its rotation is to be brought to replicas first. */
  readonly awaited: boolean
}

async function isAwaited(env: Env, key: Key): Promise<boolean> {
  const { pendingVersion, multiRegion } = key
  if (pendingVersion === undefined || multiRegion?.role !== 'primary') return false
  for (const replica of await relativesOf(env.store, key)) {
    const copy = await env.store.find('versions', 'number', [replica.id, sortable(pendingVersion)])
    if (copy === undefined || copy.ref.length === 0) return true
  }
  return false
}

/** The versions that rotations made, oldest first. @throws KmsError unsupported_operation for keys that never rotate */
export const listRotations = keyOperation<ListRotationsInput, RotationList>({
  name: 'ListRotations',
  action: 'list-rotations',
  async run(env, target, { all, ...input }) {
    checkKind(target, 'symmetric')
    const { output } = await listVersions.run(env, target, {
      ...input,
      include: (version) => version.state !== 'destroyed' && (all || version.rotation !== undefined),
    })
    return { output: { ...output, awaited: await isAwaited(env, target.key) } }
  },
})
