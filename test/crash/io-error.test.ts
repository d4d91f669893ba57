/**
 * The real server while its database's disk fails: what would change something is refused in each cloud's words and does
 * not happen, what changes nothing is served, and all goes on by itself afterwards.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { loadConfig } from '../../src/config.ts'
import { verifyInstallation } from '../../src/main.ts'
import { type RunningTrefoil, startTrefoil } from '../support/process.ts'
import { compileShim } from './shim.ts'

type Answer = { readonly status: number; readonly text: string }

async function ask(method: string, url: string, headers: Record<string, string>, body?: unknown): Promise<Answer> {
  const response = await fetch(url, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) })
  return { status: response.status, text: await response.text() }
}

/** `key`: the id of one that aliases are made for. */
function clientsOf({ plainUrl }: RunningTrefoil, key = '') {
  const azure = { authorization: 'Bearer any', 'content-type': 'application/json' }
  const rings = `${plainUrl}/v1/projects/local/locations/global/keyRings`
  const aws = (operation: string, input: unknown) =>
    ask(
      'POST',
      plainUrl,
      { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `TrentService.${operation}` },
      input,
    )
  return {
    aws,
    /** A change by each cloud, under a name of its own. */
    changes: {
      aws: (name: string) => aws('CreateAlias', { AliasName: `alias/${name}`, TargetKeyId: key }),
      azure: (name: string) => ask('PUT', `${plainUrl}/secrets/${name}?api-version=2025-07-01`, azure, { value: name }),
      gcp: (name: string) => ask('POST', `${rings}?keyRingId=${name}`, azure, {}),
    },
    /** Whether what the change was to make is there. */
    found: {
      aws: (name: string) => aws('DescribeKey', { KeyId: `alias/${name}` }),
      azure: (name: string) => ask('GET', `${plainUrl}/secrets/${name}?api-version=2025-07-01`, azure),
      gcp: (name: string) => ask('GET', `${rings}/${name}`, azure),
    },
    ready: () => ask('GET', `${plainUrl}/_/health/ready`, {}),
  }
}

const DIALECTS = ['aws', 'azure', 'gcp'] as const
const UNAVAILABLE = {
  aws: { status: 503, text: 'ServiceUnavailableException' },
  azure: { status: 503, text: 'The store is not available.' },
  gcp: { status: 503, text: 'STORAGE_UNAVAILABLE' },
} as const
const ABSENT = { aws: 400, azure: 404, gcp: 404 } as const

for (const fault of ['write', 'sync'] as const) {
  t.test(`the database can not ${fault}`, { timeout: 120_000 }, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'trefoil-eio-'))
    t.teardown(() => rmSync(directory, { recursive: true, force: true }))
    const dataDir = join(directory, 'data')
    const control = join(directory, 'fault')
    const env = {
      LD_PRELOAD: compileShim(directory, 'io-error'),
      IO_ERROR_FILES: join(dataDir, 'trefoil.db'),
      IO_ERROR_CONTROL: control,
    }
    const server = await startTrefoil({ dataDir, env })
    t.teardown(() => server.kill())
    const made = await clientsOf(server).aws('CreateKey', {})
    const { KeyMetadata } = JSON.parse(made.text) as { KeyMetadata: { KeyId: string } }
    const { aws, changes, found, ready } = clientsOf(server, KeyMetadata.KeyId)
    for (const dialect of DIALECTS) t.match(await changes[dialect]('before'), { status: 200 }, dialect)

    writeFileSync(`${control}.${fault}`, '')
    for (const dialect of DIALECTS) {
      t.match(await changes[dialect]('during'), UNAVAILABLE[dialect], `${dialect}: refused`)
      t.equal((await found[dialect]('during')).status, ABSENT[dialect], `${dialect}: and not there`)
      t.equal((await found[dialect]('before')).status, 200, `${dialect}: what was there is`)
    }
    t.match(await aws('Encrypt', { KeyId: 'alias/before', Plaintext: 'AAAA' }), { status: 200 }, 'keys are used')
    t.match(await ready(), { status: 503, text: '"store":"store_unavailable"' })

    rmSync(`${control}.${fault}`)
    for (const dialect of DIALECTS) t.match(await changes[dialect]('after'), { status: 200 }, `${dialect}: by itself`)
    while ((await ready()).status !== 200) await sleep(20)
    await server.kill()

    const again = await startTrefoil({ dataDir })
    const later = clientsOf(again).found
    for (const dialect of DIALECTS) {
      for (const name of ['before', 'after']) t.equal((await later[dialect](name)).status, 200, `${dialect}: ${name}`)
    }
    t.equal(await again.stop(), 0)
    t.match(await verifyInstallation(loadConfig({ env: { TREFOIL_DATA_DIR: dataDir } })), { ok: true })
  })
}

t.test(
  'side files of the database deleted under the server, which is killed later',
  { timeout: 120_000 },
  async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'trefoil-unlinked-'))
    t.teardown(() => rmSync(directory, { recursive: true, force: true }))
    const dataDir = join(directory, 'data')
    const server = await startTrefoil({ dataDir })
    t.teardown(() => server.kill())
    const { changes, ready } = clientsOf(server)
    t.match(await changes.azure('before'), { status: 200 })
    for (const suffix of ['wal', 'shm']) rmSync(join(dataDir, `trefoil.db-${suffix}`))
    t.match(await changes.azure('after'), { status: 200 })
    t.match(await ready(), { status: 200 })
    await server.logged(/trefoil\.db-wal was deleted or replaced/)
    t.match(await changes.gcp('later'), { status: 200 })
    await server.kill()
    const again = await startTrefoil({ dataDir })
    const { found } = clientsOf(again)
    for (const name of ['before', 'after']) t.equal((await found.azure(name)).status, 200, name)
    t.equal((await found.gcp('later')).status, 200)
    t.equal(await again.stop(), 0)
  },
)

t.test('the database itself deleted under the server', { timeout: 120_000 }, async (t) => {
  const server = await startTrefoil()
  t.teardown(() => server.stop())
  const { changes, ready } = clientsOf(server)
  t.match(await changes.azure('before'), { status: 200 })
  rmSync(join(server.dataDir, 'trefoil.db'))
  for (const dialect of ['azure', 'gcp'] as const) t.match(await changes[dialect]('after'), UNAVAILABLE[dialect])
  t.match(await ready(), { status: 503, text: '"store":"store_unavailable"' })
})
