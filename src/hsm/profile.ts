/** What a token can do: its mechanism list, and for what the list does not say (curves, key derivation), a try. */
import {
  type Algorithm,
  algorithmRow,
  HASH_BYTES,
  KEY_SPEC_NAMES,
  type KeySpec,
  type KeySpecRow,
  specRow,
} from '../core/algorithm.ts'
import { KmsError } from '../core/error.ts'
import { CKM, CKZ_DATA_SPECIFIED, HASH_PARAMS, PARAMS } from './mechanisms.ts'
import { needs } from './needs.ts'
import { destroyQuietly, GENERATORS, generateKey, type Handle, tokenRow } from './objects.ts'
import type { Operations } from './operations.ts'
import type { MechanismFacts, Profile } from './protocol.ts'
import { CKR, returnCode } from './return-codes.ts'
import { ckrOf, type Session, type SessionPool } from './token.ts'

type Mechanisms = ReadonlyMap<number, MechanismFacts>

/** Whether the failure says "I can't", as opposed to "not now". Several modules answer GENERAL_ERROR for an unknown curve. */
function isRefusal(error: unknown): boolean {
  if (error instanceof KmsError) return error.code === 'unsupported_algorithm' || error.code === 'unsupported_spec'
  const ckr = ckrOf(error)
  if (ckr === undefined) return false
  return ckr === CKR.GENERAL_ERROR || ckr === CKR.FUNCTION_FAILED || returnCode(ckr).code === 'unsupported_algorithm'
}

async function works(attempt: () => Promise<unknown>): Promise<boolean> {
  try {
    await attempt()
    return true
  } catch (error) {
    if (isRefusal(error)) return false
    throw error
  }
}

const PROBE = { label: 'trefoil probe', token: false } as const
const BLOCK = new Uint8Array(32)

function use(
  operations: Operations,
  session: Session,
  key: Handle,
  spec: KeySpec,
  algorithm: Algorithm,
): Promise<Uint8Array> {
  const row = algorithmRow(algorithm)
  if (row.op === 'sign') return operations.sign(session, key, spec, algorithm, { message: BLOCK })
  if (row.op === 'mac') return operations.mac(session, key, spec, algorithm, BLOCK)
  const params = { nonce: BLOCK.subarray(0, 16), iv: BLOCK.subarray(0, 12), aad: BLOCK }
  return operations.encrypt(session, key, spec, algorithm, BLOCK, params)
}

/** Each try in a session of its own: a refused call may leave one unusable. */
async function tryAlgorithm(
  pool: SessionPool,
  operations: Operations,
  spec: KeySpec,
  algorithm: Algorithm,
): Promise<boolean> {
  return works(() =>
    pool.use(async (session) => {
      const { handle } = await generateKey(session, spec, PROBE)
      await use(operations, session, handle, spec, algorithm)
      destroyQuietly(session, handle)
    }),
  )
}

/** RSA keys are too slow to make for a try, unless the token has OAEP only in its own form. */
async function rsaAlgorithms(
  pool: SessionPool,
  mechanisms: Mechanisms,
  candidates: readonly Algorithm[],
): Promise<readonly Algorithm[]> {
  const raw = mechanisms.has(CKM.RSA_X_509)
  const found: Algorithm[] = []
  for (const algorithm of candidates) {
    const row = algorithmRow(algorithm)
    if (row.scheme !== 'rsa-oaep' || raw) found.push(algorithm)
    else if (mechanisms.has(CKM.RSA_PKCS_OAEP) && (await works(() => tryOaep(pool, HASH_PARAMS[row.hash]))))
      found.push(algorithm)
  }
  return found
}

function tryOaep(pool: SessionPool, hash: { hashAlg: number; mgf: number }): Promise<void> {
  return pool.use(async (session) => {
    const { handle } = await generateKey(session, 'rsa_2048', PROBE)
    const parameter = { type: PARAMS.OAEP, ...hash, source: CKZ_DATA_SPECIFIED }
    session.lib.C_DecryptInit(session.handle, { mechanism: CKM.RSA_PKCS_OAEP, parameter }, handle)
    try {
      session.lib.C_Decrypt(session.handle, Buffer.alloc(specBytes('rsa_2048')), Buffer.alloc(specBytes('rsa_2048')))
    } catch {
      // Zero is no ciphertext; what counts is that the parameters were taken, and that the operation has ended.
    }
    destroyQuietly(session, handle)
  })
}

function specBytes(spec: KeySpec): number {
  const row = specRow(spec)
  return row.type === 'rsa' ? row.bits / 8 : HASH_BYTES.sha512
}

function sizeFits(row: KeySpecRow, facts: MechanismFacts): boolean {
  if (row.type !== 'rsa') return true
  return facts.minKeySize <= row.bits && (facts.maxKeySize === 0 || row.bits <= facts.maxKeySize)
}

export async function probeProfile(
  pool: SessionPool,
  operations: Operations,
  list: readonly MechanismFacts[],
): Promise<Profile> {
  const mechanisms: Mechanisms = new Map(list.map((facts) => [facts.type, facts]))
  const algorithms: Partial<Record<KeySpec, readonly Algorithm[]>> = {}
  for (const spec of KEY_SPEC_NAMES) {
    const row = tokenRow(spec)
    const generator = row && mechanisms.get(GENERATORS[row.type])
    if (row === undefined || generator === undefined || !sizeFits(row, generator)) continue
    const candidates = row.algorithms.filter(
      (algorithm) => needs(algorithm)?.every((mechanism) => mechanisms.has(mechanism)) ?? false,
    )
    let found: readonly Algorithm[] = []
    if (row.type === 'rsa') found = await rsaAlgorithms(pool, mechanisms, candidates)
    else
      for (const algorithm of candidates)
        if (await tryAlgorithm(pool, operations, spec, algorithm)) found = [...found, algorithm]
    if (found.length > 0) algorithms[spec] = found
  }
  return { mechanisms: list, algorithms }
}
