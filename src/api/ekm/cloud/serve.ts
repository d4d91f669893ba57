/** The one route, since keys' paths are their own. */
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Logger } from 'pino'
import { bodyParser } from '../../http/body.ts'
import { toKmsError } from '../../http/errors.ts'
import { parseJson } from '../../http/json.ts'
import type { Rendered } from '../../surface.ts'
import { CloudFault, renderError, renderFault } from './errors.ts'
import type { Requests } from './requests.ts'

export const ROUTE = '/@cloud-ekm'
const JSON_DEPTH = 16

export function serveCloudEkm(app: FastifyInstance, log: Logger, requests: Requests): void {
  const json = bodyParser((body) => (body.length === 0 ? {} : parseJson(body, { depth: JSON_DEPTH })))
  app.removeAllContentTypeParsers()
  app.addContentTypeParser<Buffer>('*', { parseAs: 'buffer' }, json)
  app.addHook('onRequest', (request, reply) => requests.begin(request, reply))
  app.setErrorHandler((cause, request, reply) => {
    if (cause instanceof CloudFault) return answer(reply, renderFault(cause))
    const error = toKmsError(cause, request.routeOptions.bodyLimit ?? 0)
    if (error.code === 'internal') log.error({ requestId: request.id, err: error.cause ?? error }, 'request failed')
    return answer(reply, renderError(error))
  })
  app.all(ROUTE, async (request, reply) => reply.send(await requests.answer(request)))
}

const answer = (reply: FastifyReply, { status, headers, body }: Rendered): FastifyReply =>
  reply.code(status).headers(headers).send(body)
