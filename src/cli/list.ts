/** Lists that come in pages. */
import type { Config } from '../config.ts'
import { runCommand } from './admin.ts'

/** All rows of a list, page by page. @throws Problem */
export async function runList<T>(
  config: Config,
  wire: string,
  field: string,
  body: object = {},
): Promise<readonly T[]> {
  const rows: T[] = []
  let after: string | undefined
  do {
    const answer = (await runCommand(config, wire, { ...body, ...(after !== undefined && { after }) })) as {
      readonly next?: string
      readonly [field: string]: unknown
    }
    rows.push(...(answer[field] as readonly T[]))
    after = answer.next
  } while (after !== undefined)
  return rows
}

export const REALM_OPTION = {
  realm: { value: 'REALM', help: 'its id, aws:ACCOUNT/REGION or gcp:PROJECT/LOCATION; default: the built-in realm' },
} as const
export const inRealm = ({ realm }: { readonly realm?: string }) => (realm === undefined ? {} : { realm })
