/**
 * What every backend must do, run over each key spec × algorithm. A backend differs from another by `supports` only;
 * what it does not support it must refuse.
 */
import { constants, createPublicKey, generateKeyPairSync, publicEncrypt, randomBytes, randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import {
  ALGORITHM_NAMES,
  type Algorithm,
  algorithmRow,
  HASH_BYTES,
  isAsymmetric,
  KEY_SPEC_NAMES,
  type KeySpec,
  maxPlaintext,
  specHas,
  specRow,
} from '../../src/core/algorithm.ts'
import { type ErrorCode, KmsError } from '../../src/core/error.ts'
import type { Eventually } from '../../src/core/eventually.ts'
import type { CallContext, CryptoBackend, EncryptParams, KeyHandle, SignInput } from '../../src/core/ports.ts'
import { signatureBytes as bytesOfSignature, verify } from '../../src/core/verify.ts'
import { imports } from './backend-import.ts'
import { agreements, contexts, encapsulations, rawEncryptions } from './backend-modern.ts'
import { paramsFor, sharesSecret, signInputs } from './inputs.ts'

export type BackendSuiteOptions = {
  /** Whether importKey works; refused with `unsupported_spec` where it does not. Default: true. */
  readonly imports?: (spec: KeySpec) => boolean
  /** Whether a reference is bound to its home, so that it fails under another. Default: true. */
  readonly bindsHome?: boolean
  /** Of these only. Default: of all. */
  readonly specs?: readonly KeySpec[]
  /** Largest message signed or MACed, bytes. Default: 64 KiB. */
  readonly largeMessage?: number
}

export type Made = { readonly handle: KeyHandle; readonly spki: Uint8Array | undefined }

export const callContext = (): CallContext => ({ signal: new AbortController().signal, requestId: randomUUID() })
export const newHome = () => ({ ringId: randomUUID(), versionId: randomUUID() })
export const newParams = (aad: Uint8Array = randomBytes(24)): EncryptParams => ({
  nonce: randomBytes(16),
  iv: randomBytes(12),
  aad,
})
export const NO_AAD = new Uint8Array()

const signatureBytes = (spec: KeySpec): number => bytesOfSignature(specRow(spec))

/** Deep comparison of large buffers takes tap minutes. */
export const equal = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0

/** The code a call is refused with; `none` when it is not refused, the error's name when it is no KmsError. */
export async function refusal(call: Eventually<unknown>): Promise<ErrorCode | string> {
  try {
    await call
    return 'none'
  } catch (error) {
    return error instanceof KmsError ? error.code : `not a KmsError: ${String(error)}`
  }
}

export function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(bytes)
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  return copy
}
export const randomBit = (bytes: Uint8Array): number => randomBytes(4).readUInt32BE() % (bytes.length * 8)

/** Keys are made once per spec: making an RSA key takes a second on some backends. */
class Keys {
  readonly #backend: CryptoBackend
  readonly #made = new Map<string, Promise<Made>>()

  constructor(backend: CryptoBackend) {
    this.#backend = backend
  }

  get(spec: KeySpec, which: 'one' | 'other' = 'one'): Promise<Made> {
    const id = `${spec} ${which}`
    const made = this.#made.get(id) ?? this.make(spec)
    this.#made.set(id, made)
    return made
  }

  async make(spec: KeySpec): Promise<Made> {
    const home = newHome()
    const { ref, spki } = await this.#backend.generateKey(spec, home, callContext())
    return { handle: { ...home, spec, ref }, spki }
  }

