/** The part of the backend suite for raw AES, key agreement, encapsulation and signature contexts. */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import type { Test } from 'tap'
import { algorithmRow, specRow } from '../../src/core/algorithm.ts'
import { encapsulate } from '../../src/core/encapsulate.ts'
import type { Eventually } from '../../src/core/eventually.ts'
import { verify } from '../../src/core/verify.ts'
import { callContext, equal, flipped, type Pair, randomBit, refusal } from './backend.ts'
import { paramsFor, sharesSecret } from './inputs.ts'

export async function rawEncryptions(t: Test, { backend, one, other, algorithm }: Pair): Promise<void> {
  const row = algorithmRow(algorithm)
  if (row.scheme !== 'aes') throw new Error('not raw AES')
  const { mode } = row
  const authentic = mode === 'gcm' || mode === 'kw' || mode === 'kwp'
  for (const length of [16, 24, 32, 1040].filter((bytes) => mode !== 'cbc' || bytes % 16 === 0)) {
    const plaintext = randomBytes(length)
    const params = paramsFor(algorithm)
    const sealed = await backend.encrypt(one.handle, algorithm, plaintext, params, callContext())
    const open = (ciphertext: Uint8Array, key = one, changed = {}) =>
      backend.decrypt(key.handle, algorithm, ciphertext, { ...params, ...changed }, callContext())
    t.ok(equal(await open(sealed), plaintext), `${length} bytes: round trip`)
    const wrong: Record<string, () => Eventually<Uint8Array>> = {
      'bit flipped': () => open(flipped(sealed, randomBit(sealed))),
      'wrong key': () => open(sealed, other),
      ...(mode === 'gcm' && { 'other data': () => open(sealed, one, { aad: randomBytes(9) }) }),
      ...(row.ivBytes > 0 && { 'other IV': () => open(sealed, one, { iv: randomBytes(row.ivBytes) }) }),
    }
    for (const [name, attempt] of Object.entries(wrong)) {
      if (authentic) t.equal(await refusal(attempt()), 'invalid_ciphertext', `${length} bytes: ${name}`)
      else t.ok(await isOther(attempt(), plaintext), `${length} bytes: ${name} does not give the plaintext`)
    }
  }
  const bad = { ...paramsFor(algorithm), iv: randomBytes(row.ivBytes + 1) }
  const attempt = backend.encrypt(one.handle, algorithm, randomBytes(16), bad, callContext())
  t.equal(await refusal(attempt), 'invalid_argument', 'an IV of another length')
  if (mode === 'gcm') return tags(t, { backend, one, other, algorithm })
  const bound = { ...paramsFor(algorithm), aad: randomBytes(1) }
  t.equal(
    await refusal(backend.encrypt(one.handle, algorithm, randomBytes(16), bound, callContext())),
    'invalid_argument',
    'data that the mode binds not is refused, not ignored',
  )
}

async function isOther(attempt: Eventually<Uint8Array>, plaintext: Uint8Array): Promise<boolean> {
  try {
    return !equal(await attempt, plaintext)
  } catch {
    return true
  }
}

async function tags(t: Test, { backend, one, algorithm }: Pair): Promise<void> {
  for (const tagBytes of [12, 16]) {
    const params = { ...paramsFor(algorithm), tagBytes }
    const sealed = await backend.encrypt(one.handle, algorithm, new Uint8Array(), params, callContext())
    t.equal(sealed.length, tagBytes, `a tag of ${tagBytes} bytes`)
    t.equal((await backend.decrypt(one.handle, algorithm, sealed, params, callContext())).length, 0, 'opens')
  }
  for (const tagBytes of [0, 4, 11, 17]) {
    const params = { ...paramsFor(algorithm), tagBytes }
    const attempt = backend.decrypt(one.handle, algorithm, new Uint8Array(32), params, callContext())
    t.equal(await refusal(attempt), 'invalid_argument', `no tag of ${tagBytes} bytes`)
  }
}

export async function agreements(t: Test, { backend, one, other, algorithm }: Pair): Promise<void> {
  t.ok(await sharesSecret(backend, one, one, algorithm), 'both come to the same secret')
  const agree = (key: typeof one, peer: Uint8Array) => backend.agree(key.handle, algorithm, peer, callContext())
  const [mine, theirs] = [
    await agree(one, other.spki ?? new Uint8Array()),
    await agree(other, one.spki ?? new Uint8Array()),
  ]
  t.ok(equal(mine, theirs), 'two keys of the backend agree')
  t.notOk(equal(mine, await agree(one, one.spki ?? new Uint8Array())), 'another peer, another secret')
  const stranger = one.handle.spec === 'ec_p256' ? 'secp384r1' : 'prime256v1'
  const foreign = generateKeyPairSync('ec', { namedCurve: stranger }).publicKey.export({ format: 'der', type: 'spki' })
  const wrong = { 'of another curve': foreign, nothing: new Uint8Array(), garbage: randomBytes(91) }
  for (const [name, peer] of Object.entries(wrong)) t.equal(await refusal(agree(one, peer)), 'invalid_argument', name)
}

export async function encapsulations(t: Test, { backend, one, other, algorithm }: Pair): Promise<void> {
  const { spec } = one.handle
  const row = specRow(spec)
  const { secret, ciphertext } = encapsulate(one.spki ?? new Uint8Array(), spec, algorithm)
  const open = (bytes: Uint8Array, key = one) => backend.decapsulate(key.handle, algorithm, bytes, callContext())
  t.equal(secret.length, 32, 'a secret of 32 bytes')
  t.equal(ciphertext.length, 'ciphertextBytes' in row ? row.ciphertextBytes : 0, 'as long as the table says')
  t.ok(equal(await open(ciphertext), secret), 'both have the secret')
  const changed = flipped(ciphertext, randomBit(ciphertext))
  const rejected = await open(changed)
  t.notOk(equal(rejected, secret), 'bit flipped: another secret')
  t.ok(equal(rejected, await open(changed)), 'and always the same one')
  t.notOk(equal(await open(ciphertext, other), secret), 'wrong key: another secret')
  for (const bytes of [ciphertext.subarray(1), new Uint8Array(), Buffer.concat([ciphertext, Buffer.alloc(1)])]) {
    t.equal(await refusal(open(bytes)), 'invalid_ciphertext', `${bytes.length} bytes of no ciphertext`)
  }
}

/** A context is signed with the message. */
export async function contexts(t: Test, { backend, one, algorithm }: Pair): Promise<void> {
  const message = randomBytes(20)
  const context = randomBytes(255)
  const sign = (bound: Uint8Array) => backend.sign(one.handle, algorithm, { message, context: bound }, callContext())
  const signature = await sign(context)
  const holds = (bound?: Uint8Array) =>
    verify(one.spki ?? new Uint8Array(), one.handle.spec, algorithm, { message, context: bound }, signature)
  t.equal(await holds(context), true, 'under its context')
  t.equal(await holds(flipped(context, 0)), false, 'under no other')
  t.equal(await holds(), false, 'nor without')
  t.equal(await refusal(sign(randomBytes(256))), 'invalid_argument', 'a context of 256 bytes')
}
