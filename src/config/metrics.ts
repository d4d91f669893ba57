/** Where metrics are read: on a listener of their own, for the operator's network. */
import { Problem } from '../core/problem.ts'
import { isLoopback, type Rules, resolveTls, type TlsConfig } from './listeners.ts'
import type { Settings } from './schema.ts'

export type MetricsConfig = {
  readonly address: string
  /** 0: any free port. */
  readonly port: number
  readonly tls?: TlsConfig
}

/** Undefined: nobody listens. @throws Problem */
export function resolveMetrics({ metrics }: Settings, rules: Rules): MetricsConfig | undefined {
  if (metrics === undefined) return undefined
  const { address = '127.0.0.1', port, tls } = metrics
  if (port === undefined) {
    throw new Problem('metrics names no port', 'set metrics.port (0 picks a free one)')
  }
  if (tls !== undefined) {
    if (tls.cert === undefined) throw new Problem('metrics.tls names no certificate', 'set metrics.tls.cert and key')
    return { address, port, tls: resolveTls(tls, rules, 'metrics.tls') }
  }
  if (rules.profile === 'production' && !isLoopback(address)) {
    rules.refusals.add(
      `metrics are served without TLS at ${address}, where other machines can read along`,
      'set metrics.tls, or metrics.address to 127.0.0.1',
    )
  }
  return { address, port }
}
