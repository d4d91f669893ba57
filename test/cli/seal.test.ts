/** Servers that a person opens, and that are sealed again while clients hold on to them. */
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DecryptCommand, EncryptCommand, KMSClient } from '@aws-sdk/client-kms'
import t, { type Test } from 'tap'
import { type RunningTrefoil, startTrefoil } from '../support/process.ts'
import { runBin } from './run.ts'

const makeFolder = (t: Test): string => {
  const folder = mkdtempSync(join(tmpdir(), 'trefoil-seal-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function clientOf(t: Test, { plainUrl }: RunningTrefoil): KMSClient {
  const credentials = { accessKeyId: 'a', secretAccessKey: 'b' }
  const client = new KMSClient({ endpoint: plainUrl, region: 'us-east-1', credentials, maxAttempts: 1 })
  t.teardown(() => client.destroy())
  return client
}

const PLAINTEXT = Buffer.from('sealed')
const opens = async (client: KMSClient, ciphertext: Uint8Array | undefined): Promise<boolean> => {
  const { Plaintext = new Uint8Array(0) } = await client.send(new DecryptCommand({ CiphertextBlob: ciphertext }))
  return Buffer.compare(Plaintext, PLAINTEXT) === 0
}

/** What each cloud's client is told. */
async function refusals({ plainUrl }: RunningTrefoil) {
  const ask = async (path: string, headers: Record<string, string>, method = 'GET') => {
    const response = await fetch(plainUrl + path, { method, headers, ...(method === 'POST' && { body: '{}' }) })
    return { status: response.status, body: await response.text() }
  }
  const target = { 'x-amz-target': 'TrentService.ListKeys', 'content-type': 'application/x-amz-json-1.1' }
  return {
    aws: await ask('/', target, 'POST'),
    gcp: await ask('/v1/projects/local/locations/global/keyRings', {}),
    azure: await ask('/keys?api-version=7.4', {}),
    ready: await ask('/_/health/ready', {}),
  }
}

t.test('a passphrase that is typed in', async (t) => {
  const folder = makeFolder(t)
  const env = { TREFOIL_DATA_DIR: join(folder, 'data'), TREFOIL_ROOT_KEY_TYPE: 'manual' }
  const cli = (input: string | undefined, ...args: string[]) => runBin(folder, args, env, [], input)
  t.match(await cli(undefined, 'serve'), { code: 1, err: /there is no installation.*\n.*fix/ })
  t.match(await cli('short\n', 'init'), { code: 1, err: /fewer than 12 bytes/ })
  t.match(await cli(undefined, 'init'), { code: 1, err: /the new passphrase is missing/ })
  t.match(await cli('a passphrase to type\n', 'init'), { code: 0, out: /root key from a passphrase that is typed in/ })

  const trefoil = await startTrefoil({ dataDir: env.TREFOIL_DATA_DIR, env })
  t.teardown(() => trefoil.stop())
  t.match(trefoil.readyLine, /^trefoil sealed http:/)
  t.match(await refusals(trefoil), {
    aws: { status: 503 },
    gcp: { status: 503, body: /UNAVAILABLE/ },
    azure: { status: 503 },
    ready: { status: 503, body: /"state":"sealed"/ },
  })
  t.equal((await fetch(`${trefoil.plainUrl}/_/health/live`)).status, 200)
  t.match(await cli(undefined, 'status'), { code: 1, out: /^state\s+sealed/ })
  t.match(await cli(undefined, 'key', 'list'), { code: 1, err: /the server is sealed/ })
  t.match(await cli('a passphrase too much\n', 'unseal'), { code: 1, err: /the root key is not the one/ })
  t.match(await cli('\n', 'unseal'), { code: 1, err: /the passphrase is missing/ })
  t.match(await refusals(trefoil), { ready: { body: /"state":"sealed"/ } })
  t.match(await cli('a passphrase to type\n', 'unseal'), { code: 0, out: 'unsealed\n' })
  t.match(await refusals(trefoil), { aws: { status: 200 }, gcp: { status: 200 }, ready: { status: 200 } })

  const key = JSON.parse((await cli(undefined, 'key', 'create', '--json')).out)
  const client = clientOf(t, trefoil)
  const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId: key.id, Plaintext: PLAINTEXT }))
  t.ok(await opens(client, CiphertextBlob))
  t.match(await cli(undefined, 'seal'), { code: 0, out: /^sealed/ })
  await trefoil.logged(/ sealed\n|"sealed"/)
  await t.rejects(opens(client, CiphertextBlob), { name: 'KeyUnavailableException' }, 'by the same connection')
  t.match(await refusals(trefoil), { ready: { body: /"state":"sealed"/ } })
  t.match(await cli('a passphrase to type\n', 'unseal'), { code: 0 })
  t.ok(await opens(client, CiphertextBlob))
  t.notOk(trefoil.log().includes('a passphrase to type'))
  const log = await trefoil.stop()
  t.equal(log, 0)
  const audit = await cli('a passphrase to type\n', 'audit', 'verify')
  t.match(audit, { code: 0 })
  t.match(
    readFileSync(join(env.TREFOIL_DATA_DIR, 'audit', '0000000000000001.ndjson'), 'utf8'),
    /"operation":"Unseal"[\s\S]*"operation":"Seal"/,
  )
})

