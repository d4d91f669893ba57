/** NIST's vectors: a selection that is in the repository, and all of them where they lie beside it. */
import { createHash, createSecretKey, randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js'
import t, { type Test } from 'tap'
import { verify } from '../../src/core/verify.ts'
import { SoftwareBackend } from '../../src/crypto/software.ts'
import { importMlDsaSeed, runFile, type Vector, type VectorFile } from './acvp.ts'

const SELECTION = fileURLToPath(new URL('data/acvp/', import.meta.url))
const ALL = fileURLToPath(new URL('../../../shared/vectors/acvp/', import.meta.url))
/** How many vectors Trefoil can run of the whole file. */
const FILES = {
  'ML-DSA-keyGen-FIPS204': 75,
  'ML-KEM-keyGen-FIPS203': 75,
  'ML-KEM-encapDecap-FIPS203': 165,
  'SLH-DSA-keyGen-FIPS205': 10,
  'SLH-DSA-sigVer-FIPS205': 45,
} as const
const NAMES = Object.keys(FILES) as (keyof typeof FILES)[]

const readVectors = (path: string): VectorFile => JSON.parse(readFileSync(path, 'utf8'))
const selected = (name: string): VectorFile => readVectors(`${SELECTION}${name}.json`)

function software(t: Test): SoftwareBackend {
  const key = createSecretKey(randomBytes(32))
  const backend = new SoftwareBackend({ get: async () => key })
  t.teardown(() => backend.close())
  return backend
}

t.test('the selection', async (t) => {
  const backend = software(t)
  for (const name of NAMES) {
    const file = selected(name)
    const { passed, failures } = await runFile(backend, file)
    t.same(failures, [], name)
    t.equal(passed, file.testGroups.flatMap((group) => group.tests).length, `${name}: all were run`)
    t.ok(passed > 0)
  }
})

/** The vector with another outcome. */
function spoiled(vector: Vector): Vector {
  if (vector.testPassed !== undefined) return { ...vector, testPassed: !vector.testPassed }
  const field = (['k', 'pk', 'ek'] as const).find((name) => vector[name] !== undefined)
  if (field === undefined) throw new Error('a vector without an outcome')
  const bytes = Buffer.from(vector[field] ?? '', 'hex')
  bytes[0] = (bytes[0] ?? 0) ^ 1
  return { ...vector, [field]: bytes.toString('hex') }
}

t.test('a wrong outcome is seen', async (t) => {
  const backend = software(t)
  for (const name of NAMES) {
    const file = selected(name)
    const testGroups = file.testGroups.map((group) => ({ ...group, tests: group.tests.map(spoiled) }))
    const { passed, failures } = await runFile(backend, { ...file, testGroups })
    t.equal(passed, 0, name)
    t.equal(failures.length, testGroups.flatMap((group) => group.tests).length, name)
  }
})

const missing = existsSync(ALL) ? undefined : 'missing: the complete ACVP files, ../shared/vectors/acvp'
t.test('every file', missing === undefined ? {} : { skip: missing }, async (t) => {
  const backend = software(t)
  for (const name of NAMES) {
    const { passed, skipped, failures } = await runFile(backend, readVectors(`${ALL}${name}/internalProjection.json`))
    t.same(failures, [], `${name}: ${passed} passed, ${skipped} of parameter sets that Trefoil has not`)
    t.equal(passed, FILES[name])
  }
})

/**
 * ML-DSA/accumulated of github.com/C2SP/CCTV at 1e3d2860: 100 keys whose seeds come out of SHAKE128 of nothing; public
 * key and deterministic signature of an empty message of each go into another SHAKE128.
 */
const ACCUMULATED = [
  ['ML-DSA-44', 'ml_dsa_44', ml_dsa44, 'd51148e1f9f4fa1a723a6cf42e25f2a99eb5c1b378b3d2dbbd561b1203beeae4'],
  ['ML-DSA-65', 'ml_dsa_65', ml_dsa65, '8358a1843220194417cadbc2651295cd8fc65125b5a5c1a239a16dc8b57ca199'],
  ['ML-DSA-87', 'ml_dsa_87', ml_dsa87, '8c3ad714777622b8f21ce31bb35f71394f23bc0fcf3c78ace5d608990f3b061b'],
] as const

for (const [parameterSet, spec, noble, expected] of ACCUMULATED) {
  t.test(`${parameterSet}, accumulated`, async (t) => {
    const backend = software(t)
    const message = Buffer.alloc(0)
    const seeds = createHash('shake128', { outputLength: 100 * 32 }).digest()
    const sum = createHash('shake128', { outputLength: 32 })
    let verified = 0
    for (let at = 0; at < seeds.length; at += 32) {
      const seed = seeds.subarray(at, at + 32)
      const { spki } = await importMlDsaSeed(backend, parameterSet, seed)
      const { publicKey, secretKey } = noble.keygen(seed)
      // Ours are randomised, so that noble has to sign.
      const signature = noble.sign(message, secretKey, { extraEntropy: false })
      if (await verify(spki, spec, 'ml_dsa', { message }, signature)) verified += 1
      sum.update(spki.subarray(-publicKey.length)).update(signature)
    }
    t.equal(sum.digest('hex'), expected)
    t.equal(verified, 100)
  })
}
