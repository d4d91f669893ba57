/** `trefoil principal …`, by the socket of a running server and without one. */
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KMSClient, ListKeysCommand } from '@aws-sdk/client-kms'
import t from 'tap'
import { auditText } from '../support/audit.ts'
import { startTrefoil } from '../support/process.ts'
import { runBin } from './run.ts'

const POLICY = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: 'kms:*', Resource: '*' }],
})
const TRUST = JSON.stringify({
  Statement: [{ Effect: 'Allow', Principal: { AWS: 'arn:aws:iam::000000000000:root' }, Action: 'sts:AssumeRole' }],
})

t.test('a server’s principals', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'trefoil-principal-'))
  writeFileSync(join(folder, 'policy.json'), POLICY)
  writeFileSync(join(folder, 'trust.json'), TRUST)
  const trefoil = await startTrefoil({ config: { auth: { aws: 'enforce' } } })
  const { dataDir } = trefoil
  const cli = (...args: string[]) => runBin(folder, ['principal', ...args], { TREFOIL_DATA_DIR: dataDir })
  const json = async (...args: string[]) => {
    const { code, out, err } = await cli(...args, '--json')
    if (code !== 0) throw new Error(err)
    return JSON.parse(out)
  }
  t.teardown(async () => {
    await trefoil.stop()
    rmSync(folder, { recursive: true })
  })
  t.equal(statSync(join(dataDir, 'trefoil.sock')).mode & 0o777, 0o600)

  const made = await cli('create', 'app', '--policy', 'policy.json', '--tag', 'team=one')
  t.match(made, {
    code: 0,
    err: '',
    out: /^arn:aws:iam::000000000000:user\/app\nAWS_ACCESS_KEY_ID=AKIA\w{16}\nAWS_SECRET_ACCESS_KEY=\S{40}\n$/,
  })
  const [, accessKeyId = '', secretAccessKey = ''] = /ID=(\S+)\n.*KEY=(\S+)/.exec(made.out) ?? []
  const list = async (credentials = { accessKeyId, secretAccessKey }): Promise<string> => {
    const client = new KMSClient({ endpoint: trefoil.plainUrl, region: 'us-east-1', credentials, maxAttempts: 1 })
    try {
      await client.send(new ListKeysCommand({}))
      return 'known'
    } catch (error) {
      // What policies make of it is another matter.
      return (error as Error).name === 'AccessDeniedException' ? 'known' : (error as Error).name
    } finally {
      client.destroy()
    }
  }
  t.equal(await list(), 'known', 'at once')
  const second = await json('rotate-key', 'app')
  t.equal(await list(second), 'known')
  t.match(await cli('rotate-key', 'app'), { code: 1, err: /has 2 access keys already/ })
  t.match(await cli('disable-key', accessKeyId), { code: 0, out: `${accessKeyId} disabled` })
  t.equal(await list(), 'UnrecognizedClientException')
  t.match(await cli('list'), { out: new RegExp(`${accessKeyId}  disabled  last used 20`) })
  t.match(await cli('create', 'deploy', '--kind', 'role', '--trust', 'trust.json', '--max-session', '7200'), {
    code: 0,
    out: 'arn:aws:iam::000000000000:role/deploy\n',
  })
  t.match(await cli('update', 'app', '--policy', '', '--tag', ''), { code: 0 })
  const app = (await json('list')).find(({ name }: { name: string }) => name === 'app')
  t.match(app, { kind: 'user', source: 'commands', policies: [], tags: {} })
  t.match(await cli('create', 'x', '--policy', 'trust.json'), { code: 1, err: /policies: / })
  t.match(await cli('list', '--policy', 'policy.json'), { code: 2, err: 'principal list takes no --policy' })
  t.match(await cli('crate', 'x'), { code: 2, err: 'did you mean principal create?' })

  const audit = auditText(dataDir)
  t.match(audit, /"wire":"principal create".*"method":"socket","about":"arn:aws:iam::000000000000:user\/app"/)
  t.notOk(audit.includes(secretAccessKey))
  t.notOk(trefoil.log().includes(secretAccessKey))
})

t.test('the socket takes commands and nothing else', async (t) => {
  const trefoil = await startTrefoil({ config: { aws: { principals: [{ name: 'fixed' }] } } })
  t.teardown(() => trefoil.stop())
  const socketPath = join(trefoil.dataDir, 'trefoil.sock')
  const ask = (path: string, body: string, method = 'POST', type = 'application/json'): Promise<number> =>
    new Promise((resolve, reject) => {
      const request = http.request({ socketPath, path, method, headers: { 'content-type': type } }, (response) => {
        response.resume().once('end', () => resolve(response.statusCode ?? 0))
      })
      request.once('error', reject).end(body)
    })
  t.equal(await ask('/principal/list', '{}'), 200)
  t.equal(await ask('/principal/list', '{"surprise":1}'), 400)
  t.equal(await ask('/principal/list', '{'), 400)
  t.equal(await ask('/principal/list', ''), 400)
  t.equal(await ask('/principal/list', '{}', 'POST', 'text/plain'), 400)
  t.equal(await ask('/principal/create', '{"name":"a","name":"b"}'), 400)
  t.equal(await ask('/principal/create', '[]'), 400)
  t.equal(await ask('/principal/create', '{"name":"a/b"}'), 400)
  t.equal(await ask('/principal/create', '{"name":"a","kind":"group"}'), 400)
  t.equal(await ask('/principal/delete', '{"name":"nobody"}'), 400)
  t.equal(await ask('/principal/create', '{"name":"Fixed"}'), 400, 'the configuration has it')
  t.equal(await ask('/principal/rotate-key', '{"name":"fixed"}'), 400)
  t.equal(await ask('/principal/delete-key', '{"accessKeyId":"AKIANOBODY"}'), 400)
  t.equal(await ask('/principal/create', '{"kind":"root","account":"111122223333"}'), 200)
  t.equal(await ask('/principal/create', '{"__proto__":{"name":"a"}}'), 400)
  t.equal(await ask('/principal/nonsense', '{}'), 404)
  t.equal(await ask('/principal/list', '{}', 'PUT'), 404)
  t.equal(
    (await fetch(`${trefoil.plainUrl}/principal/list`, { method: 'POST', body: '{}' })).status,
    404,
    'not over TCP',
  )
})

t.test('without a server', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'trefoil-principal-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const cli = (...args: string[]) => runBin(folder, args)
  t.match(await cli('principal', 'list'), { code: 1, err: /there is no installation/ })
  t.notOk(existsSync(join(folder, '.trefoil')))
  t.match(await cli('init'), { code: 0 })
  t.match(await cli('principal', 'create', 'app'), { code: 0, out: /^arn:aws:iam::000000000000:user\/app\n/ })
  t.match(await cli('principal', 'list'), { code: 0, out: /user\/app\n {2}AKIA\w+ {2}enabled {2}never used\n$/ })
  t.match(await cli('audit', 'verify'), { code: 0 })
})
