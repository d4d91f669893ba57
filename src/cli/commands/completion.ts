import { Problem } from '../../core/problem.ts'
import { command } from '../command.ts'
import { completionFor, SHELLS } from '../completion.ts'

export const completion = command({
  name: 'completion',
  summary: `print a script that completes commands in ${SHELLS.join(', ')}`,
  operand: { name: 'SHELL', required: true },
  examples: ['source <(trefoil completion bash)', 'trefoil completion fish | source'],
  async run({ operand }) {
    const shell = SHELLS.find((one) => one === operand)
    if (shell === undefined)
      throw new Problem(`no shell ${JSON.stringify(operand)}`, `take one of ${SHELLS.join(', ')}`)
    const { COMMANDS } = await import('./index.ts')
    process.stdout.write(completionFor(shell, COMMANDS))
    return 0
  },
})
