/** Deleting versions and keys for good, over both transports: what may go, what is left of it, and the operations that tell. */
import { anyUnpack, EmptySchema } from '@bufbuild/protobuf/wkt'
import t, { type Test } from 'tap'
import {
  DeleteCryptoKeyMetadataSchema,
  DeleteCryptoKeyVersionMetadataSchema,
} from '../../src/api/gcp/gen/google/cloud/kms/v1/service_pb.js'
import { type Operation, Operations } from '../../src/api/gcp/gen/google/longrunning/operations_pb.js'
import { PreconditionFailureSchema } from '../../src/api/gcp/gen/google/rpc/error_details_pb.js'
import { createAlias, listAliases } from '../../src/core/ops/aliases.ts'
import { importKey } from '../../src/core/ops/import-key.ts'
import { scheduleDeletion } from '../../src/core/ops/schedule-deletion.ts'
import { Secret } from '../../src/core/secret.ts'
import type { Client } from './clients.ts'
import { both, kms, RING, symmetric, TEXT } from './fixture.ts'
import { errorInfo, LOCATION, makeGcp, type TestGcp } from './support.ts'

const DAY = 86_400_000
const { getOperation } = Operations.method
const ring = { by: 'name', name: 'r' } as const

/** Destroys a version, and waits until it is. */
async function destroy(client: Client, gcp: TestGcp, name: string): Promise<void> {
  await client.get(kms.destroyCryptoKeyVersion, { name })
  await gcp.advance(30 * DAY)
}

function checkDone(t: Test, operation: Operation): void {
  t.ok(operation.done)
  t.match(operation.name, new RegExp(`^${LOCATION}/operations/[a-zA-Z0-9_-]+$`))
  t.equal(operation.result.case, 'response')
  t.ok(operation.result.case === 'response' && anyUnpack(operation.result.value, EmptySchema))
}

both('a version goes once it is destroyed, and its number with it', async (t, client, gcp) => {
  const { key, version: name } = await symmetric(client)
  const { ciphertext } = await client.get(kms.encrypt, { name: key, plaintext: TEXT })
  t.equal(await client.status(kms.deleteCryptoKeyVersion, { name }), 'FAILED_PRECONDITION', 'enabled')
  await client.get(kms.destroyCryptoKeyVersion, { name })
  t.equal(await client.status(kms.deleteCryptoKeyVersion, { name }), 'FAILED_PRECONDITION', 'scheduled')
  await gcp.advance(30 * DAY)
  const operation = await client.get(kms.deleteCryptoKeyVersion, { name })
  checkDone(t, operation)
  t.ok(operation.metadata && anyUnpack(operation.metadata, DeleteCryptoKeyVersionMetadataSchema))
  t.same(await client.get(getOperation, { name: operation.name }), operation)
  t.equal(await client.status(kms.getCryptoKeyVersion, { name }), 'NOT_FOUND')
  t.equal(await client.status(kms.deleteCryptoKeyVersion, { name }), 'NOT_FOUND')
  t.match(await client.get(kms.listCryptoKeyVersions, { parent: key }), { cryptoKeyVersions: [], totalSize: 0 })
  t.equal((await client.get(kms.getCryptoKey, { name: key })).primary, undefined)
  t.equal(await client.status(kms.decrypt, { name: key, ciphertext }), 'INVALID_ARGUMENT')
  const next = await client.get(kms.createCryptoKeyVersion, { parent: key, cryptoKeyVersion: {} })
  t.equal(next.name, `${key}/cryptoKeyVersions/2`)
  await client.get(kms.updateCryptoKeyPrimaryVersion, { name: key, cryptoKeyVersionId: '2' })
  t.equal((await client.get(kms.encrypt, { name: key, plaintext: TEXT })).name, next.name)
})

both('a key goes once it has no versions, and its name is retired', async (t, client, gcp) => {
  const { key: name, version } = await symmetric(client)
  t.equal(await client.status(kms.deleteCryptoKey, { name }), 'FAILED_PRECONDITION')
  await gcp.run('aws', createAlias, { key: { by: 'name', ring, name: 'k' }, alias: 'alias/k' })
  await destroy(client, gcp, version)
  t.equal(await client.status(kms.deleteCryptoKey, { name }), 'FAILED_PRECONDITION', 'a destroyed version is one')
  const first = await client.get(kms.deleteCryptoKeyVersion, { name: version })
  const operation = await client.get(kms.deleteCryptoKey, { name })
  checkDone(t, operation)
  const metadata = operation.metadata && anyUnpack(operation.metadata, DeleteCryptoKeyMetadataSchema)
  t.match(metadata?.retiredResource, new RegExp(`^${LOCATION}/retiredResources/[a-zA-Z0-9_-]+$`))
  t.same(await client.get(getOperation, { name: operation.name }), operation)
  t.same(await client.get(getOperation, { name: first.name }), first, "the version's is still told")
  t.equal(await client.status(kms.getCryptoKey, { name }), 'NOT_FOUND')
  t.equal(await client.status(kms.deleteCryptoKey, { name }), 'NOT_FOUND')
  t.same((await gcp.run('aws', listAliases, { limit: 10 })).aliases, [], 'aliases go with it')
  const again = await client.call(kms.createCryptoKey, { parent: RING, cryptoKeyId: 'k', cryptoKey: { purpose: 1 } })
  t.match(again, { ok: false, status: 'INVALID_ARGUMENT', text: /reserved/ })
  t.equal((await client.get(kms.listCryptoKeys, { parent: RING })).totalSize, 0, 'and nothing was made')
})

