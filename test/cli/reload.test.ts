/** Settings that are read again while the real server serves: by SIGHUP, and by `trefoil reload`. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { sign } from '../sigv4/sign.ts'
import { auditRecords } from '../support/audit.ts'
import { startTrefoil } from '../support/process.ts'
import { runBin } from './run.ts'

const ALLOW = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'kms:*', Resource: '*' }] }
const BASE = { auth: { aws: 'enforce' }, log: { format: 'json' } }
type Settings = Record<string, unknown>

async function start(t: Test) {
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-reload-'))
  const principal = (name: string, ...ids: string[]) => ({
    name,
    accessKeys: ids.map((id) => {
      writeFileSync(join(directory, id), `secret of ${id}`, { mode: 0o600 })
      return { id, secret: { file: join(directory, id) } }
    }),
    policies: [ALLOW],
  })
  const config = { ...BASE, aws: { principals: [principal('one', 'AKIDONEONEONEONE0001')] } }
  const trefoil = await startTrefoil({ config })
  t.teardown(async () => {
    await trefoil.stop()
    rmSync(directory, { recursive: true })
  })
  const file = trefoil.configFile
  const write = (settings: Settings): void => writeFileSync(file, JSON.stringify({ ...BASE, ...settings }))
  const env = { TREFOIL_DATA_DIR: trefoil.dataDir }
  const cli = () => runBin(directory, ['reload', '--config', file, '--json'], env)
  /** The status of a signed ListKeys; a 400 names its error. */
  const list = async (accessKeyId: string): Promise<string> => {
    const headers = {
      host: new URL(trefoil.plainUrl).host,
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': 'TrentService.ListKeys',
    }
    const secretAccessKey = `secret of ${accessKeyId}`
    const signed = sign(
      { method: 'POST', path: '/', headers, body: '{}' },
      { accessKeyId, secretAccessKey },
      { at: Date.now() },
    )
    const { host: _, ...rest } = signed
    const answer = await fetch(trefoil.plainUrl, { method: 'POST', headers: rest, body: '{}' })
    const body = (await answer.json()) as { readonly __type?: string }
    return body.__type ?? String(answer.status)
  }
  return { trefoil, principal, write, cli, list, file, directory }
}

t.test('reload', { timeout: 60_000 }, async (t) => {
  const { trefoil, principal, write, cli, list, file, directory } = await start(t)
  const hup = async (said: RegExp): Promise<string> => {
    process.kill(trefoil.pid, 'SIGHUP')
    return trefoil.logged(said)
  }
  const [one, two] = ['AKIDONEONEONEONE0001', 'AKIDTWOTWOTWOTWO0002']
  t.equal(await list(one), '200')
  t.equal(await list(two), 'UnrecognizedClientException')

  await t.test('principals come and go, and no request of those that stay fails', async (t) => {
    const answers: string[] = []
    let going = true
    const worker = async (): Promise<void> => {
      while (going) answers.push(await list(one))
    }
    const workers = [worker(), worker(), worker()]
    for (let round = 1; round <= 8; round++) {
      const more = round % 2 === 1 ? [principal('two', two)] : []
      write({ aws: { principals: [principal('one', one), ...more] } })
      await hup(new RegExp(String.raw`("changed":\["aws.principals"\][\s\S]*){${round}}`))
      t.equal(await list(two), round % 2 === 1 ? '200' : 'UnrecognizedClientException')
    }
    going = false
    await Promise.all(workers)
    t.same([...new Set(answers)], ['200'], `${answers.length} answers`)
  })

  await t.test('a key takes over from another in one step', async (t) => {
    write({ aws: { principals: [principal('one', one, two)] } })
    t.match(await cli(), { code: 0, out: /"aws.principals"/ })
    t.same([await list(one), await list(two)], ['200', '200'])
    write({ aws: { principals: [principal('one', two)] } })
    t.equal((await cli()).code, 0)
    t.same([await list(one), await list(two)], ['UnrecognizedClientException', '200'])
  })

  await t.test('what takes a restart is named, the rest is in force', async (t) => {
    const limits = { bodyBytes: 2048 }
    write({
      aws: { principals: [principal('one', one)], clockSkewSeconds: 60 },
      limits,
      log: { format: 'json', level: 'debug' },
    })
    const { code, out } = await cli()
    t.equal(code, 0)
    t.same(JSON.parse(out), {
      changed: ['aws.principals', 'log.level'],
      waiting: ['aws.clockSkewMs', 'limits.bodyBytes'],
    })
    t.equal(await list(one), '200')
    t.match(JSON.parse((await cli()).out), { changed: [], waiting: ['aws.clockSkewMs', 'limits.bodyBytes'] })
    t.match(await hup(/"waiting":\["aws.clockSkewMs"/), /"waiting":\["aws.clockSkewMs","limits.bodyBytes"\]/)
    write({ aws: { principals: [principal('one', one)] } })
    t.same(JSON.parse((await cli()).out), { changed: ['log.level'], waiting: [] })
  })

  await t.test('what is bad changes nothing, and is said', async (t) => {
    const before = { aws: { principals: [principal('one', one)] } }
    writeFileSync(file, '{ "auth": ')
    await hup(/is not YAML: line 1/)
    write({ awss: {} })
    await hup(/unknown setting awss/)
    write({ auth: { aws: 'enforce' }, host: '0.0.0.0' })
    await hup(/other machines can reach the listener/)
    write({
      aws: { principals: [principal('two', two)] },
      listeners: [{ port: 0 }],
      exposures: [{ protocol: 'xks', name: 'x' }],
    })
    await hup(/exposures\[0\]/)
    write({ aws: { principals: [principal('two', two)] } })
    rmSync(join(directory, two))
    t.match(await cli(), { code: 1, err: /the secret of access key AKIDTWO\w+ cannot be read/ })
    await hup(/the secret of access key AKIDTWO\w+ cannot be read/)
    t.same([await list(one), await list(two)], ['200', 'UnrecognizedClientException'])
    write(before)
    t.match(JSON.parse((await cli()).out), { changed: [], waiting: [] })
    t.notMatch(trefoil.log(), /secret of AKID/)
  })

  await t.test('each is in the audit log, with who asked', (t) => {
    const records = auditRecords(trefoil.dataDir)
    const reloads = records.filter(({ operation }) => operation === 'ReloadSettings')
    const count = (principal: string, outcome: string): number =>
      reloads.filter((one) => one.principal === principal && one.outcome === outcome).length
    t.same([count('system:signal', 'ok'), count('system:signal', 'invalid_argument')], [9, 5])
    t.same([count('socket:', 'ok'), count('socket:', 'invalid_argument')], [6, 1])
    t.end()
  })
})

t.test('without a server there is nothing to reload', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-reload-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  t.match(await runBin(directory, ['reload']), { code: 1, err: /no server runs on/ })
})
