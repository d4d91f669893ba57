/** The command line, as a process. */
import { spawn } from 'node:child_process'

const BIN = new URL('../../bin/trefoil.js', import.meta.url).pathname
export type Result = { readonly code: number | null; readonly out: string; readonly err: string }

/** Runs to its end, in `cwd`, with nothing of the caller's environment; `prefix` is a command that starts another. */
export function runBin(
  cwd: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  prefix: readonly string[] = [],
  /** Typed in. */
  input?: string,
): Promise<Result> {
  const base = { PATH: process.env.PATH ?? '', HOME: cwd, TREFOIL_PORT: '0', TREFOIL_TLS_PORT: '0' }
  const [command = process.execPath, ...rest] = [...prefix, process.execPath, BIN, ...args]
  const child = spawn(command, rest, {
    cwd,
    env: { ...base, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  // It may end without having read it.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  let [out, err] = ['', '']
  child.stdout.on('data', (chunk) => {
    out += chunk
  })
  child.stderr.on('data', (chunk) => {
    err += chunk
  })
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, out, err })))
}
