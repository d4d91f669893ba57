/** `trefoil expose check` against the real process: what it plays, and what it says where something is wrong. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { checkExposures } from '../../src/cli/expose/check.ts'
import type { Finding } from '../../src/cli/expose/report.ts'
import { loadConfig } from '../../src/config.ts'
import { runBin } from '../cli/run.ts'
import type { Json } from '../oidc/support.ts'
import { auditRecords } from '../support/audit.ts'
import { Authority, type Issued } from '../support/pki.ts'
import { startTrefoil } from '../support/process.ts'
import { newCredential } from '../support/xks-kms.ts'
import { startIssuer } from './google-side.ts'

const AGENT = 'service-1@gcp-sa-ekms.iam.gserviceaccount.com'
const HOST = 'localhost'
const seconds = (): number => Math.floor(Date.now() / 1000)

async function start(t: Test) {
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-expose-check-'))
  const root = await Authority.root(directory, 'root')
  const server = await root.issue('server', { use: 'server', names: ['localhost'], until: 24 * 30 })
  const client = await root.issue('client', { commonName: 'pool.managedhsmclient.azure.net' })
  const stranger = await root.issue('stranger')
  const google = await startIssuer(t, 'google-1')
  const credential = newCredential()
  const secret = join(directory, 'xks-secret')
  writeFileSync(secret, credential.secret, { mode: 0o600 })
  const tls = { cert: server.certFile, key: server.keyFile }
  const loopback = { address: '127.0.0.1', port: 0 }
  // A busy machine is no overload.
  const deadlineMs = 10_000
  const config = {
    listeners: [
      { ...loopback, dialects: ['aws', 'azure', 'gcp'] },
      { ...loopback, dialects: ['ekm'], tls: { ...tls, clientCa: root.certFile, minVersion: 'TLSv1.3' } },
      { ...loopback, dialects: ['ekm', 'xks'], tls },
    ],
    exposures: [
      {
        protocol: 'azure-ekm',
        name: 'azure',
        prefix: 'pool',
        clients: [{ commonName: 'pool.managedhsmclient.azure.net', ca: root.certFile }],
        keys: [
          { id: 'kek', key: 'default/kek' },
          { id: 'rsa', key: 'default/rsa' },
        ],
        deadlineMs,
      },
      {
        protocol: 'xks',
        name: 'aws',
        prefix: 'tenant',
        credentials: [{ accessKeyId: credential.accessKeyId, secret: { file: secret } }],
        keys: [
          { id: 'one', key: 'default/raw' },
          { id: 'less', key: 'default/raw', usage: ['encrypt'] },
        ],
        deadlineMs,
      },
      {
        protocol: 'cloud-ekm',
        name: 'google',
        host: HOST,
        issuer: { issuer: 'https://accounts.google.com', jwksUri: `${google.url}/oauth2/v3/certs` },
        callers: [AGENT],
        keys: [{ id: 'box', key: 'default/box' }],
        deadlineMs,
      },
    ],
  }
  const trefoil = await startTrefoil({ config, env: { TREFOIL_PORT: '', TREFOIL_TLS_PORT: '' } })
  t.teardown(async () => {
    await trefoil.stop()
    rmSync(directory, { recursive: true, force: true })
  })
  const [mutual = '', open = ''] = trefoil.readyLine.match(/https:\/\/\S+/g) ?? []
  const urls = [mutual, open].map((url) => url.replace('127.0.0.1', 'localhost'))
  const cli = (...args: string[]) => runBin(directory, args, { TREFOIL_PORT: '', TREFOIL_TLS_PORT: '' })
  /** In this process, which is quicker than a command each. */
  const check = async (name: string, url: string, more: object = {}) => {
    const settings = loadConfig({ file: trefoil.configFile, env: {} })
    return checkExposures(settings, name, { url, ca: root.certFile, ...more })
  }
  const make = async (method: string, path: string, body: Json, headers: Record<string, string> = {}) => {
    const all = { 'content-type': 'application/json', authorization: 'Bearer any', ...headers }
    const answer = await fetch(`${trefoil.plainUrl}${path}`, { method, headers: all, body: JSON.stringify(body) })
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
  }
  const vault = 'api-version=2025-07-01'
  const ring = '/v1/projects/local/locations/global/keyRings/default/cryptoKeys'
  await make('PUT', `/keys/kek?${vault}`, {
    key: { kty: 'oct', k: randomBytes(32).toString('base64url'), key_ops: ['wrapKey', 'unwrapKey'] },
  })
  await make('POST', `/keys/rsa/create?${vault}`, { kty: 'RSA', key_size: 2048, key_ops: ['wrapKey', 'unwrapKey'] })
  await make('POST', `${ring}?cryptoKeyId=raw`, {
    purpose: 'RAW_ENCRYPT_DECRYPT',
    versionTemplate: { algorithm: 'AES_256_GCM' },
  })
  await make('POST', `${ring}?cryptoKeyId=box`, { purpose: 'ENCRYPT_DECRYPT' })
  const token = join(directory, 'token')
  const claims = {
    iss: 'https://accounts.google.com',
    aud: `https://${HOST}`,
    sub: '1',
    email: AGENT,
    email_verified: true,
  }
  writeFileSync(token, google.sign({ ...claims, iat: seconds(), exp: seconds() + 3600 }))
  const [azureUrl = '', otherUrl = ''] = urls
  return {
    directory,
    root,
    trefoil,
    config,
    cli,
    check,
    make,
    vault,
    client,
    stranger,
    token,
    azureUrl,
    otherUrl,
    credential,
  }
}

