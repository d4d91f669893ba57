/** The root key: made once, never over a store that has one, and told apart from a wrong one. */
import {
  chmodSync,
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Problem } from '../../src/core/problem.ts'
import { checkRootKey } from '../../src/core/root-check.ts'
import { AesSealer } from '../../src/core/seal.ts'
import { Secret } from '../../src/core/secret.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { fileRootKey, passphraseRootKey } from '../../src/store/root-key.ts'

const directory = (t: Test): string => {
  const path = mkdtempSync(join(tmpdir(), 'trefoil-root-'))
  t.teardown(() => rmSync(path, { recursive: true }))
  return path
}
const NEW = { storeExists: false }
const OLD = { storeExists: true }

t.test('a key in a file', async (t) => {
  const path = join(directory(t), 'data', 'root.key')
  t.throws(() => fileRootKey(path, OLD), { message: /root\.key is missing, and the data directory has keys/ })
  t.throws(() => statSync(path), 'and none was made')
  const key = fileRootKey(path, NEW)
  t.equal(key.symmetricKeySize, 32)
  t.equal(statSync(path).mode & 0o777, 0o600)
  t.ok(key.equals(fileRootKey(path, OLD)) && key.equals(fileRootKey(path, NEW)), 'the same from then on')
  t.same(readdirSync(join(path, '..')), ['root.key'], 'nothing is left beside it')
  const other = join(directory(t), 'root.key')
  t.notOk(key.equals(fileRootKey(other, NEW)))

  chmodSync(path, 0o640)
  t.throws(() => fileRootKey(path, OLD), { message: 'other users may read', fix: `chmod 600 ${path}` })
  chmodSync(path, 0o600)
  const bytes = readFileSync(path)
  for (const length of [0, 31]) {
    writeFileSync(path, bytes.subarray(0, length))
    t.throws(() => fileRootKey(path, NEW), { message: `it has ${length} bytes instead of 32` })
  }
})

t.test('a key from a passphrase', async (t) => {
  const path = join(directory(t), 'root.params.json')
  const derive = (text: string, options = OLD) => passphraseRootKey(path, new Secret(Buffer.from(text)), options)
  await t.rejects(derive('correct horse'), { message: 'is missing' })
  await t.rejects(derive('short', NEW), { message: 'fewer than 12 bytes' })
  t.throws(() => statSync(path), 'a refused passphrase leaves nothing')
  const key = await derive('correct horse', NEW)
  t.ok(key.equals(await derive('correct horse')))
  t.notOk(key.equals(await derive('Correct horse')))
  t.notMatch(readFileSync(path, 'utf8'), 'horse')

  const secret = new Secret(Buffer.from('correct horse'))
  await passphraseRootKey(path, secret, OLD)
  t.ok(
    secret.use((bytes) => bytes.every((byte) => byte === 0)),
    'the passphrase is wiped',
  )

  const good = JSON.parse(readFileSync(path, 'utf8'))
  const bad = [
    { N: 2 ** 16 },
    { N: 2 ** 17 + 1 },
    { N: 2 ** 40 },
    { N: 'many' },
    { r: 1 },
    { p: 100 },
    { salt: '' },
    { salt: 7 },
    { kdf: 'md5' },
  ]
  for (const change of bad) {
    writeFileSync(path, JSON.stringify({ ...good, ...change }))
    await t.rejects(derive('correct horse'), { message: 'does not hold the parameters' }, JSON.stringify(change))
  }
  for (const text of ['', 'null', '[]', '{']) {
    writeFileSync(path, text)
    await t.rejects(derive('correct horse'), { message: 'does not hold the parameters' }, text)
  }
})

t.test('a wrong root key is told at the start', async (t) => {
  const [one, two] = [join(directory(t), 'one'), join(directory(t), 'two')]
  const store = new MemoryStore()
  const [right, wrong] = [new AesSealer(fileRootKey(one, NEW)), new AesSealer(fileRootKey(two, NEW))]
  await checkRootKey(store, right, 'bring it back')
  await checkRootKey(store, right, 'bring it back')
  const error = await checkRootKey(store, wrong, 'bring it back').catch((caught: unknown) => caught)
  t.ok(error instanceof Problem)
  t.match(error, { message: 'is not the one that this data directory was made with', fix: /^bring it back/ })
  copyFileSync(one, two)
  await checkRootKey(store, new AesSealer(fileRootKey(two, OLD)), 'bring it back')
})
