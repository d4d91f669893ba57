/** Callers that ask for too much, in each cloud's own words and by its own client, which is told not to try again. */
import { CreateKeyCommand, DescribeKeyCommand, EncryptCommand } from '@aws-sdk/client-kms'
import { KeyManagementServiceClient } from '@google-cloud/kms'
import { PassThroughClient } from 'google-auth-library'
import { grpc } from 'google-gax'
import t from 'tap'
import { loadConfig } from '../../src/config.ts'
import { compose } from '../../src/main.ts'
import { metricsUrl, scrape } from '../metrics/support.ts'
import { startTrefoil } from '../support/process.ts'
import { clientOf } from './aws-client.ts'
import { runAzureClient } from './azure-tools.ts'

// Else the client's authentication looks for a metadata server.
process.env.METADATA_SERVER_DETECTION = 'none'

/** One request, and the next in a quarter of an hour. */
const ONCE = 0.001
const config = { quotas: { data: ONCE }, metrics: { port: 0 }, log: { format: 'json' } }

t.test('AWS', async (t) => {
  const server = await startTrefoil({ config })
  t.teardown(() => server.stop())
  const client = clientOf(server.plainUrl)
  const { KeyMetadata } = await client.send(new CreateKeyCommand({}))
  const encrypt = new EncryptCommand({ KeyId: KeyMetadata?.KeyId, Plaintext: Buffer.from('hi') })
  await client.send(encrypt)
  await t.rejects(client.send(encrypt), { name: 'ThrottlingException', $metadata: { httpStatusCode: 400 } })
  await client.send(new DescribeKeyCommand({ KeyId: KeyMetadata?.KeyId }))
  const samples = await scrape(await metricsUrl(server))
  const reading = (name: string, label: string) =>
    samples.find((sample) => sample.name === name && Object.values(sample.labels).includes(label))?.value
  t.equal(reading('trefoil_throttled_total', 'quota'), 1)
  t.equal(reading('trefoil_requests_total', 'throttled'), 1, 'and in the audit log')
})

t.test('Azure', async (t) => {
  const server = await startTrefoil({ config })
  t.teardown(() => server.stop())
  const { first, second, message, retryAfter, managing } = await runAzureClient('azure-quotas-client.ts', server)
  t.same([first, second, managing], ['succeeded', '429 Throttled', 'succeeded'])
  t.match(message, /too many requests/)
  t.match(retryAfter, /^(99\d|1000)$/, 'seconds until there is a token again')
})

t.test('Google, over gRPC and REST', async (t) => {
  const server = await startTrefoil({ config })
  t.teardown(() => server.stop())
  const at = { apiEndpoint: '127.0.0.1', port: Number(new URL(server.plainUrl).port) }
  const clients = {
    gRPC: new KeyManagementServiceClient({ ...at, sslCreds: grpc.credentials.createInsecure() }),
    REST: new KeyManagementServiceClient({
      ...at,
      protocol: 'http',
      fallback: true,
      authClient: new PassThroughClient(),
    }),
  }
  t.teardown(() => Promise.all(Object.values(clients).map((client) => client.close())))
  const parent = 'projects/local/locations/global/keyRings/r'
  await clients.gRPC.createKeyRing({ parent: 'projects/local/locations/global', keyRingId: 'r', keyRing: {} })
  const [key] = await clients.gRPC.createCryptoKey({
    parent,
    cryptoKeyId: 'k',
    cryptoKey: { purpose: 'ENCRYPT_DECRYPT' },
  })
  const request = { name: key.name ?? '', plaintext: Buffer.from('hi') }
  await clients.gRPC.encrypt(request)
  for (const [name, client] of Object.entries(clients)) {
    const error = await client.encrypt(request, { maxRetries: 0 }).then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    t.match(
      error,
      {
        code: grpc.status.RESOURCE_EXHAUSTED,
        message: /Quota exceeded for quota metric 'Cryptographic requests'/,
        reason: 'RATE_LIMIT_EXCEEDED',
        errorInfoMetadata: { quota_metric: 'cloudkms.googleapis.com/crypto_requests', quota_limit_value: '0.001' },
      },
      name,
    )
    const details = (error as { statusDetails?: readonly { retryDelay?: { seconds: unknown } }[] }).statusDetails ?? []
    const delay = Number(details.find(({ retryDelay }) => retryDelay !== undefined)?.retryDelay?.seconds)
    t.ok(delay > 900 && delay <= 1000, `${name}: again in ${delay} s`)
    await client.getCryptoKey({ name: key.name ?? '' })
  }
})

t.test('an operation that nobody has', async (t) => {
  const settings = { quotas: { operations: { Encript: 1 } }, dataDir: t.testdir({}), port: 0, tlsPort: 0 }
  await t.rejects(compose(loadConfig({ env: {}, overrides: settings })), {
    message: 'quotas.operations: there is no operation "Encript"',
    fix: 'did you mean Encrypt?',
  })
})
