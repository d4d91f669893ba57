import { redactedConfig } from '../../config.ts'
import { command, JSON_OPTION, print } from '../command.ts'

export const configCheck = command({
  name: 'config check',
  summary: 'read the settings as serve would, and say every reason why it would refuse them',
  options: JSON_OPTION,
  examples: ['trefoil config check --config /etc/trefoil.yaml'],
  async run({ options, config }) {
    const settings = config()
    const { profile, dataDir, listeners } = settings
    const served = listeners.map(
      ({ address, port, tls, dialects }) =>
        `  ${tls === undefined ? 'http' : 'https'} ${address}:${port} ${dialects.join(' ')}\n`,
    )
    return print(
      options.json,
      redactedConfig(settings),
      `settings are in order: profile ${profile}, ${dataDir}\n${served.join('')}`,
    )
  },
})
