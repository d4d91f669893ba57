import { connectKeyStore } from '../../../core/ops/connect-key-store.ts'
import { parseKeyStore } from '../names.ts'
import { bind } from '../route.ts'

export const connectCustomKeyStoreBinding = bind({
  wire: 'ConnectCustomKeyStore',
  operation: connectKeyStore,
  toInput: (wire) => ({ id: parseKeyStore(wire.CustomKeyStoreId) }),
  toOutput: () => ({}),
})
