/** Orphans as they come about: the data directory is brought back from before a key was made. */
import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { openPkcs11Backend } from '../../src/hsm/pkcs11.ts'
import { callContext, newHome } from '../conformance/backend.ts'
import { startTrefoil } from '../support/process.ts'
import { backendOn, softHsmMissing, startSoftHsm } from '../support/softhsm.ts'
import { ATTRIBUTE, dump } from '../support/token-objects.ts'

const BIN = new URL('../../bin/trefoil.js', import.meta.url).pathname
const options = softHsmMissing === undefined ? {} : { skip: softHsmMissing }

t.test('trefoil hsm sweep', options, async (t) => {
  const hsm = await startSoftHsm()
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-sweep-'))
  const [dataDir, before, after] = [join(directory, 'data'), join(directory, 'before'), join(directory, 'after')]
  t.teardown(async () => {
    rmSync(directory, { recursive: true, force: true })
    await hsm.close()
  })
  const createKey = async (): Promise<void> => {
    const server = await startTrefoil({ env: hsm.env, config: hsm.config, dataDir })
    const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'TrentService.CreateKey' }
    const response = await fetch(server.plainUrl, { method: 'POST', headers, body: '{}' })
    t.equal(response.status, 200)
    await server.stop()
  }
  const sweep = async (...args: string[]) => {
    const { hsm: entries, defaultBackend } = hsm.config
    const env = {
      ...hsm.env,
      PATH: process.env.PATH ?? '',
      TREFOIL_DATA_DIR: dataDir,
      TREFOIL_HSM: JSON.stringify(entries),
      TREFOIL_DEFAULT_BACKEND: defaultBackend,
    }
    const run = promisify(execFile)(process.execPath, [BIN, 'hsm', 'sweep', ...args], { env, cwd: directory })
    return run.then(
      ({ stdout }) => ({ code: 0, out: stdout }),
      ({ code, stdout }: { code: number; stdout: string }) => ({ code, out: stdout }),
    )
  }
  const labels = async () =>
    (await dump(hsm)).map(({ attributes }) => Buffer.from(attributes[ATTRIBUTE.label] ?? '', 'hex').toString())

  await createKey()
  const [kept = ''] = await labels()
  cpSync(dataDir, before, { recursive: true })
  await createKey()
  const orphan = (await labels()).find((label) => label !== kept) ?? ''
  const stranger = await openPkcs11Backend(backendOn(hsm, { sessions: 1 }))
  await stranger.generateKey('hmac_256', newHome(), callContext())
  await stranger.close()
  const foreign = (await labels()).find((label) => label !== kept && label !== orphan) ?? ''
  t.match(
    await sweep('--delete'),
    { code: 0, out: /^pkcs11:soft: 2 keys of the store\n {2}not known [^\n]*\n$/ },
    'no orphan',
  )
  renameSync(dataDir, after)
  cpSync(before, dataDir, { recursive: true })

  const dry = await sweep()
  t.equal(dry.code, 0)
  t.match(dry.out, 'pkcs11:soft: 1 keys of the store')
  t.match(dry.out, `orphan ${orphan}: would be deleted with --delete`)
  t.match(dry.out, `not known to be of this installation, left alone: ${foreign}`)
  t.equal((await labels()).length, 3, 'a dry run deletes nothing')
  t.match((await sweep('--delete')).out, `orphan ${orphan}: deleted`)
  t.same((await labels()).sort(), [kept, foreign].sort(), 'only the orphan is gone')
  t.notMatch((await sweep('--delete')).out, 'orphan')

  rmSync(dataDir, { recursive: true })
  renameSync(after, dataDir)
  const missing = await sweep()
  t.equal(missing.code, 1)
  t.match(missing.out, /MISSING from the token: version [0-9a-f-]{36}/, 'a key that only the store knows')
})
