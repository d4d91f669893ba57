import type { Coverage } from '../surface.ts'
import { BINDINGS } from './bindings/index.ts'
import { METHODS } from './services.ts'

const served: ReadonlyMap<unknown, string> = new Map(BINDINGS.map(({ method, operation }) => [method, operation]))

/** Every method that Google exposes, by service, and the operation that answers it here. */
export const COVERAGE: readonly (Coverage & { readonly service: string })[] = METHODS.map(({ method }) => ({
  service: method.parent.typeName,
  wire: method.name,
  operation: served.get(method),
}))
