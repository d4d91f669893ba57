import { listKeyStores } from '../../../core/ops/key-stores.ts'
import { validationError } from '../aws-error.ts'
import { renderKeyStoreEntry } from '../key-stores.ts'
import { pageEnd, readLimit, readMarker } from '../marker.ts'
import { parseKeyStore } from '../names.ts'
import { bind } from '../route.ts'

const LIST = 'key-stores'

export const describeCustomKeyStoresBinding = bind({
  wire: 'DescribeCustomKeyStores',
  operation: listKeyStores,
  toInput(wire) {
    const { CustomKeyStoreId: id, CustomKeyStoreName: name } = wire
    if (id !== undefined && name !== undefined) {
      throw validationError('You can specify CustomKeyStoreId or CustomKeyStoreName, but not both.')
    }
    return {
      id: id === undefined ? undefined : parseKeyStore(id),
      name,
      after: readMarker(LIST, wire.Marker),
      limit: readLimit(wire.Limit, { byDefault: 100, max: 1000 }),
    }
  },
  toOutput: ({ keyStores, next }) => ({
    CustomKeyStores: keyStores.map(renderKeyStoreEntry),
    ...pageEnd(LIST, next),
  }),
})
