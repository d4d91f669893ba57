import { disconnectKeyStore } from '../../../core/ops/connect-key-store.ts'
import { parseKeyStore } from '../names.ts'
import { bind } from '../route.ts'

export const disconnectCustomKeyStoreBinding = bind({
  wire: 'DisconnectCustomKeyStore',
  operation: disconnectKeyStore,
  toInput: (wire) => ({ id: parseKeyStore(wire.CustomKeyStoreId) }),
  toOutput: () => ({}),
})
