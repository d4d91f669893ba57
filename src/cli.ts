/** The command line: `trefoil serve | init | doctor | rotate-root | audit verify`. */
import { parseArgs } from 'node:util'
import { runDoctor } from './cli/doctor.ts'
import { runInit } from './cli/init.ts'
import { runRotateRoot } from './cli/rotate-root.ts'
import { runServe } from './cli/serve.ts'
import { nearest } from './config/nearest.ts'
import { loadConfig, redactedConfig } from './config.ts'
import { StartError } from './core/error.ts'
import { describeProblem } from './core/problem.ts'
import { verifyInstallation } from './main.ts'

const HELP = `usage: trefoil <command> [options]

  serve          run the server
  init           make the data directory, the root key and the built-in realm, and stop
  doctor         say what stands in the server's way, and how to clear it
  rotate-root    move everything from previousRootKey to rootKey (while no server runs on the data directory)
  audit verify   check the audit log record by record (while no server runs on the data directory)

options
  --config FILE    settings; default: TREFOIL_CONFIG, then ./trefoil.yaml
  --print-config   serve: print the settings in force and stop
  --help

examples
  trefoil serve
  TREFOIL_PORT=0 TREFOIL_DATA_DIR=/var/lib/trefoil trefoil serve
  trefoil doctor --config /etc/trefoil.yaml
`

const COMMANDS = ['serve', 'init', 'doctor', 'rotate-root', 'audit verify'] as const
const OPTIONS = { config: { type: 'string' }, 'print-config': { type: 'boolean' }, help: { type: 'boolean' } } as const

async function verifyAuditLog(file: string | undefined): Promise<number> {
  const verdict = await verifyInstallation(loadConfig({ file }))
  if (!verdict.ok) {
    process.stdout.write(`audit log: ${verdict.problem}\n`)
    return 1
  }
  process.stdout.write(`audit log: ${verdict.records} records verified, ${verdict.checkpoints} checkpoints\n`)
  return 0
}

async function dispatch(argv: readonly string[]): Promise<number | undefined> {
  const { values, positionals } = parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true })
  const { config: file, help } = values
  const command = positionals.join(' ')
  if (help === true || command === '') {
    process.stdout.write(HELP)
    return help === true ? 0 : 2
  }
  switch (command) {
    case 'serve': {
      const config = loadConfig({ file })
      if (values['print-config'] !== true) return runServe(config)
      process.stdout.write(`${JSON.stringify(redactedConfig(config), null, 2)}\n`)
      return 0
    }
    case 'init':
      return runInit(loadConfig({ file }))
    case 'doctor':
      return runDoctor(() => loadConfig({ file }))
    case 'rotate-root':
      return runRotateRoot(loadConfig({ file }))
    case 'audit verify':
      return verifyAuditLog(file)
    default: {
      const meant = nearest(command, COMMANDS)
      const advice = meant === undefined ? 'trefoil --help lists them' : `did you mean ${meant}?`
      process.stderr.write(`trefoil: no command ${JSON.stringify(command)}\n  fix: ${advice}\n`)
      return 2
    }
  }
}

/** What the operator reads instead of a stack. */
export const explain = (error: unknown): string | undefined =>
  error instanceof StartError ? describeProblem(error) : undefined

/** Sets the exit code; a server that runs leaves it unset. */
export async function runCli(argv: readonly string[]): Promise<void> {
  try {
    const code = await dispatch(argv)
    if (code !== undefined) process.exitCode = code
  } catch (error) {
    const usage = error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')
    process.exitCode = usage ? 2 : 1
    const text = usage ? (error as Error).message : explain(error)
    if (text === undefined) throw error
    process.stderr.write(`trefoil: ${text}\n`)
  }
}
