/** AES in the modes whose IV the caller sees, and HMAC. */
import { type Algorithm, algorithmRow, HASH_BYTES, type Hash, type KeySpec } from '../../src/core/algorithm.ts'
import type { EncryptParams } from '../../src/core/ports.ts'
import {
  algorithmWhere,
  context,
  decrypted,
  equal,
  type Group,
  hex,
  NO_PARAMS,
  orRefused,
  type Runner,
  specWhere,
  UNSUPPORTED,
  type Vector,
} from './vector.ts'

const specOf = (group: Group): KeySpec => specWhere((row) => row.type === 'aes' && row.bytes * 8 === group.keySize)

const paramsOf = (group: Group, { iv, aad, tag }: Vector): EncryptParams => ({
  ...NO_PARAMS,
  iv: hex(iv),
  aad: hex(aad),
  ...(tag === undefined ? {} : { tagBytes: (group.tagSize ?? 0) / 8 }),
})

/** Nothing here is random, so our ciphertext must be the vector's. An IV of a length that is none of ours is refused both ways. */
export const aes =
  (algorithm: Algorithm): Runner =>
  async (backend, group, vector, keys) => {
    const spec = specOf(group)
    if (!backend.supports(spec, algorithm)) return UNSUPPORTED
    const imported = await keys.take(spec, vector.key ?? '')
    const { handle } = imported
    const params = paramsOf(group, vector)
    const [message, ciphertext] = [hex(vector.msg), Buffer.concat([hex(vector.ct), hex(vector.tag)])]
    const row = algorithmRow(algorithm)
    if (row.scheme === 'aes' && params.iv.length !== row.ivBytes) {
      const made = await Promise.all([
        orRefused('invalid_argument', 'iv', () => backend.encrypt(handle, algorithm, message, params, context())),
        orRefused('invalid_argument', 'iv', () => backend.decrypt(handle, algorithm, ciphertext, params, context())),
      ])
      if (made.some((bytes) => bytes !== undefined)) throw new Error('took an IV of another length')
      return 'strict'
    }
    const plaintext = await decrypted(backend, imported, algorithm, ciphertext, params)
    if (plaintext === undefined) return false
    if (vector.result === 'invalid') return true
    if (!equal(plaintext, message)) throw new Error('decrypted to something else')
    const sealed = await backend.encrypt(handle, algorithm, message, params, context())
    return equal(sealed, ciphertext)
  }

/** Keys are as long as the hash; others are refused at import. */
export const hmac =
  (hash: Hash): Runner =>
  async (backend, group, { key = '', msg, tag }, keys) => {
    const spec = specWhere((row) => row.type === 'hmac' && row.bytes === HASH_BYTES[hash])
    const algorithm = algorithmWhere(spec, 'hmac', hash)
    if (algorithm === undefined || !backend.supports(spec, algorithm)) return UNSUPPORTED
    const imported = await keys.get(spec, key)
    if (group.keySize !== HASH_BYTES[hash] * 8) {
      if (imported !== undefined) throw new Error('took a key of another length')
      return 'strict'
    }
    if (imported === undefined) throw new Error('the key was refused')
    const mac = await backend.mac(imported.handle, algorithm, hex(msg), context())
    return equal(mac.subarray(0, (group.tagSize ?? 0) / 8), hex(tag))
  }
