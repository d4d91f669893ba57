import { command } from '../command.ts'

export const hsmSweep = command({
  name: 'hsm sweep',
  summary: 'compare tokens and store (while no server runs on the data directory); a dry run',
  options: { delete: { help: "destroy this installation's objects that its store does not know" } },
  examples: ['trefoil hsm sweep', 'trefoil hsm sweep --delete'],
  run: async ({ options, config }) => (await import('../hsm-sweep.ts')).runHsmSweep(config(), options.delete === true),
})
