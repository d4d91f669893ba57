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

/** Machine-readable lines: `+F4:<n>:<bits>:<curve>:<sign s>:<verify s>` and `+F:<n>:<name>:<bytes/s at 16 bytes>:…`. */
export function ceilings(): readonly Ceiling[] {
  const found: Ceiling[] = []
  const ecdsa = /^\+F\d:\d+:256:[^:]*:([\d.e+-]+):/m.exec(speed(['ecdsap256']))
  if (ecdsa?.[1] !== undefined) {
    const figure = Number(ecdsa[1])
    // Older versions print seconds per operation, newer ones operations per second.
    found.push({ name: 'P-256 sign', perSecond: figure < 1 ? 1 / figure : figure })
  }
  const gcm = /^\+F:\d+:[^:]*:([\d.e+-]+)/m.exec(speed(['-bytes', '64', '-evp', 'aes-256-gcm']))
  if (gcm?.[1] !== undefined) found.push({ name: 'AES-256-GCM, 64 bytes', perSecond: Number(gcm[1]) / 64 })
  return found
}
