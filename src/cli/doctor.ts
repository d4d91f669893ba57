/** Every problem that can be found without serving, each in a sentence with its fix. */
import { accessSync, constants, existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname } from 'node:path'
import { explain } from '../cli.ts'
import type { Config, HsmConfig, ListenerConfig } from '../config.ts'
import { Problem } from '../core/problem.ts'
import type { TokenReport } from '../hsm/probe.ts'
import { compose, isInstalled, probeHsm } from '../main.ts'

/** Lines that a check resolves with are printed under its own. */
type Check = { readonly name: string; run(): Promise<unknown> }

/** The first release's year: a clock before it is off. */
const EARLIEST = Date.UTC(2026, 0, 1)
const LATEST = Date.UTC(2100, 0, 1)

async function checkClock(): Promise<void> {
  const now = Date.now()
  if (now > EARLIEST && now < LATEST) return
  throw new Problem(
    `the clock says ${new Date(now).toISOString()}`,
    'set it, best by NTP: dates of keys and signatures depend on it',
  )
}

async function checkDirectory({ dataDir }: Config): Promise<void> {
  let directory = dataDir
  while (!existsSync(directory)) directory = dirname(directory)
  try {
    accessSync(directory, constants.W_OK | constants.X_OK)
  } catch {
    throw new Problem(
      `${directory} is not writable for this user`,
      'chown it to the user that runs Trefoil, or set TREFOIL_DATA_DIR',
    )
  }
}

function checkPort({ address, port, tls }: ListenerConfig): Promise<void> {
  if (port === 0) return Promise.resolve()
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => {
      const reason = error.code === 'EADDRINUSE' ? 'is taken by another process' : `can't be bound (${error.code})`
      const setting = tls === undefined ? 'TREFOIL_PORT' : 'TREFOIL_TLS_PORT'
      reject(
        new Problem(`port ${port} of ${address} ${reason}`, `stop that process, or set ${setting} to another port`),
      )
    })
    server.listen(port, address, () => server.close(() => resolve()))
  })
}

const TOKEN_FIXES = {
  library: 'check hsm.library: the path, and that it was built for this machine',
  token:
    'check hsm.tokenLabel, serial or slot against the tokens that are there, and that the library finds its own configuration',
  pin: 'correct the PIN before the next start: tokens lock after a few wrong ones',
  device: 'check that the device is connected and answers',
} as const

const GAPS = {
  call: 'no call of PKCS#11 v2.40 does it',
  mechanism: 'a mechanism is not listed',
  refused: 'tried and refused',
  wrap: 'such keys are not wrapped',
} as const

/** Key specs, algorithms and mechanisms; what is lacking, with the reason. */
function describeProfile({ token, profile }: TokenReport & { ok: true }): readonly string[] {
  const { label, serial, slot, manufacturer, model, firmware } = token
  const able = Object.entries(profile.algorithms).map(([spec, algorithms]) => `  ${spec}: ${algorithms.join(' ')}`)
  const lacking = Object.entries(Object.groupBy(profile.gaps, ({ reason }) => reason)).map(([reason, gaps]) => {
    const names = gaps.map(({ spec, algorithm }) => `${spec}/${algorithm}`)
    return `  ${GAPS[reason as keyof typeof GAPS]}: ${names.join(' ')}`
  })
  const types = profile.mechanisms.map(({ type }) => `0x${type.toString(16).padStart(4, '0')}`).sort()
  return [
    `token ${label}, serial ${serial}, slot ${slot}: ${manufacturer} ${model}, firmware ${firmware}`,
    'does',
    ...able,
    'does not',
    ...lacking,
    `mechanisms ${types.join(' ')}`,
  ]
}

async function checkToken(config: Config, hsm: HsmConfig): Promise<readonly string[]> {
  const report = await probeHsm(config, hsm)
  if (report.ok) return describeProfile(report)
  const { kind, detail } = report.problem
  throw new Problem(detail, TOKEN_FIXES[kind])
}

/**
 * Opens everything as a server would: finds a second process, a wrong root key, a damaged store or log. Where nothing
 * is yet, it makes nothing: it would belong to whoever runs the doctor.
 */
async function checkInstallation(config: Config): Promise<readonly string[]> {
  if (!isInstalled(config)) return []
  const trefoil = await compose(config)
  return [await trefoil.rootKey().finally(() => trefoil.stop())]
}

const checksOf = (config: Config): readonly Check[] => [
  { name: 'clock', run: checkClock },
  { name: 'data directory', run: () => checkDirectory(config) },
  ...config.listeners.map((listener) => ({ name: `port ${listener.port}`, run: () => checkPort(listener) })),
  ...config.hsm
    .flatMap(({ standby, ...hsm }) => (standby === undefined ? [hsm] : [hsm, standby]))
    .map((hsm) => ({ name: `hsm ${hsm.name}`, run: () => checkToken(config, hsm) })),
  { name: 'store, root key and audit log', run: () => checkInstallation(config) },
]

async function report(name: string, run: Check['run']): Promise<boolean> {
  try {
    const found = await run()
    process.stdout.write(`ok       ${name}\n`)
    if (Array.isArray(found)) for (const line of found) process.stdout.write(`         ${line}\n`)
    return true
  } catch (error) {
    process.stdout.write(`PROBLEM  ${name}: ${explain(error) ?? (error as Error).message}\n`)
    return false
  }
}

/** @returns 0 when nothing is wrong, else 1 */
export async function runDoctor(load: () => Config): Promise<number> {
  let config: Config | undefined
  const loaded = await report('configuration', async () => {
    config = load()
  })
  if (!loaded || config === undefined) return 1
  const results: boolean[] = []
  for (const check of checksOf(config)) results.push(await report(check.name, () => check.run()))
  return results.every(Boolean) ? 0 : 1
}
