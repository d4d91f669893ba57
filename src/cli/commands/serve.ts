import { redactedConfig } from '../../config.ts'
import { command } from '../command.ts'

export const serve = command({
  name: 'serve',
  summary: 'run the server',
  options: { 'print-config': { help: 'print the settings in force and stop' } },
  examples: ['trefoil serve', 'TREFOIL_PORT=0 TREFOIL_DATA_DIR=/var/lib/trefoil trefoil serve'],
  async run({ options, config }) {
    const settings = config()
    if (options['print-config'] !== true) return (await import('../serve.ts')).runServe(settings, config)
    process.stdout.write(`${JSON.stringify(redactedConfig(settings), null, 2)}\n`)
    return 0
  },
})
