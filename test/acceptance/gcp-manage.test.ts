/** Keys managed by @google-cloud/kms as it is, over gRPC and REST, against the real process. */
import { KeyManagementServiceClient } from '@google-cloud/kms'
import { PassThroughClient } from 'google-auth-library'
import { grpc } from 'google-gax'
import t, { type Test } from 'tap'
import { type RunningTrefoil, startTrefoil } from '../support/process.ts'

// Else the client's authentication looks for a metadata server.
process.env.METADATA_SERVER_DETECTION = 'none'

type Client = KeyManagementServiceClient
const LOCATION = 'projects/local/locations/global'
const DAY = 86_400
const { INVALID_ARGUMENT, NOT_FOUND, FAILED_PRECONDITION, ALREADY_EXISTS } = grpc.status

const CLIENTS: Readonly<Record<string, (port: number) => Client>> = {
  grpc: (port) =>
    new KeyManagementServiceClient({ apiEndpoint: '127.0.0.1', port, sslCreds: grpc.credentials.createInsecure() }),
  rest: (port) =>
    new KeyManagementServiceClient({
      apiEndpoint: '127.0.0.1',
      port,
      protocol: 'http',
      fallback: true,
      authClient: new PassThroughClient(),
    }),
}

/** The status that a call fails with; undefined where it succeeds. */
const codeOf = (call: Promise<unknown>): Promise<number | undefined> =>
  call.then(
    () => undefined,
    ({ code }: { code: number }) => code,
  )

async function advance({ plainUrl }: RunningTrefoil, text: string): Promise<void> {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(`${plainUrl}/_/clock`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ advance: text }),
  })
  if (!answer.ok) throw new Error(`the clock answers ${answer.status}`)
}
async function nowOf({ plainUrl }: RunningTrefoil): Promise<number> {
  const { now } = (await (await fetch(`${plainUrl}/_/clock`)).json()) as { now: string }
  return Math.floor(Date.parse(now) / 1000)
}

async function updates(t: Test, client: Client, ring: string): Promise<void> {
  const made = { purpose: 'ENCRYPT_DECRYPT', labels: { team: 'alpha' } } as const
  const [{ name = '' }] = await client.createCryptoKey({ parent: ring, cryptoKeyId: 'box', cryptoKey: made })
  const key = name ?? ''
  t.equal(await codeOf(client.createCryptoKey({ parent: ring, cryptoKeyId: 'box', cryptoKey: made })), ALREADY_EXISTS)
  const update = (fields: object, paths: string[]) =>
    client.updateCryptoKey({ cryptoKey: { name: key, ...fields }, updateMask: { paths } })
  t.same((await update({ labels: { env: 'prod' } }, ['labels']))[0].labels, { env: 'prod' })
  t.equal(await codeOf(update({}, ['purpose'])), INVALID_ARGUMENT)
  t.equal(await codeOf(update({}, [])), INVALID_ARGUMENT)
  t.equal(await codeOf(update({ labels: { Bad: 'x' } }, ['labels'])), INVALID_ARGUMENT)
  const [second] = await client.createCryptoKeyVersion({ parent: key, cryptoKeyVersion: {} })
  const primary = (cryptoKeyVersionId: string) =>
    client.updateCryptoKeyPrimaryVersion({ name: key, cryptoKeyVersionId })
  t.equal((await primary('2'))[0].primary?.name, second.name)
  t.equal(await codeOf(primary('9')), NOT_FOUND)
  t.equal(await codeOf(primary('x')), INVALID_ARGUMENT)
  const [pen] = await client.createCryptoKey({
    parent: ring,
    cryptoKeyId: 'pen',
    cryptoKey: { purpose: 'ASYMMETRIC_SIGN', versionTemplate: { algorithm: 'RSA_SIGN_PSS_2048_SHA256' } },
  })
  const [changed] = await client.updateCryptoKey({
    cryptoKey: { name: pen.name ?? '', versionTemplate: { algorithm: 'EC_SIGN_P256_SHA256' } },
    updateMask: { paths: ['version_template.algorithm'] },
  })
  t.equal(changed.versionTemplate?.algorithm, 'EC_SIGN_P256_SHA256')
  const toPrimary = client.updateCryptoKeyPrimaryVersion({ name: pen.name ?? '', cryptoKeyVersionId: '1' })
  t.equal(await codeOf(toPrimary), FAILED_PRECONDITION)
}

