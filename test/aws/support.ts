/** The dialect in the server that serves it, over a kernel with a memory store. */
import { createSecretKey, randomBytes } from 'node:crypto'
import pino from 'pino'
import { createAwsSurface } from '../../src/api/aws/index.ts'
import type { Quotas } from '../../src/api/aws/quotas.ts'
import { createServer } from '../../src/api/server.ts'
import { resolve } from '../../src/config/resolve.ts'
import type { Settings } from '../../src/config/schema.ts'
import { Directory } from '../../src/core/principals/directory.ts'
import type { StoredPrincipal } from '../../src/core/principals/principal.ts'
import { Sessions } from '../../src/core/principals/sessions.ts'
import { Secret } from '../../src/core/secret.ts'
import { type Credentials, sign } from '../sigv4/sign.ts'
import { type KernelOptions, makeKernel } from '../support/kernel.ts'

export const ACCOUNT = '000000000000'
export const REGION = 'us-east-1'
export const arnOf = (id: string): string => `arn:aws:kms:${REGION}:${ACCOUNT}:key/${id}`
export const UNKNOWN_ID = '00000000-0000-4000-8000-000000000000'

/** What a ciphertext of a key that is not there is answered with, and one of a key that the caller may not use. */
export const UNNAMED =
  'AccessDeniedException: The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.'

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
  /** Who signs, where signatures are looked at. */
  readonly as?: Credentials
  /** Sent as it is instead of JSON. */
  readonly payload?: string | Buffer
  /** Whether what goes on after the answer is over when it is given to the test; it is unless this says otherwise. */
  readonly settled?: boolean
}

/** What is finished some time after its answer. */
export const GOES_ON: ReadonlySet<string> = new Set(['ConnectCustomKeyStore', 'ReplicateKey', 'UpdatePrimaryRegion'])

export const credential = (region: string): string =>
  `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/${region}/kms/aws4_request, SignedHeaders=host;x-amz-date, Signature=${'0'.repeat(64)}`

/** The user whose signature requests have unless they say otherwise. */
export const USER: Credentials = { accessKeyId: 'AKIATESTUSER00000000', secretAccessKey: 'a secret of the tests' }
const OWNER: StoredPrincipal = {
  id: 'AIDATESTUSER00000000',
  kind: 'user',
  account: ACCOUNT,
  name: 'test',
  policies: [],
  tags: {},
  createdAt: 0,
}

export type AwsTestOptions = KernelOptions & {
  readonly quotas?: Quotas
  /** That group of the settings. */
  readonly aws?: NonNullable<Settings['aws']>
}

/** The dialect with its users, over a kernel with a memory store. */
export async function makeSurface({ quotas, aws: _, ...options }: AwsTestOptions = {}) {
  const kernel = await makeKernel(options)
  const { store, sealer, clock } = kernel
  const secret = new Secret(Buffer.from(USER.secretAccessKey))
  const fixed = { principals: [OWNER], accessKeys: [{ id: USER.accessKeyId, principalId: OWNER.id, secret }] }
  const directory = new Directory({ store, sealer, clock, fixed })
  await directory.start()
  const sessions = new Sessions(createSecretKey(randomBytes(32)), directory, clock)
  return {
    ...kernel,
    directory,
    sessions,
    awsSurface: createAwsSurface({ directory, sessions, skewMs: 300_000, homeRealm: () => kernel.realm.id, quotas }),
  }
}

export async function makeAws(auth: 'off' | 'permissive' | 'enforce' = 'off', options: AwsTestOptions = {}) {
  const kernel = await makeSurface(options)
  const warnings: string[] = []
  const log = pino({ level: 'warn' }, { write: (line: string) => void warnings.push(line) })
  const server = await createServer({
    config: resolve({ auth: { aws: auth }, ...(options.aws && { aws: options.aws }) }),
    surfaces: [kernel.awsSurface],
    services: { kernel: kernel.kernel, clock: kernel.clock, log },
    readiness: [],
  })

  /** `operation`: the whole X-Amz-Target where it holds a dot. */
  const ask = async (
    operation: string,
    body: unknown = {},
    { headers, region = REGION, payload = JSON.stringify(body), as = USER, settled = true }: Ask = {},
  ): Promise<Answer> => {
    const plain = {
      host: '127.0.0.1:7400',
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': operation.includes('.') ? operation : `TrentService.${operation}`,
    }
    const signing = { method: 'POST', path: '/', headers: plain, body: payload }
    const signed =
      auth === 'off'
        ? { ...plain, authorization: credential(region) }
        : sign(signing, as, { at: kernel.clock.now(), region })
    const response = await server.app.inject({ method: 'POST', url: '/', headers: { ...signed, ...headers }, payload })
    if (settled && GOES_ON.has(operation)) await kernel.due.settle()
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
  return { ...kernel, server, warnings, ask, refusal, createKey, close: () => server.stop() }
}
export type TestAws = Awaited<ReturnType<typeof makeAws>>
