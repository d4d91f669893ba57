/** Listeners of the real process: certificates that change while it serves, clients' certificates, a proxy in front. */
import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import https, { type RequestOptions } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { sign } from '../sigv4/sign.ts'
import { auditRecords } from '../support/audit.ts'
import { Authority, type Issued } from '../support/pki.ts'
import { startTrefoil } from '../support/process.ts'

const PUBLIC = 'kms.example.org'
const CREDENTIALS = { accessKeyId: 'AKIDEXAMPLEEXAMPLE00', secretAccessKey: 'a secret of the test, planted' }
const BEHIND = '203.0.113.9'

type Answer = { readonly status: number; readonly body: string; readonly subject: string }

function ask(url: string, options: RequestOptions, body?: string): Promise<Answer> {
  const client = url.startsWith('https:') ? https : http
  return new Promise((resolve, reject) => {
    const request = client.request(url, { agent: false, ...options }, async (response) => {
      const socket = response.socket as TLSSocket
      const subject = url.startsWith('https:') ? (socket.getPeerX509Certificate()?.subject ?? '') : ''
      try {
        const text = Buffer.concat(await response.toArray()).toString()
        resolve({ status: response.statusCode ?? 0, body: text, subject })
      } catch (error) {
        reject(error)
      }
    })
    request.once('error', reject)
    request.end(body)
  })
}

/** A signed request to AWS KMS, made for one host and sent to wherever. */
function call(url: string, operation: string, host: string, options: RequestOptions = {}, more: object = {}) {
  const body = '{}'
  const headers = { host, 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `TrentService.${operation}` }
  const signed = sign({ method: 'POST', path: '/', headers, body }, CREDENTIALS, { at: Date.now() })
  return ask(url, { ...options, method: 'POST', headers: { ...signed, ...more } }, body)
}

async function start(t: Test) {
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-listeners-'))
  const authority = await Authority.root(directory, 'root')
  const leaf = { use: 'server', names: ['localhost', PUBLIC, '127.0.0.1'] } as const
  const [one, two] = [await authority.issue('one', leaf), await authority.issue('two', leaf)]
  const [cert, key] = [join(directory, 'server.pem'), join(directory, 'server.key')]
  const use = (pair: Pick<Issued, 'certFile' | 'keyFile'>): void => {
    copyFileSync(pair.certFile, cert)
    copyFileSync(pair.keyFile, key)
  }
  use(one)
  const secret = join(directory, 'secret')
  writeFileSync(secret, CREDENTIALS.secretAccessKey, { mode: 0o600 })
  writeFileSync(join(directory, 'passphrase'), 'correct horse battery staple', { mode: 0o600 })
  const client = await authority.issue('client')
  const allow = {
    Effect: 'Allow',
    Action: 'kms:*',
    Resource: '*',
    Condition: { IpAddress: { 'aws:SourceIp': BEHIND } },
  }
  const config = {
    profile: 'production',
    publicUrl: `https://${PUBLIC}`,
    rootKey: { type: 'passphrase', passphrase: { file: join(directory, 'passphrase') } },
    aws: {
      principals: [
        {
          name: 'behind',
          accessKeys: [{ id: CREDENTIALS.accessKeyId, secret: { file: secret } }],
          policies: [{ Version: '2012-10-17', Statement: [allow] }],
        },
      ],
    },
    listeners: [
      { address: '127.0.0.1', port: 0, dialects: ['aws'], tls: { cert, key, clientCa: authority.certFile } },
      { address: '127.0.0.1', port: 0, dialects: ['aws'], behindProxy: true, trustedProxies: ['127.0.0.1/32'] },
    ],
  }
  const trefoil = await startTrefoil({ config, env: { TREFOIL_PORT: '', TREFOIL_TLS_PORT: '' } })
  t.teardown(async () => {
    await trefoil.stop()
    rmSync(directory, { recursive: true, force: true })
  })
  const identity = { ca: authority.cert, cert: client.cert, key: client.key }
  const tlsUrl = trefoil.tlsUrl.replace('127.0.0.1', 'localhost')
  return { trefoil, tlsUrl, authority, directory, one, two, cert, key, use, identity, leaf }
}

