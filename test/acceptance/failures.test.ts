/** What each dialect says while the real server may not, or can not, serve: modes, and a disk that is full. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { loadConfig } from '../../src/config.ts'
import { verifyInstallation } from '../../src/main.ts'
import { type RunningTrefoil, startTrefoil } from '../support/process.ts'

type Answer = { readonly status: number; readonly text: string }

async function ask(url: string, headers: Record<string, string>, body?: unknown): Promise<Answer> {
  const method = body === undefined ? 'GET' : 'POST'
  const response = await fetch(url, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) })
  return { status: response.status, text: await response.text() }
}

/** One request of each dialect, each of which is recorded. */
const dialectsOf = ({ plainUrl }: RunningTrefoil) => ({
  aws: () =>
    ask(plainUrl, { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'TrentService.ListKeys' }, {}),
  azure: () => ask(`${plainUrl}/keys?api-version=2025-07-01`, { authorization: 'Bearer any' }),
  gcp: () => ask(`${plainUrl}/v1/projects/local/locations/global/keyRings`, { authorization: 'Bearer any' }),
})

const DENIED = {
  aws: { status: 400, text: 'MissingAuthenticationTokenException' },
  azure: { status: 401, text: 'Unauthorized' },
  gcp: { status: 401, text: 'UNAUTHENTICATED' },
} as const
const UNAVAILABLE = {
  aws: { status: 503, text: 'ServiceUnavailableException' },
  azure: { status: 503, text: 'audit log is not available' },
  gcp: { status: 503, text: 'AUDIT_UNAVAILABLE' },
} as const

t.test('modes hold for their own dialect: enforce denies, permissive reports, off is silent', async (t) => {
  const names = ['aws', 'azure', 'gcp'] as const
  for (const [shift, enforced] of names.entries()) {
    const permissive = names[(shift + 1) % names.length] ?? enforced
    const off = names[(shift + 2) % names.length] ?? enforced
    const auth = { [enforced]: 'enforce', [permissive]: 'permissive', [off]: 'off' }
    const server = await startTrefoil({ config: { auth, log: { format: 'json' } } })
    t.teardown(() => server.stop())
    const dialects = dialectsOf(server)
    t.match(await dialects[enforced](), DENIED[enforced], `${enforced} enforced`)
    t.match(await dialects[permissive](), { status: 200 }, `${permissive} permissive`)
    t.match(await dialects[off](), { status: 200 }, `${off} off`)
    const reported = (await server.logged(/would be denied/))
      .split('\n')
      .filter((line) => line.includes('would be denied'))
    t.ok(
      reported.length > 0 && reported.every((line) => line.includes(`"dialect":"${permissive}"`)),
      reported.join('\n'),
    )
  }
})

const root = process.getuid?.() === 0
t.test('a full disk', { skip: root ? false : 'no tool: mount needs root' }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-full-'))
  const disk = join(directory, 'disk')
  mkdirSync(disk)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', disk])
  const dataDir = join(directory, 'data')
  const audit = { path: join(disk, 'audit') }
  const server = await startTrefoil({ dataDir, config: { audit } })
  t.teardown(async () => {
    await server.stop()
    execFileSync('umount', ['-l', disk])
    rmSync(directory, { recursive: true, force: true })
  })
  const dialects = dialectsOf(server)
  const ready = () => ask(`${server.plainUrl}/_/health/ready`, {})
  for (const dialect of Object.values(dialects)) t.match(await dialect(), { status: 200 })
  const filler = join(disk, 'filler')
  for (let size = 512; size > 0; size--) {
    try {
      writeFileSync(filler, Buffer.alloc(size * 1024))
      break
    } catch {}
  }
  // What is left of the last block of the log still takes a few records.
  for (let n = 0; n < 100 && (await dialects.aws()).status === 200; n++);
  for (const name of ['aws', 'azure', 'gcp'] as const) {
    t.match(await dialects[name](), UNAVAILABLE[name], name)
  }
  t.match(await ready(), { status: 503, text: /"audit":"audit_unavailable/ })
  rmSync(filler)
  // Back by itself.
  while ((await ready()).status !== 200) await new Promise((resolve) => setTimeout(resolve, 50))
  for (const dialect of Object.values(dialects)) t.match(await dialect(), { status: 200 })
  t.equal(await server.stop(), 0)
  const env = { TREFOIL_DATA_DIR: dataDir, TREFOIL_AUDIT_PATH: audit.path }
  t.match(await verifyInstallation(loadConfig({ env })), { ok: true })
})
