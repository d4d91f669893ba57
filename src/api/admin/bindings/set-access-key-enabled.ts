import { Type } from '@sinclair/typebox'
import { setAccessKeyEnabled } from '../../../core/ops/access-keys.ts'
import { command } from '../binding.ts'
import { closed } from '../names.ts'
import { shownKey } from '../principals.ts'

const setter = (wire: string, enabled: boolean) =>
  command({
    wire,
    operation: setAccessKeyEnabled,
    schema: Type.Object({ accessKeyId: Type.String({ maxLength: 128 }) }, closed),
    toInput: ({ accessKeyId }) => ({ id: accessKeyId, enabled }),
    toOutput: (key) => shownKey(key),
  })

export const enableAccessKeyCommand = setter('principal enable-key', true)
export const disableAccessKeyCommand = setter('principal disable-key', false)
