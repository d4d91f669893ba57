/**
 * Picks the vectors that are kept in test/vectors/data from Wycheproof's `testvectors_v1` folder: of every file the first
 * vector of each kind, a kind being a result with its flags. Usage: node scripts/select-vectors.ts <folder> <commit>
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Group, Vector, VectorFile } from '../test/vectors/wycheproof.ts'

const FILES =
  /^(rsa_(oaep_\d+_sha\d+_mgf1sha\d+|pkcs1_\d+(_sig_gen)?|pss_\d+_sha\d+_mgf1_\d+|signature_\d+_sha\d+)|ecdsa_\w+|ed25519|hmac_sha(256|384|512)|mldsa_\d+_(verify|sign_seed))_test\.json$/
const OUT = new URL('../test/vectors/data/', import.meta.url).pathname
const PER_FILE = 14
/** ML-DSA signatures have 5 to 9 KB in hex. */
const PER_LARGE_FILE = 7
const MAX_CHARS = 12_000

const GROUP_FIELDS = [
  'type',
  'sha',
  'mgfSha',
  'sLen',
  'keySize',
  'tagSize',
  'publicKeyDer',
  'privateSeed',
  'privateKeyPkcs8',
] as const
const VECTOR_FIELDS = ['tcId', 'comment', 'flags', 'key', 'msg', 'ctx', 'ct', 'label', 'sig', 'tag', 'result'] as const

const pick = <T extends object>(from: T, names: readonly (keyof T)[]): Partial<T> =>
  Object.fromEntries(names.filter((name) => from[name] !== undefined).map((name) => [name, from[name]])) as Partial<T>

function slimGroup(group: Group, tests: readonly Vector[]): Group {
  const { publicKey } = group
  const key = typeof publicKey === 'object' && publicKey !== null ? { curve: publicKey.curve } : publicKey
  const slim = { ...pick(group, GROUP_FIELDS), publicKey: key, tests: tests.map((test) => pick(test, VECTOR_FIELDS)) }
  return slim as Group
}

/** A key and a MAC of the same length are what Trefoil has. */
const isOurs = (group: Group): boolean =>
  group.sha !== 'SHA-224' &&
  (group.type !== 'MacTest' || group.keySize === group.tagSize) &&
  (group.sha !== 'SHA-1' || group.type !== 'RsassaPkcs1Generate')

function select(file: VectorFile, limit: number): readonly Group[] {
  const kinds = new Set<string>()
  const groups: Group[] = []
  for (const group of file.testGroups.filter(isOurs)) {
    const tests = group.tests.filter((test) => {
      const kind = `${test.result} ${test.flags.join()}`
      if (kinds.size >= limit || kinds.has(kind) || JSON.stringify(test).length > MAX_CHARS) return false
      kinds.add(kind)
      return true
    })
    if (tests.length > 0) groups.push(slimGroup(group, tests))
  }
  return groups
}

const [folder, commit] = process.argv.slice(2)
if (folder === undefined || commit === undefined) throw new Error('usage: select-vectors.ts <folder> <commit>')
for (const name of readdirSync(folder).filter((file) => FILES.test(file))) {
  const file: VectorFile = JSON.parse(readFileSync(join(folder, name), 'utf8'))
  const selection = {
    source: `github.com/C2SP/wycheproof testvectors_v1/${name} at ${commit}: a selection`,
    licence: 'Apache-2.0',
    algorithm: file.algorithm,
    testGroups: select(file, name.startsWith('mldsa') ? PER_LARGE_FILE : PER_FILE),
  }
  writeFileSync(join(OUT, name), `${JSON.stringify(selection, null, 1)}\n`)
}
