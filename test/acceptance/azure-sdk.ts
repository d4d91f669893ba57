/** What the programs on the Azure SDK have in common. They know nothing of this repository but their environment. */
import { ClientSecretCredential } from '@azure/identity'
import { CryptographyClient, KeyClient, type KeyVaultKey } from '@azure/keyvault-keys'

const { AUTHORITY = '', TENANT = '', PROXY_PORT = '' } = process.env
export const { VAULT_URL = '', PLAIN_URL = '' } = process.env

export const options = {
  retryOptions: { maxRetries: 0 },
  proxyOptions: { host: 'http://127.0.0.1', port: Number(PROXY_PORT) },
}
/** How long pollers wait between two looks. */
export const fast = { intervalInMs: 20 }

export const credential = (): ClientSecretCredential =>
  new ClientSecretCredential(TENANT, 'an-application', 'its-secret', {
    authorityHost: AUTHORITY,
    disableInstanceDiscovery: true,
  })
export const keyClient = (): KeyClient => new KeyClient(VAULT_URL, credential(), options)
export const cryptography = (key: KeyVaultKey | string): CryptographyClient =>
  new CryptographyClient(key as KeyVaultKey, credential(), options)

/** How the service answered: `succeeded`, or the status and the error's code. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'succeeded'
  } catch (error) {
    const { statusCode, code } = error as { statusCode?: number; code?: string }
    return `${statusCode} ${code}`
  }
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}
