import { Type } from '@sinclair/typebox'
import type { KeyInput, Operation } from '../../../core/operation.ts'
import { cancelDeletion } from '../../../core/ops/cancel-deletion.ts'
import { rotateKey } from '../../../core/ops/rotate-key.ts'
import { scheduleDeletion } from '../../../core/ops/schedule-deletion.ts'
import { disableKey, enableKey } from '../../../core/ops/set-key-enabled.ts'
import type { KeyView } from '../../../core/view.ts'
import { command } from '../binding.ts'
import { closed, KeyName, keyReference, shownKey } from '../names.ts'

const Named = Type.Object({ key: KeyName }, closed)
const DAY = 86_400_000

const switcher = (wire: string, operation: Operation<KeyInput, KeyView>) =>
  command({
    wire,
    inRealm: true,
    operation,
    schema: Named,
    toInput: ({ key }) => ({ key: keyReference(key) }),
    toOutput: shownKey,
  })

export const enableKeyCommand = switcher('key enable', enableKey)
export const disableKeyCommand = switcher('key disable', disableKey)

export const rotateKeyCommand = command({
  wire: 'key rotate',
  inRealm: true,
  operation: rotateKey,
  schema: Named,
  toInput: ({ key }) => ({ key: keyReference(key), kind: 'any' as const }),
  toOutput: shownKey,
})

export const deleteKeyCommand = command({
  wire: 'key delete',
  inRealm: true,
  operation: scheduleDeletion,
  schema: Type.Object({ key: KeyName, days: Type.Optional(Type.Integer({ minimum: 7, maximum: 90 })) }, closed),
  toInput: ({ key, days }) => ({ key: keyReference(key), ...(days !== undefined && { delay: days * DAY }) }),
  toOutput: shownKey,
})

export const undeleteKeyCommand = command({
  wire: 'key undelete',
  inRealm: true,
  operation: cancelDeletion,
  schema: Named,
  toInput: ({ key }) => ({ key: keyReference(key), restore: 'previous' as const }),
  toOutput: shownKey,
})
