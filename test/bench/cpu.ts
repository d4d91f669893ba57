/** CPU seconds that a process and its children have used, from /proc (clock ticks of 10 ms). */
import { readdirSync, readFileSync } from 'node:fs'

const TICKS_PER_SECOND = 100

function stat(pid: number): { parent: number; ticks: number } | undefined {
  try {
    // The name may hold spaces; fields are counted from behind it.
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) }
  } catch {
    return undefined
  }
}

/** With the PKCS#11 child, if there is one. */
export function cpuSeconds(pid: number): number {
  let ticks = stat(pid)?.ticks ?? 0
  for (const name of readdirSync('/proc')) {
    const child = /^\d+$/.test(name) ? stat(Number(name)) : undefined
    if (child?.parent === pid) ticks += child.ticks
  }
  return ticks / TICKS_PER_SECOND
}
