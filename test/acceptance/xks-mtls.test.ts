/** AWS KMS shows its certificate: who is let in by his name and authority, over which versions of TLS and HTTP. */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import http2 from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import t from 'tap'
import { Authority, type Issued } from '../support/pki.ts'
import { b64, decryptBody, encryptBody, Kms, requestMetadata, signedHeaders } from '../support/xks-kms.ts'
import { makeKeys, startXks } from '../support/xks-server.ts'

const directory = mkdtempSync(join(tmpdir(), 'trefoil-xks-mtls-'))
t.teardown(() => rmSync(directory, { recursive: true, force: true }))
const NAME = 'cks.kms.eu-west-1.amazonaws.com'
const servers = await Authority.root(directory, 'servers')
const amazon = await Authority.root(directory, 'Amazon Root CA 1')
const strangers = await Authority.root(directory, 'strangers')
const certificate = await servers.issue('proxy', { names: ['localhost'], use: 'server' })
const ireland = await amazon.issue('ireland', { commonName: NAME })
const frankfurt = await amazon.issue('frankfurt', { commonName: 'cks.kms.eu-central-1.amazonaws.com' })
const expired = await amazon.issue('expired', { commonName: NAME, from: -3, until: -1 })
const stranger = await strangers.issue('stranger', { commonName: NAME })

const server = await startXks({
  tls: { cert: certificate.certFile, key: certificate.keyFile, clientCa: amazon.certFile },
  exposure: { clientNames: [NAME] },
})
t.teardown(() => server.stop())
await makeKeys(server)
const health = () => ({ requestMetadata: { kmsOperation: 'KmsHealthCheck', kmsRequestId: randomUUID() } })
const callerWith = (client: Issued | undefined, prefix = 'a'): Kms =>
  server.caller(prefix, prefix === 'a' ? server.first : server.second, {
    ca: servers.cert,
    ...(client && { cert: client.cert, key: client.key }),
  })

t.test('its own name is let in', async (t) => {
  const kms = callerWith(ireland)
  t.equal((await kms.ask('health', health())).status, 200)
  const more = { additionalAuthenticatedData: b64('aad'), ciphertextDataIntegrityValueAlgorithm: 'SHA_256' }
  const sealed = await kms.ask('keys/raw/encrypt', encryptBody(b64('text'), more))
  t.equal(sealed.status, 200)
  const { ciphertextDataIntegrityValueAlgorithm: _, ...aad } = more
  t.same((await kms.ask('keys/raw/decrypt', decryptBody(sealed.json, aad))).json, { plaintext: b64('text') })
  t.equal((await kms.ask('keys/raw/metadata', { requestMetadata: requestMetadata('DescribeKey') })).status, 200)
  const wrong = { credential: { ...server.first, secret: `x${server.first.secret}` } }
  t.equal((await kms.ask('health', health(), wrong)).status, 401, 'with a signature of its own all the same')
})

t.test('others get no answer', async (t) => {
  const refused = async (client: Issued | undefined, message: string) =>
    t.rejects(callerWith(client).ask('health', health()), { code: /ECONNRESET|EPIPE|ERR_SSL|EPROTO/ }, message)
  await refused(undefined, 'no certificate')
  await refused(stranger, 'of another authority')
  await refused(expired, 'of yesterday')
  await refused(frankfurt, 'of another Region')
  await server.trefoil.logged(/a client that the exposure does not name[\s\S]*eu-central-1/)
  t.equal((await callerWith(frankfurt, 'b').ask('health', health())).status, 200, 'a prefix that names no clients')
})

/** Of a request over HTTP/2: the status, or the error. */
async function overHttp2(client: Issued): Promise<unknown> {
  const session = http2.connect(server.trefoil.tlsUrl, { ca: servers.cert, cert: client.cert, key: client.key })
  const body = JSON.stringify(health())
  const path = '/a/kms/xks/v1/health'
  const { host, ...headers } = signedHeaders({ path, body }, new URL(server.trefoil.tlsUrl).host, server.first)
  try {
    return await new Promise((resolve) => {
      session.on('error', resolve)
      session.on('close', () => resolve('closed'))
      const stream = session.request({
        ':method': 'POST',
        ':path': path,
        ':authority': host,
        'content-type': 'application/json',
        ...headers,
      })
      stream.on('response', ({ ':status': status }) => resolve(status))
      stream.on('error', resolve)
      stream.end(body)
    })
  } finally {
    session.destroy()
  }
}

t.test('over HTTP/2 too', async (t) => {
  t.equal(await overHttp2(ireland), 200)
  t.not(await overHttp2(frankfurt), 200)
})

const SUITES = [
  ['TLSv1.3', 'TLS_AES_256_GCM_SHA384'],
  ['TLSv1.3', 'TLS_CHACHA20_POLY1305_SHA256'],
  ['TLSv1.2', 'ECDHE-ECDSA-AES256-GCM-SHA384'],
] as const
t.test('the suites of the specification', async (t) => {
  for (const [version, ciphers] of SUITES) {
    const options = { ciphers, minVersion: version, maxVersion: version, cert: ireland.cert, key: ireland.key }
    const kms = new Kms(server.trefoil.tlsUrl, 'a', server.first, { ca: servers.cert, ...options })
    t.equal((await kms.ask('health', health())).status, 200, ciphers)
    kms.close()
  }
  const { hostname, port } = new URL(server.trefoil.tlsUrl)
  const old = tls.connect({
    host: hostname,
    port: Number(port),
    ca: servers.cert,
    maxVersion: 'TLSv1.1',
    minVersion: 'TLSv1.1',
    ciphers: 'ALL@SECLEVEL=0',
  })
  const outcome = await new Promise((resolve) => {
    old.on('secureConnect', () => resolve('connected'))
    old.on('error', () => resolve('refused'))
  })
  old.destroy()
  t.equal(outcome, 'refused', 'TLS 1.1')
})
