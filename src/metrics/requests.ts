/** Counts what the audit log has recorded, one for one: neither can say something that the other does not. */
import type { AuditRecord } from '../core/ports.ts'
import { Counter, Histogram, type Registry } from './registry.ts'

/** Seconds. A symmetric operation takes a tenth of a millisecond, an RSA key of 4,096 bits a second to make. */
export const SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

export function countRequests(registry: Registry): (record: AuditRecord) => void {
  const requests = registry.add(
    new Counter({
      name: 'trefoil_requests_total',
      help: 'Requests in the audit log, by dialect, operation and result (ok, or the code of the error).',
      labels: ['dialect', 'operation', 'result'],
    }),
  )
  const durations = registry.add(
    new Histogram(
      {
        name: 'trefoil_request_duration_seconds',
        help: 'How long the operation took, from its resolution to its audit record.',
        labels: ['dialect', 'operation'],
      },
      SECONDS,
    ),
  )
  return ({ dialect, operation, outcome, durationMs }) => {
    requests.add([dialect, operation, outcome])
    durations.observe([dialect, operation], durationMs / 1000)
  }
}
