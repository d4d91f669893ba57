/** What the unmodified Azure SDK gets for each of the tokens it is given. */
import type { AccessToken, TokenCredential } from '@azure/identity'
import { CryptographyClient, KeyClient } from '@azure/keyvault-keys'
import { SecretClient } from '@azure/keyvault-secrets'
import { codeOf, options, VAULT_URL } from './azure-sdk.ts'

const tokens = JSON.parse(process.env.TOKENS ?? '{}') as Record<string, string>
const OTHER_URL = process.env.OTHER_URL ?? ''

const credential = (name: string): TokenCredential => ({
  getToken: async (): Promise<AccessToken> => ({
    token: tokens[name] ?? '',
    expiresOnTimestamp: Date.now() + 3_600_000,
  }),
})
const keys = (name: string, url = VAULT_URL): KeyClient => new KeyClient(url, credential(name), options)
const list = (name: string, url?: string) => codeOf(keys(name, url).listPropertiesOfKeys().next())

const made = await keys('officer').createEcKey('orders', { curve: 'P-256' })
const pen = (name: string): CryptographyClient => new CryptographyClient(made, credential(name), options)
const digest = Buffer.alloc(32, 7)
const signed = await pen('user').sign('ES256', digest)
const secrets = new SecretClient(VAULT_URL, credential('officer'), options)

const report = {
  officer: {
    created: made.name,
    listed: await list('officer'),
    otherVault: await list('officer', OTHER_URL),
    secret: await codeOf(secrets.setSecret('s', 'value')),
  },
  user: {
    verified: (await pen('user').verify('ES256', digest, signed.result)).result,
    listed: await list('user'),
    deleted: await codeOf(keys('user').beginDeleteKey('orders')),
    missing: await codeOf(keys('user').getKey('missing')),
  },
  nobody: { listed: await list('nobody'), signed: await codeOf(pen('nobody').sign('ES256', digest)) },
  refused: {
    expired: await list('expired'),
    audience: await list('audience'),
    tenant: await list('tenant'),
    forged: await list('forged'),
  },
}
process.stdout.write(JSON.stringify(report))
