import type { Reloaded } from '../../core/ops/reload.ts'
import { runServed } from '../admin.ts'
import { command, JSON_OPTION, print } from '../command.ts'

const listed = (names: readonly string[], what: string): string =>
  names.length === 0 ? '' : `${what}: ${names.join(', ')}\n`

export const reload = command({
  name: 'reload',
  summary: 'let the running server read its settings and certificates again; what is refused changes nothing',
  options: JSON_OPTION,
  examples: ['trefoil reload --config /etc/trefoil.yaml'],
  async run({ options, config }) {
    const { changed, waiting } = (await runServed(config(), 'reload', {})) as Reloaded
    const text = [listed(changed, 'changed'), listed(waiting, 'waiting for a restart')].join('')
    return print(options.json, { changed, waiting }, `settings and certificates are read again\n${text}`)
  },
})
