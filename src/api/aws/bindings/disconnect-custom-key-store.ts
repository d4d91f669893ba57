import { disconnectKeyStore } from '../../../core/ops/key-stores.ts'
import { parseKeyStore } from '../names.ts'
import { bind } from '../route.ts'

export const disconnectCustomKeyStoreBinding = bind({
  wire: 'DisconnectCustomKeyStore',
  operation: disconnectKeyStore,
  toInput: (wire) => ({ id: parseKeyStore(wire.CustomKeyStoreId) }),
  toOutput: () => ({}),
})