  async destroyAll(): Promise<void> {
    for (const made of this.#made.values()) await this.#backend.destroyKey((await made).handle, callContext())
  }
}

/** Slower by far than the others: they are tried once instead of often. */
const isSlow = (spec: KeySpec): boolean => specRow(spec).type === 'slh-dsa'

export const usable = (backend: CryptoBackend, spec: KeySpec): readonly Algorithm[] =>
  ALGORITHM_NAMES.filter((algorithm) => backend.supports(spec, algorithm))

export function backendSuite(t: Test, make: () => Promise<CryptoBackend>, options: BackendSuiteOptions = {}): void {
  t.test('backend conformance', async (t) => {
    const backend = await make()
    const keys = new Keys(backend)
    t.teardown(() => backend.close())
    for (const spec of options.specs ?? KEY_SPEC_NAMES) {
      await t.test(spec, async (t) => {
        const algorithms = usable(backend, spec)
        for (const algorithm of ALGORITHM_NAMES) {
          if (algorithms.includes(algorithm))
            await t.test(algorithm, (t) => works(t, backend, keys, spec, algorithm, options))
        }
        if (algorithms.length > 0) {
          await t.test('everything else is refused', (t) => refusesTheRest(t, backend, keys, spec))
          await t.test('lifecycle', (t) => lifecycle(t, backend, keys, spec, options))
          await t.test('import', (t) => imports(t, backend, spec, options))
          await t.test('concurrency', (t) => concurrency(t, backend, keys, spec))
        } else {
          t.equal(
            await refusal(backend.generateKey(spec, newHome(), callContext())),
            'unsupported_spec',
            'cannot be made',
          )
        }
      })
    }
    await t.test('random, health and aborted calls', (t) => services(t, backend, keys))
    await keys.destroyAll()
  })
}

async function works(
  t: Test,
  backend: CryptoBackend,
  keys: Keys,
  spec: KeySpec,
  algorithm: Algorithm,
  options: BackendSuiteOptions,
): Promise<void> {
  const pair = { backend, one: await keys.get(spec), other: await keys.get(spec, 'other'), algorithm }
  const large = options.largeMessage ?? 65_536
  const row = algorithmRow(algorithm)
  if (row.op === 'sign') return signs(t, pair, large)
  if (row.op === 'mac') return macs(t, pair, large)
  if (row.op === 'agree') return agreements(t, pair)
  if (row.op === 'decapsulate') return encapsulations(t, pair)
  if (row.scheme === 'aes') return rawEncryptions(t, pair)
  return row.scheme === 'envelope' ? envelopes(t, pair, large) : encryptsRsa(t, pair)
}

export type Pair = {
  readonly backend: CryptoBackend
  readonly one: Made
  readonly other: Made
  readonly algorithm: Algorithm
}

async function signs(t: Test, { backend, one, other, algorithm }: Pair, large: number): Promise<void> {
  const { spec } = one.handle
  const row = algorithmRow(algorithm)
  const hash = 'hash' in row ? row.hash : undefined
  const spki = one.spki ?? new Uint8Array()
  const holds = (input: SignInput, signature: Uint8Array, key: Uint8Array = spki) =>
    verify(key, spec, algorithm, input, signature)
  const bytes = signatureBytes(spec)

  const limit = maxPlaintext(spec, algorithm) ?? large
  const messages = isSlow(spec)
    ? [randomBytes(100)]
    : [new Uint8Array(), randomBytes(1), randomBytes(100), randomBytes(limit)]
  for (const message of messages) {
    const inputs = signInputs(algorithm, message)
    for (const input of inputs) {
      const form = `${Object.keys(input)[0]} of ${message.length} bytes`
      const signature = await backend.sign(one.handle, algorithm, input, callContext())
      t.equal(signature.length, bytes, `${form}: signature length`)
      // Either form signs the same thing.
      for (const seen of inputs)
        t.equal(await holds(seen, signature), true, `${form}: verifies as ${Object.keys(seen)[0]}`)
      for (const seen of inputs) {
        const bit = randomBit(signature)
        t.equal(await holds(seen, flipped(signature, bit)), false, `${form}: signature bit ${bit} flipped`)
        for (const [name, value] of Object.entries(seen)) {
          if (value === undefined || value.length === 0) continue
          const changed = { ...seen, [name]: flipped(value, randomBit(value)) }
          t.equal(await holds(changed, signature), false, `${form}: input bit flipped`)
        }
        t.equal(await holds(seen, signature, other.spki), false, `${form}: wrong key`)
        t.equal(await holds(seen, signature.subarray(1)), false, `${form}: signature one byte short`)
        t.equal(
          await holds(seen, Buffer.concat([signature, Buffer.alloc(1)])),
          false,
          `${form}: signature one byte long`,
        )
        t.equal(await holds(seen, new Uint8Array(bytes)), false, `${form}: zero signature`)
      }
    }
  }
  if ('context' in row) await contexts(t, { backend, one, other, algorithm })
  if (row.scheme !== 'ml-dsa-mu') await digestsChecked(t, { backend, one, other, algorithm }, hash)
}

async function digestsChecked(
  t: Test,
  { backend, one, algorithm }: Pair,
  hash: keyof typeof HASH_BYTES | undefined,
): Promise<void> {
  const { spec } = one.handle
  const expected = hash === undefined ? 'invalid_argument' : 'digest_length'
  const length = hash === undefined ? 64 : HASH_BYTES[hash]
  const lengths = hash === undefined ? [32, 64] : [0, length - 1, length + 1]
  for (const bytes of lengths) {
    const input = { digest: randomBytes(bytes) }
    t.equal(
      await refusal(backend.sign(one.handle, algorithm, input, callContext())),
      expected,
      `digest of ${bytes} bytes refused`,
    )
    const signature = new Uint8Array(signatureBytes(spec))
    const verdict = verify(one.spki ?? new Uint8Array(), spec, algorithm, input, signature)
    t.equal(await refusal(verdict), expected, `digest of ${bytes} bytes not verified`)
  }
}

async function macs(t: Test, { backend, one, other, algorithm }: Pair, large: number): Promise<void> {
  const row = algorithmRow(algorithm)
  for (const message of [new Uint8Array(), randomBytes(100), randomBytes(large)]) {
    const tag = await backend.mac(one.handle, algorithm, message, callContext())
    t.equal(tag.length, 'hash' in row ? HASH_BYTES[row.hash] : 0, `${message.length} bytes: MAC length`)
    t.ok(equal(await backend.mac(one.handle, algorithm, message, callContext()), tag), 'the same again')
    t.notOk(equal(await backend.mac(other.handle, algorithm, message, callContext()), tag), 'another with another key')
    const longer = Buffer.concat([message, Buffer.alloc(1)])
    t.notOk(equal(await backend.mac(one.handle, algorithm, longer, callContext()), tag), 'another for another message')
  }
}

async function envelopes(t: Test, { backend, one, other, algorithm }: Pair, large: number): Promise<void> {
  for (const plaintext of [new Uint8Array(), randomBytes(1), randomBytes(100), randomBytes(large)]) {
    const size = `${plaintext.length} bytes`
    const params = newParams()
    const sealed = await backend.encrypt(one.handle, algorithm, plaintext, params, callContext())
    t.equal(sealed.length, plaintext.length + 16, `${size}: ciphertext and tag`)
    const open = (ciphertext = sealed, changed: Partial<EncryptParams> = {}, key = one) =>
      backend.decrypt(key.handle, algorithm, ciphertext, { ...params, ...changed }, callContext())
    t.ok(equal(await open(), plaintext), `${size}: round trip`)
    const bit = randomBit(sealed)
    const attempts: Record<string, () => Eventually<unknown>> = {
      [`bit ${bit} flipped`]: () => open(flipped(sealed, bit)),
      'tag bit flipped': () => open(flipped(sealed, sealed.length * 8 - 1)),
      'one byte short': () => open(sealed.subarray(0, -1)),
      'one byte long': () => open(Buffer.concat([sealed, Buffer.alloc(1)])),
      'shorter than a tag': () => open(sealed.subarray(0, 15)),
      empty: () => open(new Uint8Array()),
      'wrong key': () => open(sealed, {}, other),
      'wrong context': () => open(sealed, { aad: flipped(params.aad, randomBit(params.aad)) }),
      'no context': () => open(sealed, { aad: NO_AAD }),
      'wrong nonce': () => open(sealed, { nonce: flipped(params.nonce, randomBit(params.nonce)) }),
      'wrong IV': () => open(sealed, { iv: flipped(params.iv, randomBit(params.iv)) }),
    }
    for (const [name, attempt] of Object.entries(attempts))
      t.equal(await refusal(attempt()), 'invalid_ciphertext', `${size}: ${name}`)
  }
  const bare = newParams(NO_AAD)
  const sealed = await backend.encrypt(one.handle, algorithm, randomBytes(20), bare, callContext())
  t.equal((await backend.decrypt(one.handle, algorithm, sealed, bare, callContext())).length, 20, 'without context')
  await perMessageKeys(t, { backend, one, other, algorithm })
}

/** The nonce alone decides the key, so that one IV under two nonces is no reuse. */
async function perMessageKeys(t: Test, { backend, one, algorithm }: Pair): Promise<void> {
  const params = newParams(NO_AAD)
  const plaintext = new Uint8Array(64)
  const stream = async (nonce: Uint8Array) =>
    backend.encrypt(one.handle, algorithm, plaintext, { ...params, nonce }, callContext())
  t.ok(equal(await stream(params.nonce), await stream(params.nonce)), 'one nonce, one key')
  const [mine, theirs] = [await stream(params.nonce), await stream(randomBytes(16))]
  t.notOk(equal(mine.subarray(0, 64), theirs.subarray(0, 64)), 'another nonce, another key')
}

async function encryptsRsa(t: Test, { backend, one, other, algorithm }: Pair): Promise<void> {
  const { spec } = one.handle
  const none: EncryptParams = { nonce: NO_AAD, iv: NO_AAD, aad: NO_AAD }
  const limit = maxPlaintext(spec, algorithm) ?? 0
  const encrypt = (plaintext: Uint8Array) => backend.encrypt(one.handle, algorithm, plaintext, none, callContext())
  const decrypt = (ciphertext: Uint8Array, key = one) =>
    backend.decrypt(key.handle, algorithm, ciphertext, none, callContext())

  for (const plaintext of [new Uint8Array(), randomBytes(1), randomBytes(limit)]) {
    const sealed = await encrypt(plaintext)
    t.equal(sealed.length, signatureBytes(spec), `${plaintext.length} bytes: ciphertext as long as the modulus`)
    t.ok(equal(await decrypt(sealed), plaintext), `${plaintext.length} bytes: round trip`)
    t.notOk(equal(await encrypt(plaintext), sealed), 'no two alike')
    t.equal(
      Buffer.compare(await decrypt(encryptElsewhere(one, algorithm, plaintext)), plaintext),
      0,
      'opens what others encrypted',
    )
  }
  t.equal(await refusal(encrypt(randomBytes(limit + 1))), 'plaintext_too_large', 'one byte too many')

  const plaintext = randomBytes(20)
  const sealed = await encrypt(plaintext)
  for (const wrong of [
    sealed.subarray(1),
    Buffer.concat([sealed, Buffer.alloc(1)]),
    new Uint8Array(),
    Buffer.alloc(sealed.length, 0xff),
  ]) {
    t.equal(await refusal(decrypt(wrong)), 'invalid_ciphertext', `${wrong.length} bytes of no ciphertext`)
  }
  for (const [name, attempt] of [
    ['bit flipped', () => decrypt(flipped(sealed, randomBit(sealed)))],
    ['wrong key', () => decrypt(sealed, other)],
  ] as const) {
    if (algorithm !== 'rsa_encrypt_pkcs1') t.equal(await refusal(attempt()), 'invalid_ciphertext', name)
    else t.ok(await isImplicitRejection(attempt(), plaintext), `${name}: no error but that of a ciphertext`)
  }
  const bound = { ...none, aad: randomBytes(8) }
  t.equal(
    await refusal(backend.encrypt(one.handle, algorithm, plaintext, bound, callContext())),
    'invalid_argument',
    'context is refused, not ignored',
  )
  t.equal(
    await refusal(backend.decrypt(one.handle, algorithm, sealed, bound, callContext())),
    'invalid_argument',
    'context is refused, not ignored',
  )
}

function encryptElsewhere({ spki }: Made, algorithm: Algorithm, plaintext: Uint8Array): Uint8Array {
  const row = algorithmRow(algorithm)
  const key = createPublicKey({ key: Buffer.from(spki ?? []), format: 'der', type: 'spki' })
  return 'hash' in row
    ? publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: row.hash }, plaintext)
    : publicEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, plaintext)
}

