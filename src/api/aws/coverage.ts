import type { Coverage } from '../surface.ts'
import { routes } from './bindings/index.ts'
import { OPERATIONS } from './gen/operations.ts'

const served: ReadonlyMap<string, string> = new Map(routes.map((route) => [route.wire, route.operations.join(', ')]))

/** What the cloud has, and what answers it here. */
export const coverage: readonly Coverage[] = Object.keys(OPERATIONS).map((wire) => ({
  wire,
  operation: served.get(wire),
}))
