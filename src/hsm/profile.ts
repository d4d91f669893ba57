/** What a token can do: its mechanism list, and for what the list does not say (curves, key derivation), a try. */
import { createPublicKey, diffieHellman, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import {
  type Algorithm,
  algorithmRow,
  HASH_BYTES,
  KEY_SPEC_NAMES,
  type KeySpec,
  type KeySpecRow,
  purposeOfAlgorithm,
  specRow,
} from '../core/algorithm.ts'
import { KmsError } from '../core/error.ts'
import type { EncryptParams } from '../core/ports.ts'
import { verify } from '../core/verify.ts'
import { agree } from './agree.ts'
import { ID_BYTES } from './key-ref.ts'
import { peerPoint } from './material.ts'
import { CKM, CKZ_DATA_SPECIFIED, HASH_PARAMS, PARAMS } from './mechanisms.ts'
import { needs } from './needs.ts'
import { destroyQuietly, generateKey, generatorOf, type Handle, tokenRow } from './objects.ts'
import type { Operations } from './operations.ts'
import type { Gap, KeyStorage, MadeKey, MechanismFacts, Profile } from './protocol.ts'
import { CKR, returnCode } from './return-codes.ts'
import { ckrOf, type Session, type SessionPool } from './token.ts'
import { rewrapped } from './wrapped-keys.ts'

type Mechanisms = ReadonlyMap<number, MechanismFacts>

/** Whether the failure says "I can't", as opposed to "not now". Several modules answer GENERAL_ERROR for an unknown curve. */
function isRefusal(error: unknown): boolean {
  if (error instanceof KmsError) return error.code === 'unsupported_algorithm' || error.code === 'unsupported_spec'
  const ckr = ckrOf(error)
  if (ckr === undefined) return false
  return ckr === CKR.GENERAL_ERROR || ckr === CKR.FUNCTION_FAILED || returnCode(ckr).code === 'unsupported_algorithm'
}

async function works(attempt: () => Promise<boolean>): Promise<boolean> {
  try {
    return await attempt()
  } catch (error) {
    if (isRefusal(error)) return false
    throw error
  }
}

const BLOCK = new Uint8Array(32)
const NOTHING = new Uint8Array()

function paramsFor(algorithm: Algorithm): EncryptParams {
  const row = algorithmRow(algorithm)
  if (row.scheme === 'envelope') return { nonce: BLOCK.subarray(0, 16), iv: BLOCK.subarray(0, 12), aad: BLOCK }
  return { nonce: NOTHING, iv: BLOCK.subarray(0, row.scheme === 'aes' ? row.ivBytes : 0), aad: NOTHING }
}

function peerOf(row: KeySpecRow): { publicKey: KeyObject; privateKey: KeyObject } {
  return row.type === 'ec' ? generateKeyPairSync('ec', { namedCurve: row.curve }) : generateKeyPairSync('x25519')
}

/** Agrees with a key of its own, and comes to the same secret by itself. */
export function agreesRightly(session: Session, key: Handle, spec: KeySpec, spki: Uint8Array): boolean {
  const { publicKey, privateKey } = peerOf(specRow(spec))
  const point = peerPoint(spec, publicKey.export({ format: 'der', type: 'spki' }))
  const theirs = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })
  return Buffer.compare(agree(session, key, spec, point), diffieHellman({ privateKey, publicKey: theirs })) === 0
}

const LABEL = 'trefoil probe'
type Tried = MadeKey & { readonly handle: Handle }

/** Finds a profile out. */
class Probe {
  readonly #pool: SessionPool
  readonly #operations: Operations
  readonly #mechanisms: Mechanisms
  readonly #keyStorage: KeyStorage
  /** Whether keys survive being wrapped, by spec; RSA keys of all sizes by their smallest. */
  readonly #wrappable = new Map<KeySpec, boolean>()

  constructor(pool: SessionPool, operations: Operations, mechanisms: Mechanisms, keyStorage: KeyStorage) {
    this.#pool = pool
    this.#operations = operations
    this.#mechanisms = mechanisms
    this.#keyStorage = keyStorage
  }

