/** `trefoil hsm sweep`: says what tokens and store disagree about; with `--delete` destroys what nobody knows any more. */
import type { Config } from '../config.ts'
import type { SweepReport } from '../hsm/sweep.ts'
import { sweepTokens } from '../main.ts'

function describe({ backend, known, orphans, strangers, missing }: SweepReport, remove: boolean): readonly string[] {
  const fate = remove ? 'deleted' : 'would be deleted with --delete'
  return [
    `${backend}: ${known} keys of the store`,
    ...orphans.map(({ label }) => `  orphan ${label}: ${fate}`),
    ...strangers.map(({ label }) => `  not known to be of this installation, left alone: ${label}`),
    ...missing.map((id) => `  MISSING from the token: version ${id}`),
  ]
}

/** @returns 1 where the token lacks keys of the store, else 0 */
export async function runHsmSweep(config: Config, remove: boolean): Promise<number> {
  const reports = await sweepTokens(config, remove)
  if (reports.length === 0) process.stdout.write('no hsm is configured\n')
  for (const report of reports) process.stdout.write(`${describe(report, remove).join('\n')}\n`)
  return reports.some(({ missing }) => missing.length > 0) ? 1 : 0
}
