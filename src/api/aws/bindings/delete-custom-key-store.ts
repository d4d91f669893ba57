import { deleteKeyStore } from '../../../core/ops/key-stores.ts'
import { parseKeyStore } from '../names.ts'
import { bind } from '../route.ts'

export const deleteCustomKeyStoreBinding = bind({
  wire: 'DeleteCustomKeyStore',
  operation: deleteKeyStore,
  toInput: (wire) => ({ id: parseKeyStore(wire.CustomKeyStoreId) }),
  toOutput: () => ({}),
})
