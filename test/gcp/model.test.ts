/**
 * Requests made from the descriptors, valid and then broken in one place each, over both transports: only Google's own
 * refusals, no internal error, nothing half made, and the server serves on. SEED repeats a run.
 */
import { createHash, randomInt } from 'node:crypto'
import { create, type DescMethodUnary, type JsonObject, type Message, toBinary, toJson } from '@bufbuild/protobuf'
import t, { type Test } from 'tap'
import { BINDINGS } from '../../src/api/gcp/bindings/index.ts'
import {
  CryptoKeyVersion_CryptoKeyVersionAlgorithm as Algorithm,
  CryptoKey_CryptoKeyPurpose as Purpose,
} from '../../src/api/gcp/gen/google/cloud/kms/v1/resources_pb.js'
import { KeyManagementService } from '../../src/api/gcp/gen/google/cloud/kms/v1/service_pb.js'
import { METHODS } from '../../src/api/gcp/services.ts'
import { STATUS } from '../../src/api/gcp/status.ts'
import { type Client, grpcClient, restClient, toHttp } from './clients.ts'
import { brokenBytes, brokenJson, brokenMessages } from './mutate.ts'
import { Random, randomMessage } from './random.ts'
import { frame, LOCATION, makeGcp, type TestGcp } from './support.ts'

const kms = KeyManagementService.method
const RING = `${LOCATION}/keyRings/r`
const seed = Number(process.env.SEED ?? randomInt(2 ** 31))
const REFUSALS = new Set([
  'INVALID_ARGUMENT',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'FAILED_PRECONDITION',
  'RESOURCE_EXHAUSTED',
  'UNIMPLEMENTED',
])
/** Of each method's broken requests, over each transport. */
const SAMPLE = 60

type World = { readonly gcp: TestGcp; readonly client: Client; readonly fresh: () => string }

/** Requests that succeed, on resources of their own where they change any. */
async function validRequests(world: World): Promise<Record<string, () => Promise<object>>> {
  const { client, fresh } = world
  const newKey = async (purpose: Purpose, algorithm: Algorithm) =>
    (
      await client.get(kms.createCryptoKey, {
        parent: RING,
        cryptoKeyId: fresh(),
        cryptoKey: { purpose, versionTemplate: { algorithm } },
      })
    ).name
  const symmetric = () => newKey(Purpose.ENCRYPT_DECRYPT, Algorithm.GOOGLE_SYMMETRIC_ENCRYPTION)
  const key = await symmetric()
  const signing = await newKey(Purpose.ASYMMETRIC_SIGN, Algorithm.EC_SIGN_P256_SHA256)
  const rsa = await newKey(Purpose.ASYMMETRIC_DECRYPT, Algorithm.RSA_DECRYPT_OAEP_2048_SHA256)
  const { pem } = await client.get(kms.getPublicKey, { name: `${rsa}/cryptoKeyVersions/1` })
  const { publicEncrypt } = await import('node:crypto')
  const wrapped = publicEncrypt({ key: pem, oaepHash: 'sha256' }, Buffer.from('text'))
  const { ciphertext } = await client.get(kms.encrypt, { name: key, plaintext: Buffer.from('text') })
  const digest = createHash('sha256').update('text').digest()
  const version = async () => ({ name: `${await symmetric()}/cryptoKeyVersions/1` })
  const restorable = async () => client.get(kms.destroyCryptoKeyVersion, await version())
  const still = (request: object) => async () => request
  return {
    ListLocations: still({ name: 'projects/local' }),
    GetLocation: still({ name: LOCATION }),
    CreateKeyRing: async () => ({ parent: LOCATION, keyRingId: fresh(), keyRing: {} }),
    GetKeyRing: still({ name: RING }),
    ListKeyRings: still({ parent: LOCATION, pageSize: 3 }),
    CreateCryptoKey: async () => ({
      parent: RING,
      cryptoKeyId: fresh(),
      cryptoKey: {
        purpose: Purpose.ASYMMETRIC_SIGN,
        versionTemplate: { algorithm: Algorithm.EC_SIGN_P256_SHA256 },
        labels: { a: 'b' },
        destroyScheduledDuration: { seconds: 86_400n },
      },
    }),
    GetCryptoKey: still({ name: key }),
    ListCryptoKeys: still({ parent: RING, pageSize: 3 }),
    CreateCryptoKeyVersion: still({ parent: key, cryptoKeyVersion: {} }),
    GetCryptoKeyVersion: still({ name: `${key}/cryptoKeyVersions/1` }),
    ListCryptoKeyVersions: still({ parent: key, pageSize: 3 }),
    UpdateCryptoKeyVersion: async () => ({
      cryptoKeyVersion: { ...(await version()), state: 2 },
      updateMask: { paths: ['state'] },
    }),
    DestroyCryptoKeyVersion: version,
    RestoreCryptoKeyVersion: async () => ({ name: (await restorable()).name }),
    GetPublicKey: still({ name: `${signing}/cryptoKeyVersions/1`, publicKeyFormat: 1 }),
    Encrypt: still({ name: key, plaintext: Buffer.from('text'), additionalAuthenticatedData: Buffer.of(1) }),
    Decrypt: still({ name: key, ciphertext }),
    AsymmetricSign: still({
      name: `${signing}/cryptoKeyVersions/1`,
      digest: { digest: { case: 'sha256', value: digest } },
    }),
    AsymmetricDecrypt: still({ name: `${rsa}/cryptoKeyVersions/1`, ciphertext: wrapped }),
  }
}

