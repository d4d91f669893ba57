/** Production as it is installed: callers of Azure and Google by their tokens, and what roles and policies let them do. */
import { execFile } from 'node:child_process'
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { runCommand } from '../../src/cli/admin.ts'
import { loadConfig } from '../../src/config.ts'
import { runBin } from '../cli/run.ts'
import { rsaKey, token } from '../oidc/support.ts'
import { startTrefoil } from '../support/process.ts'
import { selfSigned } from '../support/xks-proxy.ts'

const TENANT = '11111111-2222-3333-4444-555555555555'
const OFFICER = 'aaaaaaaa-0000-0000-0000-000000000000'
const USER = 'bbbbbbbb-0000-0000-0000-000000000000'
const GROUP = 'cccccccc-0000-0000-0000-000000000000'
const ISSUER = `https://login.microsoftonline.com/${TENANT}/v2.0`
const LOCATION = 'projects/local/locations/global'
const ACCOUNTS = ['admin', 'app', 'unknown'].map((name) => ({ name, email: `${name}@p.iam.gserviceaccount.com` }))
const ROOT = join(import.meta.dirname, '../..')
const run = promisify(execFile)
const entra = rsaKey('entra')

/** Resolvers don't know vaults' names: a forward proxy leads them all to the server, as a company's would. */
async function startProxy(t: Test, port: number): Promise<number> {
  const proxy = createServer().on('connect', (_request, socket, head) => {
    const server = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n')
      server.write(head)
      server.pipe(socket).pipe(server)
    })
    for (const end of [server, socket]) end.on('error', () => [server, socket].map((one) => one.destroy()))
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  t.teardown(() => {
    proxy.closeAllConnections()
    proxy.close()
  })
  return (proxy.address() as AddressInfo).port
}

async function startProduction(t: Test) {
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-enforce-'))
  const file = (name: string, text: string, mode = 0o600): string => {
    writeFileSync(join(directory, name), text, { mode })
    return join(directory, name)
  }
  const { cert, key } = await selfSigned('localhost', ['*.vault.localhost'])
  const keyFiles: Record<string, string> = {}
  const accounts = ACCOUNTS.map(({ name, email }) => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const pem = createPublicKey(privateKey).export({ type: 'spki', format: 'pem' })
    const contents = {
      type: 'service_account',
      project_id: 'local',
      private_key_id: `${name}-key`,
      private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      client_email: email,
    }
    keyFiles[name] = file(`${name}.json`, JSON.stringify(contents))
    return { email, publicKeys: [{ id: `${name}-key`, file: file(`${name}.pem`, String(pem)) }] }
  })
  const certFile = file('cert.pem', cert, 0o644)
  const config = {
    profile: 'production',
    tls: { cert: certFile, key: file('key.pem', key) },
    rootKey: { type: 'passphrase', passphrase: { file: file('passphrase', 'a passphrase of production') } },
    realm: { azure: { tenant: TENANT } },
    azure: {
      oidc: {
        issuers: [{ issuer: ISSUER, jwksFile: file('jwks.json', JSON.stringify({ keys: [entra.jwk] })), entra: true }],
      },
    },
    gcp: { serviceAccounts: accounts.slice(0, 2), audiences: ['https://localhost/'] },
  }
  const dataDir = join(directory, 'data')
  const env = { TREFOIL_HOST: '127.0.0.1', TREFOIL_PORT: '' }
  const server = await startTrefoil({ config, env, dataDir })
  let stopped: Promise<unknown> | undefined
  const stop = () => {
    stopped ??= server.stop()
    return stopped
  }
  t.teardown(async () => {
    await stop()
    rmSync(directory, { recursive: true, force: true })
  })
  const port = Number(new URL(server.tlsUrl).port)
  return {
    directory,
    file,
    server,
    port,
    certFile,
    keyFiles,
    dataDir,
    config,
    env,
    stop,
    proxyPort: await startProxy(t, port),
  }
}

