/** What tests and developers may do to the server, and nobody else: dev profile, loopback listeners only. */
import type { FastifyInstance } from 'fastify'
import type { ClockState, SettableClock } from '../../core/clock.ts'
import { invalidArgument } from '../../core/error.ts'
import { bodyParser } from '../http/body.ts'
import { type JsonLimits, parseJson } from '../http/json.ts'

export type DevHooks = {
  readonly clock: SettableClock
  /** Resolves when everything that is due at the clock's present time has happened. */
  settle(): Promise<void>
  /** When something falls due next; undefined: nothing ever will. */
  soonest(): Promise<number | undefined>
  /** Empties the store. */
  reset(): Promise<void>
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
/** The range of ECMAScript dates. */
const MAX_TIME = 8.64e15

function parseTime(value: unknown): number {
  const time = typeof value === 'string' ? Date.parse(value) : value
  if (typeof time === 'number' && Number.isSafeInteger(time) && time >= 0 && time <= MAX_TIME) return time
  throw invalidArgument('now', 'neither an ISO 8601 time nor ms since the epoch')
}

function parseDuration(value: unknown): number {
  const match = typeof value === 'string' ? /^(\d{1,12})(ms|s|m|h|d)$/.exec(value) : null
  const ms = match === null ? value : Number(match[1]) * (UNITS[match[2] ?? ''] ?? Number.NaN)
  if (typeof ms === 'number' && Number.isSafeInteger(ms) && ms >= 0) return ms
  throw invalidArgument('advance', 'neither ms nor a duration such as 90s, 15m, 12h or 30d')
}

type ClockChange = { readonly now?: number; readonly advance?: number; readonly frozen?: boolean }

function parseChange(body: unknown): ClockChange {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw invalidArgument('body', 'not an object')
  const { now, advance, frozen, ...others } = body as Record<string, unknown>
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) throw invalidArgument(unknown, 'unknown; known are now, advance and frozen')
  if (frozen !== undefined && typeof frozen !== 'boolean') throw invalidArgument('frozen', 'neither true nor false')
  if (now !== undefined && advance !== undefined) throw invalidArgument('advance', 'not together with now')
  return {
    ...(now === undefined ? {} : { now: parseTime(now) }),
    ...(advance === undefined ? {} : { advance: parseDuration(advance) }),
    ...(frozen === undefined ? {} : { frozen }),
  }
}

/** What falls due within this time is done together. */
const STRIDE_MS = 1_000

/**
 * From date to date, so that a key that rotates every month has rotated twelve times after a year, each at its time.
 * What can't be done stays due and does not hold the clock.
 */
async function walkTo(target: number, { clock, settle, soonest }: DevHooks): Promise<void> {
  for (let next = await soonest(); next !== undefined && next <= target; ) {
    clock.set(Math.min(target, Math.max(next, clock.now()) + STRIDE_MS))
    await settle()
    next = await soonest()
    if (next !== undefined && next <= clock.now()) break
  }
  if (clock.now() < target) clock.set(target)
}

async function applyChange(hooks: DevHooks, change: ClockChange): Promise<void> {
  const { clock } = hooks
  if ((change.advance ?? 0) + clock.now() > MAX_TIME) throw invalidArgument('advance', 'beyond the end of time')
  if (change.frozen === true) clock.freeze()
  const target = change.advance === undefined ? change.now : clock.now() + change.advance
  if (target !== undefined && target < clock.now()) clock.set(target)
  if (target !== undefined) await walkTo(target, hooks)
  if (change.frozen === false) clock.resume()
  await hooks.settle()
}

const render = ({ now, frozen }: ClockState) => ({ now: new Date(now).toISOString(), frozen })

/** Clock and reset under `/_/`, in a scope of their own. */
export function registerDev(app: FastifyInstance, hooks: DevHooks, limits: JsonLimits): void {
  app.addHook('onRequest', (request, reply, done) => {
    if (request.listener?.loopback === false) reply.callNotFound()
    else done()
  })
  const json = bodyParser((body) => (body.length === 0 ? undefined : parseJson(body, limits)))
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, json)
  app.get('/_/clock', async () => render(hooks.clock.state()))
  app.post('/_/clock', async (request) => {
    await applyChange(hooks, parseChange(request.body))
    return render(hooks.clock.state())
  })
  app.post('/_/reset', async () => {
    await hooks.reset()
    return { reset: true }
  })
}
