/** Writes docs/cli.md from the table of commands. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { COMMON, type Command, type Options } from '../src/cli/command.ts'
import { COMMANDS } from '../src/cli/commands/index.ts'
import { describeOption, usage } from '../src/cli/help.ts'

const optionRows = (options: Options): readonly string[] =>
  Object.entries(options).map(([name, option]) => {
    const [left, right] = describeOption(name, option)
    return `| \`${left}\` | ${right.replaceAll('|', '\\|')} |`
  })

const optionTable = (options: Options): readonly string[] =>
  Object.keys(options).length === 0 ? [] : ['', '| option | meaning |', '| --- | --- |', ...optionRows(options)]

const section = (command: Command): string =>
  [
    `## trefoil ${command.name}`,
    '',
    `\`${usage(command)}\`: ${command.summary}.`,
    ...optionTable(command.options),
    '',
    '```sh',
    ...command.examples,
    '```',
    '',
  ].join('\n')

const page = [
  '# The command line',
  '',
  'Generated from the table of commands (`npm run generate`). What they are for is in [operations.md](operations.md).',
  '',
  'Every command takes',
  ...optionTable(COMMON),
  '',
  ...COMMANDS.map(section),
].join('\n')

writeFileSync(join(import.meta.dirname, '../docs/cli.md'), page)
