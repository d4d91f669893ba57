import { backupKey as operation } from '../../../core/ops/backup-key.ts'
import { encodeBase64url } from '../../codec/base64url.ts'
import { bind } from '../binding.ts'
import { keyReference } from '../names.ts'

export const backupKey = bind(operation)({
  wire: 'backupKey',
  method: 'POST',
  paths: ['/keys/:name/backup'],
  toInput: ({ name }) => ({ key: keyReference(name) }),
  toOutput: ({ blob }) => ({ value: encodeBase64url(blob) }),
})
