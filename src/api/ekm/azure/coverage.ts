/** The operations of the EKM proxy API, and what each is here. */
import type { Coverage } from '../../surface.ts'
import { BINDINGS } from './bindings/index.ts'

export const COVERAGE: readonly Coverage[] = [
  { wire: 'info', operation: 'none: facts of the service itself' },
  ...BINDINGS.map(({ wire, operations }) => ({ wire, operation: operations.map(({ name }) => name).join(', ') })),
]
