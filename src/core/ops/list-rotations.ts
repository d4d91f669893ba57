import { type KeyInput, keyOperation } from '../operation.ts'
import type { Paging } from './list-keys.ts'
import { listVersions, type VersionList } from './list-versions.ts'
import { checkKind } from './rotate-key.ts'

export type ListRotationsInput = KeyInput &
  Paging & {
    /** Also the versions that no rotation made current: a key's first, and those made by hand. */
    readonly all: boolean
  }

/** The versions that rotations made, oldest first. @throws KmsError unsupported_operation for keys that never rotate */
export const listRotations = keyOperation<ListRotationsInput, VersionList>({
  name: 'ListRotations',
  action: 'list-rotations',
  async run(env, target, { all, ...input }) {
    checkKind(target, 'symmetric')
    return listVersions.run(env, target, {
      ...input,
      include: (version) => version.state !== 'destroyed' && (all || version.rotation !== undefined),
    })
  },
})
