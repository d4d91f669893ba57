import { getSecret as operation } from '../../../core/ops/get-secret.ts'
import { bind } from '../binding.ts'
import { versionReference } from '../names.ts'
import { secretBundle, secretReference } from '../secret-bundle.ts'

export const getSecret = bind(operation)({
  wire: 'getSecret',
  method: 'GET',
  paths: ['/secrets/:name/:version', '/secrets/:name'],
  toInput: ({ name, version }) => ({ secret: secretReference(name), version: versionReference(version) }),
  toOutput(view, request) {
    const bundle = secretBundle(
      request,
      view,
      view.value.use((bytes) => Buffer.from(bytes).toString('utf8')),
    )
    view.value.wipe()
    return bundle
  },
})
