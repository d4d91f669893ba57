/** The JavaScript SDK's client, as any user would make it, and waiting for what is finished after its answer. */
import { setTimeout as sleep } from 'node:timers/promises'
import { DescribeCustomKeyStoresCommand, DescribeKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import { CREDENTIALS } from './aws-tools.ts'

/** `maxAttempts`: more than one where the server's clock is set, which the client goes along with at its second. */
export const clientOf = (endpoint: string, maxAttempts = 1): KMSClient =>
  new KMSClient({ endpoint, region: 'us-east-1', credentials: CREDENTIALS, maxAttempts })

const PAUSE_MS = 20

/** The state that the key is in for good. */
export async function lastingState(client: KMSClient, KeyId: string): Promise<string | undefined> {
  for (;;) {
    const { KeyMetadata } = await client.send(new DescribeKeyCommand({ KeyId }))
    const state = KeyMetadata?.KeyState
    if (state !== 'Creating' && state !== 'Updating') return state
    await sleep(PAUSE_MS)
  }
}

/** What became of connecting the store. */
export async function connectionOf(client: KMSClient, CustomKeyStoreId: string): Promise<string | undefined> {
  for (;;) {
    const { CustomKeyStores } = await client.send(new DescribeCustomKeyStoresCommand({ CustomKeyStoreId }))
    const state = CustomKeyStores?.[0]?.ConnectionState
    if (state !== 'CONNECTING') return state
    await sleep(PAUSE_MS)
  }
}
