/** One key under three clouds' clients: each signs with it, each verifies the others' signatures, openssl verifies all. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  CreateKeyCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  GetPublicKeyCommand,
  KMSClient,
  paginateListKeys,
  SignCommand,
  VerifyCommand,
} from '@aws-sdk/client-kms'
import { KeyManagementServiceClient } from '@google-cloud/kms'
import { credentials } from '@grpc/grpc-js'
import t, { type Test } from 'tap'
import { derToRaw, rawToDer } from '../../src/api/codec/ecdsa-der.ts'
import { startTrefoil } from '../support/process.ts'
import { softHsmMissing, startSoftHsm } from '../support/softhsm.ts'

const MESSAGE = Buffer.from('one key, three clouds')
const DIGEST = createHash('sha256').update(MESSAGE).digest()
const RING = 'projects/local/locations/global/keyRings/default'
const COORDINATE = 32

type Backend = 'software' | 'hsm'
const MAKERS = ['aws', 'azure', 'gcp'] as const

function opensslVerifies(pem: string, der: Uint8Array): boolean {
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-openssl-'))
  try {
    const file = (name: string, content: string | Uint8Array): string => {
      writeFileSync(join(directory, name), content)
      return join(directory, name)
    }
    const args = [
      'dgst',
      '-sha256',
      '-verify',
      file('key', pem),
      '-signature',
      file('signature', der),
      file('data', MESSAGE),
    ]
    return execFileSync('openssl', args, { encoding: 'utf8' }).includes('Verified OK')
  } catch {
    return false
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function clientsOf(plainUrl: string) {
  const aws = new KMSClient({
    endpoint: plainUrl,
    region: 'us-east-1',
    credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'any' },
  })
  const { hostname, port } = new URL(plainUrl)
  const gcp = new KeyManagementServiceClient({
    apiEndpoint: hostname,
    port: Number(port),
    sslCreds: credentials.createInsecure(),
  })
  const azure = async (path: string, body: unknown): Promise<Record<string, unknown>> => {
    const response = await fetch(`${plainUrl}/${path}?api-version=2025-07-01`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer test' },
      body: JSON.stringify(body),
    })
    return { status: response.status, ...((await response.json()) as object) }
  }
  return { aws, gcp, azure }
}
type Clients = ReturnType<typeof clientsOf>

async function awsIds({ aws }: Clients): Promise<readonly string[]> {
  const ids: string[] = []
  for await (const page of paginateListKeys({ client: aws }, {})) {
    for (const { KeyId } of page.Keys ?? []) ids.push(KeyId ?? '')
  }
  return ids
}

/** Makes a P-256 signing key through one cloud; @returns its names in all three. */
async function makeKey(clients: Clients, maker: (typeof MAKERS)[number], backend: Backend) {
  const before = new Set(await awsIds(clients))
  const name = `by-${maker}`
  if (maker === 'aws') {
    await clients.aws.send(new CreateKeyCommand({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' }))
  } else if (maker === 'azure') {
    await clients.azure(`keys/${name}/create`, { kty: backend === 'hsm' ? 'EC-HSM' : 'EC', crv: 'P-256' })
  } else {
    const protectionLevel = backend === 'hsm' ? 'HSM' : 'SOFTWARE'
    const versionTemplate = { algorithm: 'EC_SIGN_P256_SHA256', protectionLevel } as const
    await clients.gcp.createCryptoKey({
      parent: RING,
      cryptoKeyId: name,
      cryptoKey: { purpose: 'ASYMMETRIC_SIGN', versionTemplate },
    })
  }
  const [id = ''] = (await awsIds(clients)).filter((known) => !before.has(known))
  const shown = maker === 'aws' ? id : name
  return { id, azure: `keys/${shown}/`, gcp: `${RING}/cryptoKeys/${shown}/cryptoKeyVersions/1` }
}
type Names = Awaited<ReturnType<typeof makeKey>>

/** Every cloud's signature of the message, in DER. */
async function signatures(
  clients: Clients,
  names: Names,
): Promise<Readonly<Record<(typeof MAKERS)[number], Uint8Array>>> {
  const sign = { KeyId: names.id, Message: DIGEST, MessageType: 'DIGEST', SigningAlgorithm: 'ECDSA_SHA_256' } as const
  const { Signature } = await clients.aws.send(new SignCommand(sign))
  const { value } = await clients.azure(`${names.azure}/sign`, { alg: 'ES256', value: DIGEST.toString('base64url') })
  const [{ signature }] = await clients.gcp.asymmetricSign({ name: names.gcp, digest: { sha256: DIGEST } })
  return {
    aws: Signature ?? new Uint8Array(0),
    azure: rawToDer(Buffer.from(String(value), 'base64url')),
    gcp: signature as Uint8Array,
  }
}

async function checkSignature(t: Test, clients: Clients, names: Names, der: Uint8Array, by: string): Promise<void> {
  const verify = { KeyId: names.id, Message: MESSAGE, SigningAlgorithm: 'ECDSA_SHA_256', Signature: der } as const
  t.ok((await clients.aws.send(new VerifyCommand(verify))).SignatureValid, `AWS verifies what ${by} signed`)
  const value = Buffer.from(derToRaw(der, COORDINATE) ?? new Uint8Array(0)).toString('base64url')
  const digest = DIGEST.toString('base64url')
  const verdict = await clients.azure(`${names.azure}/verify`, { alg: 'ES256', digest, value })
  t.equal(verdict.value, true, `Azure verifies what ${by} signed`)
  const [{ pem }] = await clients.gcp.getPublicKey({ name: names.gcp })
  t.ok(opensslVerifies(pem ?? '', der), `openssl verifies what ${by} signed, with GCP's public key`)
}

async function checkDisabling(t: Test, clients: Clients, names: Names): Promise<void> {
  const awsSign = new SignCommand({ KeyId: names.id, Message: MESSAGE, SigningAlgorithm: 'ECDSA_SHA_256' })
  const azureSign = () => clients.azure(`${names.azure}/sign`, { alg: 'ES256', value: DIGEST.toString('base64url') })
  const gcpSign = () => clients.gcp.asymmetricSign({ name: names.gcp, digest: { sha256: DIGEST } })
  await clients.aws.send(new DisableKeyCommand({ KeyId: names.id }))
  await t.rejects(clients.aws.send(awsSign), { name: 'DisabledException' })
  t.equal((await azureSign()).status, 403)
  await t.rejects(gcpSign(), { code: 9 }, 'FAILED_PRECONDITION')
  await clients.aws.send(new EnableKeyCommand({ KeyId: names.id }))
  const cryptoKeyVersion = (state: 'DISABLED' | 'ENABLED') => ({
    cryptoKeyVersion: { name: names.gcp, state },
    updateMask: { paths: ['state'] },
  })
  await clients.gcp.updateCryptoKeyVersion(cryptoKeyVersion('DISABLED'))
  await t.rejects(clients.aws.send(awsSign), { name: 'DisabledException' })
  t.equal((await azureSign()).status, 403)
  await clients.gcp.updateCryptoKeyVersion(cryptoKeyVersion('ENABLED'))
  t.equal((await azureSign()).status, 200)
}

async function oneKeyEverywhere(t: Test, plainUrl: string, backend: Backend): Promise<void> {
  const clients = clientsOf(plainUrl)
  for (const maker of MAKERS) {
    await t.test(`made by ${maker}`, async (t) => {
      const names = await makeKey(clients, maker, backend)
      const { PublicKey } = await clients.aws.send(new GetPublicKeyCommand({ KeyId: names.id }))
      const [{ pem }] = await clients.gcp.getPublicKey({ name: names.gcp })
      const der = Buffer.from((pem ?? '').replace(/-----[^-]+-----|\s/g, ''), 'base64')
      t.same(Buffer.from(PublicKey as Uint8Array), der, 'one public key')
      for (const [by, signature] of Object.entries(await signatures(clients, names))) {
        await checkSignature(t, clients, names, signature, by)
      }
      await checkDisabling(t, clients, names)
    })
  }
  clients.aws.destroy()
  await clients.gcp.close()
}

t.test('software', async (t) => {
  const server = await startTrefoil()
  try {
    await oneKeyEverywhere(t, server.plainUrl, 'software')
  } finally {
    t.equal(await server.stop(), 0)
  }
})

t.test('SoftHSM', { skip: softHsmMissing ?? false }, async (t) => {
  const token = await startSoftHsm()
  const server = await startTrefoil({ config: token.config, env: token.env })
  try {
    await oneKeyEverywhere(t, server.plainUrl, 'hsm')
  } finally {
    t.equal(await server.stop(), 0)
    await token.close()
  }
})
