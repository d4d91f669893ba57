import { createKeyStore } from '../../../core/ops/key-stores.ts'
import { readPlace } from '../key-stores.ts'
import { keyStoreName } from '../names.ts'
import { bind } from '../route.ts'

/** AWS's quota for each account and Region. */
const MAX_KEY_STORES = 10

export const createCustomKeyStoreBinding = bind({
  wire: 'CreateCustomKeyStore',
  operation: createKeyStore,
  toInput: (wire, ctx) => ({
    name: wire.CustomKeyStoreName,
    place: readPlace(wire, ctx.realm.account),
    limit: MAX_KEY_STORES,
  }),
  toOutput: ({ id }) => ({ CustomKeyStoreId: keyStoreName(id) }),
})