both('what another cloud has a say in stays', async (t, client, gcp) => {
  const material = new Secret(Uint8Array.from(Buffer.alloc(32, 7)))
  await gcp.run('azure', importKey, {
    ring: { by: 'default' },
    name: 'i',
    spec: 'aes_256',
    defaultUses: ['encrypt', 'decrypt'],
    material,
  })
  const imported = `${LOCATION}/keyRings/default/cryptoKeys/i/cryptoKeyVersions/1`
  await destroy(client, gcp, imported)
  t.match(await client.call(kms.deleteCryptoKeyVersion, { name: imported }), {
    ok: false,
    status: 'FAILED_PRECONDITION',
    text: /imported/,
  })
  const { key: name, version } = await symmetric(client)
  await destroy(client, gcp, version)
  await client.get(kms.deleteCryptoKeyVersion, { name: version })
  await gcp.run('aws', scheduleDeletion, { key: { by: 'name', ring, name: 'k' }, delay: 7 * DAY })
  t.equal(await client.status(kms.deleteCryptoKey, { name }), 'FAILED_PRECONDITION', 'it waits for its deletion')
})

both('operations that are none', async (t, client) => {
  const { key } = await symmetric(client)
  const { totalSize } = await client.get(kms.listCryptoKeys, { parent: RING })
  t.equal(totalSize, 1)
  for (const id of ['o', 'o-1', '00000000-0000-4000-8000-000000000000', '00000000-0000-4000-8000-000000000000-1']) {
    const name = `${LOCATION}/operations/${id}`
    t.match(await client.call(getOperation, { name }), { ok: false, status: 'NOT_FOUND', text: new RegExp(id) })
  }
  t.equal(await client.status(kms.deleteCryptoKey, { name: `${key}-none` }), 'NOT_FOUND')
})

t.test('refusals name what is in the way', async (t) => {
  const gcp = await makeGcp()
  t.teardown(gcp.close)
  await gcp.grpc(kms.createKeyRing, { parent: LOCATION, keyRingId: 'r', keyRing: {} })
  await gcp.grpc(kms.createCryptoKey, { parent: RING, cryptoKeyId: 'k', cryptoKey: { purpose: 1 } })
  const name = `${RING}/cryptoKeys/k`
  const { answer } = await gcp.grpc(kms.deleteCryptoKey, { name })
  t.equal(answer.message, `CryptoKey ${name} has CryptoKeyVersions, which must be deleted first.`)
  t.match(errorInfo(answer), {
    reason: 'KEY_HAS_VERSIONS',
    domain: 'cloudkms.googleapis.com',
    metadata: { resource: name },
  })
  const failures = answer.details?.details.map((any) => anyUnpack(any, PreconditionFailureSchema))
  t.match(failures?.find((one) => one !== undefined)?.violations, [{ type: 'KEY_HAS_VERSIONS', subject: name }])
  const { body } = await gcp.rest('DELETE', `${name}/cryptoKeyVersions/1`)
  t.match(body.error, {
    code: 400,
    status: 'FAILED_PRECONDITION',
    message: `${name}/cryptoKeyVersions/1 is in state ENABLED, which does not allow the requested operation.`,
    details: [{ reason: 'INVALID_STATE' }, { violations: [{ subject: `${name}/cryptoKeyVersions/1` }] }],
  })
})

t.test('an operation in JSON', async (t) => {
  const gcp = await makeGcp()
  t.teardown(gcp.close)
  await gcp.rest('POST', `${LOCATION}/keyRings?keyRingId=r`, {})
  const made = await gcp.rest('POST', `${RING}/cryptoKeys?cryptoKeyId=k&skipInitialVersionCreation=true`, {
    purpose: 'ENCRYPT_DECRYPT',
  })
  t.equal(made.status, 200)
  const { status, body } = await gcp.rest('DELETE', `${RING}/cryptoKeys/k`)
  t.equal(status, 200)
  t.same(body.response, { '@type': 'type.googleapis.com/google.protobuf.Empty' })
  t.match(body, {
    done: true,
    metadata: { '@type': 'type.googleapis.com/google.cloud.kms.v1.DeleteCryptoKeyMetadata' },
  })
})
