/** Production by the wire: a cloud's clients see the rings that are theirs, and nothing comes into being by being named. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import https from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { startTrefoil } from '../support/process.ts'

// biome-ignore lint/suspicious/noExplicitAny: bodies are compared, not computed with
type Answer = { readonly status: number; readonly body: any }
type Request = { method: string; path: string; headers?: Record<string, string>; body?: unknown; host?: string }

const VAULT_NOT_FOUND = { status: 404, body: { error: { code: 'VaultNotFound' } } }
const AWS_REFUSAL = {
  status: 400,
  body: { __type: 'NotFoundException', message: /^Account and region are not served here/ },
}
const GCP_REFUSAL = { status: 404, body: { error: { status: 'NOT_FOUND' } } }

async function startProduction(t: Test) {
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-production-'))
  const [cert, key, passphrase] = ['cert.pem', 'key.pem', 'passphrase'].map((name) => join(directory, name))
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,DNS:*.vault.localhost']
  const keyOptions = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const files = ['-keyout', String(key), '-out', String(cert)]
  execFileSync('openssl', ['req', '-x509', ...keyOptions, '-days', '2', ...subject, ...files], { stdio: 'ignore' })
  writeFileSync(String(passphrase), 'correct horse battery staple', { mode: 0o600 })
  const config = {
    profile: 'production',
    tls: { cert, key },
    auth: { aws: 'off', azure: 'off', gcp: 'off' },
    accepted: { auth: 'a test on loopback' },
    rootKey: { type: 'passphrase', passphrase: { file: passphrase } },
  }
  const dataDir = join(directory, 'data')
  const env = { TREFOIL_HOST: '127.0.0.1', TREFOIL_PORT: '' }
  const server = await startTrefoil({ config, env, dataDir })
  t.teardown(async () => {
    await server.stop()
    rmSync(directory, { recursive: true, force: true })
  })
  const ca = readFileSync(String(cert))
  const ask = ({ method, path, headers = {}, body, host = 'localhost' }: Request): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const { port } = new URL(server.tlsUrl)
      const all = {
        authorization: 'Bearer any',
        'content-type': 'application/json',
        ...headers,
        host: `${host}:${port}`,
      }
      const request = https.request({ host: '127.0.0.1', port, servername: host, ca, method, path, headers: all })
      request.once('error', reject)
      request.once('response', async (response) => {
        const text = Buffer.concat(await response.toArray()).toString()
        resolve({ status: response.statusCode ?? 0, body: text === '' ? {} : JSON.parse(text) })
      })
      request.end(body === undefined ? undefined : JSON.stringify(body))
    })
  return { server, dataDir, ...clientsOf(ask) }
}

function clientsOf(ask: (request: Request) => Promise<Answer>) {
  const aws = (operation: string, body: unknown, region = 'us-east-1') => {
    const credential = `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/${region}/kms/aws4_request`
    const headers = {
      authorization: `${credential}, SignedHeaders=host, Signature=${'0'.repeat(64)}`,
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': `TrentService.${operation}`,
    }
    return ask({ method: 'POST', path: '/', headers, body })
  }
  const gcp = (method: string, path: string, body?: unknown, project = 'local') =>
    ask({ method, path: `/v1/projects/${project}/locations/global/${path}`, body })
  const azure = (method: string, vault: string, path: string, body?: unknown) =>
    ask({ method, path: `${path}?api-version=2025-07-01`, host: `${vault}.vault.localhost`, body })
  return { aws, gcp, azure }
}

t.test('production', { timeout: 120_000 }, async (t) => {
  const { server, dataDir, aws, gcp, azure } = await startProduction(t)
  const { KeyMetadata } = (await aws('CreateKey', {})).body
  t.equal((await gcp('POST', 'keyRings?keyRingId=team', {})).status, 200)
  const made = await gcp('POST', 'keyRings/team/cryptoKeys?cryptoKeyId=box', { purpose: 'ENCRYPT_DECRYPT' })
  t.equal(made.status, 200)
  const plaintext = Buffer.from('text').toString('base64')
  const sealed = await gcp('POST', 'keyRings/team/cryptoKeys/box:encrypt', { plaintext })
  t.equal(sealed.status, 200)

  await t.test('a ring of one cloud is not there for the others', async (t) => {
    t.match(await gcp('GET', 'keyRings'), { status: 200, body: { keyRings: [{ name: /\/team$/ }], totalSize: 1 } })
    for (const path of [
      'keyRings/default',
      'keyRings/default/cryptoKeys',
      `keyRings/default/cryptoKeys/${KeyMetadata.KeyId}`,
    ])
      t.match(await gcp('GET', path), { status: 404, body: { error: { status: 'NOT_FOUND' } } }, path)
    const listed = (await aws('ListKeys', {})).body.Keys
    t.same(
      listed.map(({ KeyId }: { KeyId: string }) => KeyId),
      [KeyMetadata.KeyId],
    )
    const foreign = await aws('Decrypt', { CiphertextBlob: sealed.body.ciphertext })
    t.match(foreign, { status: 400, body: { __type: 'AccessDeniedException' } }, 'as of a key that is gone')
    for (const vault of ['default', 'team']) {
      for (const path of ['/keys', '/secrets', `/keys/${KeyMetadata.KeyId}`, '/keys/box', '/deletedkeys']) {
        t.match(await azure('GET', vault, path), VAULT_NOT_FOUND, `${vault}${path}`)
      }
      t.match(await azure('PUT', vault, '/secrets/s', { value: 'v' }), VAULT_NOT_FOUND)
      t.match(await azure('POST', vault, '/keys/k/create', { kty: 'EC' }), VAULT_NOT_FOUND)
    }
    t.match(await aws('DescribeKey', { KeyId: KeyMetadata.KeyId }), { status: 200 }, 'its own has it')
    t.match(await gcp('POST', 'keyRings/team/cryptoKeys/box:decrypt', { ciphertext: sealed.body.ciphertext }), {
      status: 200,
      body: { plaintext },
    })
  })

  await t.test('an address that nobody made is refused, and stays unmade', async (t) => {
    for (let round = 0; round < 2; round++) {
      for (const operation of ['ListKeys', 'CreateKey']) {
        t.match(await aws(operation, {}, 'eu-west-9'), AWS_REFUSAL, operation)
      }
      const arn = `arn:aws:kms:eu-west-9:999999999999:key/${KeyMetadata.KeyId}`
      t.match(await aws('DescribeKey', { KeyId: arn }, 'eu-west-9'), { status: 400 })
      for (const project of ['stranger', 'local-2']) {
        t.match(await gcp('GET', 'keyRings', undefined, project), GCP_REFUSAL, project)
        t.match(await gcp('POST', 'keyRings?keyRingId=r', {}, project), GCP_REFUSAL, project)
      }
      t.match(await azure('GET', 'nobody', '/keys'), VAULT_NOT_FOUND)
      t.match(await azure('PUT', 'nobody', '/secrets/s', { value: 'v' }), VAULT_NOT_FOUND)
    }
  })

  t.equal(await server.stop(), 0)
  const store = openSqliteStore(join(dataDir, 'trefoil.db'))
  t.equal(await store.count('realms', 'all', []), 1, 'one realm')
  t.equal(await store.count('rings', 'all', []), 2, 'two rings')
  t.equal(await store.count('keys', 'realm', []), 2, 'two keys')
  t.equal(await store.count('secrets', 'name', []), 0, 'no secret')
  await store.close()
})
