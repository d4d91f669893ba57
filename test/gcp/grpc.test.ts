/** gRPC's framing on real HTTP/2 connections. */
import http from 'node:http'
import { gzipSync } from 'node:zlib'
import { create, toBinary } from '@bufbuild/protobuf'
import t from 'tap'
import { EncryptRequestSchema, KeyManagementService } from '../../src/api/gcp/gen/google/cloud/kms/v1/service_pb.js'
import { encodeMessage, readTimeout } from '../../src/api/gcp/grpc-frame.ts'
import { RpcError } from '../../src/api/gcp/status.ts'
import type { CryptoBackend } from '../../src/core/ports.ts'
import { errorInfo, frame, LOCATION, makeGcp } from './support.ts'

const ENCRYPT = '/google.cloud.kms.v1.KeyManagementService/Encrypt'
const MIB = 1024 * 1024
const CODES = {
  CANCELLED: 1,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  RESOURCE_EXHAUSTED: 8,
  UNIMPLEMENTED: 12,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
}

/** A backend whose encryptions last until they are let go, or are told to stop. */
function slow(seen: { aborted: boolean; started: number }) {
  return (backend: CryptoBackend): CryptoBackend =>
    Object.assign(Object.create(backend) as CryptoBackend, {
      name: backend.name,
      protection: backend.protection,
      supports: backend.supports.bind(backend),
      generateKey: backend.generateKey.bind(backend),
      encrypt: (
        _key: unknown,
        _algorithm: unknown,
        _plaintext: unknown,
        _params: unknown,
        ctx: { signal: AbortSignal },
      ) =>
        new Promise((_resolve, reject) => {
          seen.started++
          ctx.signal.addEventListener('abort', () => {
            seen.aborted = true
            reject(ctx.signal.reason)
          })
        }),
    })
}

async function withKey(gcp: Awaited<ReturnType<typeof makeGcp>>) {
  await gcp.rest('POST', `${LOCATION}/keyRings?keyRingId=r`, {})
  await gcp.rest('POST', `${LOCATION}/keyRings/r/cryptoKeys?cryptoKeyId=k`, { purpose: 'ENCRYPT_DECRYPT' })
  return `${LOCATION}/keyRings/r/cryptoKeys/k`
}

