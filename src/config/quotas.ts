import { Problem } from '../core/problem.ts'
import type { QuotaRates } from '../core/quotas.ts'
import { nearest } from './nearest.ts'

/** @param known names of the operations that callers can ask for. @throws Problem for a name that none has */
export function checkQuotas({ operations = {} }: QuotaRates, known: ReadonlySet<string>): void {
  for (const name of Object.keys(operations)) {
    if (known.has(name)) continue
    const meant = nearest(name, [...known])
    throw new Problem(
      `quotas.operations: there is no operation ${JSON.stringify(name)}`,
      meant === undefined ? 'name an operation as the audit log does' : `did you mean ${meant}?`,
    )
  }
}
