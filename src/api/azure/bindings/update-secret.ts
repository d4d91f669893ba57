import { updateSecret as operation } from '../../../core/ops/update-secret.ts'
import { bindBody } from '../binding.ts'
import { versionReference } from '../names.ts'
import { secretBundle, secretReference } from '../secret-bundle.ts'
import { attributesIn, UpdateSecretBody } from '../secret-input.ts'

export const updateSecret = bindBody(
  operation,
  UpdateSecretBody,
)({
  wire: 'updateSecret',
  method: 'PATCH',
  paths: ['/secrets/:name/:version', '/secrets/:name'],
  toInput: ({ name, version, body }) => ({
    secret: secretReference(name),
    version: versionReference(version),
    changes: attributesIn(body),
  }),
  toOutput: (view, request) => secretBundle(request, view),
})
