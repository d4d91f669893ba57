import { listSecretVersions as operation } from '../../../core/ops/list-secret-versions.ts'
import { bind } from '../binding.ts'
import { listing } from '../paging.ts'
import { secretReference, versionItem } from '../secret-bundle.ts'

export const listSecretVersions = bind(operation)({
  wire: 'getSecretVersions',
  method: 'GET',
  paths: ['/secrets/:name/versions'],
  toInput: ({ name, after, limit }) => ({ secret: secretReference(name), after, limit }),
  toOutput: ({ ring, secret, versions, next }, request) =>
    listing(
      request,
      `/secrets/${secret.name}/versions`,
      versions.map((version) => versionItem(request, { ring, secret }, version)),
      next,
    ),
})
