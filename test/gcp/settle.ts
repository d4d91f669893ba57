/** Answers without what is random in them: opened, verified or measured instead, so that two servers' can be compared. */
import { verify } from 'node:crypto'
import { type DescMethod, type JsonObject, type Message, type MessageShape, toJson } from '@bufbuild/protobuf'
import { AnySchema } from '@bufbuild/protobuf/wkt'
import { p256 } from '@noble/curves/nist.js'
import { crc32c } from '../../src/api/codec/crc32c.ts'
import type { PublicKey } from '../../src/api/gcp/gen/google/cloud/kms/v1/resources_pb.js'
import {
  type AsymmetricSignRequest,
  type AsymmetricSignResponse,
  type DecapsulateResponse,
  type EncryptRequest,
  type EncryptResponse,
  type GenerateRandomBytesResponse,
  KeyManagementService,
  type MacSignRequest,
  type MacSignResponse,
  type RawDecryptResponse,
  type RawEncryptRequest,
  type RawEncryptResponse,
} from '../../src/api/gcp/gen/google/cloud/kms/v1/service_pb.js'
import { IAMPolicy, type SetIamPolicyRequest } from '../../src/api/gcp/gen/google/iam/v1/iam_policy_pb.js'
import type { Policy } from '../../src/api/gcp/gen/google/iam/v1/policy_pb.js'
import { type Operation, OperationSchema } from '../../src/api/gcp/gen/google/longrunning/operations_pb.js'
import type { Status, StatusSchema } from '../../src/api/gcp/gen/google/rpc/status_pb.js'
import { REGISTRY } from '../../src/api/gcp/json.ts'
import type { Client } from './clients.ts'

const kms = KeyManagementService.method

/** An error's details as REST has them. */
export const detailsOf = (status: MessageShape<typeof StatusSchema> | undefined): unknown =>
  ((status as Status | undefined)?.details ?? []).map((any) => toJson(AnySchema, any, { registry: REGISTRY }))

const UUIDS = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g
/** Two servers' UUIDs differ. */
export const withoutUuids = <T>(json: T): T => JSON.parse(JSON.stringify(json).replace(UUIDS, 'uuid'))

type Settler = (client: Client, request: Message, answer: Message) => Promise<JsonObject> | JsonObject
const settler =
  <Request extends Message, Answer extends Message>(
    run: (client: Client, request: Request, answer: Answer) => Promise<JsonObject> | JsonObject,
  ): Settler =>
  (client, request, answer) =>
    run(client, request as Request, answer as Answer)

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const keyOf = (name: string): string => name.replace(/\/cryptoKeyVersions\/.*/, '')

async function signatureHolds(client: Client, request: AsymmetricSignRequest, { signature }: AsymmetricSignResponse) {
  const { pem } = await client.get(kms.getPublicKey, { name: request.name })
  if (request.digest === undefined) return verify('sha256', request.data, pem, signature)
  const { publicKey } = await client.get(kms.getPublicKey, { name: request.name, publicKeyFormat: 2 })
  const point = (publicKey?.data ?? new Uint8Array(0)).subarray(-65)
  const digest = request.digest.digest.value ?? new Uint8Array(0)
  return p256.verify(signature, digest, point, { prehash: false, lowS: false, format: 'der' })
}

const settleOperation = settler((_client, _request, operation: Operation) =>
  withoutUuids(toJson(OperationSchema, operation, { registry: REGISTRY }) as JsonObject),
)

/** By method: the members of an answer that are random, and what takes their place. */
const SETTLERS: Readonly<Record<string, Settler>> = {
  DeleteCryptoKey: settleOperation,
  DeleteCryptoKeyVersion: settleOperation,
  GetOperation: settleOperation,
  Encrypt: settler(async (client, request: EncryptRequest, { ciphertext }: EncryptResponse) => {
    const { additionalAuthenticatedData } = request
    const opened = await client.get(kms.decrypt, { name: keyOf(request.name), ciphertext, additionalAuthenticatedData })
    return { ciphertext: `${ciphertext.length} bytes of ${hex(opened.plaintext)}` }
  }),
  AsymmetricSign: settler(async (client, request: AsymmetricSignRequest, answer: AsymmetricSignResponse) => ({
    signature: await signatureHolds(client, request, answer),
  })),
  MacSign: settler(async (client, { name, data }: MacSignRequest, { mac }: MacSignResponse) => ({
    mac: (await client.get(kms.macVerify, { name, data, mac })).success,
  })),
  GenerateRandomBytes: settler((_client, _request, { data }: GenerateRandomBytesResponse) => ({ data: data.length })),
  RawEncrypt: settler(async (client, request: RawEncryptRequest, answer: RawEncryptResponse) => {
    const { ciphertext, initializationVector } = answer
    const { plaintext } = await client.get(kms.rawDecrypt, { name: request.name, ciphertext, initializationVector })
    const given = request.initializationVector.length > 0
    return {
      ciphertext: hex(plaintext),
      initializationVector: given ? hex(initializationVector) : initializationVector.length,
    }
  }),
  // Nothing authenticates CTR: bytes come out whatever goes in, and others with each key. So with key encapsulation.
  RawDecrypt: settler((_client, _request, { plaintext }: RawDecryptResponse) => ({ plaintext: plaintext.length })),
  Decapsulate: settler((_client, _request, { sharedSecret }: DecapsulateResponse) => ({
    sharedSecret: sharedSecret.length,
  })),
  SetIamPolicy: settler(async (client, { resource }: SetIamPolicyRequest, { etag }: Policy) => {
    const kept = await client.get(IAMPolicy.method.getIamPolicy, { resource })
    return { etag: `${etag.length} bytes, ${Buffer.compare(kept.etag, etag) === 0 ? 'kept' : 'another'}` }
  }),
  GetPublicKey: settler((_client, _request, { pem, publicKey }: PublicKey) => ({
    pem: pem.replace(/[A-Za-z0-9+/=]{24,}/g, ({ length }) => String(length)),
    publicKey: publicKey?.data.length ?? 'none',
  })),
}

/** Every checksum is that of its data, and then only said to be so. */
function settleChecksums(json: JsonObject, message: Message): void {
  for (const name of Object.keys(json).filter((name) => name.endsWith('Crc32c') && !name.startsWith('verified'))) {
    const data = (message as unknown as Record<string, unknown>)[name.slice(0, -'Crc32c'.length)]
    const bytes = typeof data === 'string' ? Buffer.from(data) : (data as Uint8Array)
    json[name] = json[name] === String(crc32c(bytes))
  }
}

export async function settle(
  client: Client,
  method: DescMethod,
  request: Message,
  answer: Message,
): Promise<JsonObject> {
  const json = toJson(method.output, answer, { registry: REGISTRY }) as JsonObject
  settleChecksums(json, answer)
  if ('nextPageToken' in json) json.nextPageToken = 'more'
  return { ...json, ...(await SETTLERS[method.name]?.(client, request, answer)) }
}
