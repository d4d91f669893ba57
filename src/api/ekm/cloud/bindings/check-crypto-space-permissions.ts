import { getRing } from '../../../../core/ops/rings.ts'
import { bind } from '../binding.ts'

const HELD = [
  'createKey',
  'destroyKey',
  'wrap',
  'unwrap',
  'asymmetricSign',
  'getPublicKey',
  'checkCryptoSpacePermissions',
]
const last = (permission: string): string => permission.slice(permission.lastIndexOf('.') + 1).toLowerCase()
const held: ReadonlySet<string> = new Set(HELD.map((one) => one.toLowerCase()))

export const checkCryptoSpacePermissions = bind(getRing)({
  wire: 'checkCryptoSpacePermissions',
  on: 'space',
  justified: false,
  coordinated: true,
  toInput: ({ space }) => ({ ring: { by: 'name', name: space?.ring ?? '' } }),
  toOutput: (_ring, { fields }) => ({
    permissions: fields.texts('permissions').filter((permission) => held.has(last(permission))),
  }),
})
