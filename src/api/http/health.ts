/** Liveness and readiness. Neither is audited: nothing about keys is in them. */
import type { FastifyInstance } from 'fastify'
import { KmsError } from '../../core/error.ts'

/** One thing the server can't do without; rejects with the reason while it is out of order. */
export type HealthCheck = { readonly name: string; check(): Promise<void> }

/** `degraded`: something that it needs is out of order. `sealed`: nobody has opened the root key. */
export type ServiceState = 'ready' | 'degraded' | 'sealed'
export type Readiness = {
  readonly status: 'ready' | 'not_ready'
  readonly state: ServiceState | 'stopping'
  readonly checks: Readonly<Record<string, string>>
}

const CHECK_TIMEOUT_MS = 3_000

/** A KmsError's text is made of its code and safe params; any other error says nothing here. */
const reasonOf = (error: unknown): string => KmsError.from(error).message

async function verdict(check: HealthCheck): Promise<string> {
  let timer: NodeJS.Timeout | undefined
  const tooLate = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`no answer within ${CHECK_TIMEOUT_MS} ms`), CHECK_TIMEOUT_MS)
  })
  const answer = check.check().then(
    () => 'ok',
    (error: unknown) => reasonOf(error),
  )
  return Promise.race([answer, tooLate]).finally(() => clearTimeout(timer))
}

export async function examine(checks: readonly HealthCheck[]): Promise<Readiness & { readonly state: ServiceState }> {
  const results = await Promise.all(checks.map(async (check) => [check.name, await verdict(check)] as const))
  const healthy = results.every(([, result]) => result === 'ok')
  const verdicts = { checks: Object.fromEntries(results) }
  return healthy
    ? { status: 'ready', state: 'ready', ...verdicts }
    : { status: 'not_ready', state: 'degraded', ...verdicts }
}

/** @param unready why a server is not ready whatever its checks say: it is draining, or sealed */
export function registerHealth(
  app: FastifyInstance,
  checks: readonly HealthCheck[],
  unready: () => 'stopping' | 'sealed' | undefined,
): void {
  let running: Promise<Readiness> | undefined
  app.get('/_/health/live', async () => ({ status: 'live' }))
  app.get('/_/health/ready', async (_request, reply) => {
    // Callers that ask at the same time share one examination: it reaches down to the token.
    running ??= examine(checks).finally(() => {
      running = undefined
    })
    const state = unready()
    const server = state === 'stopping' ? 'shutting_down' : 'sealed'
    const readiness =
      state === undefined ? await running : ({ status: 'not_ready', state, checks: { server } } as const)
    return reply.code(readiness.status === 'ready' ? 200 : 503).send(readiness)
  })
}
