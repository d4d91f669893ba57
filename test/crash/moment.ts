/** When to kill. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../support/random.ts'

/**
 * A random moment, every other one of them after something more was acknowledged: however slow the machine, half of the
 * kills have a load, and some come before there is any.
 */
export async function killingMoment(
  random: Random,
  { round, acknowledged, mostMs }: { round: number; acknowledged: () => number; mostMs: number },
): Promise<void> {
  const before = acknowledged()
  while (round % 4 < 2 && acknowledged() === before) await sleep(5)
  await sleep(random.between(0, mostMs))
}
