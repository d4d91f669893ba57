/** Callers of Azure and Google who show a client certificate, on a listener that asks for one. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import https from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { runCommand } from '../../src/cli/admin.ts'
import { loadConfig } from '../../src/config.ts'
import { Authority, type Issued } from '../support/pki.ts'
import { startTrefoil } from '../support/process.ts'

const POOL = 'projects/1/locations/global/workloadIdentityPools/machines'

t.test('a certificate is who calls, where no token says it', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-certificates-'))
  const authority = await Authority.root(directory, 'root')
  const [server, app, other] = [
    await authority.issue('server', { use: 'server', names: ['localhost', '127.0.0.1'] }),
    await authority.issue('app', { names: ['app.example.org'] }),
    await authority.issue('other'),
  ]
  const tls = { cert: server.certFile, key: server.keyFile, clientCa: authority.certFile }
  const trefoil = await startTrefoil({
    config: {
      listeners: [{ address: '127.0.0.1', port: 0, tls }],
      auth: { azure: 'enforce', gcp: 'enforce' },
      azure: { clientCertificates: true },
      gcp: { certificatePool: POOL },
    },
    env: { TREFOIL_PORT: '', TREFOIL_TLS_PORT: '' },
  })
  t.teardown(async () => {
    await trefoil.stop()
    rmSync(directory, { recursive: true, force: true })
  })
  const ask = (path: string, { certFile, keyFile }: Issued, headers = {}): Promise<number> =>
    new Promise((resolve, reject) => {
      const [ca, cert, key] = [authority.certFile, certFile, keyFile].map((name) => readFileSync(name))
      const url = `${trefoil.tlsUrl}${path}`
      https
        .get(url, { agent: false, ca, cert, key, headers }, (response) => {
          response.resume().once('end', () => resolve(response.statusCode ?? 0))
        })
        .once('error', reject)
    })
  const rings = '/v1/projects/local/locations/global/keyRings'
  const keys = '/keys?api-version=7.6'
  t.equal(await ask(rings, app), 403)
  t.equal(await ask(keys, app), 403)
  const config = loadConfig({ env: { TREFOIL_DATA_DIR: trefoil.dataDir } })
  const member = `principal://iam.googleapis.com/${POOL}/subject/app.example.org`
  await runCommand(config, 'grant bind', { resource: 'projects/local', role: 'roles/cloudkms.viewer', member })
  const principal = 'certificate#dns:app.example.org'
  await runCommand(config, 'grant assign', { role: 'Key Vault Reader', principal, scope: '/' })
  t.equal(await ask(rings, app), 200)
  t.equal(await ask(keys, app), 200)
  t.equal(await ask(rings, other), 403)
  t.equal(await ask(keys, other), 403)
  const token = { authorization: 'Bearer anything' }
  t.equal(await ask(rings, app, token), 401, 'a token that is no good is not made good by a certificate')
  t.equal(await ask(keys, app, token), 401)
})
