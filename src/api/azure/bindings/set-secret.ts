import { setSecret as operation } from '../../../core/ops/set-secret.ts'
import { bindBody } from '../binding.ts'
import { parseSecretName, secretBundle } from '../secret-bundle.ts'
import { attributesIn, SetSecretBody, secretValue } from '../secret-input.ts'

export const setSecret = bindBody(
  operation,
  SetSecretBody,
)({
  wire: 'setSecret',
  method: 'PUT',
  paths: ['/secrets/:name', '/secrets/:name/'],
  toInput: ({ name, body }) => ({
    ring: { by: 'default' },
    name: parseSecretName(name),
    value: secretValue(body.value),
    attributes: { enabled: true, tags: {}, ...attributesIn(body) },
  }),
  toOutput: (view, request) => secretBundle(request, view, request.body.value),
})
