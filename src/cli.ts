/** The command line. */
import { parseArgs } from 'node:util'
import { COMMON, type Command, type Given, type Options } from './cli/command.ts'
import { COMMANDS } from './cli/commands/index.ts'
import { helpOf, helpOfAll } from './cli/help.ts'
import { nearest } from './config/nearest.ts'
import { loadConfig } from './config.ts'
import { StartError } from './core/error.ts'
import { describeProblem } from './core/problem.ts'

const byName: ReadonlyMap<string, Command> = new Map(COMMANDS.map((one) => [one.name, one]))

/** A command's name has one word or two. */
function find(
  words: readonly string[],
): { readonly command: Command; readonly operands: readonly string[] } | undefined {
  for (const length of [2, 1]) {
    const command = byName.get(words.slice(0, length).join(' '))
    if (command !== undefined) return { command, operands: words.slice(length) }
  }
  return undefined
}

function misused(message: string, advice: string): number {
  process.stderr.write(`trefoil: ${message}\n  fix: ${advice}\n`)
  return 2
}

function parse(argv: readonly string[]) {
  const all: Options = Object.assign({}, ...COMMANDS.map(({ options }) => options), COMMON)
  const options = Object.fromEntries(
    Object.entries(all).map(([name, { value, multiple = false, short }]) => [
      name,
      { type: value === undefined ? ('boolean' as const) : ('string' as const), multiple, ...(short && { short }) },
    ]),
  )
  return parseArgs({ args: [...argv], options, allowPositionals: true })
}

function unknown(words: readonly string[]): number {
  const names = [...byName.keys()]
  const meant = nearest(words.join(' '), names) ?? nearest(words.slice(0, 2).join(' '), names)
  return misused(
    `no command ${JSON.stringify(words.join(' '))}`,
    meant === undefined ? 'trefoil --help lists them' : `did you mean ${meant}?`,
  )
}

/** Of one command, of a group by its first word, or of all. */
function help(words: readonly string[]): number {
  const found = find(words)
  const group = COMMANDS.filter(({ name }) => name.startsWith(`${words[0]} `))
  if (words.length > 0 && found === undefined && group.length === 0) return unknown(words)
  const text =
    found !== undefined ? helpOf(found.command) : words.length === 0 ? helpOfAll(COMMANDS) : helpOfAll(group, words[0])
  process.stdout.write(text)
  return 0
}

async function dispatch(argv: readonly string[]): Promise<number | undefined> {
  const { values, positionals } = parse(argv)
  if (values.help === true) return help(positionals)
  if (positionals.length === 0) {
    help([])
    return 2
  }
  const found = find(positionals)
  if (found === undefined) return unknown(positionals)
  const { command, operands } = found
  const { name, operand } = command
  const known = { ...command.options, ...COMMON }
  const foreign = Object.keys(values).find((option) => !Object.hasOwn(known, option))
  const advice = `trefoil ${name} --help tells what it takes`
  if (foreign !== undefined) return misused(`${name} takes no --${foreign}`, advice)
  const most = operand === undefined ? 0 : 1
  if (operands.length > most) return misused(`${name} takes no ${JSON.stringify(operands[most])}`, advice)
  if (operand?.required === true && operands.length === 0) return misused(`${name} needs ${operand.name}`, advice)
  const file = values.config as string | undefined
  const options = values as Given<Options>['options']
  return command.run({ options, operand: operands[0], file, config: () => loadConfig({ file }) })
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
