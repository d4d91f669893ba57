/** Rings that several dialects see, which is safe only while every one of them asks who may (design section 1). */
import { rowsOf } from './all-rows.ts'
import type { Dialect } from './key.ts'
import type { AuthMode } from './policy/modes.ts'
import type { Store } from './ports.ts'
import { Problem } from './problem.ts'

/** @throws Problem, for the first that is not safe */
export async function checkSharedRings(
  store: Pick<Store, 'page'>,
  modes: Readonly<Record<Dialect, AuthMode>>,
): Promise<void> {
  for await (const { name, dialects } of rowsOf(store, 'rings', 'all')) {
    const lax = dialects.length > 1 ? dialects.find((dialect) => modes[dialect] !== 'enforce') : undefined
    if (lax === undefined) continue
    throw new Problem(
      `key ring ${name} is seen by ${dialects.join(', ')}, and auth.${lax} is ${modes[lax]}: whoever comes by ${lax} would walk past the policies of the others`,
      `set auth.${lax} to enforce`,
    )
  }
}
