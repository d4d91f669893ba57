/** The JavaScript SDK's client, as any user would make it. */
import { KMSClient } from '@aws-sdk/client-kms'
import { CREDENTIALS } from './aws-tools.ts'

export const clientOf = (endpoint: string): KMSClient =>
  new KMSClient({ endpoint, region: 'us-east-1', credentials: CREDENTIALS, maxAttempts: 1 })
