import { command } from '../command.ts'

export const xksCredential = command({
  name: 'xks credential',
  summary: "write the file that AWS's console takes for an external key store; makes a secret that is not there yet",
  operand: { name: 'EXPOSURE', required: true },
  options: {
    'access-key-id': { value: 'ID', help: 'of several credentials, which one; default: the last' },
    new: { help: 'make another credential, and say what to add to the configuration' },
    out: { value: 'FILE', help: 'the file; default: EXPOSURE.xks.json' },
  },
  examples: ['trefoil xks credential payments', 'trefoil xks credential payments --new --out payments-next.xks.json'],
  run: async ({ options, operand, config }) =>
    (await import('../xks-credential.ts')).runXksCredential(config().exposures, operand ?? '', options),
})
