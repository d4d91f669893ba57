/** The server with external protocols alone and no sockets, over a kernel with a memory store. */
import { Writable } from 'node:stream'
import pino from 'pino'
import type { Test } from 'tap'
import { Exposures } from '../../src/api/exposures.ts'
import { createServer } from '../../src/api/server.ts'
import type { Surface } from '../../src/api/surface.ts'
import type { AnyExposure } from '../../src/config/exposures/common.ts'
import { loadExposures, resolveExposures } from '../../src/config/exposures/index.ts'
import { loadConfig } from '../../src/config.ts'
import { ModeAuthorizer } from '../../src/core/policy/modes.ts'
import { Secret } from '../../src/core/secret.ts'
import { type KernelOptions, makeKernel } from '../support/kernel.ts'

export type Answer = {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  // biome-ignore lint/suspicious/noExplicitAny: tests read members of any answer
  readonly body: any
}
export type Ask = {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

export const exposuresOf = (settings: readonly object[]) =>
  loadExposures(resolveExposures(settings as readonly AnyExposure[], true), () => new Secret(new Uint8Array(1)))

type Options = KernelOptions & {
  readonly settings: readonly object[]
  surfaces(exposures: Exposures, homeRealm: () => string): readonly Surface[]
}

export async function makeEkm(t: Test, { settings, surfaces, ...options }: Options) {
  const authorizer = () =>
    new ModeAuthorizer({ modes: { aws: 'off', azure: 'off', gcp: 'off' }, evaluators: {}, wouldDeny: () => {} })
  const kernel = await makeKernel({ authorizer, ...options })
  const exposures = new Exposures(exposuresOf(settings))
  let logged = ''
  const sink = new Writable({
    write(chunk, _encoding, done) {
      logged += String(chunk)
      done()
    },
  })
  const { app, stop } = await createServer({
    config: loadConfig({ env: {} }),
    surfaces: surfaces(exposures, () => kernel.realm.id),
    services: { kernel: kernel.kernel, clock: kernel.clock, log: pino({ level: 'info' }, sink) },
    readiness: [],
  })
  t.teardown(() => app.close())
  const ask = async (url: string, { method = 'POST', headers = {}, body }: Ask = {}): Promise<Answer> => {
    const payload = typeof body === 'string' || body === undefined ? body : JSON.stringify(body)
    const response = await app.inject({
      method: method as 'GET',
      url,
      headers: { host: 'localhost', ...(payload !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(payload !== undefined && { payload }),
    })
    const json = /json/.test(String(response.headers['content-type']))
    return { status: response.statusCode, headers: response.headers, body: json ? response.json() : response.body }
  }
  return { ...kernel, exposures, ask, stop, logged: () => logged }
}
