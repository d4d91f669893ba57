/** What is measured: one request a scenario, made against keys that exist already. */
import { createHash } from 'node:crypto'
import { create, toBinary } from '@bufbuild/protobuf'
import { EncryptRequestSchema } from '../../src/api/gcp/gen/google/cloud/kms/v1/service_pb.js'
import { CREDENTIALS } from '../acceptance/aws-tools.ts'
import { sign } from '../sigv4/sign.ts'
import type { Request } from './load.ts'

export type Scenario = { readonly name: string; readonly protocol: 'http1' | 'http2'; readonly request: Request }

const PLAINTEXT = Buffer.alloc(32, 7)
const MESSAGE = Buffer.alloc(256, 9)
const DIGEST = createHash('sha256').update(MESSAGE).digest()

// As long as what an SDK sends: the server parses headers of a real size.
const AWS_HEADERS = {
  authorization:
    'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/kms/aws4_request, ' +
    `SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=${'0'.repeat(64)}`,
  'content-type': 'application/x-amz-json-1.1',
  'user-agent': 'aws-sdk-js/3.1164.0 ua/2.1 os/linux lang/js md/nodejs#24.21.0 api/kms#3.1164.0 m/E,N',
  'x-amz-date': '20260101T000000Z',
  'amz-sdk-invocation-id': '6ba7b810-9dad-41d1-80b4-00c04fd430c8',
}

const awsRequest = (operation: string, input: unknown): Request => ({
  path: '/',
  headers: { ...AWS_HEADERS, 'x-amz-target': `TrentService.${operation}` },
  body: Buffer.from(JSON.stringify(input)),
})
const jsonRequest = (path: string, input: unknown, headers: Record<string, string> = {}): Request => ({
  path,
  headers: { 'content-type': 'application/json', authorization: 'Bearer bench', ...headers },
  body: Buffer.from(JSON.stringify(input)),
})

async function post<T>(base: string, { path, headers, body }: Request): Promise<T> {
  const response = await fetch(`${base}${path}`, { method: 'POST', headers, body })
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
  return (await response.json()) as T
}

const createAwsKey = async (base: string, input: unknown): Promise<string> =>
  (await post<{ KeyMetadata: { KeyId: string } }>(base, awsRequest('CreateKey', input))).KeyMetadata.KeyId

/** The payload that the echo sends back: the same bytes that Encrypt takes. */
export const echoRequest: Request = awsRequest('Encrypt', {
  KeyId: '6ba7b810-9dad-41d1-80b4-00c04fd430c8',
  Plaintext: PLAINTEXT.toString('base64'),
})

export const SIGN_P256 = 'AWS Sign P-256 DIGEST'
export const SIGN_RSA = 'AWS Sign RSA-2048 RAW'

