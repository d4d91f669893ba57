import { algorithmRow } from '../../../../core/algorithm.ts'
import { invalidArgument, KmsError } from '../../../../core/error.ts'
import type { KeyVersion } from '../../../../core/key.ts'
import { sign } from '../../../../core/ops/sign.ts'
import type { SignInput } from '../../../../core/ports.ts'
import { encodeBase64 } from '../../../codec/base64.ts'
import { rawToDer } from '../../../codec/ecdsa-der.ts'
import { bind } from '../binding.ts'
import { badField } from '../errors.ts'
import type { Fields } from '../fields.ts'
import { hashField, signingRow } from '../names.ts'

const HASHES = ['sha256', 'sha384', 'sha512'] as const

type Asked = { readonly input: SignInput; readonly hash: string | undefined }

/** As google.cloud.kms.v1.AsymmetricSignRequest has it: a digest under its hash's name, or the data. */
function readInput(fields: Fields): Asked {
  const digest = fields.object('digest')
  const data = fields.bytes('data')
  if ((digest === undefined) === (data === undefined)) throw badField('digest', 'either it or data has to be there')
  if (data !== undefined) return { input: { message: data }, hash: undefined }
  const given = HASHES.filter((hash) => digest?.has(hash) === true)
  const [hash] = given
  if (digest === undefined || hash === undefined || given.length > 1) {
    throw badField('digest', `has one of ${HASHES.join(', ')}`)
  }
  return { input: { digest: digest.required(hash) }, hash }
}

function algorithmFor(version: KeyVersion, hash: string | undefined) {
  const row = signingRow(version)
  if (row === undefined) throw new KmsError('unsupported_operation', { spec: version.spec })
  const expected = hashField(row.algorithm)
  if (hash !== undefined && hash !== expected) throw invalidArgument('digest', `is a ${expected} for this key`)
  return row.algorithm
}

export const asymmetricSign = bind(sign)({
  wire: 'asymmetricSign',
  on: 'key',
  justified: true,
  toInput({ fields, key }) {
    const { input, hash } = readInput(fields)
    return { key, input, algorithm: (version: KeyVersion) => algorithmFor(version, hash) }
  },
  toOutput: ({ signature, algorithm }) => ({
    signature: encodeBase64(algorithmRow(algorithm).scheme === 'ecdsa' ? rawToDer(signature) : signature),
  }),
})