t.test('listeners', { timeout: 60_000 }, async (t) => {
  const server = await start(t)
  const { trefoil, tlsUrl, identity, authority } = server
  const hup = async (said: RegExp): Promise<void> => {
    process.kill(trefoil.pid, 'SIGHUP')
    await trefoil.logged(said)
  }
  const live = `${tlsUrl}/_/health/live`

  await t.test('TLS asks for a certificate and takes no version below 1.2', async (t) => {
    t.match(await ask(live, identity), { status: 200, subject: 'CN=one' })
    t.match(await ask(live, { ...identity, maxVersion: 'TLSv1.2' }), { status: 200 })
    await t.rejects(ask(live, { ...identity, maxVersion: 'TLSv1.1', minVersion: 'TLSv1' }))
    await t.rejects(ask(live, { ca: identity.ca }))
    const other = await (await Authority.root(server.directory, 'other')).issue('foreign')
    await t.rejects(ask(live, { ...identity, cert: other.cert, key: other.key }))
  })

  await t.test('a new certificate for new connections, while requests go on', async (t) => {
    const agent = new https.Agent({ keepAlive: true, maxSockets: 4, ...identity })
    t.teardown(() => agent.destroy())
    const failures: unknown[] = []
    const answers: Answer[] = []
    let going = true
    const worker = async (options: RequestOptions): Promise<void> => {
      while (going)
        await ask(live, options).then(
          (answer) => answers.push(answer),
          (error) => failures.push(error),
        )
    }
    const workers = [worker({ agent }), worker({ agent }), worker(identity), worker(identity)]
    for (let round = 1; round <= 6; round++) {
      server.use(round % 2 === 1 ? server.two : server.one)
      await hup(new RegExp(String.raw`(and certificates are read again[\s\S]*){${round}}`))
      t.equal((await ask(live, identity)).subject, round % 2 === 1 ? 'CN=two' : 'CN=one')
    }
    going = false
    await Promise.all(workers)
    t.same(failures, [])
    t.ok(
      answers.every(({ status }) => status === 200),
      `${answers.length} answers`,
    )
  })

  await t.test('bad files change nothing, and the log says what is wrong', async (t) => {
    const { cert, key, one, two } = server
    server.use(one)
    copyFileSync(two.keyFile, key)
    await hup(/server\.key is not the key of the certificate/)
    writeFileSync(cert, 'planted nonsense')
    await hup(/is not PEM/)
    server.use(await authority.issue('old', { ...server.leaf, from: -3, until: -1 }))
    await hup(/expired at/)
    rmSync(cert)
    await hup(/cannot be read/)
    t.match(await ask(live, identity), { status: 200, subject: 'CN=one' })
    t.notMatch(trefoil.log(), /planted nonsense|PRIVATE KEY/)
    server.use(two)
    await hup(/(certificates are read again[\s\S]*){7}/)
    t.equal((await ask(live, identity)).subject, 'CN=two')
  })

  await t.test('a proxy that is trusted says where a request is from; publicUrl, what it was signed for', async (t) => {
    const forwarded = { 'x-forwarded-for': BEHIND, 'x-forwarded-proto': 'https' }
    const rewritten = { ...forwarded, host: 'upstream:7400' }
    t.match(await call(trefoil.plainUrl, 'ListKeys', PUBLIC, {}, forwarded), { status: 200 })
    t.match(await call(trefoil.plainUrl, 'ListKeys', PUBLIC, {}, rewritten), { status: 200 }, 'whatever Host it sends')
    t.match(await call(tlsUrl, 'ListKeys', PUBLIC, identity), { status: 400, body: 'AccessDenied' }, 'from elsewhere')
    const spoofed = await call(tlsUrl, 'ListKeys', PUBLIC, identity, forwarded)
    t.match(spoofed, { status: 400, body: 'AccessDenied' }, 'nobody is trusted there')
    const further = { 'x-forwarded-for': `${BEHIND}, 198.51.100.7` }
    t.match(await call(trefoil.plainUrl, 'ListKeys', PUBLIC, {}, further), { status: 400, body: 'AccessDenied' })
    const foreign = await call(trefoil.plainUrl, 'ListKeys', 'kms.us-east-1.amazonaws.com', {}, forwarded)
    t.match(foreign, { status: 400, body: 'InvalidSignatureException' }, 'signed for another service')
  })

  await t.test('the audit log has the address', (t) => {
    const records = auditRecords(trefoil.dataDir)
    const listed = records.filter(({ wire }) => wire === 'ListKeys')
    t.same(
      listed.map(({ address, outcome }) => [address, outcome]),
      [
        [BEHIND, 'ok'],
        [BEHIND, 'ok'],
        ['127.0.0.1', 'access_denied'],
        ['127.0.0.1', 'access_denied'],
        ['198.51.100.7', 'access_denied'],
        [BEHIND, 'unauthenticated'],
      ],
    )
    t.end()
  })

  await t.test('OpenSSL sees the certificate too', (t) => {
    const { port } = new URL(tlsUrl)
    const files = [server.directory, 'client'].join('/')
    const args = [
      's_client',
      '-connect',
      `localhost:${port}`,
      '-cert',
      `${files}.pem`,
      '-key',
      `${files}.key`,
      '-tls1_3',
    ]
    const shown = execFileSync('openssl', args, { input: '', encoding: 'utf8', stdio: ['pipe', 'pipe', 'ignore'] })
    const pem = /-----BEGIN CERTIFICATE-----[\s\S]*-----END CERTIFICATE-----/.exec(shown)?.[0] ?? ''
    t.equal(new X509Certificate(pem).fingerprint256, new X509Certificate(server.two.cert).fingerprint256)
    t.match(shown, /Acceptable client certificate CA names\s+CN ?= ?root/)
    t.end()
  })
})