t.test('shares of several people, and from one kind of root key to the next', async (t) => {
  const folder = makeFolder(t)
  const dataDir = join(folder, 'data')
  const shamir = {
    TREFOIL_DATA_DIR: dataDir,
    TREFOIL_ROOT_KEY_TYPE: 'shamir',
    TREFOIL_ROOT_KEY_SHARES: '3',
    TREFOIL_ROOT_KEY_THRESHOLD: '2',
  }
  const cli = (input: string | undefined, ...args: string[]) => runBin(folder, args, shamir, [], input)
  const sharesOf = (text: string): readonly string[] =>
    [...text.matchAll(/share \d of \d: (tfs1-\S+)/g)].map(([, share = '']) => share)
  const made = await cli(undefined, 'init')
  t.match(made, { code: 0, out: /root key in shares, of which 2 open it/ })
  const [one = '', two = '', three = ''] = sharesOf(made.out)
  t.notOk(one === two || two === three || one === '')

  const trefoil = await startTrefoil({ dataDir, env: shamir })
  t.teardown(() => trefoil.stop())
  t.match(await cli(`${one}\n`, 'unseal'), { code: 0, out: '1 more share\n' })
  t.match(await cli(`${one}\n`, 'unseal'), { code: 0, out: '1 more share\n' }, 'the same one is one')
  const slip = `${two.slice(0, 20)}${two[20] === 'x' ? 'y' : 'x'}${two.slice(21)}`
  t.match(await cli(`${slip}\n`, 'unseal'), { code: 1, err: /that is no share/ })
  t.match(await cli('hello\n', 'unseal'), { code: 1, err: /that is no share/ })
  t.match(await cli(`${three}\n`, 'unseal'), { code: 0, out: 'unsealed\n' })
  t.match(await cli(undefined, 'unseal', one), { code: 2, err: /unseal takes no/ }, 'never an argument')
  const key = JSON.parse((await cli(undefined, 'key', 'create', '--json')).out)
  const { CiphertextBlob } = await clientOf(t, trefoil).send(
    new EncryptCommand({ KeyId: key.id, Plaintext: PLAINTEXT }),
  )
  await trefoil.stop()

  const manual = {
    TREFOIL_DATA_DIR: dataDir,
    TREFOIL_ROOT_KEY_TYPE: 'manual',
    TREFOIL_PREVIOUS_ROOT_KEY_TYPE: 'shamir',
  }
  const shares = `${one}\n${two}\n`
  t.match(await runBin(folder, ['rotate-root'], manual, [], shares), { code: 1, err: /the new passphrase is missing/ })
  t.match(await runBin(folder, ['rotate-root'], manual, [], `${shares}another passphrase\n`), {
    code: 0,
    out: /seals were made anew/,
  })
  t.match(await runBin(folder, ['rotate-root'], manual, [], 'another passphrase\n'), {
    code: 0,
    out: /under it already/,
  })
  const again = {
    ...shamir,
    TREFOIL_PREVIOUS_ROOT_KEY_TYPE: 'manual',
    TREFOIL_ROOT_KEY_PATH: join(folder, 'new.shares'),
  }
  const moved = await runBin(folder, ['rotate-root'], again, [], 'another passphrase\n')
  t.match(moved, { code: 0 })
  const [, second = '', third = ''] = sharesOf(moved.out)
  const file = {
    TREFOIL_DATA_DIR: dataDir,
    TREFOIL_PREVIOUS_ROOT_KEY_TYPE: 'shamir',
    TREFOIL_PREVIOUS_ROOT_KEY_PATH: join(folder, 'new.shares'),
  }
  t.match(await runBin(folder, ['rotate-root'], file, [], shares), { code: 1, err: /share of another root key/ })
  t.match(await runBin(folder, ['rotate-root'], file, [], `${second}\n${third}\n`), { code: 0 })
  const last = await startTrefoil({ dataDir })
  t.teardown(() => last.stop())
  t.ok(await opens(clientOf(t, last), CiphertextBlob), 'what was encrypted under the first root key')
})

/** Whether the bytes are in the memory of a process. */
function inMemory(pid: number, wanted: Buffer): boolean {
  const fd = openSync(`/proc/${pid}/mem`, 'r')
  try {
    const maps = readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')
    for (const line of maps) {
      const [, from = '', to = ''] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? []
      if (from === '') continue
      const [start, end] = [Number.parseInt(from, 16), Number.parseInt(to, 16)]
      for (let at = start; at < end; at += 16 * 1024 * 1024) {
        const piece = Buffer.alloc(Math.min(end - at, 16 * 1024 * 1024 + wanted.length))
        try {
          const read = readSync(fd, piece, 0, piece.length, at)
          if (piece.subarray(0, read).includes(wanted)) return true
        } catch {
          // Mapped, and not there.
        }
      }
    }
    return false
  } finally {
    closeSync(fd)
  }
}

t.test(
  'the root key is gone from memory',
  { skip: process.platform === 'linux' ? false : 'no tool: /proc' },
  async (t) => {
    const trefoil = await startTrefoil()
    t.teardown(() => trefoil.stop())
    const cli = (...args: string[]) => runBin(trefoil.dataDir, args, { TREFOIL_DATA_DIR: trefoil.dataDir })
    const rootKey = readFileSync(join(trefoil.dataDir, 'root.key'))
    const { id } = JSON.parse((await cli('key', 'create', '--json')).out)
    const client = clientOf(t, trefoil)
    const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId: id, Plaintext: PLAINTEXT }))
    t.ok(inMemory(trefoil.pid, rootKey), 'it is there while the server serves')
    t.match(await cli('seal'), { code: 0 })
    await trefoil.logged(/ sealed\n|"sealed"/)
    let found = true
    for (let look = 0; found && look < 100; look++) {
      await new Promise((resolve) => setTimeout(resolve, 50))
      found = inMemory(trefoil.pid, rootKey)
    }
    t.notOk(found, 'once its garbage is collected')
    t.match(await cli('unseal'), { code: 0, out: 'unsealed\n' }, 'nobody has to type anything for a key in a file')
    t.ok(await opens(client, CiphertextBlob))
  },
)
