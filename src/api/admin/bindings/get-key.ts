import { Type } from '@sinclair/typebox'
import { listVersions } from '../../../core/ops/list-versions.ts'
import { command } from '../binding.ts'
import { closed, KeyName, keyReference, PAGE, paging, shownKey, shownVersion } from '../names.ts'

export const getKeyCommand = command({
  wire: 'key show',
  inRealm: true,
  operation: listVersions,
  schema: Type.Object({ key: KeyName, ...PAGE }, closed),
  toInput: ({ key, ...page }) => ({ ...paging(page), key: keyReference(key) }),
  toOutput: ({ versions, next, ...view }) => ({
    ...shownKey(view),
    versions: versions.map((version) => shownVersion(view.key, version)),
    ...(next !== undefined && { next }),
  }),
})
