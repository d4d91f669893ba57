import { command } from '../command.ts'

export const doctor = command({
  name: 'doctor',
  summary: "say what stands in the server's way, and how to clear it",
  examples: ['trefoil doctor --config /etc/trefoil.yaml'],
  run: async ({ config }) => (await import('../doctor.ts')).runDoctor(config),
})
