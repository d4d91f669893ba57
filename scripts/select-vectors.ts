/**
 * Picks the vectors that are kept in test/vectors/data from Wycheproof's `testvectors_v1` folder: of every file the first
 * vector of each kind. Usage: node scripts/select-vectors.ts <folder> <commit>
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Group, Vector, VectorFile } from '../test/vectors/vector.ts'

const FILES =
  /^(rsa_(oaep_\d+_sha\d+_mgf1sha\d+|pkcs1_\d+(_sig_gen)?|pss_\d+_sha\d+_mgf1_\d+|signature_\d+_sha\d+)|ecdsa_\w+|ed25519|hmac_sha(1|224|256|384|512)|aes_(gcm|cbc_pkcs5|wrap|kwp)|ecdh_secp(256|384|521)r1|mlkem_768(_semi_expanded_decaps)?|mldsa_\d+_(verify|sign_seed))_test\.json$/
const OUT = new URL('../test/vectors/data/', import.meta.url).pathname
/** How many of a file: ML-DSA signatures have 5 to 9 KB in hex, ML-KEM vectors as much together, those of AES little. */
const LIMITS = { large: 9, middling: 14, small: 40 } as const
const MAX_CHARS = 12_000

const GROUP_FIELDS = [
  'type',
  'sha',
  'mgfSha',
  'sLen',
  'keySize',
  'tagSize',
  'ivSize',
  'curve',
  'parameterSet',
  'publicKeyDer',
  'privateSeed',
  'privateKeyPkcs8',
] as const
const VECTOR_FIELDS = [
  'tcId',
  'comment',
  'flags',
  'key',
  'iv',
  'aad',
  'msg',
  'ctx',
  'mu',
  'ct',
  'label',
  'sig',
  'tag',
  'public',
  'private',
  'shared',
  'seed',
  'dk',
  'ek',
  'c',
  'K',
  'result',
] as const

const pick = <T extends object>(from: T, names: readonly (keyof T)[]): Partial<T> =>
  Object.fromEntries(names.filter((name) => from[name] !== undefined).map((name) => [name, from[name]])) as Partial<T>

function slimGroup(group: Group, tests: readonly Vector[]): Group {
  const { publicKey } = group
  const key = typeof publicKey === 'object' && publicKey !== null ? { curve: publicKey.curve } : publicKey
  const slim = { ...pick(group, GROUP_FIELDS), publicKey: key, tests: tests.map((test) => pick(test, VECTOR_FIELDS)) }
  return slim as Group
}

/** A result with its flags, the sizes that it is made with, and what is given: a message or mu, a context or none. */
const kindOf = (group: Group, test: Vector): string =>
  [test.result, test.flags, group.sha, group.keySize, group.ivSize, group.tagSize, Object.keys(test).sort()].join(' ')

function limitOf(name: string): number {
  if (name.startsWith('mldsa') || name.startsWith('mlkem')) return LIMITS.large
  return /^(aes|hmac|ecdh)_/.test(name) ? LIMITS.small : LIMITS.middling
}

function select(file: VectorFile, limit: number): readonly Group[] {
  const kinds = new Set<string>()
  const groups: Group[] = []
  for (const group of file.testGroups) {
    const tests = group.tests.filter((test) => {
      const kind = kindOf(group, test)
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
    testGroups: select(file, limitOf(name)),
  }
  writeFileSync(join(OUT, name), `${JSON.stringify(selection, null, 1)}\n`)
}
