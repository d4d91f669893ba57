import { Type } from '@sinclair/typebox'
import { deleteAccessKey } from '../../../core/ops/access-keys.ts'
import { command } from '../binding.ts'
import { closed } from '../names.ts'
import { shownKey } from '../principals.ts'

export const deleteAccessKeyCommand = command({
  wire: 'principal delete-key',
  operation: deleteAccessKey,
  schema: Type.Object({ accessKeyId: Type.String({ maxLength: 128 }) }, closed),
  toInput: ({ accessKeyId }) => ({ id: accessKeyId }),
  toOutput: (key) => shownKey(key),
})