/** PKCS#1 v1.5 has no integrity: wrong bytes may come out, but no error that says what was wrong with the padding. */
async function isImplicitRejection(attempt: Eventually<Uint8Array>, plaintext: Uint8Array): Promise<boolean> {
  try {
    return Buffer.compare(await attempt, plaintext) !== 0
  } catch (error) {
    return error instanceof KmsError && error.code === 'invalid_ciphertext'
  }
}

/** Every algorithm through every method: refused unless the pair is supported and the method is the algorithm's own. */
async function refusesTheRest(t: Test, backend: CryptoBackend, keys: Keys, spec: KeySpec): Promise<void> {
  const { handle } = await keys.get(spec)
  const ctx = callContext()
  const bytes = randomBytes(32)
  for (const algorithm of ALGORITHM_NAMES) {
    if (!specHas(spec, algorithm)) t.equal(backend.supports(spec, algorithm), false, `${algorithm} is not of this spec`)
    const { op } = algorithmRow(algorithm)
    const calls = {
      sign: () => backend.sign(handle, algorithm, { message: bytes }, ctx),
      mac: () => backend.mac(handle, algorithm, bytes, ctx),
      encrypt: () => backend.encrypt(handle, algorithm, bytes, newParams(), ctx),
      decrypt: () => backend.decrypt(handle, algorithm, bytes, newParams(), ctx),
      agree: () => backend.agree(handle, algorithm, bytes, ctx),
      decapsulate: () => backend.decapsulate(handle, algorithm, bytes, ctx),
    }
    for (const [method, call] of Object.entries(calls)) {
      if (backend.supports(spec, algorithm) && (method === op || (method === 'decrypt' && op === 'encrypt'))) continue
      t.equal(await refusal(call()), 'unsupported_algorithm', `${method} by ${algorithm}`)
    }
  }
}