async function lists(t: Test, client: Client, ring: string): Promise<void> {
  const [all] = await client.listCryptoKeys({ parent: ring, pageSize: 1 })
  t.same(
    all.map(({ name }) => name?.split('/').at(-1)),
    ['box', 'pen'],
    'page by page',
  )
  const [found] = await client.listCryptoKeys({ parent: ring, filter: 'labels.env=prod AND purpose=ENCRYPT_DECRYPT' })
  t.equal(found.length, 1)
  const [backwards] = await client.listCryptoKeyVersions({ parent: `${ring}/cryptoKeys/box`, orderBy: 'name desc' })
  t.same(
    backwards.map(({ name }) => name?.split('/').at(-1)),
    ['2', '1'],
  )
  t.equal(await codeOf(client.listCryptoKeys({ parent: ring, filter: 'bogus=1' })), INVALID_ARGUMENT)
  t.equal(await codeOf(client.listKeyRings({ parent: LOCATION, orderBy: 'createTime' })), INVALID_ARGUMENT)
}

async function rotates(t: Test, client: Client, ring: string, server: RunningTrefoil): Promise<void> {
  const now = await nowOf(server)
  const schedule = { rotationPeriod: { seconds: 30 * DAY }, nextRotationTime: { seconds: now + DAY } }
  const cryptoKey = { purpose: 'ENCRYPT_DECRYPT', destroyScheduledDuration: { seconds: 2 * DAY }, ...schedule } as const
  const [made] = await client.createCryptoKey({ parent: ring, cryptoKeyId: 'cycle', cryptoKey })
  const name = made.name ?? ''
  await advance(server, '70d')
  const [rotated] = await client.getCryptoKey({ name })
  t.equal(rotated.primary?.name, `${name}/cryptoKeyVersions/4`, 'on days 1, 31 and 61')
  t.equal(Number(rotated.nextRotationTime?.seconds), now + 91 * DAY)
  const updateMask = { paths: ['rotation_period', 'next_rotation_time'] }
  const [still] = await client.updateCryptoKey({ cryptoKey: { name }, updateMask })
  t.notOk(still.rotationPeriod)
  const past = { name, nextRotationTime: { seconds: now } }
  const late = client.updateCryptoKey({ cryptoKey: past, updateMask: { paths: ['next_rotation_time'] } })
  t.equal(await codeOf(late), INVALID_ARGUMENT)
  await client.destroyCryptoKeyVersion({ name: `${name}/cryptoKeyVersions/1` })
  await advance(server, '3d')
  const [gone] = await client.getCryptoKeyVersion({ name: `${name}/cryptoKeyVersions/1` })
  t.equal(gone.state, 'DESTROYED')
  t.equal(await codeOf(client.restoreCryptoKeyVersion({ name: gone.name ?? '' })), FAILED_PRECONDITION)
}

async function deletes(t: Test, client: Client, parent: string, server: RunningTrefoil): Promise<void> {
  const cryptoKey = { purpose: 'ENCRYPT_DECRYPT', destroyScheduledDuration: { seconds: DAY } } as const
  const [made] = await client.createCryptoKey({ parent, cryptoKeyId: 'gone', cryptoKey })
  const name = made.name ?? ''
  const version = `${name}/cryptoKeyVersions/1`
  t.equal(await codeOf(client.deleteCryptoKey({ name })), FAILED_PRECONDITION)
  t.equal(await codeOf(client.deleteCryptoKeyVersion({ name: version })), FAILED_PRECONDITION)
  await client.destroyCryptoKeyVersion({ name: version })
  await advance(server, '2d')
  const [first] = await client.deleteCryptoKeyVersion({ name: version })
  await first.promise()
  t.equal(await codeOf(client.getCryptoKeyVersion({ name: version })), NOT_FOUND)
  const [second] = await client.deleteCryptoKey({ name })
  await second.promise()
  t.match(second.metadata, { retiredResource: new RegExp(`^${LOCATION}/retiredResources/`) })
  t.match(await client.checkDeleteCryptoKeyProgress(second.name ?? ''), { done: true, metadata: second.metadata })
  t.match(await client.checkDeleteCryptoKeyVersionProgress(first.name ?? ''), { done: true })
  t.equal(await codeOf(client.getCryptoKey({ name })), NOT_FOUND)
  t.equal(await codeOf(client.createCryptoKey({ parent, cryptoKeyId: 'gone', cryptoKey })), INVALID_ARGUMENT)
}

t.test('@google-cloud/kms manages keys', async (t) => {
  const server = await startTrefoil()
  t.teardown(() => server.stop())
  for (const [transport, make] of Object.entries(CLIENTS)) {
    await t.test(transport, async (t) => {
      const client = make(Number(new URL(server.plainUrl).port))
      t.teardown(() => client.close())
      const [ring] = await client.createKeyRing({ parent: LOCATION, keyRingId: transport, keyRing: {} })
      const parent = ring.name ?? ''
      await updates(t, client, parent)
      await lists(t, client, parent)
      await rotates(t, client, parent, server)
      await deletes(t, client, parent, server)
    })
  }
})
