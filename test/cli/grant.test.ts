/** `trefoil grant …`: what is given and taken counts at once, and is on record. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { runCommand } from '../../src/cli/admin.ts'
import { loadConfig } from '../../src/config.ts'
import { auditRecords } from '../support/audit.ts'
import { startTrefoil } from '../support/process.ts'
import { runBin } from './run.ts'

const TENANT = '00000000-0000-0000-0000-000000000001'

t.test('rights in both clouds’ words', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'trefoil-grant-'))
  const trefoil = await startTrefoil({ config: { auth: { azure: 'enforce', gcp: 'enforce' } } })
  t.teardown(async () => {
    await trefoil.stop()
    rmSync(folder, { recursive: true })
  })
  const { dataDir, plainUrl } = trefoil
  const config = loadConfig({ env: { TREFOIL_DATA_DIR: dataDir } })
  const cli = (...args: string[]) => runBin(folder, ['grant', ...args], { TREFOIL_DATA_DIR: dataDir })
  // biome-ignore lint/suspicious/noExplicitAny: answers of any command
  const run = (name: string, body: unknown): Promise<any> => runCommand(config, `grant ${name}`, body)
  const refused = (name: string, body: unknown, problem: RegExp) => t.rejects(run(name, body), { message: problem })

  const login = await fetch(`${plainUrl}/${TENANT}/oauth2/v2.0/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: 'app',
      client_secret: 'any',
      scope: `https://vault.localhost:${new URL(plainUrl).port}/.default`,
    }),
  })
  const { access_token: token } = (await login.json()) as { access_token: string }
  const { oid } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
  const status = async () => {
    const headers = { authorization: `Bearer ${token}` }
    return (await fetch(`${plainUrl}/keys?api-version=7.6`, { headers })).status
  }
  t.equal(await status(), 403)

  const assigned = await cli('assign', 'Key Vault Crypto Officer', '--principal', oid, '--scope', '/vaults/default')
  t.match(assigned, { code: 0, err: '', out: new RegExp(`allow +${oid} +/vaults/default +Key Vault Crypto Officer`) })
  const [id = ''] = assigned.out.split(' ')
  t.equal(await status(), 200)
  await refused('assign', { role: 'key vault crypto officer', principal: oid, scope: '/vaults/DEFAULT' }, /already/)
  await refused('assign', { role: 'Owner', principal: oid, scope: '/' }, /no such role/)
  await refused('assign', { role: 'Key Vault Reader', principal: 'app', scope: '/' }, /principal/)
  await refused('assign', { role: 'Key Vault Reader', principal: oid, scope: '/subscriptions/s' }, /scope/)
  await refused('unassign', { id: oid }, /no such assignment/)
  await refused('assign', { role: 'Key Vault Reader', principal: oid, scope: '/', more: 1 }, /more/)

  const role = { name: 'Signer', dataActions: ['Microsoft.KeyVault/vaults/keys/sign/action'] }
  const { id: roleId } = await run('define', role)
  t.equal((await run('define', { ...role, name: 'SIGNER', notDataActions: [] })).id, roleId, 'the same one')
  await refused('define', { name: 'key vault reader', dataActions: ['*'] }, /built-in/)
  await refused('define', { name: 'x', dataActions: [] }, /dataActions/)
  await refused('define', { name: 'x', dataActions: ['Microsoft.Storage/*'] }, /dataActions/)
  const denied = await run('assign', { role: 'Signer', principal: oid, scope: '/', deny: true })
  t.match(denied, { deny: true, role: 'SIGNER' })
  await refused('undefine', { name: 'Signer' }, /assigned/)

  const project = 'projects/local'
  const viewer = { resource: project, role: 'roles/cloudkms.viewer', member: 'user:Ann@example.org' }
  t.match(await run('bind', viewer), { bindings: [{ role: viewer.role, members: ['user:ann@example.org'] }] })
  t.match(await cli('bind', project, '--role', 'roles/cloudkms.admin', '--member', 'group:ops@example.org'), {
    code: 0,
    out: 'projects/local: roles/cloudkms.viewer user:ann@example.org\nprojects/local: roles/cloudkms.admin group:ops@example.org\n',
  })
  await refused('bind', { ...viewer, role: 'roles/owner' }, /not supported/)
  await refused('bind', { ...viewer, member: 'ann' }, /type prefix/)
  await refused('bind', { ...viewer, resource: 'organizations/1' }, /resource/)
  await refused('bind', { ...viewer, resource: `${project}/locations/global/keyRings/none` }, /no such key ring/)
  const key = `${project}/locations/global/keyRings/default/cryptoKeys/none`
  await refused('bind', { ...viewer, resource: key }, /no such key/)
  t.match(await run('bind', { ...viewer, resource: `${project}/locations/global/keyRings/default` }), {
    resource: 'projects/local/locations/global/keyRings/default',
  })
  t.match(await run('list', {}), {
    roleAssignments: [{ deny: true }, { principal: oid, scope: '/vaults/default' }],
    roleDefinitions: [{ id: roleId, name: 'SIGNER' }],
    iamPolicies: [{}, {}],
  })
  t.match(await cli('list'), {
    code: 0,
    out: /CUSTOM ROLE[\s\S]+projects\/local {2,}roles\/cloudkms\.admin {2,}group:ops/,
  })
  await run('unbind', viewer)
  await refused('unbind', viewer, /does not have/)
  await run('unassign', { id: denied.id })
  t.match(await cli('unassign', id), { code: 0, out: `${id} unassigned\n` })
  t.equal(await status(), 403)
  await run('undefine', { name: 'signer' })
  t.match(await run('list', {}), { roleAssignments: [], roleDefinitions: [] })

  const records = auditRecords(dataDir).filter(({ wire, outcome }) => /^grant /.test(String(wire)) && outcome === 'ok')
  t.match(records[0], {
    wire: 'grant assign',
    operation: 'AssignRole',
    principal: 'socket:',
    about: `Key Vault Crypto Officer to ${oid} on /vaults/default`,
  })
  t.equal(records.filter(({ about }) => about === undefined).length, 3, 'all but the lists say whose rights changed')
})
