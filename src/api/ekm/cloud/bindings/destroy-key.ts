import { KmsError } from '../../../../core/error.ts'
import { scheduleDeletion } from '../../../../core/ops/schedule-deletion.ts'
import { type BoundMethod, bind } from '../binding.ts'

const once = bind(scheduleDeletion)({
  wire: 'destroyKey',
  on: 'key',
  justified: true,
  coordinated: true,
  toInput: ({ key }) => ({ key }),
  toOutput: () => ({}),
})

/** At once out of use; the material goes when the key's days of soft delete are over. Asked again, it is done. */
export const destroyKey: BoundMethod = {
  ...once,
  async serve(kernel, request, call) {
    try {
      return await once.serve(kernel, request, call)
    } catch (error) {
      if (error instanceof KmsError && error.code === 'key_pending_deletion') return {}
      throw error
    }
  },
}
