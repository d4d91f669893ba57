/** @google-cloud/kms as it is, against the real process: gRPC on the plain and the TLS port, and REST. */
import { createHash, createPublicKey, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { KeyManagementServiceClient } from '@google-cloud/kms'
import { PassThroughClient } from 'google-auth-library'
import { grpc } from 'google-gax'
import type { Test } from 'tap'
import { crc32c } from '../../src/api/codec/crc32c.ts'
import { onEachBackend } from '../support/backends.ts'
import type { RunningTrefoil } from '../support/process.ts'

// Else the client's authentication looks for a metadata server.
process.env.METADATA_SERVER_DETECTION = 'none'

type Client = KeyManagementServiceClient
const TEXT = Buffer.from('attack at dawn')
const LOCATION = 'projects/local/locations/global'

const portOf = (url: string): number => Number(new URL(url).port)

const CLIENTS: Readonly<Record<string, (server: RunningTrefoil) => Client>> = {
  'gRPC in plain text': ({ plainUrl }) =>
    new KeyManagementServiceClient({
      apiEndpoint: '127.0.0.1',
      port: portOf(plainUrl),
      sslCreds: grpc.credentials.createInsecure(),
    }),
  'gRPC over TLS': ({ tlsUrl, caFile }) =>
    new KeyManagementServiceClient({
      apiEndpoint: 'localhost',
      port: portOf(tlsUrl),
      sslCreds: grpc.credentials.createSsl(readFileSync(caFile)),
    }),
  REST: ({ plainUrl }) =>
    new KeyManagementServiceClient({
      apiEndpoint: '127.0.0.1',
      port: portOf(plainUrl),
      protocol: 'http',
      fallback: true,
      authClient: new PassThroughClient(),
    }),
}

/** What the client calls an error; undefined where there was none. */
async function failure(call: Promise<unknown>) {
  return call.then(
    () => undefined,
    ({ code, message, reason, domain }: { code: number; message: string; reason?: string; domain?: string }) => ({
      code,
      message,
      reason,
      domain,
    }),
  )
}

async function makeRing(client: Client, keyRingId: string): Promise<string> {
  const [ring] = await client.createKeyRing({ parent: LOCATION, keyRingId, keyRing: {} })
  return ring.name ?? ''
}

type KeyShape = NonNullable<Parameters<Client['createCryptoKey']>[0]>['cryptoKey']
async function makeKey(client: Client, parent: string, cryptoKeyId: string, cryptoKey: KeyShape): Promise<string> {
  const [key] = await client.createCryptoKey({ parent, cryptoKeyId, cryptoKey: cryptoKey ?? null })
  return key.name ?? ''
}

async function encrypts(t: Test, client: Client, ring: string): Promise<void> {
  const name = await makeKey(client, ring, 'box', { purpose: 'ENCRYPT_DECRYPT', labels: { team: 'alpha' } })
  const aad = Buffer.from('context')
  const [sealed] = await client.encrypt({
    name,
    plaintext: TEXT,
    plaintextCrc32c: { value: crc32c(TEXT) },
    additionalAuthenticatedData: aad,
    additionalAuthenticatedDataCrc32c: { value: crc32c(aad) },
  })
  t.equal(sealed.name, `${name}/cryptoKeyVersions/1`)
  t.ok(sealed.verifiedPlaintextCrc32c)
  t.ok(sealed.verifiedAdditionalAuthenticatedDataCrc32c)
  const ciphertext = sealed.ciphertext as Buffer
  t.equal(Number(sealed.ciphertextCrc32c?.value), crc32c(ciphertext))
  const [opened] = await client.decrypt({ name, ciphertext, additionalAuthenticatedData: aad })
  t.same(Buffer.from(opened.plaintext as Uint8Array), TEXT)
  t.match(await failure(client.decrypt({ name, ciphertext })), {
    code: grpc.status.INVALID_ARGUMENT,
    reason: 'DECRYPTION_FAILED',
  })
}

async function signs(t: Test, client: Client, ring: string, hsm: boolean): Promise<void> {
  const key = await makeKey(client, ring, 'pen', {
    purpose: 'ASYMMETRIC_SIGN',
    versionTemplate: { algorithm: 'EC_SIGN_P256_SHA256' },
  })
  const name = `${key}/cryptoKeyVersions/1`
  const sha256 = createHash('sha256').update(TEXT).digest()
  const [signed] = await client.asymmetricSign({ name, digest: { sha256 }, digestCrc32c: { value: crc32c(sha256) } })
  t.ok(signed.verifiedDigestCrc32c)
  const [{ pem }] = await client.getPublicKey({ name })
  t.ok(verify('sha256', TEXT, pem ?? '', signed.signature as Buffer))
  const postQuantum = { purpose: 'ASYMMETRIC_SIGN', versionTemplate: { algorithm: 'PQ_SIGN_ML_DSA_65' } } as const
  if (hsm) {
    const refused = await failure(makeKey(client, ring, 'lattice', postQuantum))
    t.match(refused, { code: grpc.status.INVALID_ARGUMENT }, 'not of this token')
    return
  }
  const lattice = await makeKey(client, ring, 'lattice', postQuantum)
  const version = `${lattice}/cryptoKeyVersions/1`
  const [{ signature }] = await client.asymmetricSign({ name: version, data: TEXT })
  const [{ publicKey }] = await client.getPublicKey({ name: version, publicKeyFormat: 'NIST_PQC' })
  const pub = Buffer.from(publicKey?.data as Uint8Array).toString('base64url')
  const post = createPublicKey({ key: { kty: 'AKP', alg: 'ML-DSA-65', pub }, format: 'jwk' })
  t.ok(verify(undefined, TEXT, post, signature as Buffer))
}

async function lives(t: Test, client: Client, ring: string): Promise<void> {
  const key = await makeKey(client, ring, 'cat', { purpose: 'ENCRYPT_DECRYPT' })
  const name = `${key}/cryptoKeyVersions/1`
  const set = async (state: 'ENABLED' | 'DISABLED') =>
    (await client.updateCryptoKeyVersion({ cryptoKeyVersion: { name, state }, updateMask: { paths: ['state'] } }))[0]
      .state
  t.equal(await set('DISABLED'), 'DISABLED')
  t.match(await failure(client.encrypt({ name: key, plaintext: TEXT })), { code: grpc.status.FAILED_PRECONDITION })
  t.equal(await set('ENABLED'), 'ENABLED')
  t.equal((await client.destroyCryptoKeyVersion({ name }))[0].state, 'DESTROY_SCHEDULED')
  t.equal((await client.restoreCryptoKeyVersion({ name }))[0].state, 'DISABLED')
  await client.createCryptoKeyVersion({ parent: key, cryptoKeyVersion: {} })
  const [versions] = await client.listCryptoKeyVersions({ parent: key })
  t.same(
    versions.map(({ state }) => state),
    ['DISABLED', 'ENABLED'],
  )
  const [keys] = await client.listCryptoKeys({ parent: ring })
  t.ok(keys.some((one) => one.name === key))
}

onEachBackend('@google-cloud/kms', async (t, { hsm, start }) => {
  const server = await start()
  t.teardown(() => server.stop())
  for (const [name, make] of Object.entries(CLIENTS)) {
    await t.test(name, async (t) => {
      const client = make(server)
      t.teardown(() => client.close())
      const ring = await makeRing(client, name.toLowerCase().replaceAll(' ', '-'))
      await encrypts(t, client, ring)
      await signs(t, client, ring, hsm)
      await lives(t, client, ring)
      const missing = `${LOCATION}/keyRings/none`
      const error = await failure(client.getKeyRing({ name: missing }))
      t.match(error, { code: grpc.status.NOT_FOUND, reason: 'RESOURCE_NOT_FOUND', domain: 'cloudkms.googleapis.com' })
      t.match(error?.message, `KeyRing ${missing} not found.`)
      t.match(await failure(client.listImportJobs({ parent: ring })), { code: grpc.status.UNIMPLEMENTED })
      const [locations] = await client.locationsClient.listLocations({ name: 'projects/local' })
      t.ok(
        locations.some(({ locationId }) => locationId === 'global'),
        'locations, by the mixed-in service',
      )
    })
  }
})
