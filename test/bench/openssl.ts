/** `openssl speed` in the same run: what the machine's own library does with one core. */
import { execFileSync } from 'node:child_process'

/** Operations per CPU second. */
export type Ceiling = { readonly name: string; readonly perSecond: number }

const SECONDS = '1'

function speed(args: readonly string[]): string {
  return execFileSync('openssl', ['speed', '-mr', '-seconds', SECONDS, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
}

/** P-256 signatures in a CPU second. */
export function p256PerSecond(): number | undefined {
  const figure = Number(/^\+F\d:\d+:256:(?:[A-Za-z][^:]*:)?([\d.e+-]+):/m.exec(speed(['ecdsap256']))?.[1])
  // Older versions print seconds per operation, newer ones operations per second.
  return Number.isNaN(figure) ? undefined : figure < 1 ? 1 / figure : figure
}

/** Machine-readable lines: `+F4:<n>:<bits>:<sign>:<verify>`, in some versions with the curve after the bits, and `+F:<n>:<name>:<bytes/s at 16 bytes>:…`. */
export function ceilings(): readonly Ceiling[] {
  const found: Ceiling[] = []
  const p256 = p256PerSecond()
  if (p256 !== undefined) found.push({ name: 'P-256 sign', perSecond: p256 })
  const gcm = /^\+F:\d+:[^:]*:([\d.e+-]+)/m.exec(speed(['-bytes', '64', '-evp', 'aes-256-gcm']))
  if (gcm?.[1] !== undefined) found.push({ name: 'AES-256-GCM, 64 bytes', perSecond: Number(gcm[1]) / 64 })
  return found
}
