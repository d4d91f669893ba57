import t from 'tap'
import { type RunningTrefoil, startTrefoil } from '../support/process.ts'
import { runAzureClient } from './azure-tools.ts'

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
    const { versions, lifecycle, paging, refusals } = await runAzureClient(
      'azure-secrets-client.ts',
      server,
      identity(server),
    )
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
