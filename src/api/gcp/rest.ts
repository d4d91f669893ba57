/** REST, transcoded over the same messages as gRPC by the routes of google.api.http. */
import { create, type DescField, type DescMethod, type Message } from '@bufbuild/protobuf'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { answerText } from '../http/answer.ts'
import { bodyParser } from '../http/body.ts'
import { toKmsError } from '../http/errors.ts'
import { JsonError, parseJson } from '../http/json.ts'
import { headOf } from '../http/request.ts'
import type { Dispatcher } from './dispatch.ts'
import { errorBody, toRpcError } from './errors.ts'
import { type HttpRule, type Matched, RouteTree } from './http-rule.ts'
import { JsonReader, messageToJson } from './json.ts'
import { METHODS } from './services.ts'
import { badArgument, RpcError } from './status.ts'

export const JSON_TYPE = 'application/json; charset=UTF-8'
const JSON_DEPTH = 32
const NO_JSON: unknown = undefined

/** https://cloud.google.com/apis/docs/system-parameters, and those of its older front ends. `$` is optional. */
const SYSTEM_PARAMETERS: ReadonlySet<string> = new Set(
  [
    ...['prettyPrint', 'fields', 'key', 'access_token', 'oauth_token', 'quotaUser', 'userIp', 'callback', 'uploadType'],
    ...['upload_protocol', 'xgafv', '.xgafv', 'userProject', 'ct', 'httpHeaders', 'outputDefaults', 'unique'],
  ].flatMap((name) => [name, `$${name}`]),
)
const ALT = /^json(?:;enum-encoding=(?<encoding>int|string))?$/

type Route = { readonly method: DescMethod; readonly body: BodyRule }
/** Where the JSON goes: nowhere, into the whole message, or into one field of it. */
type BodyRule = undefined | '*' | DescField

function bodyRule(method: DescMethod, { body }: HttpRule): BodyRule {
  if (body === '') return undefined
  if (body === '*') return body
  const field = method.input.fields.find(({ name }) => name === body)
  if (field === undefined) throw new TypeError(`${method.name} has no field ${body}`)
  return field
}

function buildRoutes(): RouteTree<Route> {
  const routes = new RouteTree<Route>()
  for (const { method, rules } of METHODS) {
    for (const rule of rules) routes.add(rule, { method, body: bodyRule(method, rule) })
  }
  return routes
}
const ROUTES = buildRoutes()

function readBody(body: unknown): unknown {
  if (!Buffer.isBuffer(body) || body.length === 0) return NO_JSON
  try {
    return parseJson(body, { depth: JSON_DEPTH })
  } catch (error) {
    if (!(error instanceof JsonError)) throw error
    throw badArgument(`Invalid JSON payload received. The body is ${error.params.reason}.`)
  }
}

type Query = { readonly fields: readonly (readonly [name: string, value: string])[]; readonly enumAsInteger: boolean }

/** System parameters apart from the message's own fields. */
function readQuery(text: string): Query {
  const fields: (readonly [string, string])[] = []
  let enumAsInteger = false
  for (const [name, value] of new URLSearchParams(text)) {
    if (name === 'alt' || name === '$alt') {
      const alt = ALT.exec(value)
      if (alt === null) throw badArgument('Invalid value for the system parameter alt: only json is supported.')
      enumAsInteger = alt.groups?.encoding === 'int'
    } else if (!SYSTEM_PARAMETERS.has(name)) {
      fields.push([name, value])
    }
  }
  return { fields, enumAsInteger }
}

/** Google's Node client sends the JSON text `""` for an empty sub-message. */
const asObject = (json: unknown): unknown => (json === '' ? {} : json)

/** Adds query parameters; what the body or the path fills takes none (google/api/http.proto). */
function addQuery(reader: JsonReader, message: Message, { target, variables }: Matched<Route>, query: Query): void {
  const { method, body } = target
  const seen = new Set<string>()
  for (const [name, value] of query.fields) {
    const [head = ''] = name.split('.')
    const field = method.input.fields.find((candidate) => candidate.name === head || candidate.jsonName === head)
    const repeated = field?.fieldKind === 'list'
    const inPath = variables.some(([variable]) => variable === name)
    if (inPath || body === '*' || (body !== undefined && field === body)) reader.unbound(name)
    else if (seen.has(name) && !repeated) throw badArgument(`The query parameter ${name} is given more than once.`)
    else reader.text(message, method.input, name, value)
    seen.add(name)
  }
}

function readRequest(matched: Matched<Route>, query: Query, json: unknown): Message {
  const { method, body } = matched.target
  const reader = new JsonReader()
  const whole = body === '*' ? asObject(json) : undefined
  const message = whole === undefined ? create(method.input) : reader.message(method.input, whole)
  if (body !== undefined && body !== '*' && json !== undefined) {
    reader.field(message, body, asObject(json))
  }
  addQuery(reader, message, matched, query)
  for (const [field, text] of matched.variables) reader.text(message, method.input, field, text)
  reader.finish()
  return message
}

async function serve(dispatcher: Dispatcher, request: FastifyRequest): Promise<unknown> {
  const { url, method: verb } = headOf(request.raw)
  const mark = url.indexOf('?')
  const matched = ROUTES.match(verb, mark === -1 ? url : url.slice(0, mark))
  if (matched === undefined) throw new RpcError('NOT_FOUND', 'Method not found.')
  const { method } = matched.target
  const admitted = await dispatcher.admit(method, request)
  const query = readQuery(mark === -1 ? '' : url.slice(mark + 1))
  const message = readRequest(matched, query, readBody(request.body))
  const caller = { requestId: request.id, signal: request.deadline, address: request.client.address }
  const answer = await dispatcher.execute(admitted, message, caller)
  return messageToJson(method.output, answer, query.enumAsInteger)
}

/** RFC 6750 section 3: no error where there was no token. */
const wwwAuthenticate = ({ reason }: RpcError): string =>
  `Bearer realm="https://accounts.google.com/"${reason === 'CREDENTIALS_MISSING' ? '' : ', error="invalid_token"'}`

function sendError(error: RpcError, reply: FastifyReply): FastifyReply {
  const { status, body } = errorBody(error)
  if (error.status === 'UNAUTHENTICATED') reply.header('www-authenticate', wwwAuthenticate(error))
  return reply.code(status).type(JSON_TYPE).send(body)
}

/** Clients name JSON on requests without a body, and leave the type away on others. */
function addParsers(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  const raw = bodyParser((body) => body)
  const none = bodyParser((body) => {
    if (body.length > 0) throw badArgument('The content type of a request with a body must be application/json.')
    return body
  })
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, raw)
  app.addContentTypeParser<Buffer>('*', { parseAs: 'buffer' }, none)
}

export function serveRest(app: FastifyInstance, dispatcher: Dispatcher): void {
  addParsers(app)
  app.setErrorHandler((thrown, request, reply) => {
    const error = thrown instanceof RpcError ? thrown : toKmsError(thrown, request.routeOptions.bodyLimit ?? 0)
    return sendError(dispatcher.report(toRpcError(error), request.id), reply)
  })
  app.route({
    method: ['GET', 'POST', 'PATCH', 'DELETE'],
    url: '/v1/*',
    exposeHeadRoute: false,
    handler: async (request, reply) => {
      const answer = await serve(dispatcher, request)
      return answerText(reply, ['content-type', JSON_TYPE], JSON.stringify(answer))
    },
  })
}
