/** Runs Wycheproof files through the public path: importKey, sign, mac and decrypt of a backend, and the core's verify. */
import { hash as hashOf, randomUUID } from 'node:crypto'
import { derToRaw, rawToDer } from '../../src/api/codec/ecdsa-der.ts'
import {
  ALGORITHM_NAMES,
  type Algorithm,
  type AlgorithmRow,
  algorithmRow,
  type Hash,
  KEY_SPEC_NAMES,
  type KeySpec,
  type KeySpecRow,
  specHas,
  specRow,
} from '../../src/core/algorithm.ts'
import { KmsError } from '../../src/core/error.ts'
import type { CallContext, CryptoBackend, EncryptParams, KeyHandle } from '../../src/core/ports.ts'
import { Secret } from '../../src/core/secret.ts'
import { verify } from '../../src/core/verify.ts'

export type Vector = {
  readonly tcId: number
  readonly comment: string
  readonly flags: readonly string[]
  readonly result: 'valid' | 'invalid' | 'acceptable'
  readonly msg?: string
  readonly sig?: string
  readonly ct?: string
  readonly label?: string
  readonly key?: string
  readonly tag?: string
  readonly ctx?: string
}
export type Group = {
  readonly type: string
  readonly tests: readonly Vector[]
  readonly sha?: string
  readonly mgfSha?: string
  readonly sLen?: number
  readonly keySize?: number
  readonly tagSize?: number
  readonly publicKey?: string | Readonly<Record<string, unknown>> | null
  readonly publicKeyDer?: string | null
  readonly privateSeed?: string
  readonly privateKeyPkcs8?: string | null
}
export type VectorFile = {
  readonly algorithm: string
  readonly source?: string
  readonly testGroups: readonly Group[]
}

/** `passed`: right answers to positives; `refused`: right answers to forgeries; `skipped` by reason. */
export type Tally = {
  passed: number
  refused: number
  readonly skipped: Record<string, number>
  readonly failures: string[]
}

/**
 * What came of one vector: whether Trefoil took it for good, or why it was not tried. `strict`: rightly refused, since it
 * was made with parameters that Trefoil has not (another salt length, a label, a context), however well made it is.
 */
type Outcome = boolean | 'strict' | { readonly skip: string }
type Imported = { readonly handle: KeyHandle; readonly spki: Uint8Array | undefined }
type Runner = (backend: CryptoBackend, group: Group, vector: Vector, keys: ImportCache) => Promise<Outcome>

const hex = (text: string | undefined): Buffer => Buffer.from(text ?? '', 'hex')
const equal = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0
const context = (): CallContext => ({ signal: new AbortController().signal, requestId: randomUUID() })
const NOTHING = new Uint8Array()
const NO_PARAMS: EncryptParams = { nonce: NOTHING, iv: NOTHING, aad: NOTHING }

const hashNamed = (name: string | undefined): Hash | undefined =>
  (({ 'SHA-1': 'sha1', 'SHA-256': 'sha256', 'SHA-384': 'sha384', 'SHA-512': 'sha512' }) as const)[name ?? '']

function specWhere(matches: (row: KeySpecRow) => boolean): KeySpec | undefined {
  return KEY_SPEC_NAMES.find((name) => matches(specRow(name)))
}

function algorithmWhere(spec: KeySpec, scheme: AlgorithmRow['scheme'], hash?: Hash): Algorithm | undefined {
  return ALGORITHM_NAMES.find((name) => {
    const row = algorithmRow(name)
    return specHas(spec, name) && row.scheme === scheme && ('hash' in row ? row.hash : undefined) === hash
  })
}

type Pair = { readonly spec: KeySpec; readonly algorithm: Algorithm; readonly hash: Hash }

const rsaSpec = (group: Group): KeySpec | undefined =>
  specWhere((row) => row.type === 'rsa' && row.bits === group.keySize)

function rsaPair(group: Group, scheme: AlgorithmRow['scheme']): Pair | undefined {
  const spec = rsaSpec(group)
  const hash = hashNamed(group.sha)
  const algorithm = spec && hash && algorithmWhere(spec, scheme, hash)
  return algorithm && { spec, algorithm, hash }
}

