import { purgeKey as operation } from '../../../core/ops/purge-key.ts'
import { bind } from '../binding.ts'
import { keyReference } from '../names.ts'

/** No content: a key that another dialect has scheduled goes away when that falls due. */
export const purgeKey = bind(operation)({
  wire: 'purgeDeletedKey',
  method: 'DELETE',
  paths: ['/deletedkeys/:name', '/deletedkeys/:name/'],
  status: 204,
  toInput: ({ name }) => ({ key: keyReference(name) }),
  toOutput: () => undefined,
})
