/**
 * `npm run bench`: interleaved rounds in one run, so that the machine's moods fall on all alike. Prints requests per
 * second, latencies, server CPU per request and its ratio to a bare Fastify echo of the same payload. The audit log is
 * durable throughout; `production` is a software server in that profile: AWS's signatures are checked, its policies
 * evaluated, its quotas counted. `moto` is another stand-in for AWS, where it is installed. Then what has to hold
 * (targets.ts), and the parts of an AWS Encrypt alone: what is left of its cost beside them and the echo is HTTP and
 * waiting. BENCH_ROUNDS and BENCH_SECONDS set the length. Last, the load of an external key store (xks.ts, which runs
 * alone too).
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { startTrefoil } from '../support/process.ts'
import { startSoftHsm } from '../support/softhsm.ts'
import { cpuSeconds } from './cpu.ts'
import { http1, http2, oneByOne, type Sample } from './load.ts'
import { startMoto } from './moto.ts'
import { ceilings } from './openssl.ts'
import { encryptParts } from './parts.ts'
import { startProduction } from './production.ts'
import { echoRequest, makeScenarios, makeSignedScenarios, type Scenario, SIGN_P256, SIGN_RSA } from './scenarios.ts'
import { makeTargets, median } from './targets.ts'
import { xksLoad } from './xks.ts'

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5)
const SECONDS = Number(process.env.BENCH_SECONDS ?? 2)
const CONNECTIONS = 32
const SLOW_CONNECTIONS = 4
const ECHO = 'bare echo'

type Measured = Scenario & {
  readonly backend: string
  readonly port: number
  readonly pid: number
  readonly rounds: Round[]
}
type Round = Sample & { readonly cpu: number }

async function startEcho(): Promise<{ child: ChildProcess; port: number; pid: number }> {
  const child = spawn(process.execPath, [new URL('echo.ts', import.meta.url).pathname], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  if (child.pid === undefined) throw new Error('the echo did not start')
  return { child, port: Number(line.toString()), pid: child.pid }
}

async function measure(measured: Measured, seconds: number): Promise<Round> {
  const slow = measured.backend === 'moto'
  const load = slow ? oneByOne : measured.protocol === 'http2' ? http2 : http1
  const before = cpuSeconds(measured.pid)
  const sample = await load(measured.port, measured.request, seconds, slow ? SLOW_CONNECTIONS : CONNECTIONS)
  return { ...sample, cpu: cpuSeconds(measured.pid) - before }
}

const quantile = (values: readonly number[], q: number): number =>
  values[Math.min(values.length - 1, Math.floor(values.length * q))] ?? 0

const cpuOf = (round: Round): number => (round.cpu / round.requests) * 1e6
/** µs of CPU for one request, of each round. */
const costsOf = (list: readonly Measured[], name: string): readonly number[] =>
  list.find((one) => one.name === name && (one.backend === 'hsm' || one.backend === ''))?.rounds.map(cpuOf) ?? []

function summary({ name, backend, rounds }: Measured, echo: Measured) {
  const latencies = rounds.flatMap((round) => round.latenciesMs).sort((a, b) => a - b)
  const ratios = rounds.map((round, index) => cpuOf(round) / cpuOf(echo.rounds[index] ?? round))
  return {
    name,
    backend,
    'req/s': Math.round(median(rounds.map((round) => round.requests / round.seconds))),
    'p50 ms': Number(quantile(latencies, 0.5).toFixed(2)),
    'p99 ms': Number(quantile(latencies, 0.99).toFixed(2)),
    'CPU µs': Math.round(median(rounds.map(cpuOf))),
    '× echo': Number(median(ratios).toFixed(2)),
  }
}

async function run(): Promise<void> {
  const echo = await startEcho()
  const software = await startTrefoil({})
  const production = await startProduction()
  const moto = await startMoto()
  if (moto === undefined) process.stdout.write('moto_server is not installed: its rate is not measured\n')
  const token = await startSoftHsm().catch((error: unknown) => {
    process.stderr.write(`bench: without SoftHSM (${String(error)})\n`)
  })
  const hsm = token && (await startTrefoil({ config: token.config, env: token.env }))
  const targets = await makeTargets(token ?? undefined)
  try {
    const list: Measured[] = [
      {
        name: ECHO,
        backend: '',
        protocol: 'http1',
        request: echoRequest,
        port: echo.port,
        pid: echo.pid,
        rounds: [],
      },
    ]
    for (const [backend, server] of [
      ['software', software],
      ['production', production],
      ['hsm', hsm],
      ['moto', moto],
    ] as const) {
      if (!server) continue
      const { plainUrl } = server
      const scenarios = await (backend === 'production' || backend === 'moto'
        ? makeSignedScenarios(plainUrl)
        : makeScenarios(plainUrl, backend))
      const port = Number(new URL(server.plainUrl).port)
      list.push(...scenarios.map((scenario) => ({ ...scenario, backend, port, pid: server.pid, rounds: [] })))
    }
    for (const measured of list) await measure(measured, 0.5)
    for (let round = 0; round < ROUNDS; round++) {
      for (const measured of list) measured.rounds.push(await measure(measured, SECONDS))
      await targets.round(SECONDS)
    }
    const [yardstick] = list
    if (yardstick !== undefined) console.table(list.map((measured) => summary(measured, yardstick)))
    const costs = { echo: costsOf(list, ECHO), rsa: costsOf(list, SIGN_RSA), p256: costsOf(list, SIGN_P256) }
    console.table(targets.results(costs))
    console.table(await encryptParts())
    console.table(
      ceilings().map(({ name, perSecond }) => ({ 'openssl speed': name, 'per CPU second': Math.round(perSecond) })),
    )
  } finally {
    echo.child.kill('SIGTERM')
    await targets.close()
    await software.stop()
    await production.stop()
    await moto?.stop()
    await hsm?.stop()
    await token?.close()
  }
}

await run()
console.table(await xksLoad())
