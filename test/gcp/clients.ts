/** One way to call a method, by either transport, so that a test runs over both. */
import {
  create,
  type DescMessage,
  type DescMethod,
  type DescMethodUnary,
  fromJson,
  type JsonObject,
  type MessageInitShape,
  type MessageShape,
  toJson,
} from '@bufbuild/protobuf'
import { REGISTRY } from '../../src/api/gcp/json.ts'
import { METHODS } from '../../src/api/gcp/services.ts'
import { STATUS } from '../../src/api/gcp/status.ts'
import type { TestGcp } from './support.ts'

export type Outcome<Out extends DescMessage> =
  | { readonly ok: true; readonly message: MessageShape<Out> }
  | { readonly ok: false; readonly status: string; readonly text: string }

export type Client = {
  readonly transport: 'grpc' | 'rest'
  call<In extends DescMessage, Out extends DescMessage>(
    method: DescMethodUnary<In, Out>,
    request: MessageInitShape<In>,
  ): Promise<Outcome<Out>>
  /** @throws Error with the status where the call fails */
  get<In extends DescMessage, Out extends DescMessage>(
    method: DescMethodUnary<In, Out>,
    request: MessageInitShape<In>,
  ): Promise<MessageShape<Out>>
  /** The status: `OK`, `NOT_FOUND`, … */
  status<In extends DescMessage, Out extends DescMessage>(
    method: DescMethodUnary<In, Out>,
    request: MessageInitShape<In>,
  ): Promise<string>
}

const NAMES: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(STATUS).map(([name, { code }]) => [code, name]),
)

function take(json: JsonObject, path: string): string {
  const [head = '', ...rest] = path
    .split('.')
    .map((part) => part.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()))
  const value = json[head]
  if (rest.length > 0) return take((value ?? {}) as JsonObject, rest.join('.'))
  delete json[head]
  return typeof value === 'string' ? value : ''
}

function flatten(json: JsonObject, prefix = ''): [string, string][] {
  return Object.entries(json).flatMap(([name, value]) => {
    if (Array.isArray(value)) return value.map((item): [string, string] => [prefix + name, String(item)])
    if (typeof value === 'object' && value !== null) return flatten(value, `${prefix}${name}.`)
    return [[prefix + name, String(value)]]
  })
}

/** The HTTP request that google.api.http makes of a message; segments are escaped as gax does. */
export function toHttp(method: DescMethod, json: JsonObject) {
  const rule = METHODS.find((candidate) => candidate.method === method)?.rules[0]
  if (rule === undefined) throw new Error(`${method.name} has no route`)
  const rest = structuredClone(json)
  const path = rule.template.replace(/\{([^=}]+)(?:=[^}]*)?\}/g, (_, field: string) =>
    take(rest, field)
      .split('/')
      .map((part) => encodeURIComponent(part.toWellFormed()))
      .join('/'),
  )
  let body: unknown
  if (rule.body === '*') body = rest
  else if (rule.body !== '') {
    const name = rule.body.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
    body = rest[name] ?? {}
    delete rest[name]
  }
  const query = rule.body === '*' ? [] : flatten(rest)
  const text = query.length === 0 ? '' : `?${new URLSearchParams(query)}`
  return { method: rule.method, path: `${path.slice('/v1/'.length)}${text}`, body }
}

function finish(client: Pick<Client, 'transport' | 'call'>): Client {
  return {
    ...client,
    async get(method, request) {
      const outcome = await client.call(method, request)
      if (!outcome.ok) throw new Error(`${client.transport} ${method.name}: ${outcome.status} ${outcome.text}`)
      return outcome.message
    },
    async status(method, request) {
      const outcome = await client.call(method, request)
      return outcome.ok ? 'OK' : outcome.status
    },
  }
}

export const grpcClient = (gcp: TestGcp): Client =>
  finish({
    transport: 'grpc',
    async call(method, request) {
      const { answer, message } = await gcp.grpc(method, request)
      if (message !== undefined) return { ok: true, message }
      return { ok: false, status: NAMES[answer.code] ?? String(answer.code), text: answer.message }
    },
  })

export const restClient = (gcp: TestGcp): Client =>
  finish({
    transport: 'rest',
    async call(method, request) {
      const json = toJson(method.input, create(method.input, request)) as JsonObject
      const http = toHttp(method, json)
      const { status, body } = await gcp.rest(http.method, http.path, http.body)
      if (status === 200) return { ok: true, message: fromJson(method.output, body, { registry: REGISTRY }) }
      return { ok: false, status: body.error?.status ?? `HTTP ${status}`, text: body.error?.message ?? String(body) }
    },
  })
