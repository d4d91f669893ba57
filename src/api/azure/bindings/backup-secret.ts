import { backupSecret as operation } from '../../../core/ops/backup-secret.ts'
import { encodeBase64url } from '../../codec/base64url.ts'
import { bind } from '../binding.ts'
import { secretReference } from '../secret-bundle.ts'

export const backupSecret = bind(operation)({
  wire: 'backupSecret',
  method: 'POST',
  paths: ['/secrets/:name/backup'],
  toInput: ({ name }) => ({ secret: secretReference(name) }),
  toOutput: ({ blob }) => ({ value: encodeBase64url(blob) }),
})
