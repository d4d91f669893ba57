import { KmsError } from '../../../core/error.ts'
import { importKey as operation } from '../../../core/ops/import-key.ts'
import { bindBody } from '../binding.ts'
import { keyBundle } from '../bundle.ts'
import { importedMaterial } from '../jwk.ts'
import { checkMacs, checkTags, isHsmType, keyType, namedUses, refuseRelease, versionOptions } from '../key-input.ts'
import { defaultUses, isReservedName, parseKeyName } from '../names.ts'
import { ImportKeyBody } from '../schemas.ts'

export const importKey = bindBody(
  operation,
  ImportKeyBody,
)({
  wire: 'importKey',
  method: 'PUT',
  paths: ['/keys/:name', '/keys/:name/'],
  toInput(request) {
    const { name, body, managedHsm } = request
    const kty = keyType(body.key.kty, request)
    refuseRelease(body)
    checkMacs(request, kty, body.key.key_ops)
    if (isReservedName(name)) throw new KmsError('name_reserved', { reference: name })
    return {
      ring: { by: 'default' },
      name: parseKeyName(name),
      ...importedMaterial(kty, body.key),
      protection: managedHsm || body.Hsm === true || isHsmType(kty) ? 'hsm' : 'software',
      uses: namedUses(body.key.key_ops, kty),
      defaultUses: defaultUses(kty, body.key.key_ops),
      tags: checkTags(body.tags),
      version: versionOptions(body.attributes),
    }
  },
  toOutput(view, request) {
    if (view.current === undefined) throw new KmsError('internal')
    return keyBundle(request, view, view.current)
  },
})