  /** Undefined: it works. */
  async gap(spec: KeySpec, algorithm: Algorithm): Promise<Gap['reason'] | undefined> {
    const gap = await this.#useGap(spec, algorithm)
    if (gap !== undefined || this.#keyStorage === 'token') return gap
    return (await this.#wraps(specRow(spec).type === 'rsa' ? 'rsa_2048' : spec, algorithm)) ? undefined : 'wrap'
  }

  /** The same whatever the storage. */
  async #useGap(spec: KeySpec, algorithm: Algorithm): Promise<Gap['reason'] | undefined> {
    const needed = needs(algorithm)
    const row = tokenRow(spec)
    if (row === undefined || needed === undefined) return 'call'
    const generator = generatorOf(row, this.#mechanisms)
    const facts = generator && this.#mechanisms.get(generator.mechanism)
    if (facts === undefined || !needed.every((type) => this.#mechanisms.has(type))) return 'mechanism'
    if (!sizeFits(row, facts)) return 'refused'
    return row.type === 'rsa' ? this.#rsaGap(algorithm) : this.#triedGap(spec, algorithm)
  }

  /** RSA keys are too slow to make for a try, unless the token has OAEP only in its own form. */
  async #rsaGap(algorithm: Algorithm): Promise<Gap['reason'] | undefined> {
    const row = algorithmRow(algorithm)
    if (row.scheme !== 'rsa-oaep' || this.#mechanisms.has(CKM.RSA_X_509)) return undefined
    if (!this.#mechanisms.has(CKM.RSA_PKCS_OAEP)) return 'mechanism'
    return (await works(() => this.#takesOaep(HASH_PARAMS[row.hash]))) ? undefined : 'refused'
  }

  #takesOaep(hash: { hashAlg: number; mgf: number }): Promise<boolean> {
    return this.#withKey('rsa_2048', 'rsa_oaep_sha1', async (session, { handle }) => {
      const parameter = { type: PARAMS.OAEP, ...hash, source: CKZ_DATA_SPECIFIED }
      session.lib.C_DecryptInit(session.handle, { mechanism: CKM.RSA_PKCS_OAEP, parameter }, handle)
      try {
        session.lib.C_Decrypt(session.handle, Buffer.alloc(specBytes('rsa_2048')), Buffer.alloc(specBytes('rsa_2048')))
      } catch {
        // Zero is no ciphertext; what counts is that the parameters were taken, and that the operation has ended.
      }
      return true
    })
  }

  async #triedGap(spec: KeySpec, algorithm: Algorithm): Promise<Gap['reason'] | undefined> {
    const right = await works(() =>
      this.#withKey(spec, algorithm, (session, tried) => this.#doesRight(session, tried, spec, algorithm)),
    )
    return right ? undefined : 'refused'
  }

  async #wraps(spec: KeySpec, wanted: Algorithm): Promise<boolean> {
    const known = this.#wrappable.get(spec)
    if (known !== undefined) return known
    const algorithm = specRow(spec).type === 'rsa' ? 'rsa_pkcs1_sha256' : wanted
    const wrappable = await works(() =>
      this.#withKey(spec, algorithm, (session, key) => this.#survives(session, key, spec, algorithm), true),
    )
    this.#wrappable.set(spec, wrappable)
    return wrappable
  }

  /** Whether a wrapped and unwrapped key is the same still: SoftHSM 2.6 pads some with zeros. */
  async #survives(session: Session, key: Tried, spec: KeySpec, algorithm: Algorithm): Promise<boolean> {
    const purposes = [purposeOfAlgorithm(algorithm)]
    const copy = rewrapped(session, this.#mechanisms, { ...key, label: LABEL }, spec, purposes)
    const row = algorithmRow(algorithm)
    const operations = this.#operations
    if (row.op === 'mac') {
      const [one, other] = [
        await operations.mac(session, key.handle, spec, algorithm, BLOCK),
        await operations.mac(session, copy, spec, algorithm, BLOCK),
      ]
      return Buffer.compare(one, other) === 0
    }
    if (row.op !== 'encrypt') return this.#doesRight(session, { ...key, handle: copy }, spec, algorithm)
    const params = paramsFor(algorithm)
    const sealed = await operations.encrypt(session, key.handle, spec, algorithm, BLOCK, params)
    return Buffer.compare(await operations.decrypt(session, copy, spec, algorithm, sealed, params), BLOCK) === 0
  }

  /** Each try in a session of its own: a refused call may leave one unusable. */
  async #withKey(
    spec: KeySpec,
    algorithm: Algorithm,
    attempt: (session: Session, tried: Tried) => Promise<boolean>,
    extractable = false,
  ): Promise<boolean> {
    return this.#pool.use(async (session) => {
      const where = { id: randomBytes(ID_BYTES), label: LABEL, token: false, extractable }
      const place = { ...where, purposes: [purposeOfAlgorithm(algorithm)], mechanisms: this.#mechanisms }
      const tried = await generateKey(session, spec, place)
      const right = await attempt(session, tried)
      destroyQuietly(session, tried.handle)
      return right
    })
  }

  async #doesRight(session: Session, tried: Tried, spec: KeySpec, algorithm: Algorithm): Promise<boolean> {
    const row = algorithmRow(algorithm)
    const operations = this.#operations
    const { handle, spki = NOTHING } = tried
    if (row.op === 'sign') {
      const input = { message: BLOCK }
      return verify(spki, spec, algorithm, input, await operations.sign(session, handle, spec, algorithm, input))
    }
    if (row.op === 'mac') {
      return (
        'hash' in row && (await operations.mac(session, handle, spec, algorithm, BLOCK)).length === HASH_BYTES[row.hash]
      )
    }
    if (row.op === 'agree') return agreesRightly(session, handle, spec, spki)
    const params = paramsFor(algorithm)
    const sealed = await operations.encrypt(session, handle, spec, algorithm, BLOCK, params)
    return Buffer.compare(await operations.decrypt(session, handle, spec, algorithm, sealed, params), BLOCK) === 0
  }
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
  keyStorage: KeyStorage,
): Promise<Profile> {
  const probe = new Probe(pool, operations, new Map(list.map((facts) => [facts.type, facts])), keyStorage)
  const algorithms: Partial<Record<KeySpec, readonly Algorithm[]>> = {}
  const gaps: Gap[] = []
  for (const spec of KEY_SPEC_NAMES) {
    for (const algorithm of specRow(spec).algorithms) {
      const reason = await probe.gap(spec, algorithm)
      if (reason === undefined) algorithms[spec] = [...(algorithms[spec] ?? []), algorithm]
      else gaps.push({ spec, algorithm, reason })
    }
  }
  return { mechanisms: list, algorithms, gaps }
}
