/**
 * Picks the vectors that are kept in test/vectors/data/acvp from NIST's `internalProjection.json` files: of every group
 * the first vector of each kind, a kind being its reason. Usage: node scripts/select-acvp-vectors.ts <folder>
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Group, isOurs, type Vector, type VectorFile } from '../test/vectors/acvp.ts'

const OUT = new URL('../test/vectors/data/acvp/', import.meta.url).pathname

/** What the runner reads of a group; the rest is left out. */
const FIELDS: Readonly<Record<string, readonly (keyof Vector)[]>> = {
  encapsulation: ['ek', 'dk', 'm', 'c', 'k'],
  decapsulation: ['dk', 'c', 'k', 'reason'],
  encapsulationKeyCheck: ['ek', 'testPassed', 'reason'],
  decapsulationKeyCheck: ['dk', 'testPassed', 'reason'],
  keyGen: ['seed', 'd', 'z', 'skSeed', 'skPrf', 'pkSeed', 'ek', 'dk', 'pk', 'sk'],
  sigVer: ['pk', 'message', 'signature', 'testPassed', 'reason'],
}
/** Signatures of the other parameter sets have 32 to 100 KB in hex. */
const SIGNATURES = { parameterSet: 'SLH-DSA-SHAKE-128f', reasons: /^valid|^message altered/ }

const pick = (vector: Vector, fields: readonly (keyof Vector)[]): Vector => ({
  tcId: vector.tcId,
  ...Object.fromEntries(fields.filter((name) => vector[name] !== undefined).map((name) => [name, vector[name]])),
})

function select(file: VectorFile, group: Group): Group {
  const kinds = new Set<string>()
  const tests = group.tests.filter(({ reason = '' }) => {
    if (kinds.has(reason) || (file.mode === 'sigVer' && !SIGNATURES.reasons.test(reason))) return false
    kinds.add(reason)
    return true
  })
  const fields = FIELDS[group.function ?? file.mode]
  if (fields === undefined) throw new Error(`nothing is known of ${group.function ?? file.mode}`)
  return {
    parameterSet: group.parameterSet,
    ...(group.function !== undefined && { function: group.function }),
    tests: tests.map((vector) => pick(vector, fields)),
  }
}

const [folder] = process.argv.slice(2)
if (folder === undefined) throw new Error('usage: select-acvp-vectors.ts <folder>')
for (const name of readdirSync(folder).filter((entry) => /-FIPS20[345]$/.test(entry))) {
  const file: VectorFile = JSON.parse(readFileSync(join(folder, name, 'internalProjection.json'), 'utf8'))
  const { algorithm, mode, revision } = file
  const groups = file.testGroups.filter(
    (group) => isOurs(file, group) && (mode !== 'sigVer' || group.parameterSet === SIGNATURES.parameterSet),
  )
  const selection = {
    source: `github.com/usnistgov/ACVP-Server gen-val/json-files/${name}/internalProjection.json: a selection`,
    algorithm,
    mode,
    revision,
    testGroups: groups.map((group) => select(file, group)),
  }
  writeFileSync(join(OUT, `${name}.json`), `${JSON.stringify(selection, null, 1)}\n`)
}
