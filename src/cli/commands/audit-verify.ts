import { command, JSON_OPTION, print } from '../command.ts'

export const auditVerify = command({
  name: 'audit verify',
  summary: 'check the audit log record by record (while no server runs on the data directory)',
  options: JSON_OPTION,
  examples: ['trefoil audit verify'],
  async run({ options, config }) {
    const { verifyInstallation } = await import('../../main.ts')
    const verdict = await verifyInstallation(config())
    const found = verdict.ok
      ? `${verdict.records} records verified, ${verdict.checkpoints} checkpoints`
      : verdict.problem
    print(options.json, verdict, `audit log: ${found}\n`)
    return verdict.ok ? 0 : 1
  },
})
