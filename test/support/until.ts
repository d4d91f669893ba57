/** Waiting for what takes its time, with an end to it. */
import { setTimeout as sleep } from 'node:timers/promises'

const LIMIT_MS = 60_000
const PAUSE_MS = 20

/** @param what comes into the failure's message, with what was seen last where `seen` tells @throws Error after a minute */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  seen?: () => unknown,
): Promise<void> {
  const end = performance.now() + LIMIT_MS
  while (!(await condition())) {
    if (performance.now() > end) {
      const last = seen === undefined ? '' : `; last seen: ${JSON.stringify(seen())}`
      throw new Error(`not within ${LIMIT_MS / 1000} s: ${what}${last}`)
    }
    await sleep(PAUSE_MS)
  }
}
