import { updateVersion } from '../../../core/ops/update-version.ts'
import { bindBody } from '../binding.ts'
import { keyBundle } from '../bundle.ts'
import { checkTags, refuseRelease, usesOfKey, versionOptions } from '../key-input.ts'
import { keyReference, versionReference } from '../names.ts'
import { UpdateKeyBody } from '../schemas.ts'

export const updateKey = bindBody(
  updateVersion,
  UpdateKeyBody,
)({
  wire: 'updateKey',
  method: 'PATCH',
  paths: ['/keys/:name/:version', '/keys/:name'],
  toInput({ name, version, body }) {
    refuseRelease(body)
    return {
      key: keyReference(name),
      version: versionReference(version),
      ...versionOptions(body.attributes),
      uses: usesOfKey(body.key_ops),
      tags: checkTags(body.tags),
    }
  },
  toOutput: (view, request) => keyBundle(request, view, view.version),
})
