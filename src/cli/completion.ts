/** Scripts that complete commands, their options and the options' values, from the table of commands. */
import { COMMON, type Command } from './command.ts'

export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof SHELLS)[number]

const optionsOf = (command: Command): readonly string[] =>
  Object.keys({ ...command.options, ...COMMON }).map((name) => `--${name}`)

/** First words, and second words after them. */
function words(commands: readonly Command[]): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>()
  for (const { name } of commands) {
    const [first = '', second] = name.split(' ')
    const seconds = found.get(first) ?? []
    found.set(first, second === undefined ? seconds : [...seconds, second])
  }
  return found
}

const choicesOf = (commands: readonly Command[]): readonly (readonly [string, readonly string[]])[] =>
  commands.flatMap(({ options }) =>
    Object.entries(options).flatMap(([name, { choices }]) => (choices === undefined ? [] : [[name, choices] as const])),
  )

function bash(commands: readonly Command[]): string {
  const groups = [...words(commands)]
  const seconds = groups.flatMap(([first, more]) =>
    more.length === 0 ? [] : [`      ${first}) words="${more.join(' ')}" ;;`],
  )
  const options = commands.map((command) => `    "${command.name}") words="${optionsOf(command).join(' ')}" ;;`)
  const values = [...new Map(choicesOf(commands))].map(([name, list]) => `    --${name}) words="${list.join(' ')}" ;;`)
  return `# trefoil completion bash >/etc/bash_completion.d/trefoil
_trefoil() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" words="" name
  COMPREPLY=()
  case "$previous" in
${values.join('\n')}
    --config) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
  esac
  if [[ -n "$words" ]]; then
    :
  elif [[ $COMP_CWORD -eq 1 ]]; then
    words="${groups.map(([first]) => first).join(' ')}"
  elif [[ "$current" == -* ]]; then
    name="\${COMP_WORDS[1]} \${COMP_WORDS[2]}"
    case "$name" in
${options.map((line) => `  ${line}`).join('\n')}
    esac
    [[ -n "$words" ]] || case "\${COMP_WORDS[1]}" in
${options.map((line) => `  ${line}`).join('\n')}
    esac
  elif [[ $COMP_CWORD -eq 2 ]]; then
    case "$previous" in
${seconds.join('\n')}
    esac
  fi
  if [[ -n "$words" ]]; then mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  else mapfile -t COMPREPLY < <(compgen -f -- "$current"); fi
}
complete -o filenames -F _trefoil trefoil
`
}

/** zsh runs bash's own completions. */
const zsh = (commands: readonly Command[]): string =>
  `#compdef trefoil\nautoload -U +X bashcompinit && bashcompinit\n${bash(commands)}`

const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`

function fish(commands: readonly Command[]): string {
  const lines = ['# trefoil completion fish >~/.config/fish/completions/trefoil.fish', 'complete -c trefoil -f']
  for (const [first, seconds] of words(commands)) {
    const one = commands.find(({ name }) => name === first)
    lines.push(`complete -c trefoil -n __fish_use_subcommand -a ${first} -d ${quoted(one?.summary ?? '')}`)
    for (const second of seconds) {
      const summary = commands.find(({ name }) => name === `${first} ${second}`)?.summary ?? ''
      const condition = `__fish_seen_subcommand_from ${first}; and not __fish_seen_subcommand_from ${seconds.join(' ')}`
      lines.push(`complete -c trefoil -n ${quoted(condition)} -a ${second} -d ${quoted(summary)}`)
    }
  }
  for (const { name, options } of commands) {
    const seen = name.split(' ').map((word) => `__fish_seen_subcommand_from ${word}`)
    for (const [option, { value, choices, help }] of Object.entries({ ...options, ...COMMON })) {
      const argument =
        value === undefined ? '' : choices === undefined ? ' -r -F' : ` -x -a ${quoted(choices.join(' '))}`
      lines.push(`complete -c trefoil -n ${quoted(seen.join('; and '))} -l ${option}${argument} -d ${quoted(help)}`)
    }
  }
  return `${lines.join('\n')}\n`
}

export const completionFor = (shell: Shell, commands: readonly Command[]): string =>
  ({ bash, zsh, fish })[shell](commands)
