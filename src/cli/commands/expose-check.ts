import { command, JSON_OPTION, print } from '../command.ts'

export const exposeCheck = command({
  name: 'expose check',
  summary:
    'play the cloud’s side against a running server, for each exposure: what has to work and what has to be refused',
  operand: { name: 'EXPOSURE', required: false },
  options: {
    ...JSON_OPTION,
    url: { value: 'URL', help: 'as the cloud knows the server; default: publicUrl, or the listener’s own address' },
    connect: { value: 'HOST:PORT', help: 'where to connect to instead, for a URL that leads elsewhere from here' },
    ca: { value: 'FILE', help: 'authorities of the server’s certificate (PEM); default: those of the system' },
    cert: { value: 'FILE', help: 'a client certificate to show (PEM)' },
    key: { value: 'FILE', help: 'its key (PEM)' },
    token: { value: 'FILE', help: 'cloud-ekm: an ID token of a service account that may call' },
  },
  examples: [
    'trefoil expose check',
    'trefoil expose check payments --url https://xks.example.org --json',
    'trefoil expose check contoso --cert check.pem --key check.key --ca root.pem',
  ],
  async run({ options, operand, config }) {
    const { json, ...rest } = options
    const [{ checkExposures }, { textOf }] = [await import('../expose/check.ts'), await import('../expose/report.ts')]
    const findings = await checkExposures(config(), operand, rest)
    print(json, findings, textOf(findings))
    return findings.some(({ verdict }) => verdict === 'failed') ? 1 : 0
  },
})