const failures = (found: readonly Finding[]) =>
  found.filter(({ verdict }) => verdict === 'failed').map(({ check, detail }) => `${check}: ${detail}`)
const of = (found: readonly Finding[], verdict: string) =>
  found.filter((one) => one.verdict === verdict).map(({ check }) => check)
/** A slow machine is not what is tested here. */
const unhurried = (found: readonly Finding[]) => found.filter(({ check }) => check !== 'in time')

t.test('expose check', { timeout: 120_000 }, async (t) => {
  const server = await start(t)
  const { cli, check, client, stranger, token, azureUrl, otherUrl, trefoil, directory } = server
  const identity = ({ certFile, keyFile }: Issued) => ({ cert: certFile, key: keyFile })

  await t.test('Azure', async (t) => {
    const found = await check('azure', azureUrl, identity(client))
    t.same(failures(unhurried(found)), [])
    const passed = of(found, 'ok')
    for (const name of [
      'certificate for localhost',
      'refuses a client without a certificate',
      'refuses TLS 1.2',
      'info',
      'key kek',
      'key rsa',
      'refuses base64 with padding',
    ])
      t.ok(passed.includes(name), name)
    const none = await check('azure', azureUrl)
    t.same(of(none, 'skipped'), ['everything of a known client'])
    const other = await check('azure', azureUrl, identity(stranger))
    t.match(
      other.find(({ check: name }) => name === 'info'),
      { verdict: 'failed', detail: /401/, fix: /clients/ },
    )
    const old = await check('azure', otherUrl, identity(client))
    t.match(failures(unhurried(old)), [/info: answered 401/])
    await server.make('PATCH', `/keys/kek?${server.vault}`, { attributes: { enabled: false } })
    const off = await check('azure', azureUrl, identity(client))
    t.match(failures(unhurried(off)), [/^key kek: answered 403 instead of 200 \(KeyDisabled/])
  })

  await t.test('AWS', async (t) => {
    const found = await check('aws', otherUrl)
    t.same(failures(unhurried(found)), [])
    const passed = of(found, 'ok')
    for (const name of [
      `health, by ${server.credential.accessKeyId}`,
      'key one encrypts and decrypts',
      'refuses a signature for another host',
    ])
      t.ok(passed.includes(name), name)
    t.same(of(found, 'skipped'), ['key less encrypts and decrypts'])
    const [exposure] = server.config.exposures.filter(({ name }) => name === 'aws')
    const wrong = join(directory, 'wrong-secret')
    writeFileSync(wrong, randomBytes(32).toString('base64'), { mode: 0o600 })
    const credentials = [{ accessKeyId: server.credential.accessKeyId, secret: { file: wrong } }]
    writeFileSync(trefoil.configFile, JSON.stringify({ ...server.config, exposures: [{ ...exposure, credentials }] }))
    const bad = await check('aws', otherUrl)
    t.match(failures(unhurried(bad)), [/^health, by \w+: answered 401/])
    writeFileSync(trefoil.configFile, JSON.stringify(server.config))
  })

  await t.test('Google', async (t) => {
    const found = await check('google', otherUrl, { token })
    t.same(failures(unhurried(found)), [])
    t.ok(of(found, 'ok').includes('key box'))
    t.ok(of(found, 'ok').includes('refuses a token without a signature'))
    t.same(of(await check('google', otherUrl), 'skipped'), ['its keys'])
  })

  await t.test('as text, and where nothing answers', async (t) => {
    const args = ['expose', 'check', 'google', '--config', trefoil.configFile, '--url', 'https://localhost:1']
    const none = await cli(...args)
    t.match(none, {
      code: 1,
      out: /google \(cloud-ekm\)\n {2}FAILED {2}TLS handshake: ECONNREFUSED.*\n +fix: see that the server runs/,
    })
    const unknown = await cli('expose', 'check', 'nothing', '--config', trefoil.configFile)
    t.match(unknown, { code: 1, err: /no exposure nothing[\s\S]*azure, aws, google/ })
    const untrusted = await cli('expose', 'check', 'google', '--config', trefoil.configFile, '--url', otherUrl)
    t.match(untrusted, { code: 1, out: /FAILED {2}certificate for localhost: / })
    t.notMatch(untrusted.out + none.out, server.credential.secret)
  })

  await t.test('the audit log has where each came from', (t) => {
    const records = auditRecords(trefoil.dataDir)
    for (const method of ['mtls', 'sigv4', 'bearer']) {
      const external = records.filter((one) => one.exposure !== undefined && one.method === method)
      t.ok(external.length > 0, method)
      t.same([...new Set(external.map(({ address }) => address))], ['127.0.0.1'], method)
    }
    t.end()
  })

  await t.test('a server that lets everything pass is found out', async (t) => {
    const issued = await server.root.issue('liar', { use: 'server', names: ['localhost'] })
    const liar = https.createServer({ cert: issued.cert, key: issued.key }, (request, response) => {
      request.resume()
      response.setHeader('content-type', 'application/json').end('{"api_version":"0.1-preview","value":"AAAA"}')
    })
    await new Promise<void>((resolve) => liar.listen(0, '127.0.0.1', resolve))
    t.teardown(() => {
      liar.closeAllConnections()
      liar.close()
    })
    const url = `https://localhost:${(liar.address() as AddressInfo).port}`
    for (const [name, more, least] of [
      ['azure', identity(client), 3],
      ['aws', {}, 1],
      ['google', { token }, 5],
    ] as const) {
      const found = await check(name, url, { connect: `127.0.0.1:${new URL(url).port}`, ...more })
      t.ok(failures(found).length >= least, `${name}: ${failures(found).join('; ')}`)
    }
  })
})
