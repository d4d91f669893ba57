/** The real server in a process of its own, on free ports and a directory of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { NATIVE } from './native.ts'

export type StartOptions = {
  readonly env?: Readonly<Record<string, string>>
  /** Contents of its trefoil.yaml. */
  readonly config?: unknown
  readonly args?: readonly string[]
  /** An earlier server's, to start on again; it is the caller's to remove. */
  readonly dataDir?: string
  /** Another version's src/main.ts. */
  readonly main?: string
}

export type RunningTrefoil = {
  readonly plainUrl: string
  readonly tlsUrl: string
  /** File with the certificate of the server's own authority. */
  readonly caFile: string
  readonly dataDir: string
  /** Its trefoil.yaml, to write another one before a reload. */
  readonly configFile: string
  readonly pid: number
  readonly readyLine: string
  /** All of stderr so far. */
  log(): string
  /** All of stderr, once it has this; it comes by another way than the answers. */
  logged(pattern: RegExp): Promise<string>
  /** Ends it gracefully and removes its directory; @returns the exit code */
  stop(): Promise<number | null>
  /** SIGKILL; the data directory stays. */
  kill(): Promise<void>
}

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname
const READY_TIMEOUT_MS = 30_000

async function readyLineOf(child: ChildProcess, log: () => string): Promise<string> {
  if (child.stdout === null) throw new Error('no stdout')
  const lines = createInterface({ input: child.stdout })
  const line = once(lines, 'line', { signal: AbortSignal.timeout(READY_TIMEOUT_MS) })
  const ended = once(child, 'exit').then(() => {
    throw new Error(`the server ended:\n${log()}`)
  })
  const [text] = (await Promise.race([line, ended])) as [string]
  ended.catch(() => {})
  if (!/^trefoil (ready|sealed) /.test(text)) throw new Error(`not a ready line: ${text}`)
  return text
}

export async function startTrefoil(options: StartOptions = {}): Promise<RunningTrefoil> {
  const directory = await mkdtemp(join(tmpdir(), 'trefoil-test-'))
  const dataDir = options.dataDir ?? join(directory, 'data')
  const file = join(directory, 'trefoil.yaml')
  await writeFile(file, JSON.stringify(options.config ?? {}))
  const { PATH = '', HOME = directory } = process.env
  const own = { TREFOIL_PORT: '0', TREFOIL_TLS_PORT: '0', TREFOIL_DATA_DIR: dataDir, TREFOIL_NATIVE: NATIVE }
  const env = { PATH, HOME, ...own, ...options.env }
  const child = spawn(process.execPath, [options.main ?? MAIN, '--config', file, ...(options.args ?? [])], {
    cwd: directory,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const exited = once(child, 'exit') as Promise<[number | null]>
  const readyLine = await readyLineOf(child, () => stderr).catch(async (error: unknown) => {
    child.kill('SIGKILL')
    await rm(directory, { recursive: true, force: true })
    throw error
  })
  const plainUrl = /http:\/\/\S+/.exec(readyLine)?.[0] ?? ''
  const tlsUrl = /https:\/\/\S+/.exec(readyLine)?.[0] ?? ''
  const caFile = join(directory, 'ca.pem')
  if (plainUrl !== '') {
    const response = await fetch(`${plainUrl}/_/ca.pem`)
    await writeFile(caFile, await response.text())
  }
  return {
    plainUrl,
    tlsUrl,
    caFile,
    dataDir,
    configFile: file,
    pid: child.pid ?? 0,
    readyLine,
    log: () => stderr,
    async logged(pattern) {
      while (!pattern.test(stderr)) await once(child.stderr, 'data')
      return stderr
    },
    async stop() {
      child.kill('SIGTERM')
      const [code] = await exited
      await rm(directory, { recursive: true, force: true })
      return code
    },
    async kill() {
      child.kill('SIGKILL')
      await exited
      if (options.dataDir !== undefined) await rm(directory, { recursive: true, force: true })
    },
  }
}
