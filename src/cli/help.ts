/** The words of `--help`, from the table of commands. */
import { COMMON, type Command, type Option, type Options, table } from './command.ts'

export function usage({ name, operand, options }: Command): string {
  const operands = operand === undefined ? [] : [operand.required ? operand.name : `[${operand.name}]`]
  return ['trefoil', name, ...operands, ...(Object.keys(options).length === 0 ? [] : ['[options]'])].join(' ')
}

export function describeOption(
  name: string,
  { value, multiple, choices, short, help }: Option,
): readonly [string, string] {
  const more = [help, ...(choices === undefined ? [] : [choices.join(', ')]), ...(multiple ? ['may be repeated'] : [])]
  const names = short === undefined ? `--${name}` : `-${short}, --${name}`
  return [value === undefined ? names : `${names} ${value}`, more.join('; ')]
}

const optionTable = (options: Options): string =>
  table(Object.entries(options).map(([name, option]) => ['', ...describeOption(name, option)]))

const exampleLines = (commands: readonly Command[]): string =>
  commands.flatMap(({ examples }) => examples.map((line) => `  ${line}\n`)).join('')

export const helpOf = (command: Command): string =>
  [
    `usage: ${usage(command)}\n`,
    `${command.summary}\n`,
    `options\n${optionTable({ ...command.options, ...COMMON })}`,
    `examples\n${exampleLines([command])}`,
  ].join('\n')

const list = (commands: readonly Command[]): string =>
  table(
    commands.map(({ name, operand, summary }) => [
      '',
      operand === undefined ? name : `${name} ${operand.name}`,
      summary,
    ]),
  )

/** Of some commands, or of all. */
export const helpOfAll = (commands: readonly Command[], title = '<command>'): string =>
  [
    `usage: trefoil ${title} [options]\n`,
    list(commands),
    `options of every command; trefoil <command> --help tells the others\n${optionTable(COMMON)}`,
    `examples\n${exampleLines(commands.slice(0, 6))}`,
  ].join('\n')
