/** The surface in the server that serves it, over a kernel with a memory store; requests are signed as AWS KMS does. */
import pino from 'pino'
import { Exposures } from '../../src/api/exposures.ts'
import { createServer } from '../../src/api/server.ts'
import type { KeyManager } from '../../src/api/xks/health.ts'
import { createXksSurface } from '../../src/api/xks/index.ts'
import { loadExposures, resolveExposures } from '../../src/config/exposures/index.ts'
import { resolve } from '../../src/config/resolve.ts'
import { placesOf } from '../../src/core/key-places.ts'
import { createKey } from '../../src/core/ops/create-key.ts'
import { ModeAuthorizer } from '../../src/core/policy/modes.ts'
import { Secret } from '../../src/core/secret.ts'
import { type KernelOptions, makeKernel } from '../support/kernel.ts'
import { type Json, newCredential, type Request, signedHeaders } from '../support/xks-kms.ts'

export type XksOptions = KernelOptions & {
  /** Over the exposure's own settings. */
  readonly exposure?: Json
  readonly managers?: readonly KeyManager[]
}

export const credential = newCredential()
const PATH = '/t/kms/xks/v1'
export const exposure = (more: Json = {}): Json => ({
  protocol: 'xks',
  name: 'tenant',
  prefix: 't',
  credentials: [{ accessKeyId: credential.accessKeyId, secret: { env: credential.secret } }],
  keys: [
    { id: 'k', key: 'default/k' },
    { id: 'e', key: 'default/e' },
  ],
  // A busy machine is no overload.
  deadlineMs: 10_000,
  ...more,
})
/** A secret's source is the secret itself here. */
const load = (settings: readonly Json[]) =>
  loadExposures(resolveExposures(settings as never, true), ({ env = '' }) => new Secret(Buffer.from(env)))

export type Answer = { readonly status: number; readonly json: Json; readonly text: string }

export async function makeXks({ exposure: more, managers = [], ...options }: XksOptions = {}) {
  const modes = { aws: 'off', azure: 'off', gcp: 'off' } as const
  const authorizer = () => new ModeAuthorizer({ modes, evaluators: {}, wouldDeny: () => {} })
  const kernel = await makeKernel({ authorizer, ...options })
  const { store, clock, audit, realm, run } = kernel
  const logged: string[] = []
  const log = pino({ level: 'warn' }, { write: (line: string) => void logged.push(line) })
  const exposures = new Exposures(load([exposure(more)]))
  const xks = createXksSurface({
    exposures,
    homeRealm: () => realm.id,
    version: '0',
    managers,
    placesOf: (keys) => placesOf(store, realm.id, keys),
    ready: () => audit.health(),
  })
  const server = await createServer({
    config: resolve({}),
    surfaces: [xks],
    services: { kernel: kernel.kernel, clock, log },
    readiness: [],
  })
  const make = (name: string, purpose: 'raw_encrypt_decrypt' | 'encrypt_decrypt') =>
    run('gcp', createKey, { ring: { by: 'name', name: 'default' }, name, spec: 'aes_256', purpose } as never)
  const raw = await make('k', 'raw_encrypt_decrypt')
  await make('e', 'encrypt_decrypt')
  const ask = async (route: string, body: Json, how: Partial<Request> = {}): Promise<Answer> => {
    const request = { path: `${PATH}/${route}`, body: JSON.stringify(body), at: clock.now(), ...how }
    const response = await server.app.inject({
      method: 'POST',
      url: request.path,
      headers: {
        'content-type': 'application/json',
        ...signedHeaders(request, 'localhost:7443', how.credential ?? credential),
      },
      payload: request.body,
    })
    const json = response.body.startsWith('{') ? (JSON.parse(response.body) as Json) : {}
    return { status: response.statusCode, json, text: response.body }
  }
  return {
    ...kernel,
    raw,
    ask,
    logged,
    replace: (...all: readonly Json[]) => exposures.replace(load(all)),
    close: () => server.stop(),
  }
}
