/**
 * Runs Wycheproof files through the public path: importKey, encrypt, decrypt, sign, mac, agree and decapsulate of a
 * backend, and the core's verify and encapsulate.
 */
import type { CryptoBackend } from '../../src/core/ports.ts'
import { ecdh, ecdsaDer, ecdsaRaw, ed25519Verify } from './elliptic.ts'
import { latticeSpec, mlDsaSign, mlDsaVerify, mlKem, mlKemExpanded } from './lattice.ts'
import { oaepDecrypt, pkcs1Decrypt, pssVerify, rsaGenerate, rsaVerify } from './rsa.ts'
import { aes, hmac } from './symmetric.ts'
import {
  type Group,
  hashNamed,
  ImportCache,
  type Outcome,
  type Runner,
  type Vector,
  type VectorFile,
} from './vector.ts'

/** Files of operations that no backend has. */
export const OUT_OF_SCOPE: Readonly<Record<string, string>> = {
  'hkdf_sha256_test.json': 'no key derives others by HKDF; the envelope has its own derivation from a MAC',
  'json_web_encryption_test.json': 'JWE is put together by clients, from keys that an operation wraps or unwraps',
  'json_web_key_test.json': 'tests which keys of a set a JWS library picks; Trefoil reads no sets of keys',
  'json_web_signature_test.json': 'JWS is put together by clients, from raw signatures',
}

/** `passed`: right answers to positives; `refused`: right answers to forgeries; `skipped` by reason. */
export type Tally = {
  passed: number
  refused: number
  readonly skipped: Record<string, number>
  readonly failures: string[]
}

const RUNNERS: Readonly<Record<string, Runner>> = {
  EcdhTest: ecdh,
  EcdsaVerify: ecdsaDer,
  EcdsaP1363Verify: ecdsaRaw,
  EddsaVerify: ed25519Verify,
  RsassaPkcs1Verify: rsaVerify('rsa-pkcs1'),
  RsassaPssVerify: pssVerify,
  RsassaPkcs1Generate: rsaGenerate,
  RsaesOaepDecrypt: oaepDecrypt,
  RsaesPkcs1Decrypt: pkcs1Decrypt,
  AeadTest: aes('aes_gcm'),
  IndCpaTest: aes('aes_cbc_pad'),
  MLKEMTest: mlKem,
  MLKEMDecapsValidationTest: mlKemExpanded,
}

function runnerOf({ algorithm = '' }: VectorFile, { type }: Group): Runner {
  const hash = hashNamed(algorithm.replace('HMACSHA', 'SHA-'))
  if (type === 'MacTest' && hash !== undefined) return hmac(hash)
  if (type === 'KeywrapTest') return aes(algorithm === 'AES-KWP' ? 'aes_kwp' : 'aes_kw')
  if (type === 'MlDsaVerify') return mlDsaVerify(latticeSpec(algorithm))
  if (type === 'MlDsaSign') return mlDsaSign(latticeSpec(algorithm))
  const runner = RUNNERS[type]
  if (runner === undefined) throw new Error(`nothing runs ${type} of ${algorithm}`)
  return runner
}

/** Types that need the backend; the others are the core's alone. */
export const needsBackend = (group: Group): boolean => !/Verify$/.test(group.type)

export async function runFile(backend: CryptoBackend, file: VectorFile): Promise<Tally> {
  const tally: Tally = { passed: 0, refused: 0, skipped: {}, failures: [] }
  const keys = new ImportCache(backend)
  for (const group of file.testGroups) {
    const run = runnerOf(file, group)
    for (const vector of group.tests) count(tally, vector, await attempt(run, backend, group, vector, keys))
  }
  await keys.destroyAll()
  return tally
}

async function attempt(
  run: Runner,
  backend: CryptoBackend,
  group: Group,
  vector: Vector,
  keys: ImportCache,
): Promise<Outcome | Error> {
  try {
    return await run(backend, group, vector, keys)
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

function count(tally: Tally, { result, tcId, comment = '' }: Vector, outcome: Outcome | Error): void {
  if (outcome === 'strict') {
    tally.refused += 1
  } else if (typeof outcome === 'object') {
    if (outcome instanceof Error) tally.failures.push(`${tcId} ${comment}: ${outcome.message}`)
    else tally.skipped[outcome.skip] = (tally.skipped[outcome.skip] ?? 0) + 1
  } else if (result === 'acceptable' || outcome === (result === 'valid')) {
    if (outcome) tally.passed += 1
    else tally.refused += 1
  } else {
    tally.failures.push(`${tcId} ${comment}: ${result}, but ${outcome ? 'accepted' : 'refused'}`)
  }
}
