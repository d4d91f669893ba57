/**
 * AES-256-GCM for callers that keep its parts apart and give them back one by one (the clouds' external key managers).
 * Raw AES keys encrypt as they are, and their messages are counted; keys of envelopes encrypt under a key derived from
 * a nonce, which is one part more. Whatever names the version is bound by the caller, as additional data.
 */
import { timingSafeEqual } from 'node:crypto'
import type { KeyUse } from '../algorithm.ts'
import { KmsError } from '../error.ts'
import { andThen, type Eventually } from '../eventually.ts'
import { type Key, type KeyVersion, usesOfVersion } from '../key.ts'
import { type Env, type KeyInput, type UseTarget, useOperation } from '../operation.ts'
import type { EncryptParams } from '../ports.ts'
import type { VersionView } from '../view.ts'

/** What a ciphertext is under: the version, and of an envelope's key the nonce (otherwise empty). */
export type DetachedHead = { readonly version: number; readonly nonce: Uint8Array }
/** `sealed` ends with its tag. */
export type Detached = DetachedHead & { readonly iv: Uint8Array; readonly sealed: Uint8Array }

export type EncryptDetachedInput = KeyInput & {
  readonly plaintext: Uint8Array
  /** The additional data. */
  bind(head: DetachedHead): Uint8Array
  /**
   * Made of the parts before they are decrypted again, which they have to be to the plaintext; absent: they are not.
   * What is damaged in between is noticed thus, whichever of the two sees it (XKS specification, appendix C).
   */
  readonly digest?: ((parts: Detached) => Uint8Array) | undefined
}
export type EncryptDetachedOutput = VersionView & {
  readonly parts: Detached
  readonly digest: Uint8Array | undefined
  /** The version has made so many messages that it should be replaced. */
  readonly worn: boolean
}
export type DecryptDetachedInput = KeyInput & {
  readonly parts: Detached
  readonly aad: Uint8Array
}
export type DecryptDetachedOutput = VersionView & { readonly plaintext: Uint8Array }

const NONCE_BYTES = 16
export const IV_BYTES = 12
const NOTHING = new Uint8Array(0)

const isRaw = (key: Pick<Key, 'purpose'>): boolean => key.purpose === 'raw_encrypt_decrypt'
const useFor =
  (way: 'encrypt' | 'decrypt') =>
  (_input: unknown, key: Key): KeyUse =>
    isRaw(key) ? `raw_${way}` : way

/** @throws KmsError usage_mismatch for keys of another kind */
const algorithmOf = (version: KeyVersion, key: Key): 'aes_gcm' | 'envelope' => {
  if (version.spec !== 'aes_256')
    throw new KmsError('usage_mismatch', { usage: key.purpose, operation: 'EncryptDetached' })
  return isRaw(key) ? 'aes_gcm' : 'envelope'
}

function paramsOf({ nonce, iv }: Pick<Detached, 'nonce' | 'iv'>, aad: Uint8Array): EncryptParams {
  return { nonce, iv, aad }
}

/** @throws KmsError usage_mismatch for a key that may not decrypt what it encrypts */
function checkProvable({ key, version, use }: UseTarget): void {
  const needed = use === 'raw_encrypt' ? 'raw_decrypt' : 'decrypt'
  if (usesOfVersion(key, version).includes(needed)) return
  throw new KmsError('usage_mismatch', { usage: key.purpose, operation: 'DecryptDetached' })
}

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && timingSafeEqual(a, b)

/** @throws KmsError internal where the parts do not give the plaintext back */
async function prove(env: Env, target: UseTarget, parts: Detached, aad: Uint8Array, plaintext: Uint8Array) {
  const { backend, handle, algorithm } = target
  if (algorithm === undefined) throw new KmsError('internal')
  const opened = await backend.decrypt(handle, algorithm, parts.sealed, paramsOf(parts, aad), env.call)
  if (!sameBytes(opened, plaintext)) throw new KmsError('internal')
  opened.fill(0)
}

/** @throws KmsError usage_mismatch, limit_exceeded after 2^32 messages of a raw AES key's version */
export const encryptDetached = useOperation<EncryptDetachedInput, EncryptDetachedOutput>({
  name: 'EncryptDetached',
  action: 'encrypt',
  use: useFor('encrypt'),
  locate: (input) => input,
  algorithm: () => algorithmOf,
  async run(env, target, { plaintext, bind, digest }) {
    const { algorithm, backend, handle, key, version } = target
    if (algorithm === undefined) throw new KmsError('internal')
    if (digest !== undefined) checkProvable(target)
    const raw = isRaw(key)
    const worn = raw && (await env.messages.take(handle.versionId))
    const random = crypto.getRandomValues(new Uint8Array(NONCE_BYTES + IV_BYTES))
    const nonce = raw ? NOTHING : random.subarray(IV_BYTES)
    const iv = random.subarray(0, IV_BYTES)
    const aad = bind({ version: version.number, nonce })
    const sealed = await backend.encrypt(handle, algorithm, plaintext, paramsOf({ nonce, iv }, aad), env.call)
    const parts = { version: version.number, nonce, iv, sealed }
    const digested = digest?.(parts)
    if (digested !== undefined) await prove(env, target, parts, aad, plaintext)
    return { output: { ...target, parts, digest: digested, worn } }
  },
})

/** @throws KmsError invalid_ciphertext whatever was wrong with it, version_not_found */
export const decryptDetached = useOperation<DecryptDetachedInput, DecryptDetachedOutput>({
  name: 'DecryptDetached',
  action: 'decrypt',
  use: useFor('decrypt'),
  locate: ({ key, parts }) => ({ key, version: { by: 'number', number: parts.version } }),
  algorithm: () => algorithmOf,
  run({ call }, target, { parts, aad }) {
    const { algorithm, backend, handle } = target
    if (algorithm === undefined) throw new KmsError('internal')
    const ours = parts.iv.length === IV_BYTES && parts.nonce.length === (isRaw(target.key) ? 0 : NONCE_BYTES)
    if (!ours) throw new KmsError('invalid_ciphertext')
    const opened: Eventually<Uint8Array> = backend.decrypt(handle, algorithm, parts.sealed, paramsOf(parts, aad), call)
    return andThen(opened, (plaintext) => ({ output: { ...target, plaintext } }))
  },
})
