/** RSA decryption in the token; the padding is removed here where the token can't. */
import { createHash, createHmac, createPublicKey } from 'node:crypto'
import { type Hash, type KeySpec, specRow } from '../core/algorithm.ts'
import { KmsError } from '../core/error.ts'
import type { Eventually } from '../core/eventually.ts'
import { CKM } from './mechanisms.ts'
import { type Handle, readRsaSpki } from './objects.ts'
import { PARAMETERS_REFUSED } from './return-codes.ts'
import { CiphertextRefused, ckrOf, type Session } from './token.ts'
import { buffer, type Mechanism, type TimedUser } from './token-use.ts'
import { unpadOaep, unpadPkcs1 } from './unpad.ts'

export class RsaDecryption {
  readonly #user: TimedUser
  /** OAEP hashes that the token has refused; their padding is removed here. */
  readonly #rawOaep = new Set<Hash>()
  /** Secrets for implicit rejection. */
  readonly #rejection = new WeakMap<Handle, Uint8Array>()

  constructor(user: TimedUser) {
    this.#user = user
  }

  async oaep(session: Session, key: Handle, spec: KeySpec, hash: Hash, ciphertext: Uint8Array): Promise<Uint8Array> {
    checkLength(spec, ciphertext)
    if (!this.#rawOaep.has(hash)) {
      const mechanism = { type: CKM.RSA_PKCS_OAEP, parameter: { kind: 'oaep', hash } } as const
      try {
        return await this.#decrypt(session, mechanism, key, ciphertext)
      } catch (error) {
        const ckr = ckrOf(error)
        if (error instanceof CiphertextRefused || ckr === undefined || !PARAMETERS_REFUSED.has(ckr)) throw error
        // Refused by the Init call, which leaves no operation behind. SoftHSM has OAEP with SHA-1 only.
        this.#rawOaep.add(hash)
      }
    }
    const block = await this.#raw(session, key, ciphertext)
    const message = unpadOaep(block, hash)
    block.fill(0)
    if (message === undefined) throw new KmsError('invalid_ciphertext')
    return message
  }

  async pkcs1(session: Session, key: Handle, spec: KeySpec, ciphertext: Uint8Array): Promise<Uint8Array> {
    checkLength(spec, ciphertext)
    const secret = this.#rejection.get(key) ?? (await this.#rejectionSecret(session, key))
    const block = await this.#raw(session, key, ciphertext)
    const message = unpadPkcs1(block, ciphertext, secret)
    block.fill(0)
    return message
  }

  /**
   * What only the holder of the private key can compute, and no call of ours gives away: the private operation on a
   * block that has neither padding, hashed. The block is a hash of the public key, below the modulus.
   */
  async #rejectionSecret(session: Session, key: Handle): Promise<Uint8Array> {
    const spki = readRsaSpki(session, key)
    const bits =
      createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }).asymmetricKeyDetails?.modulusLength ?? 0
    const seed = createHash('sha256').update('trefoil implicit rejection').update(spki).digest()
    const block = createHash('shake256', { outputLength: bits / 8 })
      .update(seed)
      .digest()
    block[0] = 0
    const result = await this.#raw(session, key, block)
    const secret = createHmac('sha256', seed).update(result).digest()
    result.fill(0)
    this.#rejection.set(key, secret)
    return secret
  }

  #raw(session: Session, key: Handle, ciphertext: Uint8Array): Eventually<Buffer> {
    return this.#decrypt(session, { type: CKM.RSA_X_509 }, key, ciphertext)
  }

  #decrypt(session: Session, mechanism: Mechanism, key: Handle, ciphertext: Uint8Array): Eventually<Buffer> {
    const output = Buffer.alloc(ciphertext.length)
    return this.#user.use({ operation: 'decrypt', session, mechanism, key, input: buffer(ciphertext), output })
  }
}

function checkLength(spec: KeySpec, ciphertext: Uint8Array): void {
  const row = specRow(spec)
  if (row.type !== 'rsa' || ciphertext.length !== row.bits / 8) throw new KmsError('invalid_ciphertext')
}
