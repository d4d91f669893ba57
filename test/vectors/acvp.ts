/**
 * Runs NIST's ACVP files: seeds through importKey of a backend, public halves through the core's encapsulate, and each
 * answer once more through node:crypto and @noble. Expanded ML-KEM keys, which have no seed and so are not imported, go
 * to the function that the backend decapsulates with.
 */
import { createPrivateKey, type KeyObject, type KeyType } from 'node:crypto'
import { ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js'
import { ml_kem512, ml_kem768, ml_kem1024 } from '@noble/post-quantum/ml-kem.js'
import {
  slh_dsa_sha2_128s,
  slh_dsa_sha2_192s,
  slh_dsa_sha2_256f,
  slh_dsa_shake_128f,
  slh_dsa_shake_192s,
  slh_dsa_shake_256f,
} from '@noble/post-quantum/slh-dsa.js'
import { type KeySpec, type KeySpecRow, specRow } from '../../src/core/algorithm.ts'
import { encapsulate } from '../../src/core/encapsulate.ts'
import { KmsError } from '../../src/core/error.ts'
import type { CryptoBackend } from '../../src/core/ports.ts'
import { Secret } from '../../src/core/secret.ts'
import { decapsulate } from '../../src/crypto/kem.ts'
import { callContext, equal, flipped, newHome, refusal } from '../conformance/backend.ts'
import { expandedPkcs8, pkcs8, seedPkcs8, spkiOf } from './pkcs8.ts'

type Field = 'seed' | 'z' | 'd' | 'pk' | 'sk' | 'ek' | 'dk' | 'c' | 'k' | 'm' | 'message' | 'signature'
type SlhSeed = 'skSeed' | 'skPrf' | 'pkSeed'
export type Vector = Readonly<Partial<Record<Field | SlhSeed, string>>> & {
  readonly tcId: number
  readonly testPassed?: boolean
  readonly reason?: string
}
export type Group = { readonly parameterSet: string; readonly function?: string; readonly tests: readonly Vector[] }
export type VectorFile = {
  readonly algorithm: string
  readonly mode: string
  readonly revision: string
  readonly testGroups: readonly Group[]
}
export type Tally = { passed: number; skipped: number; readonly failures: string[] }

/** Whether everything agrees that the vector is a good one; whatever disagrees throws. */
type Runner = (backend: CryptoBackend, parameterSet: string, vector: Vector) => Promise<boolean>

const ML_DSA = {
  'ML-DSA-44': { spec: 'ml_dsa_44', oid: '0311', noble: ml_dsa44 },
  'ML-DSA-65': { spec: 'ml_dsa_65', oid: '0312', noble: ml_dsa65 },
  'ML-DSA-87': { spec: 'ml_dsa_87', oid: '0313', noble: ml_dsa87 },
} as const
const ML_KEM = {
  'ML-KEM-512': { spec: 'ml_kem_512', oid: '0401', noble: ml_kem512 },
  'ML-KEM-768': { spec: 'ml_kem_768', oid: '0402', noble: ml_kem768 },
  'ML-KEM-1024': { spec: 'ml_kem_1024', oid: '0403', noble: ml_kem1024 },
} as const
const SLH_DSA = {
  'SLH-DSA-SHA2-192s': slh_dsa_sha2_192s,
  'SLH-DSA-SHA2-256f': slh_dsa_sha2_256f,
  'SLH-DSA-SHAKE-128f': slh_dsa_shake_128f,
  'SLH-DSA-SHAKE-192s': slh_dsa_shake_192s,
  'SLH-DSA-SHAKE-256f': slh_dsa_shake_256f,
} as const
const SLH_DSA_OID = '0314'

function rowOf<T>(table: Readonly<Record<string, T>>, parameterSet: string): T {
  const row = table[parameterSet]
  if (row === undefined) throw new Error(`no such parameter set: ${parameterSet}`)
  return row
}

const hex = (...texts: (string | undefined)[]): Buffer => {
  if (texts.includes(undefined)) throw new Error('a field is missing')
  return Buffer.from(texts.join(''), 'hex')
}

function check(good: boolean, claim: string): void {
  if (!good) throw new Error(`not so: ${claim}`)
}

export async function importDer(backend: CryptoBackend, spec: KeySpec, der: Uint8Array) {
  const home = newHome()
  const { ref, spki } = await backend.importKey(spec, new Secret(Uint8Array.from(der)), home, callContext())
  if (spki === undefined) throw new Error('an asymmetric key without a public key')
  return { handle: { ...home, spec, ref }, spki }
}

export const importMlDsaSeed = (backend: CryptoBackend, parameterSet: string, seed: Uint8Array) => {
  const { spec, oid } = rowOf(ML_DSA, parameterSet)
  return importDer(backend, spec, seedPkcs8(oid, seed))
}

/** The expanded key that node:crypto exports after the seed. */
function nodeExpands(seed: Buffer, asymmetricKeyType: KeyType, expanded: Uint8Array): boolean {
  const key = createPrivateKey({ key: seed, format: 'raw-seed', asymmetricKeyType })
  const der = key.export({ format: 'der', type: 'pkcs8' })
  return equal(der.subarray(-expanded.length), expanded)
}

function nodeType(row: KeySpecRow): KeyType {
  if (row.type !== 'ml-dsa' && row.type !== 'ml-kem') throw new Error(`${row.type} keys have no seed`)
  return row.node
}

const mlDsaKeyGen: Runner = async (backend, parameterSet, vector) => {
  const { spec, oid, noble } = rowOf(ML_DSA, parameterSet)
  const [seed, pk, sk] = [hex(vector.seed), hex(vector.pk), hex(vector.sk)]
  const { handle, spki } = await importMlDsaSeed(backend, parameterSet, seed)
  check(equal(spki, spkiOf(oid, pk)), 'the backend has the public key')
  const signature = await backend.sign(handle, 'ml_dsa', { message: seed }, callContext())
  check(noble.verify(signature, seed, pk), 'the backend has the private key')
  const { publicKey, secretKey } = noble.keygen(seed)
  check(equal(publicKey, pk) && equal(secretKey, sk), 'noble has both')
  check(nodeExpands(seed, nodeType(specRow(spec)), sk), 'node has the private key')
  return true
}

const mlKemKeyGen: Runner = async (backend, parameterSet, vector) => {
  const { spec, oid, noble } = rowOf(ML_KEM, parameterSet)
  const [seed, ek, dk] = [hex(vector.d, vector.z), hex(vector.ek), hex(vector.dk)]
  const { handle, spki } = await importDer(backend, spec, seedPkcs8(oid, seed))
  check(equal(spki, spkiOf(oid, ek)), 'the backend has the public key')
  const { publicKey, secretKey } = noble.keygen(seed)
  check(equal(publicKey, ek) && equal(secretKey, dk), 'noble has both')
  check(nodeExpands(seed, nodeType(specRow(spec)), dk), 'node has the private key')
  const { ciphertext, secret } = encapsulate(spki, spec, 'ml_kem')
  const opened = (bytes: Uint8Array) => backend.decapsulate(handle, 'ml_kem', bytes, callContext())
  check(equal(await opened(ciphertext), secret), 'the backend has the private key')
  check(equal(noble.decapsulate(ciphertext, dk), secret), 'noble opens it too')
  const other = flipped(ciphertext, 0)
  check(equal(await opened(other), noble.decapsulate(other, dk)), 'rejected with the same secret')
  return true
}

/** @throws for a key that OpenSSL refuses */
const expandedKey = (oid: string, dk: Uint8Array): KeyObject =>
  createPrivateKey({ key: expandedPkcs8(oid, dk), format: 'der', type: 'pkcs8' })

function decapsulated(spec: KeySpec, key: KeyObject, ciphertext: Uint8Array): Uint8Array {
  const row = specRow(spec)
  if (row.type !== 'ml-kem') throw new Error('no ML-KEM')
  return decapsulate(row, key, ciphertext)
}

/** `c` may be one that was changed: `k` then is the secret of the implicit rejection. */
const mlKemDecapsulation: Runner = async (_backend, parameterSet, vector) => {
  const { spec, oid, noble } = rowOf(ML_KEM, parameterSet)
  const [dk, c, k] = [hex(vector.dk), hex(vector.c), hex(vector.k)]
  check(equal(decapsulated(spec, expandedKey(oid, dk), c), k), 'our secret')
  check(equal(noble.decapsulate(c, dk), k), 'noble’s secret')
  return true
}

/** node:crypto takes no randomness from outside: noble makes the ciphertext, and what opens it is ours. */
const mlKemEncapsulation: Runner = async (backend, parameterSet, vector) => {
  const { spec, oid, noble } = rowOf(ML_KEM, parameterSet)
  const [ek, dk] = [hex(vector.ek), hex(vector.dk)]
  const made = noble.encapsulate(ek, hex(vector.m))
  check(equal(made.cipherText, hex(vector.c)) && equal(made.sharedSecret, hex(vector.k)), 'noble’s encapsulation')
  const ours = encapsulate(spkiOf(oid, ek), spec, 'ml_kem')
  check(equal(noble.decapsulate(ours.ciphertext, dk), ours.secret), 'noble opens ours')
  return mlKemDecapsulation(backend, parameterSet, vector)
}

function succeeds(work: () => unknown): boolean {
  try {
    work()
    return true
  } catch {
    return false
  }
}

const mlKemEncapsulationKey: Runner = async (_backend, parameterSet, vector) => {
  const { spec, oid, noble } = rowOf(ML_KEM, parameterSet)
  const ek = hex(vector.ek)
  const theirs = succeeds(() => noble.encapsulate(ek))
  try {
    encapsulate(spkiOf(oid, ek), spec, 'ml_kem')
    check(theirs, 'noble takes it too')
    return true
  } catch (error) {
    if (!(error instanceof KmsError)) throw error
    check(!theirs, 'noble refuses it too')
    return false
  }
}

const mlKemDecapsulationKey: Runner = async (backend, parameterSet, vector) => {
  const { spec, oid, noble } = rowOf(ML_KEM, parameterSet)
  const dk = hex(vector.dk)
  const refused = await refusal(importDer(backend, spec, expandedPkcs8(oid, dk)))
  check(refused === 'invalid_argument', 'no key is imported without its seed')
  const ours = succeeds(() => expandedKey(oid, dk))
  const ciphertext = noble.encapsulate(noble.keygen().publicKey).cipherText
  check(succeeds(() => noble.decapsulate(ciphertext, dk)) === ours, 'noble says the same')
  return ours
}

/** Of the parameter sets Trefoil has SHA2-128s. */
const slhDsaKeyGen: Runner = async (backend, _parameterSet, vector) => {
  const [sk, pk] = [hex(vector.sk), hex(vector.pk)]
  const { publicKey, secretKey } = slh_dsa_sha2_128s.keygen(hex(vector.skSeed, vector.skPrf, vector.pkSeed))
  check(equal(publicKey, pk) && equal(secretKey, sk), 'noble has both')
  const { spki } = await importDer(backend, 'slh_dsa_sha2_128s', pkcs8(SLH_DSA_OID, sk))
  check(equal(spki, spkiOf(SLH_DSA_OID, pk)), 'the backend has the public key')
  const other = pkcs8(SLH_DSA_OID, flipped(sk, 0))
  check(
    (await refusal(importDer(backend, 'slh_dsa_sha2_128s', other))) === 'invalid_argument',
    'the halves belong together',
  )
  return true
}

/**
 * Signatures of FIPS 205's internal interface, under parameter sets that Trefoil has not. node:crypto has no such
 * interface; noble's is what Trefoil verifies HashSLH-DSA with.
 */
const slhDsaSigVer: Runner = async (_backend, parameterSet, vector) => {
  const { internal } = rowOf(SLH_DSA, parameterSet)
  return internal.verify(hex(vector.signature), hex(vector.message), hex(vector.pk))
}

const RUNNERS: Readonly<Record<string, Runner>> = {
  'ML-DSA keyGen': mlDsaKeyGen,
  'ML-KEM keyGen': mlKemKeyGen,
  'ML-KEM encapsulation': mlKemEncapsulation,
  'ML-KEM decapsulation': mlKemDecapsulation,
  'ML-KEM encapsulationKeyCheck': mlKemEncapsulationKey,
  'ML-KEM decapsulationKeyCheck': mlKemDecapsulationKey,
  'SLH-DSA keyGen': slhDsaKeyGen,
  'SLH-DSA sigVer': slhDsaSigVer,
}

/** Keys of other parameter sets of SLH-DSA can't be made here. */
export const isOurs = (file: Pick<VectorFile, 'algorithm' | 'mode'>, { parameterSet }: Group): boolean =>
  file.algorithm !== 'SLH-DSA' || file.mode !== 'keyGen' || parameterSet === 'SLH-DSA-SHA2-128s'

async function failureOf(run: Runner, backend: CryptoBackend, group: Group, vector: Vector) {
  try {
    const good = await run(backend, group.parameterSet, vector)
    return good === (vector.testPassed ?? true) ? undefined : `${good ? 'taken' : 'refused'}: ${vector.reason ?? ''}`
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

export async function runFile(backend: CryptoBackend, file: VectorFile): Promise<Tally> {
  const tally: Tally = { passed: 0, skipped: 0, failures: [] }
  for (const group of file.testGroups) {
    if (!isOurs(file, group)) {
      tally.skipped += group.tests.length
      continue
    }
    const run = rowOf(RUNNERS, `${file.algorithm} ${group.function ?? file.mode}`)
    for (const vector of group.tests) {
      const failure = await failureOf(run, backend, group, vector)
      if (failure === undefined) tally.passed += 1
      else tally.failures.push(`${group.parameterSet} ${vector.tcId}: ${failure}`)
    }
  }
  return tally
}
