/** Sends a command to the server that runs on the data directory, or carries it out here while none does. */
import { type IncomingMessage, request } from 'node:http'
import type { Readable } from 'node:stream'
import type { Streamed } from '../api/admin/binding.ts'
import type { Admin } from '../api/admin/index.ts'
import { type AdminError, FACTS_HEADER, routeOf, socketPath } from '../api/admin/paths.ts'
import type { Config } from '../config.ts'
import { KmsError } from '../core/error.ts'
import { Problem } from '../core/problem.ts'

const TIMEOUT_MS = 60_000

/** Undefined where nobody listens. */
function ask(path: string, wire: string, body: unknown): Promise<IncomingMessage | undefined> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { socketPath: path, path: routeOf(wire), method: 'POST', headers: { 'content-type': 'application/json' } },
      resolve,
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

/** @throws Problem for what was refused */
async function answerOf(response: IncomingMessage): Promise<unknown> {
  response.setEncoding('utf8')
  let text = ''
  for await (const chunk of response) text += chunk
  const answer: unknown = text === '' ? {} : JSON.parse(text)
  if (response.statusCode === 200) return answer
  throw refused(answer as AdminError)
}

function refused({ code, message, field }: AdminError): Problem {
  if (code === 'invalid_argument')
    return new Problem(field === undefined ? message : `${field}: ${message}`, 'trefoil --help shows the command')
  return new Problem(`the command failed: ${message === '' ? code : message}`, 'the log of the server says more')
}

async function withServer<T>(config: Config, work: (admin: Admin) => Promise<T>): Promise<T> {
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
    return await work(trefoil.admin)
  } catch (error) {
    if (error instanceof Problem) throw error
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
  const response = await ask(socketPath(config.dataDir), wire, body)
  if (response !== undefined) return answerOf(response)
  throw new Problem(`no server runs on ${config.dataDir}`, 'start one with trefoil serve')
}

/** @throws Problem for what is refused */
export async function runCommand(config: Config, wire: string, body: unknown): Promise<unknown> {
  const response = await ask(socketPath(config.dataDir), wire, body)
  if (response === undefined) return withServer(config, (admin) => admin.run(wire, body))
  return answerOf(response)
}

/**
 * For an answer that is streamed. @param then what is to be told of it afterwards, by another command
 * @throws Problem
 */
export async function runStream<T>(
  config: Config,
  wire: string,
  body: unknown,
  take: (facts: unknown, stream: Readable) => Promise<T>,
  then: (taken: T, run: (wire: string, body: unknown) => Promise<unknown>) => Promise<void>,
): Promise<T> {
  const response = await ask(socketPath(config.dataDir), wire, body)
  if (response === undefined) {
    return withServer(config, async (admin) => {
      const { facts, stream } = (await admin.run(wire, body)) as Streamed
      const taken = await take(facts, stream)
      await then(taken, (next, input) => admin.run(next, input))
      return taken
    })
  }
  const facts = response.headers[FACTS_HEADER]
  if (response.statusCode !== 200 || typeof facts !== 'string') throw await answerOf(response)
  const taken = await take(JSON.parse(facts), response)
  await then(taken, (next, input) => runCommand(config, next, input))
  return taken
}
