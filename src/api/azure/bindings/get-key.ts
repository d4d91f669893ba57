import { getVersion } from '../../../core/ops/get-version.ts'
import { bind } from '../binding.ts'
import { keyBundle } from '../bundle.ts'
import { keyReference, versionReference } from '../names.ts'

export const getKey = bind(getVersion)({
  wire: 'getKey',
  method: 'GET',
  paths: ['/keys/:name/:version', '/keys/:name'],
  toInput: ({ name, version }) => ({ key: keyReference(name), version: versionReference(version), expect: 'live' }),
  toOutput: (view, request) => keyBundle(request, view, view.version),
})
