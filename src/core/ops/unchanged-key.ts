import type { KeyTarget } from '../operation.ts'
import type { Write } from '../ports.ts'

/** The key's row as it is, so that what is written about a key and a change of the key can't pass each other by. */
export function unchanged({ key: { revision, ...row } }: Pick<KeyTarget, 'key'>): Write {
  return { kind: 'update', collection: 'keys', row, revision }
}