t.test('frames', async (t) => {
  const gcp = await makeGcp()
  t.teardown(gcp.close)
  const name = await withKey(gcp)
  const request = toBinary(EncryptRequestSchema, create(EncryptRequestSchema, { name, plaintext: Buffer.from('text') }))
  const expectCode = async (
    what: string,
    code: keyof typeof CODES,
    body: Uint8Array,
    headers: Record<string, string> = {},
  ) => {
    const answer = await gcp.raw(ENCRYPT, body, { headers })
    t.match(answer, { status: 200, code: CODES[code] }, what)
    t.equal(answer.headers['content-type'], 'application/grpc', what)
    t.equal(answer.trailers['grpc-status'], String(CODES[code]), `${what}: the status is in the trailers`)
    t.equal(answer.body.length, 0, what)
  }
  t.equal((await gcp.raw(ENCRYPT, frame(request))).code, 0)
  for (const type of ['application/grpc+proto', 'application/grpc; charset=x', 'application/grpc+proto;a=b']) {
    t.equal((await gcp.raw(ENCRYPT, frame(request), { headers: { 'content-type': type } })).code, 0, type)
  }
  const gzip = { 'grpc-encoding': 'gzip' }
  t.equal((await gcp.raw(ENCRYPT, frame(gzipSync(request), 1), { headers: gzip })).code, 0, 'a compressed message')
  t.equal(
    (await gcp.raw(ENCRYPT, frame(request), { headers: gzip })).code,
    0,
    'a message that its flag says is not compressed',
  )
  await expectCode('no message', 'UNIMPLEMENTED', Buffer.alloc(0))
  await expectCode('two messages', 'UNIMPLEMENTED', Buffer.concat([frame(request), frame(request)]))
  await expectCode('half a prefix', 'INVALID_ARGUMENT', Buffer.alloc(3))
  await expectCode('less than its prefix says', 'INVALID_ARGUMENT', frame(request).subarray(0, 20))
  await expectCode('a flag of 2', 'INVALID_ARGUMENT', frame(request, 2))
  await expectCode('no protobuf', 'INVALID_ARGUMENT', frame(Buffer.from('ffffffff', 'hex')))
  await expectCode('text that is not UTF-8', 'INVALID_ARGUMENT', frame(Buffer.of(0x0a, 1, 0xff)))
  await expectCode('compressed without an encoding', 'INVALID_ARGUMENT', frame(gzipSync(request), 1))
  await expectCode('compressed rubbish', 'INVALID_ARGUMENT', frame(request, 1), gzip)
  await expectCode('another encoding', 'UNIMPLEMENTED', frame(request, 1), { 'grpc-encoding': 'snappy' })
  await expectCode('more than 4 MiB', 'RESOURCE_EXHAUSTED', frame(Buffer.alloc(4 * MIB + 1)))
  await expectCode('a prefix that says 4 GiB', 'RESOURCE_EXHAUSTED', Buffer.from('00ffffffff00', 'hex'))
  await expectCode('a compression bomb', 'RESOURCE_EXHAUSTED', frame(gzipSync(Buffer.alloc(64 * MIB)), 1), gzip)
  await expectCode('JSON', 'UNIMPLEMENTED', Buffer.from('{}'), { 'content-type': 'application/grpc+json' })
  await expectCode('a broken timeout', 'INVALID_ARGUMENT', frame(request), { 'grpc-timeout': '1 s' })
  t.equal((await gcp.raw(ENCRYPT, frame(request))).code, 0, 'and the connection serves on')
})

t.test('what is not there', async (t) => {
  const gcp = await makeGcp()
  t.teardown(gcp.close)
  const paths = [
    '/google.cloud.kms.v1.KeyManagementService/Unknown',
    '/google.cloud.kms.v2.KeyManagementService/Encrypt',
    '/grpc.health.v1.Health/Check',
    '/some.other.Service/Method',
    '/google.longrunning.Operations/DeleteOperation',
  ]
  for (const path of paths)
    t.match(await gcp.raw(path, frame(Buffer.alloc(0))), { status: 200, code: CODES.UNIMPLEMENTED }, path)
  const { answer } = await gcp.grpc(KeyManagementService.method.getImportJob, { name: 'anything' })
  t.equal(answer.code, CODES.UNIMPLEMENTED)
  t.equal(answer.message, 'google.cloud.kms.v1.KeyManagementService.GetImportJob is not implemented.')
})

t.test('errors carry a message, and details that say the same', async (t) => {
  const gcp = await makeGcp()
  t.teardown(gcp.close)
  const name = `${LOCATION}/keyRings/none`
  const { answer } = await gcp.grpc(KeyManagementService.method.getKeyRing, { name })
  t.equal(answer.code, CODES.NOT_FOUND)
  t.equal(answer.message, `KeyRing ${name} not found.`)
  t.match(answer.details, { code: CODES.NOT_FOUND, message: answer.message })
  t.match(errorInfo(answer), {
    reason: 'RESOURCE_NOT_FOUND',
    domain: 'cloudkms.googleapis.com',
    metadata: { resource: name },
  })
})

t.test('the message is percent-encoded as the protocol says', async (t) => {
  t.equal(encodeMessage('projects/p: a=b, 50% of é\n🔑'), 'projects/p: a=b, 50%25 of %C3%A9%0A%F0%9F%94%91')
  for (const text of ['plain', '100%', 'é€🔑', 'a/b?c#d&e;f,g', '%2F']) t.equal(decodeURI(encodeMessage(text)), text)
})

