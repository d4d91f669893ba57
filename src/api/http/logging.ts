/** The operator's log, on stderr. Serializers are allow-lists: what is not named here cannot be logged. */
import { LogController } from 'fastify'
import { type Logger, pino, stdSerializers } from 'pino'
import { PinoPretty } from 'pino-pretty'
import { KmsError } from '../../core/error.ts'

/** A cause may hold a message of OpenSSL, a token or the system; a payload never gets into an Error. */
function serializeError(error: unknown): unknown {
  if (error instanceof KmsError) {
    const cause = error.cause === undefined ? {} : { cause: serializeError(error.cause) }
    return { code: error.code, params: error.params, ...cause }
  }
  if (!(error instanceof Error)) return { message: typeof error }
  const { type, message, stack } = stdSerializers.err(error)
  return { type, message, stack }
}

type Head = {
  readonly method?: unknown
  readonly routeOptions?: { readonly url?: unknown }
  readonly statusCode?: unknown
}
const serializers = {
  err: serializeError,
  // The route, never the path: a client may have put anything there.
  req: (request: Head) => ({ method: request.method, route: request.routeOptions?.url }),
  res: (reply: Head) => ({ status: reply.statusCode }),
}

export function createLogger(settings: { readonly level: string; readonly format: 'json' | 'pretty' }): Logger {
  const options = { level: settings.level, serializers, base: null }
  if (settings.format === 'json') return pino(options, pino.destination({ dest: 2, sync: false, minLength: 0 }))
  return pino(
    options,
    PinoPretty({ destination: 2, sync: true, translateTime: 'SYS:HH:MM:ss', ignore: 'pid,hostname' }),
  )
}

/** One line per request, for `debug`: the audit log is the record of who did what. */
export class RequestLog extends LogController {
  constructor() {
    super({ requestIdLogLabel: 'requestId' })
  }

  override incomingRequest(): void {}

  override requestCompleted(...[error, request, reply]: Parameters<LogController['requestCompleted']>): void {
    const facts = { req: request, res: reply, ms: Math.round(reply.elapsedTime), ...(error ? { err: error } : {}) }
    request.log.debug(facts, 'request')
  }

  override routeNotFound(): void {}
}
