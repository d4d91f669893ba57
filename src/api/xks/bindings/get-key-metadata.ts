import type { XksUsage } from '../../../config/exposures/xks.ts'
import { effectiveKeyState, type Key, type KeyVersion, usesOfVersion } from '../../../core/key.ts'
import { getKey } from '../../../core/ops/get-key.ts'
import { bind } from '../binding.ts'
import { keySpecName } from '../names.ts'
import { MetadataRequest } from '../schemas.ts'

function can(key: Key, version: KeyVersion | undefined, use: XksUsage): boolean {
  const uses = version === undefined ? key.uses : usesOfVersion(key, version)
  return uses.includes(use) || uses.includes(`raw_${use}`)
}

export const getKeyMetadataBinding = bind(
  getKey,
  MetadataRequest,
)({
  wire: 'GetKeyMetadata',
  route: 'metadata',
  usages: () => [],
  toInput: () => ({}),
  toOutput: ({ key, current, keyStore }, { usage }) => ({
    keySpec: keySpecName((current ?? key).spec),
    keyUsage: usage.filter((use) => can(key, current, use)).map((use) => use.toUpperCase()),
    keyStatus: effectiveKeyState(key, current, keyStore) === 'enabled' ? 'ENABLED' : 'DISABLED',
  }),
})
