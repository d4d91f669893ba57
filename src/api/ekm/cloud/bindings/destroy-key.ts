import { scheduleDeletion } from '../../../../core/ops/schedule-deletion.ts'
import { bind } from '../binding.ts'

/** At once out of use; the material goes when the key's days of soft delete are over. */
export const destroyKey = bind(scheduleDeletion)({
  wire: 'destroyKey',
  on: 'key',
  justified: true,
  coordinated: true,
  toInput: ({ key }) => ({ key }),
  toOutput: () => ({}),
})
