/** Published vectors: a selection that is in the repository, and all of them where they lie beside it. */
import { createSecretKey, randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import type { CryptoBackend } from '../../src/core/ports.ts'
import { SoftwareBackend } from '../../src/crypto/software.ts'
import { openPkcs11Backend } from '../../src/hsm/pkcs11.ts'
import { makeSoftHsm, softHsmMissing } from '../support/softhsm.ts'
import type { Vector, VectorFile } from './vector.ts'
import { needsBackend, OUT_OF_SCOPE, runFile } from './wycheproof.ts'

const SELECTION = fileURLToPath(new URL('data/', import.meta.url))
const ALL = fileURLToPath(new URL('../../../shared/vectors/wycheproof/', import.meta.url))

/** Made with parameters that Trefoil has not: every vector must be refused. */
const FORGERIES_ONLY = /_sha256_mgf1sha1_|_mgf1_0_/

/** Of algorithms that SoftHSM has. */
const ON_TOKENS = /^(rsa|aes|kw|ecdh|x25519|hmac_sha(256|384|512)|ecdsa_secp|ed25519_test)/

const filesIn = (folder: string): readonly string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.json') && !Object.hasOwn(OUT_OF_SCOPE, name))
    .sort()
const readVectors = (path: string): VectorFile => JSON.parse(readFileSync(path, 'utf8'))

const inverted = (vector: Vector): Vector => ({ ...vector, result: vector.result === 'valid' ? 'invalid' : 'valid' })

function software(): CryptoBackend {
  const key = createSecretKey(randomBytes(32))
  return new SoftwareBackend({ get: async () => key })
}

async function runAll(t: Test, backend: CryptoBackend, folder: string, names: readonly string[]): Promise<void> {
  const total = { passed: 0, refused: 0, skipped: 0 }
  for (const name of names) {
    const { passed, refused, skipped, failures } = await runFile(backend, readVectors(`${folder}${name}`))
    const reasons = Object.entries(skipped).map(([reason, count]) => `, ${count} skipped: ${reason}`)
    t.same(failures, [], `${name}: ${passed} passed, ${refused} refused${reasons.join('')}`)
    if (backend.name === 'software') t.same(skipped, {}, `${name}: nothing was left out`)
    t.ok(passed + refused > 0 && (passed > 0 || FORGERIES_ONLY.test(name)), `${name} was tried`)
    total.passed += passed
    total.refused += refused
    total.skipped += Object.values(skipped).reduce((sum, count) => sum + count, 0)
  }
  t.comment(
    `${names.length} files: ${total.passed} positives passed, ${total.refused} forgeries refused, ${total.skipped} skipped`,
  )
}

t.test('the selection, software', async (t) => {
  await runAll(t, software(), SELECTION, filesIn(SELECTION))
})

t.test('a wrong verdict is seen', async (t) => {
  const names = [
    'ecdsa_secp256r1_sha256',
    'ed25519',
    'hmac_sha256',
    'aes_kwp',
    'aes_cbc_pkcs5',
    'mldsa_44_verify',
    'mlkem_768',
  ]
  for (const name of names) {
    const file = readVectors(`${SELECTION}${name}_test.json`)
    // MACs under keys of another length are refused, whatever is said of them.
    const groups = file.testGroups.filter(({ type, keySize }) => type !== 'MacTest' || keySize === 256)
    const testGroups = groups.map((group) => ({ ...group, tests: group.tests.map(inverted) }))
    const { failures } = await runFile(software(), { ...file, testGroups })
    t.equal(failures.length, testGroups.flatMap((group) => group.tests).length, name)
  }
})

t.test('the selection, SoftHSM', softHsmMissing === undefined ? {} : { skip: softHsmMissing }, async (t) => {
  const { close, library, tokenLabel, pin, env } = await makeSoftHsm()
  t.teardown(() => close())
  const backend = await openPkcs11Backend({
    name: 'soft',
    library,
    tokenLabel,
    pin,
    env,
    sessions: 2,
    deadlineMs: 20_000,
  })
  t.teardown(() => backend.close())
  const names = filesIn(SELECTION).filter(
    (name) => ON_TOKENS.test(name) && readVectors(`${SELECTION}${name}`).testGroups.some(needsBackend),
  )
  await runAll(t, backend, SELECTION, names)
})

const missing = existsSync(ALL) ? undefined : 'missing: the complete Wycheproof files, ../shared/vectors/wycheproof'
t.test('every file, software', missing === undefined ? {} : { skip: missing }, async (t) => {
  await runAll(t, software(), ALL, filesIn(ALL))
})

t.test('no file is left out', missing === undefined ? {} : { skip: missing }, async (t) => {
  const all = readdirSync(ALL).filter((name) => name.endsWith('.json'))
  t.same(
    [...filesIn(SELECTION), ...Object.keys(OUT_OF_SCOPE)].sort(),
    all.sort(),
    'each is selected from or out of scope',
  )
})
