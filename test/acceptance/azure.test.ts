import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { onEachBackend } from '../support/backends.ts'
import { type RunningTrefoil, startTrefoil } from '../support/process.ts'
import { runAzureClient } from './azure-tools.ts'

const run = promisify(execFile)
const ROOT = join(import.meta.dirname, '../..')

const report = (server: RunningTrefoil, env: Record<string, string> = {}) =>
  runAzureClient('azure-client.ts', server, env)

const ALGORITHMS = ['ES256', 'ES384', 'ES512', 'ES256K', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']
const ENCRYPTIONS = { RSA1_5: true, 'RSA-OAEP': true, 'RSA-OAEP-256': true }

const signaturesOf = (suffix: '' | '-HSM') =>
  Object.fromEntries(
    ALGORITHMS.map((name) => [
      name,
      {
        type: `${name.startsWith('ES') ? 'EC' : 'RSA'}${suffix}`,
        sameKey: true,
        remote: true,
        data: true,
        outside: true,
        forged: false,
      },
    ]),
  )

onEachBackend(
  '@azure/keyvault-keys with ClientSecretCredential, challenge verification on',
  async (t, { hsm, start }) => {
    const server = await start()
    t.teardown(() => server.stop())
    const { signatures, encryption, lifecycle, paging, refusals } = await report(server, hsm ? { HSM: '1' } : {})
    t.same(signatures, signaturesOf(hsm ? '-HSM' : ''))
    t.same(encryption, ENCRYPTIONS)
    t.match(lifecycle, {
      tags: { team: 'a' },
      expires: true,
      enabled: true,
      operations: ['sign', 'verify'],
      recoveryLevel: 'Recoverable+Purgeable',
      versions: 2,
      otherVersion: true,
      recoveryId: /^https:\/\/default\.vault\.localhost:\d+\/deletedkeys\/t[0-9a-f]{8}-life$/,
      purgeInDays: 90,
      taken: '409 Conflict',
      listed: 1,
      gone: '404 KeyNotFound',
      recovered: /-life$/,
      back: true,
      purged: '404 KeyNotFound',
    })
    t.same(paging, { mine: 27, unique: true, fullPages: [10, 10] })
    t.same(refusals, {
      unknown: '404 KeyNotFound',
      oct: hsm ? 'succeeded' : '400 BadParameter',
      release: '400 BadParameter',
      digest: '400 BadParameter',
    })
    t.notMatch(server.log(), /"level":(50|60)/, 'nothing went wrong inside')
  },
)

t.test('a vault of the cloud’s own domain, led here by the proxy', async (t) => {
  const server = await startTrefoil()
  t.teardown(() => server.stop())
  const { lifecycle, encryption } = await report(server, { VAULT_URL: 'https://some-team.vault.azure.net' })
  t.match(lifecycle, { recoveryId: /^https:\/\/some-team\.vault\.azure\.net\/deletedkeys\// })
  t.same(encryption, ENCRYPTIONS)
})

t.test('tokens of the stand-in are enough where tokens are enforced, and then the role decides', async (t) => {
  const server = await startTrefoil({ config: { auth: { azure: 'enforce' } } })
  t.teardown(() => server.stop())
  const failure = await report(server).then(
    () => 'succeeded',
    (error: { stderr?: string }) => error.stderr ?? '',
  )
  t.match(failure, /statusCode: 403/)
  t.match(failure, /ForbiddenByRbac/)
})

t.test('the example of docs/azure.md runs as it is', async (t) => {
  const server = await startTrefoil()
  t.teardown(() => server.stop())
  const page = readFileSync(join(ROOT, 'docs/azure.md'), 'utf8')
  const example = /```js\n(.*?)```/s.exec(page)?.[1] ?? ''
  t.match(example, /'https:\/\/default\.vault\.localhost:7443'/)
  const program = example
    .replaceAll('7443', new URL(server.tlsUrl).port)
    .replaceAll('7400', new URL(server.plainUrl).port)
  const { stdout } = await run(
    process.execPath,
    ['--input-type=module', '-e', `${program}\nconsole.log(key.id, result.length)`],
    { cwd: ROOT, env: { PATH: process.env.PATH, NODE_EXTRA_CA_CERTS: server.caFile } },
  )
  t.match(stdout, /^https:\/\/default\.vault\.localhost:\d+\/keys\/orders\/[0-9a-f]{32} 64\n$/)
})
