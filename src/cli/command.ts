/** What a command of the command line is: data that help, completion and docs/cli.md are made from, and a function. */
import type { Config } from '../config.ts'

export type Option = {
  /** Placeholder of its value; absent: a flag. */
  readonly value?: string
  readonly multiple?: true
  /** One letter, for `-f`. */
  readonly short?: string
  /** For completion and help, where the values are few. */
  readonly choices?: readonly string[]
  readonly help: string
}
export type Options = Readonly<Record<string, Option>>

/** What the options of a command are, once they are parsed. */
export type Values<O extends Options> = {
  readonly [K in keyof O]?: O[K] extends { value: string }
    ? O[K] extends { multiple: true }
      ? readonly string[]
      : string
    : boolean
}

export type Given<O extends Options> = {
  readonly options: Values<O>
  readonly operand: string | undefined
  /** Reads the settings, which a command may do without. */
  config(): Config
  /** The file that `--config` names. */
  readonly file: string | undefined
}

export type Command = {
  /** One word or two. */
  readonly name: string
  readonly summary: string
  readonly operand?: { readonly name: string; readonly required: boolean }
  readonly options: Options
  readonly examples: readonly string[]
  /** Loads what it needs: a command that a running server carries out needs no server of its own. */
  run(given: Given<Options>): Promise<number | undefined>
}

type Definition<O extends Options> = Omit<Command, 'options' | 'run'> & {
  readonly options?: O
  run(given: Given<O>): Promise<number | undefined>
}

export const command = <const O extends Options>({ options, run, ...rest }: Definition<O>): Command => ({
  ...rest,
  options: options ?? {},
  // The values were parsed by these very options.
  run: (given) => run(given as unknown as Given<O>),
})

/** Taken by every command. */
export const COMMON: Options = {
  config: { value: 'FILE', help: 'settings; default: TREFOIL_CONFIG, then ./trefoil.yaml' },
  help: { help: 'say what the command does and takes' },
}

export const JSON_OPTION = { json: { help: 'print JSON' } } as const

/** @param text what is printed without `--json`; its lines end with line breaks */
export function print(json: boolean | undefined, value: unknown, text: string): number {
  process.stdout.write(json === true ? `${JSON.stringify(value, null, 2)}\n` : text)
  return 0
}

/** Columns of text, the last one unpadded. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, at) => cell.padEnd(widths[at] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}
