import { Type } from '@sinclair/typebox'
import { createAccessKey } from '../../../core/ops/access-keys.ts'
import { principalArn } from '../../../core/principals/principal.ts'
import { command } from '../binding.ts'
import { closed } from '../names.ts'
import { NAME, nameOf } from '../principals.ts'

export const createAccessKeyCommand = command({
  wire: 'principal rotate-key',
  operation: createAccessKey,
  schema: Type.Object(NAME, closed),
  toInput: nameOf,
  toOutput: ({ principal, id, secret }) => ({
    arn: principalArn(principal),
    accessKeyId: id,
    secretAccessKey: secret,
  }),
})
