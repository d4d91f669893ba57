/** The HSM's side of the bench: a C loop on the module, and a server whose token answers late. */
import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type RunningTrefoil, startTrefoil } from '../support/process.ts'
import type { startSoftHsm } from '../support/softhsm.ts'

export type BenchToken = Awaited<ReturnType<typeof startSoftHsm>>

const HEADERS = join(import.meta.dirname, '../../node_modules/pkcs11js/includes/pkcs11')
export const LATENCY_MS = 2
export const LATE_SESSIONS = 64

function compile(directory: string, source: string, ...options: readonly string[]): string {
  const output = join(directory, source.replace('.c', '.out'))
  const paths = ['-o', output, join(import.meta.dirname, source)]
  execFileSync('cc', ['-O2', `-I${HEADERS}`, ...options, ...paths, '-ldl', '-lpthread'])
  return output
}

function makeDirectory(): string {
  return mkdtempSync(join(tmpdir(), 'trefoil-bench-'))
}

/** RSA-2048 or P-256. */
export type LoopAlgorithm = 'rsa' | 'ecdsa'
export type CLoop = { cost(algorithm: LoopAlgorithm, seconds: number): Promise<number>; close(): void }

/** Signatures by the module alone, with as many threads as the server's pool has. */
export function makeCLoop({ library, tokenLabel, pin, env }: BenchToken, threads: number): CLoop {
  const directory = makeDirectory()
  const program = compile(directory, 'pkcs11-loop.c')
  return {
    /** µs of CPU for one. */
    cost: async (algorithm, seconds) => {
      const args = [library, tokenLabel, String(threads), String(seconds), algorithm]
      const { stdout } = await promisify(execFile)(program, args, { env: { ...env, P11_PIN: pin } })
      const [signatures = 0, cpu = 0] = stdout.trim().split(' ').map(Number)
      return (cpu / signatures) * 1e6
    },
    close: () => rmSync(directory, { recursive: true, force: true }),
  }
}

export type LateTrefoil = RunningTrefoil & {
  /** The event loop's delay since the last time, 99th percentile, ms. */
  loopDelay(): Promise<number>
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** A server on a token that takes `LATENCY_MS` longer for each signature. */
export async function startLateTrefoil({ library, tokenLabel, directory, env }: BenchToken): Promise<LateTrefoil> {
  const scratch = makeDirectory()
  const delays = join(scratch, 'delays')
  const entry = {
    name: 'late',
    library: compile(scratch, 'latency-shim.c', '-shared', '-fPIC'),
    tokenLabel,
    pin: { file: join(directory, 'pin') },
    sessions: LATE_SESSIONS,
  }
  const server = await startTrefoil({
    config: { hsm: [entry], defaultBackend: 'pkcs11:late' },
    env: {
      ...env,
      P11_LATENCY_MODULE: library,
      P11_LATENCY_US: String(LATENCY_MS * 1000),
      LOOP_DELAY_FILE: delays,
      NODE_OPTIONS: `--import=${new URL('loop-delay.ts', import.meta.url).href}`,
    },
  })
  return {
    ...server,
    async loopDelay() {
      rmSync(delays, { force: true })
      process.kill(server.pid, 'SIGUSR2')
      for (let tries = 0; tries < 500; tries++) {
        await wait(10)
        try {
          return Number(readFileSync(delays, 'utf8'))
        } catch {
          // Not written yet.
        }
      }
      throw new Error('the server did not tell its delays')
    },
    async stop() {
      const code = await server.stop()
      rmSync(scratch, { recursive: true, force: true })
      return code
    },
  }
}