t.test('grpc-timeout', async (t) => {
  t.equal(readTimeout(undefined), undefined)
  const cases = { '1H': 3_600_000, '2M': 120_000, '3S': 3000, '4m': 4, '5000u': 5, '1u': 1, '1n': 1, '0m': 0 }
  for (const [header, ms] of Object.entries(cases)) t.equal(readTimeout(header), ms, header)
  for (const header of ['', '1', 'S', '1s', '-1S', '123456789S', '1.5S', '1S ']) {
    t.throws(() => readTimeout(header), RpcError, header)
  }
})

t.test('a deadline ends the call and the work', async (t) => {
  const seen = { aborted: false, started: 0 }
  const gcp = await makeGcp({ limits: { requestTimeoutMs: 3_600_000 } }, { wrapBackend: slow(seen) })
  t.teardown(gcp.close)
  const name = await withKey(gcp)
  // On a busy machine the first deadlines may pass before there is any work to end.
  for (let ms = 50; seen.started === 0; ms *= 4) {
    const headers = { 'grpc-timeout': `${ms}m` }
    const { answer } = await gcp.grpc(KeyManagementService.method.encrypt, { name }, { headers })
    t.match(answer, { code: CODES.DEADLINE_EXCEEDED, message: 'Deadline exceeded.' })
  }
  t.same(seen, { aborted: true, started: 1 })
})

t.test("the server's own deadline ends a call that has none", async (t) => {
  const seen = { aborted: false, started: 0 }
  const gcp = await makeGcp({ limits: { requestTimeoutMs: 1500 } }, { wrapBackend: slow(seen) })
  t.teardown(gcp.close)
  const { answer } = await gcp.grpc(KeyManagementService.method.encrypt, { name: await withKey(gcp) })
  t.equal(answer.code, CODES.DEADLINE_EXCEEDED)
  t.ok(seen.aborted)
})

t.test('a caller who leaves ends the work', async (t) => {
  const seen = { aborted: false, started: 0 }
  const gcp = await makeGcp({}, { wrapBackend: slow(seen) })
  t.teardown(gcp.close)
  const name = await withKey(gcp)
  const leaving = new AbortController()
  const call = gcp.grpc(KeyManagementService.method.encrypt, { name }, { signal: leaving.signal })
  while (seen.started === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  leaving.abort()
  await t.rejects(call)
  while (!seen.aborted) await new Promise((resolve) => setTimeout(resolve, 5))
})

t.test('gRPC needs HTTP/2', async (t) => {
  const gcp = await makeGcp()
  t.teardown(gcp.close)
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const request = http.request(`${gcp.url}${ENCRYPT}`, {
      method: 'POST',
      headers: { 'content-type': 'application/grpc' },
    })
    request.on('response', (response) => {
      response.resume()
      resolve(response.statusCode)
    })
    request.on('error', reject)
    request.end(frame(Buffer.alloc(0)))
  })
  t.equal(status, 426)
  t.equal((await gcp.raw(ENCRYPT, Buffer.from('{}'), { headers: { 'content-type': 'application/json' } })).status, 415)
})

t.test('without the audit log nothing is served', async (t) => {
  const gcp = await makeGcp()
  t.teardown(gcp.close)
  const name = await withKey(gcp)
  gcp.audit.available = false
  t.equal((await gcp.grpc(KeyManagementService.method.encrypt, { name })).answer.code, CODES.UNAVAILABLE)
})

t.test('in enforce nobody is let in whom nothing can verify', async (t) => {
  const gcp = await makeGcp({ auth: 'enforce' })
  t.teardown(gcp.close)
  for (const headers of [{}, { authorization: 'Bearer ya29.token' }]) {
    const { answer } = await gcp.grpc(
      KeyManagementService.method.getKeyRing,
      { name: `${LOCATION}/keyRings/r` },
      { headers },
    )
    t.equal(answer.code, CODES.UNAUTHENTICATED)
  }
})
