import { command } from '../command.ts'

export const rotateRoot = command({
  name: 'rotate-root',
  summary: 'move everything from previousRootKey to rootKey (while no server runs on the data directory)',
  examples: ['trefoil rotate-root'],
  run: async ({ config }) => (await import('../rotate-root.ts')).runRotateRoot(config()),
})
