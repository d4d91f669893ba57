/** The administrator's Unix socket: in the data directory, of mode 0600, HTTP and JSON. */
import { chmodSync, rmSync } from 'node:fs'
import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify'
import type { Logger } from 'pino'
import type { KmsError } from '../../core/error.ts'
import { toKmsError } from '../http/errors.ts'
import { parseJson } from '../http/json.ts'
import { Streamed } from './binding.ts'
import { commands } from './bindings/index.ts'
import type { Admin } from './index.ts'
import { type AdminError, FACTS_HEADER, routeOf, socketPath } from './paths.ts'

/** What sun_path holds on every Unix, less its end. */
const MAX_PATH_BYTES = 103
const BODY_LIMIT = 1024 * 1024
const LIMITS = { depth: 32 }

const NOT_OURS: ReadonlySet<string> = new Set(['internal', 'store_unavailable', 'audit_unavailable', 'shutting_down'])

function sendError(reply: FastifyReply, error: KmsError): FastifyReply {
  const { field, reason } = error.params
  const body: AdminError = {
    code: error.code,
    message: reason === undefined ? error.code : String(reason),
    ...(field !== undefined && { field: String(field) }),
  }
  return reply.code(NOT_OURS.has(error.code) ? 503 : 400).send(body)
}

function createApp(admin: Admin, log: Logger): FastifyInstance {
  const app = Fastify({ bodyLimit: BODY_LIMIT })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, async (_request: unknown, body: Buffer) =>
    parseJson(body, LIMITS),
  )
  app.setErrorHandler((error, _request, reply) => {
    const known = toKmsError(error, BODY_LIMIT)
    if (known.code === 'internal') log.error({ err: known }, 'command failed')
    return sendError(reply, known)
  })
  app.setNotFoundHandler((_request, reply) =>
    reply.code(404).send({ code: 'unknown_operation', message: 'no such command' }),
  )
  for (const { wire } of commands) {
    app.post(routeOf(wire), async (request, reply) => {
      const answer = await admin.run(wire, request.body)
      if (!(answer instanceof Streamed)) return reply.send(answer)
      return reply
        .header(FACTS_HEADER, JSON.stringify(answer.facts))
        .type('application/octet-stream')
        .send(answer.stream)
    })
  }
  return app
}

/**
 * Nobody else may have the data directory, so that a socket that is there is an earlier process's.
 * @returns what closes it; undefined where the system has no room for its path, which is told in the log
 */
export async function openSocket(
  dataDir: string,
  admin: Admin,
  log: Logger,
): Promise<(() => Promise<void>) | undefined> {
  const path = socketPath(dataDir)
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) {
    log.warn(`no socket for commands: ${path} is longer than ${MAX_PATH_BYTES} bytes, so stop the server to run them`)
    return undefined
  }
  rmSync(path, { force: true })
  const app = createApp(admin, log)
  // Private from its first moment on, even where the directory is not.
  const mask = process.umask(0o177)
  try {
    await app.listen({ path })
  } finally {
    process.umask(mask)
  }
  chmodSync(path, 0o600)
  return () => app.close()
}
