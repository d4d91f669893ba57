/** The command line. */
import { parseArgs } from 'node:util'
import { PRINCIPAL_COMMANDS, runPrincipal } from './cli/principal.ts'
import { nearest } from './config/nearest.ts'
import { loadConfig, redactedConfig } from './config.ts'
import { StartError } from './core/error.ts'
import { describeProblem } from './core/problem.ts'

const HELP = `usage: trefoil <command> [options]

  serve          run the server
  init           make the data directory, the root key and the built-in realm, and stop
  doctor         say what stands in the server's way, and how to clear it
  rotate-root    move everything from previousRootKey to rootKey (while no server runs on the data directory)
  audit verify   check the audit log record by record (while no server runs on the data directory)
  hsm sweep      compare tokens and store (while no server runs on the data directory); a dry run

  principal create NAME        make a user (or a role) of AWS, and an access key for it
  principal update NAME        change its policies, boundary, trust policy, longest session or tags
  principal list               all of them, with their access keys and when these were last used
  principal rotate-key NAME    make its second access key; the first one stays until it is deleted
  principal enable-key | disable-key | delete-key ACCESS_KEY_ID
  principal delete NAME        take it away, with its access keys

options
  --config FILE    settings; default: TREFOIL_CONFIG, then ./trefoil.yaml
  --print-config   serve: print the settings in force and stop
  --delete         hsm sweep: destroy this installation's objects that its store does not know
  --json           principal: print JSON
  --kind KIND      principal: user (default), role, or root, which has no NAME
  --account ID     principal: default realm.aws.account
  --policy FILE, --boundary FILE, --trust FILE, --max-session SECONDS, --tag KEY=VALUE
                   principal create, update; --policy and --tag may be repeated
  --help

examples
  trefoil serve
  TREFOIL_PORT=0 TREFOIL_DATA_DIR=/var/lib/trefoil trefoil serve
  trefoil doctor --config /etc/trefoil.yaml
  trefoil principal create app --policy app.json
`

const text = { type: 'string' } as const
const texts = { type: 'string', multiple: true } as const
const flag = { type: 'boolean' } as const
const OPTIONS = {
  config: text,
  'print-config': flag,
  help: flag,
  delete: flag,
  json: flag,
  kind: text,
  account: text,
  policy: texts,
  boundary: text,
  trust: text,
  'max-session': text,
  tag: texts,
} as const
type Options = ReturnType<typeof parse>['values']

const NAMING = ['kind', 'account']
const FACTS = ['policy', 'boundary', 'trust', 'max-session', 'tag']

type Command = {
  /** Of what follows its name: how many there may be. */
  readonly operands: 0 | 1
  /** Options that it takes besides those of all commands. */
  readonly options: readonly string[]
  /** Loads what it needs: a command that a running server carries out needs no server of its own. */
  run(options: Options, operand: string | undefined): Promise<number | undefined>
}

async function verifyAuditLog(file: string | undefined): Promise<number> {
  const { verifyInstallation } = await import('./main.ts')
  const verdict = await verifyInstallation(loadConfig({ file }))
  if (!verdict.ok) {
    process.stdout.write(`audit log: ${verdict.problem}\n`)
    return 1
  }
  process.stdout.write(`audit log: ${verdict.records} records verified, ${verdict.checkpoints} checkpoints\n`)
  return 0
}

async function serve({ config: file, 'print-config': printConfig }: Options): Promise<number | undefined> {
  const config = loadConfig({ file })
  if (printConfig !== true) return (await import('./cli/serve.ts')).runServe(config)
  process.stdout.write(`${JSON.stringify(redactedConfig(config), null, 2)}\n`)
  return 0
}

const init = async ({ config: file }: Options): Promise<number> =>
  (await import('./cli/init.ts')).runInit(loadConfig({ file }))
const doctor = async ({ config: file }: Options): Promise<number> =>
  (await import('./cli/doctor.ts')).runDoctor(() => loadConfig({ file }))
const rotateRoot = async ({ config: file }: Options): Promise<number> =>
  (await import('./cli/rotate-root.ts')).runRotateRoot(loadConfig({ file }))
const hsmSweep = async ({ config: file, delete: remove }: Options): Promise<number> =>
  (await import('./cli/hsm-sweep.ts')).runHsmSweep(loadConfig({ file }), remove === true)

function principalCommand(name: (typeof PRINCIPAL_COMMANDS)[number]): Command {
  const facts = name === 'create' || name === 'update' ? FACTS : []
  const naming = name === 'list' || /^(enable|disable|delete)-key$/.test(name) ? [] : NAMING
  return {
    operands: name === 'list' ? 0 : 1,
    options: ['json', ...naming, ...facts],
    run: (options, operand) => runPrincipal(loadConfig({ file: options.config }), name, operand, options),
  }
}

const COMMANDS: ReadonlyMap<string, Command> = new Map<string, Command>([
  ['serve', { operands: 0, options: ['print-config'], run: serve }],
  ['init', { operands: 0, options: [], run: init }],
  ['doctor', { operands: 0, options: [], run: doctor }],
  ['rotate-root', { operands: 0, options: [], run: rotateRoot }],
  ['audit verify', { operands: 0, options: [], run: ({ config: file }) => verifyAuditLog(file) }],
  ['hsm sweep', { operands: 0, options: ['delete'], run: hsmSweep }],
  ...PRINCIPAL_COMMANDS.map((name) => [`principal ${name}`, principalCommand(name)] as const),
])

/** A command's name has one word or two. */
function find(
  words: readonly string[],
): { readonly command: Command; readonly name: string; readonly operands: readonly string[] } | undefined {
  for (const length of [2, 1]) {
    const name = words.slice(0, length).join(' ')
    const command = COMMANDS.get(name)
    if (command !== undefined) return { command, name, operands: words.slice(length) }
  }
  return undefined
}

function misused(message: string, advice: string): number {
  process.stderr.write(`trefoil: ${message}\n  fix: ${advice}\n`)
  return 2
}

const parse = (argv: readonly string[]) => parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true })

async function dispatch(argv: readonly string[]): Promise<number | undefined> {
  const { values, positionals } = parse(argv)
  if (values.help === true || positionals.length === 0) {
    process.stdout.write(HELP)
    return values.help === true ? 0 : 2
  }
  const found = find(positionals)
  if (found === undefined) {
    const typed = positionals.join(' ')
    const meant =
      nearest(typed, [...COMMANDS.keys()]) ?? nearest(positionals.slice(0, 2).join(' '), [...COMMANDS.keys()])
    return misused(
      `no command ${JSON.stringify(typed)}`,
      meant === undefined ? 'trefoil --help lists them' : `did you mean ${meant}?`,
    )
  }
  const { command, name, operands } = found
  const known = ['config', 'help', ...command.options]
  const foreign = Object.keys(values).find((option) => !known.includes(option))
  if (foreign !== undefined) return misused(`${name} takes no --${foreign}`, 'trefoil --help lists its options')
  if (operands.length > command.operands) {
    return misused(
      `${name} takes no ${JSON.stringify(operands[command.operands])}`,
      'trefoil --help shows what it takes',
    )
  }
  return command.run(values, operands[0])
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
