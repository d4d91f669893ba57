import { command } from '../command.ts'

export const init = command({
  name: 'init',
  summary: 'make the data directory, the root key and the built-in realm, and stop',
  examples: ['trefoil init --config /etc/trefoil.yaml'],
  run: async ({ config }) => (await import('../init.ts')).runInit(config()),
})
