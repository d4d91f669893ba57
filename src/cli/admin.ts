/** Sends a command to the server that runs on the data directory, or carries it out here while none does. */
import { request } from 'node:http'
import { type AdminError, routeOf, socketPath } from '../api/admin/paths.ts'
import type { Config } from '../config.ts'
import { KmsError } from '../core/error.ts'
import { Problem } from '../core/problem.ts'

const TIMEOUT_MS = 60_000
type Answer = { readonly status: number; readonly body: unknown }

/** Undefined where nobody listens. */
function ask(path: string, wire: string, body: unknown): Promise<Answer | undefined> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { socketPath: path, path: routeOf(wire), method: 'POST', headers: { 'content-type': 'application/json' } },
      (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          text += chunk
        })
        response.once('end', () =>
          resolve({ status: response.statusCode ?? 0, body: text === '' ? {} : JSON.parse(text) }),
        )
        response.once('error', reject)
      },
    )
    outgoing.setTimeout(TIMEOUT_MS, () => outgoing.destroy(new Error('no answer in time')))
    outgoing.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve(undefined)
      else if (error.code === 'EACCES')
        reject(new Problem(`${path} is not this user's`, 'run the command as the user that runs the server'))
      else reject(error)
    })
    outgoing.end(JSON.stringify(body))
  })
}

function refused({ code, message, field }: AdminError): Problem {
  if (code === 'invalid_argument')
    return new Problem(field === undefined ? message : `${field}: ${message}`, 'trefoil --help shows the command')
  return new Problem(`the command failed: ${code}`, 'the log of the server says why')
}

async function runHere(config: Config, wire: string, body: unknown): Promise<unknown> {
  const { compose, isInstalled } = await import('../main.ts')
  if (!isInstalled(config)) {
    throw new Problem(
      `there is no installation in ${config.dataDir}`,
      'run trefoil init, or point TREFOIL_DATA_DIR at the data directory of the server',
    )
  }
  const trefoil = await compose(config)
  try {
    await trefoil.recover()
    return await trefoil.admin.run(wire, body)
  } catch (error) {
    const { code, params } = KmsError.from(error)
    if (code === 'internal') throw error
    throw refused({
      code,
      message: String(params.reason ?? code),
      ...(params.field !== undefined && { field: String(params.field) }),
    })
  } finally {
    await trefoil.stop()
  }
}

/** For what only a server can do. @throws Problem for what is refused, and where none runs */
export async function runServed(config: Config, wire: string, body: unknown): Promise<unknown> {
  const answer = await ask(socketPath(config.dataDir), wire, body)
  if (answer === undefined) {
    throw new Problem(`no server runs on ${config.dataDir}`, 'start one with trefoil serve')
  }
  return verdictOf(answer)
}

function verdictOf({ status, body }: Answer): unknown {
  if (status === 200) return body
  throw refused(body as AdminError)
}

/** @throws Problem for what is refused */
export async function runCommand(config: Config, wire: string, body: unknown): Promise<unknown> {
  const answer = await ask(socketPath(config.dataDir), wire, body)
  return answer === undefined ? runHere(config, wire, body) : verdictOf(answer)
}