async function awsScenarios(base: string): Promise<readonly Scenario[]> {
  const aes = await createAwsKey(base, {})
  const ec = await createAwsKey(base, { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' })
  const rsa = await createAwsKey(base, { KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' })
  const signature = { KeyId: ec, SigningAlgorithm: 'ECDSA_SHA_256' }
  const raw = { ...signature, Message: MESSAGE.toString('base64'), MessageType: 'RAW' }
  const digest = { ...signature, Message: DIGEST.toString('base64'), MessageType: 'DIGEST' }
  const pkcs1 = { KeyId: rsa, SigningAlgorithm: 'RSASSA_PKCS1_V1_5_SHA_256', Message: raw.Message }
  return [
    {
      name: 'AWS Encrypt',
      protocol: 'http1',
      request: awsRequest('Encrypt', { KeyId: aes, Plaintext: PLAINTEXT.toString('base64') }),
    },
    { name: 'AWS Sign P-256 RAW', protocol: 'http1', request: awsRequest('Sign', raw) },
    { name: SIGN_P256, protocol: 'http1', request: awsRequest('Sign', digest) },
    { name: SIGN_RSA, protocol: 'http1', request: awsRequest('Sign', pkcs1) },
  ]
}

async function gcpScenarios(base: string, protectionLevel: string): Promise<readonly Scenario[]> {
  const parent = '/v1/projects/local/locations/global/keyRings'
  await post(base, jsonRequest(`${parent}?keyRingId=bench`, {}))
  const key = {
    purpose: 'ENCRYPT_DECRYPT',
    versionTemplate: { protectionLevel, algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION' },
  }
  await post(base, jsonRequest(`${parent}/bench/cryptoKeys?cryptoKeyId=k`, key))
  const name = `${parent.slice(4)}/bench/cryptoKeys/k`
  const message = toBinary(EncryptRequestSchema, create(EncryptRequestSchema, { name, plaintext: PLAINTEXT }))
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  const grpc: Request = {
    path: '/google.cloud.kms.v1.KeyManagementService/Encrypt',
    headers: { 'content-type': 'application/grpc', 'x-goog-request-params': `name=${encodeURIComponent(name)}` },
    body: Buffer.concat([head, message]),
  }
  return [
    {
      name: 'GCP encrypt REST',
      protocol: 'http1',
      request: jsonRequest(`/v1/${name}:encrypt`, { plaintext: PLAINTEXT.toString('base64') }),
    },
    { name: 'GCP encrypt gRPC', protocol: 'http2', request: grpc },
  ]
}

async function azureScenarios(base: string, kty: string): Promise<readonly Scenario[]> {
  const query = '?api-version=2025-07-01'
  const made = await post<{ key: { kid: string } }>(
    base,
    jsonRequest(`/keys/bench/create${query}`, { kty, crv: 'P-256' }),
  )
  const path = new URL(made.key.kid).pathname
  const body = { alg: 'ES256', value: DIGEST.toString('base64url') }
  return [{ name: 'Azure sign ES256', protocol: 'http1', request: jsonRequest(`${path}/sign${query}`, body) }]
}

/** One signature by a token, for a server whose other scenarios are of no interest. */
export async function signP256(base: string): Promise<Request> {
  const KeyId = await createAwsKey(base, { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' })
  const signature = { KeyId, SigningAlgorithm: 'ECDSA_SHA_256', MessageType: 'DIGEST' }
  return awsRequest('Sign', { ...signature, Message: DIGEST.toString('base64') })
}

/** @param base the plain URL of a server whose default backend is the one to measure */
export async function makeScenarios(base: string, backend: 'software' | 'hsm'): Promise<readonly Scenario[]> {
  return [
    ...(await awsScenarios(base)),
    ...(await gcpScenarios(base, backend === 'hsm' ? 'HSM' : 'SOFTWARE')),
    ...(await azureScenarios(base, backend === 'hsm' ? 'EC-HSM' : 'EC')),
  ]
}

/** Signed once: a signature holds for five minutes, and the server checks it anew each time. */
function signedRequest(base: string, operation: string, input: unknown): Request {
  const { authorization: _, 'x-amz-date': __, ...unsigned } = AWS_HEADERS
  const body = JSON.stringify(input)
  const headers = { host: new URL(base).host, ...unsigned, 'x-amz-target': `TrentService.${operation}` }
  const signed = ['host', 'content-type', 'x-amz-date', 'x-amz-target']
  const request = { method: 'POST', path: '/', headers, body }
  return { path: '/', headers: sign(request, CREDENTIALS, { at: Date.now(), signed }), body: Buffer.from(body) }
}

/** @param base the plain URL of a server of AWS's protocol alone, which may check signatures */
export async function makeSignedScenarios(base: string): Promise<readonly Scenario[]> {
  const create = async (input: unknown): Promise<string> => {
    const { headers: signed, ...request } = signedRequest(base, 'CreateKey', input)
    const { host: _, ...headers } = signed
    return (await post<{ KeyMetadata: { KeyId: string } }>(base, { ...request, headers })).KeyMetadata.KeyId
  }
  const KeyId = await create({})
  const ec = await create({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' })
  const rsa = await create({ KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' })
  const encrypt = signedRequest(base, 'Encrypt', { KeyId, Plaintext: PLAINTEXT.toString('base64') })
  const { host: _, ...headers } = encrypt.headers
  const { CiphertextBlob } = await post<{ CiphertextBlob: string }>(base, { ...encrypt, headers })
  const Message = MESSAGE.toString('base64')
  const scenario = (name: string, operation: string, input: unknown): Scenario => ({
    name,
    protocol: 'http1',
    request: signedRequest(base, operation, input),
  })
  return [
    { name: 'AWS Encrypt', protocol: 'http1', request: encrypt },
    scenario('AWS Decrypt', 'Decrypt', { CiphertextBlob }),
    scenario('AWS GenerateDataKey', 'GenerateDataKey', { KeyId, KeySpec: 'AES_256' }),
    scenario('AWS Sign P-256 RAW', 'Sign', { KeyId: ec, SigningAlgorithm: 'ECDSA_SHA_256', Message }),
    scenario(SIGN_RSA, 'Sign', { KeyId: rsa, SigningAlgorithm: 'RSASSA_PKCS1_V1_5_SHA_256', Message }),
    scenario('AWS DescribeKey', 'DescribeKey', { KeyId }),
  ]
}
