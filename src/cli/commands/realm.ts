import { command, JSON_OPTION, print, table } from '../command.ts'
import { runList } from '../list.ts'

type Shown = { readonly id: string; readonly aws?: string; readonly gcp?: string; readonly azure?: string }

export const realmList = command({
  name: 'realm list',
  summary: 'all realms, with their addresses in each cloud',
  options: JSON_OPTION,
  examples: ['trefoil realm list'],
  async run({ options, config }) {
    const realms = await runList<Shown>(config(), 'realm list', 'realms')
    const rows = realms.map(({ id, aws = '-', gcp = '-', azure = '-' }) => [id, aws, gcp, azure])
    return print(options.json, realms, table([['ID', 'AWS', 'GOOGLE CLOUD', 'AZURE'], ...rows]))
  },
})
