/** A credential gives way to the next while AWS KMS calls, keys come and go, and a bad file changes nothing. */
import { readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { newCredential, requestMetadata } from '../support/xks-kms.ts'
import { exposureOf, startXks } from '../support/xks-server.ts'

type Json = Record<string, unknown>
const next = newCredential()

t.test('credentials and keys, by SIGHUP', async (t) => {
  const server = await startXks({ env: { XKS_NEXT: next.secret } })
  t.teardown(() => server.stop())
  await server.makeRaw('raw')
  const { trefoil, first } = server
  const settings = JSON.parse(readFileSync(trefoil.configFile, 'utf8')) as Json
  const entry = (accessKeyId: string, env: string): Json => ({ accessKeyId, secret: { env } })
  const [old, young] = [entry(first.accessKeyId, 'XKS_A'), entry(next.accessKeyId, 'XKS_NEXT')]
  const put = (credentials: readonly Json[], keys: readonly Json[]): void => {
    const exposure = { ...exposureOf('a', 'XKS_A', first, keys), credentials }
    writeFileSync(trefoil.configFile, JSON.stringify({ ...settings, exposures: [exposure] }))
    process.kill(trefoil.pid, 'SIGHUP')
  }
  const logged = (text: string, times: number) => trefoil.logged(new RegExp(`(?:${text}[\\s\\S]*){${times}}`))
  const key = { id: 'raw', key: 'default/raw' }
  const [byOld, byNext] = [server.caller('a', first), server.caller('a', next)]
  const ask = async (kms: typeof byOld, id = 'raw') =>
    (await kms.ask(`keys/${id}/metadata`, { requestMetadata: requestMetadata('DescribeKey') })).status
  t.same([await ask(byOld), await ask(byNext)], [200, 401])
  const statuses: number[] = []
  let going = true
  const worker = async (): Promise<void> => {
    while (going) statuses.push(await ask(byOld))
  }
  const workers = [worker(), worker(), worker()]
  put([old, young], [key])
  await logged('changed', 1)
  t.same([await ask(byOld), await ask(byNext)], [200, 200], 'both')
  put([old, young], [key, { id: 'again', key: 'default/raw' }])
  await logged('changed', 2)
  t.same([await ask(byNext, 'again'), await ask(byNext, 'never')], [200, 404], 'a key more')
  going = false
  await Promise.all(workers)
  t.same([...new Set(statuses)], [200], `${statuses.length} answers meanwhile`)
  put([young], [key])
  await logged('changed', 3)
  t.same([await ask(byOld), await ask(byNext), await ask(byNext, 'again')], [401, 200, 404], 'the next one alone')
  put([entry('short', 'XKS_A')], [])
  await logged('accessKeyId must be 20 to 30', 1)
  t.same([await ask(byOld), await ask(byNext)], [401, 200], 'a bad file')
})
