import { Problem } from '../../core/problem.ts'
import { VERSION } from '../../version.ts'
import { command, JSON_OPTION, print } from '../command.ts'

export const upgradeCheck = command({
  name: 'upgrade check',
  summary:
    'say what starting this version on the data directory would change, and whether it can; a server may run meanwhile',
  options: JSON_OPTION,
  examples: ['trefoil upgrade check --config /etc/trefoil.yaml'],
  async run({ options, config }) {
    const { schemaReport } = await import('../../store/schema-report.ts')
    const { databasePath } = await import('../../vault.ts')
    const report = schemaReport(databasePath(config()))
    const { schema, known, copy, bytes, free } = report
    if (copy !== undefined && free < 2 * bytes) {
      throw new Problem(
        `the database has ${bytes} bytes and its disk ${free} free: too few for a copy and the upgrade`,
        'make room for twice its size',
      )
    }
    const step =
      copy === undefined
        ? `schema ${schema} is this version's: nothing changes\n`
        : `schema ${schema} will be brought up to ${known}, and the database kept as it is in ${copy}\n`
    return print(options.json, { version: VERSION, ...report }, `trefoil ${VERSION}: settings are in order, ${step}`)
  },
})