function ecPair(group: Group): Pair | undefined {
  const curve = typeof group.publicKey === 'object' ? group.publicKey?.curve : undefined
  const openssl = curve === 'secp256r1' ? 'prime256v1' : curve
  const spec = specWhere((row) => row.type === 'ec' && row.curve === openssl)
  const hash = hashNamed(group.sha)
  const algorithm = spec && hash && algorithmWhere(spec, 'ecdsa', hash)
  return algorithm && { spec, algorithm, hash }
}

const mlDsaSpec = (file: VectorFile): KeySpec | undefined =>
  specWhere((row) => row.type === 'ml-dsa' && row.node === file.algorithm.toLowerCase())

/** Imports are slow on tokens, and groups share their key over all their vectors. */
class ImportCache {
  readonly #backend: CryptoBackend
  readonly #imported = new Map<string, Promise<Imported | undefined>>()

  constructor(backend: CryptoBackend) {
    this.#backend = backend
  }

  /** Undefined when the backend refuses the material. */
  get(spec: KeySpec, material: string): Promise<Imported | undefined> {
    const id = `${spec} ${material}`
    const imported = this.#imported.get(id) ?? this.#import(spec, hex(material))
    this.#imported.set(id, imported)
    return imported
  }

  async #import(spec: KeySpec, material: Uint8Array): Promise<Imported | undefined> {
    const home = { ringId: randomUUID(), versionId: randomUUID() }
    try {
      const { ref, spki } = await this.#backend.importKey(spec, new Secret(Uint8Array.from(material)), home, context())
      return { handle: { ...home, spec, ref }, spki }
    } catch (error) {
      if (error instanceof KmsError && error.code === 'invalid_argument') return undefined
      throw error
    }
  }

  async destroyAll(): Promise<void> {
    for (const imported of this.#imported.values()) {
      const key = await imported
      if (key !== undefined) await this.#backend.destroyKey(key.handle, context())
    }
  }
}

