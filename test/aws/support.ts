/** The dialect in the server that serves it, over a kernel with a memory store. */
import pino from 'pino'
import { awsSurface } from '../../src/api/aws/index.ts'
import { createServer } from '../../src/api/server.ts'
import { resolve } from '../../src/config/resolve.ts'
import { type KernelOptions, makeKernel } from '../support/kernel.ts'

export const ACCOUNT = '000000000000'
export const REGION = 'us-east-1'
export const arnOf = (id: string): string => `arn:aws:kms:${REGION}:${ACCOUNT}:key/${id}`
export const UNKNOWN_ID = '00000000-0000-4000-8000-000000000000'

export type Answer = {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: tests read members of any answer
  readonly body: any
}
export type Ask = {
  readonly headers?: Readonly<Record<string, string>>
  readonly region?: string
  /** Sent as it is instead of JSON. */
  readonly payload?: string | Buffer
}

export const credential = (region: string): string =>
  `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/${region}/kms/aws4_request, SignedHeaders=host;x-amz-date, Signature=${'0'.repeat(64)}`

export async function makeAws(auth: 'off' | 'permissive' | 'enforce' = 'off', options: KernelOptions = {}) {
  const kernel = await makeKernel(options)
  const server = await createServer({
    config: resolve({ auth: { aws: auth } }),
    surfaces: [awsSurface],
    services: { kernel: kernel.kernel, clock: kernel.clock, log: pino({ level: 'silent' }) },
    readiness: [],
  })

  /** `operation`: the whole X-Amz-Target where it holds a dot. */
  const ask = async (
    operation: string,
    body: unknown = {},
    { headers, region, payload }: Ask = {},
  ): Promise<Answer> => {
    const response = await server.app.inject({
      method: 'POST',
      url: '/',
      headers: {
        host: '127.0.0.1:7400',
        'content-type': 'application/x-amz-json-1.1',
        'x-amz-target': operation.includes('.') ? operation : `TrentService.${operation}`,
        authorization: credential(region ?? REGION),
        ...headers,
      },
      payload: payload ?? JSON.stringify(body),
    })
    const text = response.body
    return {
      status: response.statusCode,
      headers: response.headers,
      text,
      body: text === '' ? undefined : JSON.parse(text),
    }
  }
  /** `TypeException: message`, or `ok`. Every refusal is looked at for its form. */
  const refusal = async (operation: string, body: unknown = {}, more: Ask = {}): Promise<string> => {
    const { status, body: answer } = await ask(operation, body, more)
    if (status === 200) return 'ok'
    return answer.message === undefined ? answer.__type : `${answer.__type}: ${answer.message}`
  }
  const createKey = async (input: object = {}): Promise<string> => {
    const { status, body, text } = await ask('CreateKey', input)
    if (status !== 200) throw new Error(text)
    return body.KeyMetadata.KeyId
  }
  return { ...kernel, server, ask, refusal, createKey, close: () => server.stop() }
}
export type TestAws = Awaited<ReturnType<typeof makeAws>>