async function makeWorld(t: Test, make: (gcp: TestGcp) => Client): Promise<World> {
  const gcp = await makeGcp()
  t.teardown(gcp.close)
  const client = make(gcp)
  await client.get(kms.createKeyRing, { parent: LOCATION, keyRingId: 'r' })
  let count = 0
  return { gcp, client, fresh: () => `n${++count}` }
}

/** What there is, less the realms that dev makes of unknown addresses, each with its default ring. */
async function contents({ gcp: { store } }: World): Promise<string> {
  const rings = (await store.count('rings', 'all', [])) - (await store.count('realms', 'all', []))
  return [rings, await store.count('keys', 'realm', []), await store.count('versions', 'number', [])].join()
}

/** Sends one broken request; what it did must be Google's to do, and all or nothing. */
async function check(t: Test, world: World, what: string, send: () => Promise<string>): Promise<boolean> {
  const before = await contents(world)
  const status = await send()
  const fine = status === 'OK' || REFUSALS.has(status)
  if (!fine) t.fail(`seed ${seed}: ${what}: ${status}`)
  if (status !== 'OK' && (await contents(world)) !== before)
    t.fail(`seed ${seed}: ${what}: ${status}, and something was made`)
  return status !== 'OK'
}

function sample<T>(random: Random, items: Iterable<T>, size: number): T[] {
  const all = [...items]
  while (all.length > size) all.splice(random.below(all.length), 1)
  return all
}

t.comment(`SEED=${seed}`)

for (const make of [grpcClient, restClient]) {
  const transport = make === grpcClient ? 'gRPC' : 'REST'
  t.test(`messages (${transport})`, async (t) => {
    const random = new Random(seed)
    const world = await makeWorld(t, make)
    const valid = await validRequests(world)
    t.same(Object.keys(valid).sort(), BINDINGS.map(({ method }) => method.name).sort(), 'every bound method is here')
    for (const { method } of BINDINGS) {
      const unary = method as DescMethodUnary
      const request = async (): Promise<Message> =>
        create(method.input, (await valid[method.name]?.()) as Record<string, unknown>)
      const whole = await request()
      t.equal(
        await world.client.status(unary, whole as Record<string, unknown>),
        'OK',
        `${method.name}: the valid request`,
      )
      let refused = 0
      for (const broken of sample(random, brokenMessages(random, method.input, await request()), SAMPLE)) {
        const send = () => world.client.status(unary, broken.request as Record<string, unknown>)
        if (await check(t, world, `${method.name}: ${broken.what}`, send)) refused++
      }
      t.ok(refused > 0, `${method.name}: ${refused} refused`)
      t.equal(
        await world.client.status(unary, (await request()) as Record<string, unknown>),
        'OK',
        `${method.name}: and a valid one after`,
      )
    }
  })
}

t.test('JSON', async (t) => {
  const random = new Random(seed)
  const world = await makeWorld(t, restClient)
  const valid = await validRequests(world)
  for (const { method } of BINDINGS) {
    const json = toJson(
      method.input,
      create(method.input, (await valid[method.name]?.()) as Record<string, unknown>),
    ) as JsonObject
    const http = toHttp(method, json)
    if (http.body === undefined) continue
    for (const broken of sample(random, brokenJson(http.body as JsonObject), SAMPLE)) {
      await check(t, world, `${method.name}: ${broken.what}`, async () => {
        const { status, body } = await world.gcp.rest(http.method, http.path, broken.request)
        return status === 200 ? 'OK' : (body.error?.status ?? `HTTP ${status}`)
      })
    }
  }
  t.pass(`seed ${seed}`)
})

t.test('bytes', async (t) => {
  const random = new Random(seed)
  const world = await makeWorld(t, grpcClient)
  const valid = await validRequests(world)
  const names = Object.fromEntries(Object.entries(STATUS).map(([name, { code }]) => [code, name]))
  for (const { method } of BINDINGS) {
    const bytes = toBinary(
      method.input,
      create(method.input, (await valid[method.name]?.()) as Record<string, unknown>),
    )
    for (const broken of brokenBytes(random, bytes, 12)) {
      await check(t, world, `${method.name}: ${broken.what}`, async () => {
        const answer = await world.gcp.raw(`/${method.parent.typeName}/${method.name}`, frame(broken.request))
        return names[answer.code] ?? `no status: ${answer.code}`
      })
    }
  }
  t.pass(`seed ${seed}`)
})

t.test('methods that are not there yet say so, whatever they are sent', async (t) => {
  const random = new Random(seed)
  const world = await makeWorld(t, grpcClient)
  const bound = new Set(BINDINGS.map(({ method }) => method))
  for (const { method } of METHODS.filter((candidate) => !bound.has(candidate.method))) {
    const bytes = toBinary(method.input, randomMessage(random, method.input))
    const answer = await world.gcp.raw(`/${method.parent.typeName}/${method.name}`, frame(bytes))
    t.equal(answer.code, STATUS.UNIMPLEMENTED.code, method.name)
  }
})
