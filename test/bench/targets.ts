/**
 * What has to hold, as ratios of costs from the same rounds: signatures by HTTP in a token against a C loop on its module,
 * P-256 against the bare echo, P-256 over a digest without HTTP against `openssl speed`, and a token that answers late.
 * The echo and the module's own P-256 together are what a server could cost that did nothing else: the bound of its line.
 */
import { makeDigestSigner } from './digest.ts'
import { type BenchToken, LATE_SESSIONS, LATENCY_MS, type LoopAlgorithm, makeCLoop, startLateTrefoil } from './hsm.ts'
import { http1, type Request } from './load.ts'
import { p256PerSecond } from './openssl.ts'
import { signP256 } from './scenarios.ts'

/** The server's default. */
const POOL_THREADS = 8
/** More than sessions, so that none is idle. */
const LATE_CONNECTIONS = 2 * LATE_SESSIONS

type Round = {
  readonly cLoop?: Readonly<Record<LoopAlgorithm, number>>
  readonly digest: number
  readonly openssl: number
  readonly late?: { readonly perSecond: number; readonly loopDelay: number }
}
export type Target = { readonly what: string; readonly is: number; readonly 'has to be': string }
/** µs of CPU for one, of each round. */
export type Costs = {
  readonly echo: readonly number[]
  readonly rsa: readonly number[]
  readonly p256: readonly number[]
}
export type Targets = {
  round(seconds: number): Promise<void>
  results(costs: Costs): readonly Target[]
  close(): Promise<void>
}

export const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

const ratio = (over: readonly number[], under: readonly number[]): number =>
  Number(median(over.map((value, index) => value / (under[index] ?? Number.NaN))).toFixed(2))

export async function makeTargets(token: BenchToken | undefined): Promise<Targets> {
  const sign = await makeDigestSigner()
  const cLoop = token && makeCLoop(token, POOL_THREADS)
  const server = token && (await startLateTrefoil(token))
  const request: Request | undefined = server && (await signP256(server.plainUrl))
  const rounds: Round[] = []

  async function late(seconds: number): Promise<Round['late']> {
    if (server === undefined || request === undefined) return undefined
    const port = Number(new URL(server.plainUrl).port)
    await http1(port, request, 0.5, LATE_CONNECTIONS)
    await server.loopDelay()
    const sample = await http1(port, request, seconds, LATE_CONNECTIONS)
    return { perSecond: sample.requests / sample.seconds, loopDelay: await server.loopDelay() }
  }

  async function round(seconds: number): Promise<void> {
    const taken = { digest: await sign(seconds), openssl: 1e6 / (p256PerSecond() ?? Number.NaN) }
    const inToken = cLoop && {
      cLoop: { rsa: await cLoop.cost('rsa', seconds), ecdsa: await cLoop.cost('ecdsa', seconds) },
      late: await late(seconds),
    }
    rounds.push({ ...taken, ...(inToken?.late && { cLoop: inToken.cLoop, late: inToken.late }) })
  }

  function results({ echo, rsa, p256 }: Costs): readonly Target[] {
    const each = <K extends keyof Round>(name: K) => rounds.flatMap((one) => one[name] ?? [])
    const lates = each('late')
    const digest = ratio(each('openssl'), each('digest'))
    const alone = (algorithm: LoopAlgorithm) => each('cLoop').map((costs) => costs[algorithm])
    const bound = ratio(
      echo,
      alone('ecdsa').map((cost, index) => cost + (echo[index] ?? Number.NaN)),
    )
    return [
      { what: 'P-256 over a digest without HTTP, of openssl speed', is: digest, 'has to be': '≥ 0.7' },
      ...(lates.length === 0
        ? []
        : [
            { what: 'RSA-2048 in the HSM by HTTP, of a C loop', is: ratio(alone('rsa'), rsa), 'has to be': '≥ 0.6' },
            { what: 'P-256 in the HSM by HTTP, of the echo', is: ratio(echo, p256), 'has to be': '≥ 0.35' },
            { what: 'the echo and a C loop on the module, of the echo', is: bound, 'has to be': 'what bounds that' },
            {
              what: 'P-256 by a C loop on the module, µs of CPU',
              is: Number(median(alone('ecdsa')).toFixed(1)),
              'has to be': '',
            },
            {
              what: `P-256 a second, ${LATENCY_MS} ms of latency, ${LATE_SESSIONS} sessions`,
              is: Math.round(median(lates.map(({ perSecond }) => perSecond))),
              'has to be': '≥ 5000',
            },
            {
              what: 'event-loop delay meanwhile, p99, ms',
              is: Number(median(lates.map(({ loopDelay }) => loopDelay)).toFixed(1)),
              'has to be': '< 20',
            },
          ]),
    ]
  }

  return {
    round,
    results,
    async close() {
      cLoop?.close()
      await server?.stop()
    },
  }
}