/** One use of a key by whatever it can do. */
async function use(backend: CryptoBackend, handle: KeyHandle): Promise<Uint8Array> {
  const algorithm = usable(backend, handle.spec)[0]
  if (algorithm === undefined) throw new Error(`nothing to do with ${handle.spec}`)
  const row = algorithmRow(algorithm)
  if (row.op === 'sign') return backend.sign(handle, algorithm, { message: randomBytes(32) }, callContext())
  if (row.op === 'mac') return backend.mac(handle, algorithm, randomBytes(32), callContext())
  if (row.op === 'agree') {
    const peer = generateKeyPairSync('x25519').publicKey.export({ format: 'der', type: 'spki' })
    return backend.agree(handle, algorithm, peer, callContext())
  }
  if (row.op === 'decapsulate') {
    const spec = specRow(handle.spec)
    const bytes = 'ciphertextBytes' in spec ? spec.ciphertextBytes : 0
    return backend.decapsulate(handle, algorithm, randomBytes(bytes), callContext())
  }
  return backend.encrypt(handle, algorithm, randomBytes(32), paramsFor(algorithm), callContext())
}

async function lifecycle(
  t: Test,
  backend: CryptoBackend,
  keys: Keys,
  spec: KeySpec,
  options: BackendSuiteOptions,
): Promise<void> {
  const { handle, spki } = await keys.get(spec)
  t.equal(spki !== undefined, isAsymmetric(spec), 'a public key where there is one')
  if (spki !== undefined && spec !== 'x_wing') {
    const canonical = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }).export({
      format: 'der',
      type: 'spki',
    })
    t.ok(equal(canonical, spki), 'canonical SPKI')
  }
  await use(backend, handle)
  if (options.bindsHome ?? true) {
    for (const home of [
      { ...newHome(), versionId: handle.versionId },
      { ...newHome(), ringId: handle.ringId },
    ]) {
      t.equal(await refusal(use(backend, { ...handle, ...home })), 'internal', 'not under another home')
    }
  }
  t.equal(await refusal(use(backend, { ...handle, ref: new Uint8Array() })), 'internal', 'not without its reference')
  const garbage = randomBytes(handle.ref.length)
  t.equal(await refusal(use(backend, { ...handle, ref: garbage })), 'internal', 'not by a reference of nobody')

  const doomed = (await keys.get(spec, 'other')).handle
  await use(backend, doomed)
  await backend.destroyKey(doomed, callContext())
  t.equal(await refusal(use(backend, doomed)), 'internal', 'destroyed is gone')
  await backend.destroyKey(doomed, callContext())
  await use(backend, handle)
}

