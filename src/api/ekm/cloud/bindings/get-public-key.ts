import { KmsError } from '../../../../core/error.ts'
import type { KeyVersion } from '../../../../core/key.ts'
import { getPublicKey as operation } from '../../../../core/ops/get-public-key.ts'
import { encodePem } from '../../../codec/pem.ts'
import { bind } from '../binding.ts'
import { signingRow } from '../names.ts'

/** The fields of google.cloud.kms.v1.PublicKey. */
export function publicKeyOf(version: KeyVersion): { readonly pem: string; readonly algorithm: string } {
  const row = signingRow(version)
  if (version.spki === undefined || row === undefined) {
    throw new KmsError('unsupported_operation', { spec: version.spec })
  }
  return { pem: encodePem('PUBLIC KEY', version.spki), algorithm: row.name }
}

export const getPublicKey = bind(operation)({
  wire: 'getPublicKey',
  on: 'key',
  justified: false,
  toInput: ({ key }) => ({ key }),
  toOutput: ({ version }) => publicKeyOf(version),
})