/** Over the message and over its digest, which must agree. */
async function verifyBoth(pair: Pair, spki: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean> {
  const inputs = [{ message }, { digest: hashOf(pair.hash, message, 'buffer') }]
  const [one, other] = await Promise.all(
    inputs.map((input) => verify(spki, pair.spec, pair.algorithm, input, signature)),
  )
  if (one !== other) throw new Error('message and digest do not agree')
  return one === true
}

const ecdsaDer: Runner = async (_backend, group, { msg, sig }) => {
  const pair = ecPair(group)
  if (pair === undefined) return { skip: 'no such algorithm' }
  const row = specRow(pair.spec)
  const raw = row.type === 'ec' ? derToRaw(hex(sig), row.coordinate) : undefined
  if (raw === undefined) return false
  if (!equal(rawToDer(raw), hex(sig))) throw new Error('accepted a DER encoding that it would not make')
  return verifyBoth(pair, hex(group.publicKeyDer ?? ''), hex(msg), raw)
}

const ecdsaRaw: Runner = async (_backend, group, { msg, sig }) => {
  const pair = ecPair(group)
  return pair === undefined
    ? { skip: 'no such algorithm' }
    : verifyBoth(pair, hex(group.publicKeyDer ?? ''), hex(msg), hex(sig))
}

const rsaVerify =
  (scheme: 'rsa-pss' | 'rsa-pkcs1'): Runner =>
  async (_backend, group, { msg, sig }) => {
    const pair = rsaPair(group, scheme)
    if (pair === undefined) return { skip: 'no such algorithm' }
    return verifyBoth(pair, hex(group.publicKeyDer ?? ''), hex(msg), hex(sig))
  }

/** The clouds' salt is as long as the hash; a signature with another salt is none, however well made. */
const pssVerify: Runner = async (backend, group, vector, keys) => {
  const good = await rsaVerify('rsa-pss')(backend, group, vector, keys)
  const strict = group.sLen === (hashNamed(group.sha) === 'sha256' ? 32 : hashNamed(group.sha) === 'sha384' ? 48 : 64)
  if (strict || typeof good !== 'boolean') return good
  if (vector.result !== 'valid') return { skip: 'made for another salt length' }
  if (good) throw new Error('accepted a salt of another length')
  return 'strict'
}

const ed25519Verify: Runner = async (_backend, group, { msg, sig }) =>
  verify(hex(group.publicKeyDer ?? ''), 'ed25519', 'ed25519', { message: hex(msg) }, hex(sig))

const mlDsaVerify =
  (spec: KeySpec): Runner =>
  async (_backend, group, { msg, sig, ctx }) => {
    if (msg === undefined) return { skip: 'external mu' }
    const good = await verifyOrRefuse(spec, hex(group.publicKeyDer ?? ''), hex(msg), hex(sig))
    if (ctx === undefined || ctx === '') return good
    if (good) throw new Error('accepted a signature that was made under a context')
    return 'strict'
  }

async function verifyOrRefuse(
  spec: KeySpec,
  spki: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  try {
    return await verify(spki, spec, 'ml_dsa', { message }, signature)
  } catch (error) {
    // A public key that is none, which no version of a key can have.
    if (error instanceof KmsError && error.code === 'internal') return false
    throw error
  }
}

/** Seed-only PKCS#8 (RFC 9881 section 6); the OIDs of the three parameter sets end in 17, 18 and 19. */
function pkcs8OfSeed(row: KeySpecRow & { readonly type: 'ml-dsa' }, seed: Uint8Array): string {
  const field = Buffer.concat([Buffer.from([0x80, seed.length]), seed])
  const algorithm = Buffer.from([...hex('300b06096086480165030403'), 16 + row.parameterSet])
  const body = Buffer.concat([hex('020100'), algorithm, Buffer.from([0x04, field.length]), field])
  return Buffer.concat([Buffer.from([0x30, body.length]), body]).toString('hex')
}

/** Signatures are randomised, so the vector's is verified under the imported key's public half, and ours beside it. */
const mlDsaSign =
  (spec: KeySpec): Runner =>
  async (backend, group, { msg, sig, ctx }, keys) => {
    const row = specRow(spec)
    if (row.type !== 'ml-dsa' || !backend.supports(spec, 'ml_dsa')) return { skip: 'unsupported' }
    const imported = await keys.get(spec, group.privateKeyPkcs8 || pkcs8OfSeed(row, hex(group.privateSeed)))
    if (imported?.spki === undefined) return false
    const publicKey = hex(String(group.publicKey))
    if (!equal(imported.spki.subarray(-publicKey.length), publicKey))
      throw new Error('another public key from the seed')
    if (msg === undefined || (ctx ?? '') !== '') return { skip: 'external mu or a context; the public key is right' }
    const message = hex(msg)
    const ours = await backend.sign(imported.handle, 'ml_dsa', { message }, context())
    for (const signature of [hex(sig), ours]) {
      if (!(await verify(imported.spki, spec, 'ml_dsa', { message }, signature))) return false
    }
    return true
  }

/** PKCS#1 v1.5 signatures are deterministic: ours must be the vector's. */
const rsaGenerate: Runner = async (backend, group, { msg, sig }, keys) => {
  const pair = rsaPair(group, 'rsa-pkcs1')
  if (pair === undefined) return { skip: 'no such algorithm' }
  const imported = await keys.get(pair.spec, group.privateKeyPkcs8 ?? '')
  if (imported === undefined) return { skip: 'weak key refused at import' }
  const message = hex(msg)
  const inputs = [{ message }, { digest: hashOf(pair.hash, message, 'buffer') }]
  const made = await Promise.all(inputs.map((input) => backend.sign(imported.handle, pair.algorithm, input, context())))
  return made.every((signature) => equal(signature, hex(sig)))
}

/** The decryption, or undefined for the one error a decryption may end with. */
async function decrypted(
  backend: CryptoBackend,
  key: Imported,
  algorithm: Algorithm,
  ciphertext: Uint8Array,
): Promise<Uint8Array | undefined> {
  try {
    return await backend.decrypt(key.handle, algorithm, ciphertext, NO_PARAMS, context())
  } catch (error) {
    if (error instanceof KmsError && error.code === 'invalid_ciphertext') return undefined
    throw error
  }
}

const oaepDecrypt: Runner = async (backend, group, { msg, ct, label }, keys) => {
  const pair = rsaPair(group, 'rsa-oaep')
  if (pair === undefined || !backend.supports(pair.spec, pair.algorithm)) return { skip: 'no such algorithm' }
  const imported = await keys.get(pair.spec, group.privateKeyPkcs8 ?? '')
  if (imported === undefined) throw new Error('the key was refused')
  const plaintext = await decrypted(backend, imported, pair.algorithm, hex(ct))
  if (group.sha !== group.mgfSha || (label ?? '') !== '') {
    if (plaintext !== undefined) throw new Error('opened what was made with another MGF1 hash or a label')
    return 'strict'
  }
  return plaintext !== undefined && equal(plaintext, hex(msg))
}

/** Padding errors must not show (implicit rejection): other bytes may come out, the same each time, or the one error. */
const pkcs1Decrypt: Runner = async (backend, group, { msg, ct, result }, keys) => {
  const spec = rsaSpec(group)
  if (spec === undefined || !backend.supports(spec, 'rsa_encrypt_pkcs1')) return { skip: 'no such algorithm' }
  const imported = await keys.get(spec, group.privateKeyPkcs8 ?? '')
  if (imported === undefined) return { skip: 'weak key refused at import' }
  const plaintext = await decrypted(backend, imported, 'rsa_encrypt_pkcs1', hex(ct))
  if (result === 'valid') return plaintext !== undefined && equal(plaintext, hex(msg))
  const again = await decrypted(backend, imported, 'rsa_encrypt_pkcs1', hex(ct))
  if (plaintext === undefined || again === undefined) return plaintext !== again
  return !equal(plaintext, again)
}

const hmac =
  (hash: Hash): Runner =>
  async (backend, group, { key = '', msg, tag }, keys) => {
    const spec = specWhere((row) => row.type === 'hmac' && row.bytes * 8 === group.keySize)
    const algorithm = spec && algorithmWhere(spec, 'hmac', hash)
    if (spec === undefined || algorithm === undefined) return { skip: 'no such key length' }
    const imported = await keys.get(spec, key)
    if (imported === undefined) throw new Error('the key was refused')
    const mac = await backend.mac(imported.handle, algorithm, hex(msg), context())
    return equal(mac.subarray(0, (group.tagSize ?? 0) / 8), hex(tag))
  }

function runnerOf(file: VectorFile, group: Group): Runner | undefined {
  const mlDsa = mlDsaSpec(file)
  const macHash = hashNamed(file.algorithm.replace('HMACSHA', 'SHA-'))
  const runners: Readonly<Record<string, Runner | undefined>> = {
    EcdsaVerify: ecdsaDer,
    EcdsaP1363Verify: ecdsaRaw,
    EddsaVerify: ed25519Verify,
    RsassaPkcs1Verify: rsaVerify('rsa-pkcs1'),
    RsassaPssVerify: pssVerify,
    RsassaPkcs1Generate: rsaGenerate,
    RsaesOaepDecrypt: oaepDecrypt,
    RsaesPkcs1Decrypt: pkcs1Decrypt,
    MlDsaVerify: mlDsa && mlDsaVerify(mlDsa),
    MlDsaSign: mlDsa && mlDsaSign(mlDsa),
    MacTest: macHash && hmac(macHash),
  }
  return runners[group.type]
}

/** Types that need the backend; the others are the core's alone. */
export const needsBackend = (group: Group): boolean => /Decrypt|Generate|Sign|Mac/.test(group.type)

export async function runFile(backend: CryptoBackend, file: VectorFile): Promise<Tally> {
  const tally: Tally = { passed: 0, refused: 0, skipped: {}, failures: [] }
  const keys = new ImportCache(backend)
  for (const group of file.testGroups) {
    const run = runnerOf(file, group)
    if (run === undefined) throw new Error(`nothing runs ${group.type} of ${file.algorithm}`)
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

function count(tally: Tally, { result, tcId, comment }: Vector, outcome: Outcome | Error): void {
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
