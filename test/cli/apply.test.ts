/** `trefoil apply`: the file as an operator writes it, against a server that enforces. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KMSClient, ListKeysCommand } from '@aws-sdk/client-kms'
import t from 'tap'
import { startTrefoil } from '../support/process.ts'
import { runBin } from './run.ts'

const ID = 'AKIAAAAAAAAAAAAAAAAA'
const SECRET = 'planted-secret-of-an-access-key-40-chars'
const RIGHTS = `principals:
  - name: app
    policies: [{ Version: '2012-10-17', Statement: [{ Effect: Allow, Action: 'kms:*', Resource: '*' }] }]
    accessKeys: [{ id: ${ID}, secret: { env: APP_SECRET } }]
roleAssignments:
  - { role: Key Vault Reader, principal: aaaaaaaa-0000-0000-0000-000000000000, scope: / }
`

t.test('a declaration', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'trefoil-apply-'))
  const fixed = { name: 'fixed', accessKeys: [{ id: 'AKIAFIXEDFIXEDFIXED1', secret: { env: 'FIXED' } }] }
  const config = { auth: { aws: 'enforce' }, aws: { principals: [fixed] } }
  const trefoil = await startTrefoil({ config, env: { FIXED: 'fixed-secret' } })
  t.teardown(async () => {
    await trefoil.stop()
    rmSync(folder, { recursive: true })
  })
  const { dataDir } = trefoil
  const apply = (text: string, args: readonly string[] = [], secret = SECRET) => {
    writeFileSync(join(folder, 'rights.yaml'), text)
    return runBin(folder, ['apply', '-f', 'rights.yaml', ...args], { TREFOIL_DATA_DIR: dataDir, APP_SECRET: secret })
  }
  const list = async (secretAccessKey: string): Promise<string> => {
    const credentials = { accessKeyId: ID, secretAccessKey }
    const client = new KMSClient({ endpoint: trefoil.plainUrl, region: 'us-east-1', credentials, maxAttempts: 1 })
    return client
      .send(new ListKeysCommand({}))
      .then(
        () => 'listed',
        (error: Error) => error.name,
      )
      .finally(() => client.destroy())
  }
  const dry = await apply(RIGHTS, ['--dry-run'])
  t.match(dry, {
    code: 0,
    err: '',
    out: /^\+ user arn:aws:iam::000000000000:user\/app\n {4}\+ policies: .*\n[\s\S]*\n3 to create, 0 to change, 0 to take away, 0 not in the file\n$/,
  })
  t.notMatch(dry.out, SECRET)
  t.equal(await list(SECRET), 'UnrecognizedClientException')
  t.match(await apply(RIGHTS), { code: 0, out: /3 created/ })
  t.equal(await list(SECRET), 'listed', 'at once')
  t.match(await apply(RIGHTS), { code: 0, out: '0 created, 0 changed, 0 taken away, 0 not in the file\n' })

  const other = 'another-secret-of-the-same-access-key-40'
  const changed = await apply(RIGHTS, [], other)
  t.match(changed, { code: 0, out: /~ access key AKIA.*\n {4}- secret: "as it is"\n {4}\+ secret: "another one"\n/ })
  t.equal(await list(other), 'listed')
  t.equal(await list(SECRET), 'InvalidSignatureException', 'the one before is good no more')
  const without = RIGHTS.replace(/ {4}accessKeys.*\n/, '    tags: { team: one }\n')
    .replace(/ {2}- \{ role.*\n/, '')
    .replace('roleAssignments:', 'roleAssignments: []')
  t.match(await apply(without, ['--json']), { code: 0, out: /"kind": "unlisted"/ })
  t.equal(await list(other), 'listed', 'access keys that are not spoken of stay')
  t.match(await apply(without, ['--prune']), {
    code: 0,
    out: /^- role assignment: .*\n0 created, 0 changed, 1 taken away/,
  })

  const refusals: readonly (readonly [string, RegExp])[] = [
    [RIGHTS.replace('{ env: APP_SECRET }', SECRET), /principals\[0\]\.accessKeys\[0\]\.secret does not say where/],
    [RIGHTS.replace('APP_SECRET', 'NOT_SET'), /is missing: the environment variable NOT_SET is not set/],
    [RIGHTS.replace('Key Vault Reader', 'Owner'), /roleAssignments\.0\.role: there is no such role/],
    [RIGHTS.replace('name: app', 'name: fixed'), /principals\.0\.name: the configuration describes it/],
    [RIGHTS.replace(ID, 'AKIAFIXEDFIXEDFIXED1'), /the configuration has AKIAFIXEDFIXEDFIXED1/],
    [RIGHTS.replace('principals:', 'principal:'), /principal: /],
    [`${RIGHTS}  x`, /not YAML: line/],
    ['- a', /is no declaration/],
  ]
  for (const [text, problem] of refusals) {
    const { code, err } = await apply(text)
    t.equal(code, 1, String(problem))
    t.match(err, problem)
    t.notMatch(err, SECRET)
  }
  t.notMatch(trefoil.log(), SECRET)
})
