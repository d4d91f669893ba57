import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { type RunningTrefoil, startTrefoil } from '../support/process.ts'

const run = promisify(execFile)

async function report(server: RunningTrefoil, env: Record<string, string>) {
  const { stdout } = await run(process.execPath, [join(import.meta.dirname, 'azure-secrets-client.ts')], {
    cwd: join(import.meta.dirname, '../..'),
    env: {
      PATH: process.env.PATH,
      NODE_EXTRA_CA_CERTS: server.caFile,
      VAULT_URL: `https://default.vault.localhost:${new URL(server.tlsUrl).port}`,
      PROXY_PORT: new URL(server.plainUrl).port,
      ...env,
    },
  })
  return JSON.parse(stdout)
}

/** What `DefaultAzureCredential` reads where an application runs. */
const IDENTITIES = {
  'the identity of a virtual machine': ({ plainUrl }: RunningTrefoil) => ({
    AZURE_POD_IDENTITY_AUTHORITY_HOST: plainUrl,
    AZURE_TOKEN_CREDENTIALS: 'prod',
  }),
  'the identity of App Service': ({ plainUrl }: RunningTrefoil) => ({
    IDENTITY_ENDPOINT: `${plainUrl}/msi/token`,
    IDENTITY_HEADER: 'anything',
  }),
}

for (const [title, identity] of Object.entries(IDENTITIES)) {
  t.test(`@azure/keyvault-secrets with ${title}`, async (t) => {
    const server = await startTrefoil()
    t.teardown(() => server.stop())
    const { versions, lifecycle, paging, refusals } = await report(server, identity(server))
    t.same(versions, {
      current: 'two',
      old: 'one',
      expires: true,
      tags: { team: 'a' },
      contentType: 'b',
      recoveryLevel: 'Recoverable+Purgeable',
      disabled: '403 Forbidden',
      versions: [false, true],
    })
    t.match(lifecycle, {
      recoveryId: /^https:\/\/default\.vault\.localhost:\d+\/deletedsecrets\/s[0-9a-f]{8}$/,
      taken: '409 Conflict',
      listed: 1,
      shown: true,
      recovered: true,
      exists: '409 Conflict',
      restored: true,
      again: 'two',
      versions: 2,
      disabledDeleted: true,
    })
    t.same(paging, { all: 27, full: [10, 10] })
    t.same(refusals, {
      unknown: '404 SecretNotFound',
      deleted: '404 SecretNotFound',
      long: '400 BadParameter',
      name: '400 BadParameter',
      backup: '400 BadParameter',
    })
    t.notMatch(server.log(), /"level":(50|60)/, 'nothing went wrong inside')
  })
}