t.test('production, with the clouds’ own clients', async (t) => {
  const { directory, file, server, port, certFile, keyFiles, dataDir, proxyPort, ...more } = await startProduction(t)
  const admin = loadConfig({ env: { TREFOIL_DATA_DIR: dataDir } })
  await runCommand(admin, 'ring create', { name: 'payments', dialects: ['azure'] })
  await runCommand(admin, 'ring create', { name: 'other', dialects: ['azure'] })
  await runCommand(admin, 'ring create', { name: 'ledger', dialects: ['gcp'] })
  await t.rejects(runCommand(admin, 'ring create', { name: 'both', dialects: ['azure', 'gcp'] }), {
    message: /crossDialect/,
  })
  await runCommand(admin, 'ring create', { name: 'both', dialects: ['azure', 'gcp'], crossDialect: true })
  const rights = file(
    'rights.yaml',
    `roleAssignments:
  - { role: Key Vault Crypto Officer, principal: ${OFFICER}, scope: /vaults/payments }
  - { role: Key Vault Crypto User, principal: ${GROUP}, scope: /vaults/payments/keys/orders }
iamPolicies:
  - resource: ${LOCATION}/keyRings/ledger
    bindings:
      - { role: roles/cloudkms.admin, members: ['serviceAccount:${ACCOUNTS[0]?.email}'] }
      - { role: roles/cloudkms.cryptoKeyEncrypterDecrypter, members: ['serviceAccount:${ACCOUNTS[1]?.email}'] }
`,
  )
  const env = { TREFOIL_DATA_DIR: dataDir }
  const planned = await runBin(directory, ['apply', '-f', rights, '--dry-run'], env)
  t.match(planned, {
    code: 0,
    out: /^\+ role assignment: .*\n3 to create, 0 to change, 0 to take away, 0 not in the file\n$/s,
  })
  t.match(await runBin(directory, ['apply', '-f', rights], env), { code: 0, out: /3 created/ })
  t.match(await runBin(directory, ['apply', '-f', rights, '--prune'], env), { code: 0, out: /^0 created/ })

  const now = Math.floor(Date.now() / 1000)
  const claims = {
    iss: ISSUER,
    aud: `https://vault.localhost:${port}`,
    tid: TENANT,
    oid: OFFICER,
    appid: 'app',
    iat: now,
    nbf: now,
    exp: now + 3600,
  }
  const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const TOKENS = JSON.stringify({
    officer: token(claims, entra),
    user: token({ ...claims, oid: USER, groups: [GROUP] }, entra),
    nobody: token({ ...claims, oid: USER }, entra),
    expired: token({ ...claims, exp: now - 300 }, entra),
    audience: token({ ...claims, aud: 'https://graph.microsoft.com' }, entra),
    tenant: token({ ...claims, tid: '99999999-2222-3333-4444-555555555555' }, entra),
    forged: token(claims, { ...entra, privateKey: other }),
  })
  const vault = (name: string): string => `https://${name}.vault.localhost:${port}`
  const common = {
    PATH: process.env.PATH,
    HOME: directory,
    NODE_EXTRA_CA_CERTS: certFile,
    METADATA_SERVER_DETECTION: 'none',
  }
  const clients = [
    run(process.execPath, [join(import.meta.dirname, 'enforce-azure-client.ts')], {
      cwd: ROOT,
      env: {
        ...common,
        TOKENS,
        VAULT_URL: vault('payments'),
        OTHER_URL: vault('other'),
        PROXY_PORT: String(proxyPort),
      },
    }),
    run(process.execPath, [join(import.meta.dirname, 'enforce-gcp-client.ts')], {
      cwd: ROOT,
      env: {
        ...common,
        GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: certFile,
        KEY_FILES: JSON.stringify(keyFiles),
        PORT: String(port),
        LOCATION,
        RING: `${LOCATION}/keyRings/ledger`,
      },
    }),
  ]
  const [azure, gcp] = (await Promise.all(clients)).map(({ stdout }) => JSON.parse(stdout))
  const forbidden = '403 Forbidden'
  t.same(azure, {
    officer: { created: 'orders', listed: 'succeeded', otherVault: forbidden, secret: forbidden },
    user: { verified: true, listed: forbidden, deleted: forbidden, missing: forbidden },
    nobody: { listed: forbidden, signed: forbidden },
    refused: {
      expired: '401 Unauthorized',
      audience: '401 Unauthorized',
      tenant: '401 Unauthorized',
      forged: '401 Unauthorized',
    },
  })
  const denied = '7 IAM_PERMISSION_DENIED'
  const unauthenticated = '16 ACCESS_TOKEN_TYPE_UNSUPPORTED'
  const expected = {
    opened: 'attack at dawn',
    permissions: ['cloudkms.cryptoKeyVersions.useToEncrypt'],
    adminEncrypts: denied,
    appReads: denied,
    appMissing: denied,
    appElsewhere: denied,
    unknown: unauthenticated,
    scoped: 'succeeded',
    otherScope: unauthenticated,
  }
  t.same(gcp, { grpc: expected, rest: expected })
  t.notMatch(server.log(), /"level":(50|60)/, 'nothing went wrong inside')

  await more.stop()
  const lax = { ...more.config, auth: { gcp: 'off' }, accepted: { auth: 'a test on loopback' } }
  await t.rejects(startTrefoil({ config: lax, env: more.env, dataDir }), {
    message: /key ring both is seen by azure, gcp, and auth\.gcp is off/,
  })
})