async function concurrency(t: Test, backend: CryptoBackend, keys: Keys, spec: KeySpec): Promise<void> {
  const { handle, spki } = await keys.get(spec)
  const algorithms = usable(backend, spec)
  const calls = isSlow(spec) ? 4 : 24
  const rounds = Array.from({ length: calls }, async (_, i) => {
    const algorithm = algorithms[i % algorithms.length]
    if (algorithm === undefined) return false
    const row = algorithmRow(algorithm)
    const message = randomBytes(48)
    const ctx = callContext()
    if (row.op === 'mac') {
      const twice = [1, 2].map(() => backend.mac(handle, algorithm, message, ctx))
      const [one, two] = await Promise.all(twice)
      return one !== undefined && two !== undefined && equal(one, two)
    }
    if (row.op === 'sign') {
      const inputs = signInputs(algorithm, message)
      const input = inputs[i % inputs.length] as SignInput
      const signature = await backend.sign(handle, algorithm, input, ctx)
      return verify(spki ?? new Uint8Array(), spec, algorithm, inputs[0] as SignInput, signature)
    }
    if (row.op !== 'encrypt') return sharesSecret(backend, { handle, spki }, { handle, spki }, algorithm)
    const params = paramsFor(algorithm)
    const sealed = await backend.encrypt(handle, algorithm, message, params, ctx)
    return equal(await backend.decrypt(handle, algorithm, sealed, params, ctx), message)
  })
  t.same(await Promise.all(rounds), Array(calls).fill(true), `${calls} calls at once`)
}

async function services(t: Test, backend: CryptoBackend, keys: Keys): Promise<void> {
  for (const bytes of [1, 16, 32, 1024, 70_000]) {
    const one = await backend.random(bytes, callContext())
    t.equal(one.length, bytes, `${bytes} random bytes`)
    if (bytes >= 16) t.notOk(equal(await backend.random(bytes, callContext()), one), 'no two alike')
  }
  await backend.health(callContext())
  const spec = KEY_SPEC_NAMES.find((name) => usable(backend, name).length > 0)
  if (spec === undefined) throw new Error('a backend that can do nothing')
  const { handle } = await keys.get(spec)
  const aborted = { signal: AbortSignal.abort(), requestId: randomUUID() }
  const algorithm = usable(backend, spec)[0] as Algorithm
  const call = backend.encrypt(handle, algorithm, randomBytes(16), paramsFor(algorithm), aborted)
  t.equal(await refusal(call), 'backend_timeout', 'a call given up is not made')
}
