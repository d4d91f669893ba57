/** The routes of a key access control list service, and which of them are bound here. */
import type { Coverage } from '../../surface.ts'
import { BINDINGS } from './bindings/index.ts'

const OWN = [
  { wire: 'status', operation: 'none: facts of the service itself', http: 'GET', asks: 'anybody' },
  { wire: 'certs', operation: 'ListVersions', http: 'GET', asks: 'anybody' },
] as const

export const CSE_ROUTES: readonly (Coverage & { readonly http: string; readonly asks: string })[] = [
  ...OWN,
  ...BINDINGS.map(({ wire, operations, asks }) => ({ wire, operation: operations.join(', '), http: 'POST', asks })),
]
export const COVERAGE: readonly Coverage[] = CSE_ROUTES.map(({ wire, operation }) => ({ wire, operation }))
