import { createKey as operation } from '../../../../core/ops/create-key.ts'
import { bind } from '../binding.ts'
import { badField } from '../errors.ts'
import { keyPathOf, wantedKey } from '../names.ts'
import { publicKeyOf } from './get-public-key.ts'

export const createKey = bind(operation)({
  wire: 'createKey',
  on: 'space',
  justified: true,
  coordinated: true,
  toInput({ fields, space }) {
    const wanted = wantedKey(fields.text('algorithm') ?? '')
    if (wanted === undefined) throw badField('algorithm', 'is none of those that keys can be made for here')
    const place = { ring: { by: 'name', name: space?.ring ?? '' }, protection: space?.protection } as const
    return wanted === 'symmetric'
      ? { ...place, spec: 'aes_256', purpose: 'encrypt_decrypt' }
      : { ...place, spec: wanted.spec, purpose: 'sign_verify', version: { algorithms: [wanted.algorithm] } }
  },
  toOutput: ({ key, current }, { exposure, space }) => ({
    keyPath: keyPathOf(exposure.path, space?.name ?? '', key.id),
    ...(current?.spki !== undefined && { publicKey: publicKeyOf(current) }),
  }),
})
