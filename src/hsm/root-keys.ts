/** Root keys in the token: AES-256 keys, found by their label, that seal ring keys with AES-GCM and can't leave. */
import { randomBytes } from 'node:crypto'
import graphene, { type ITemplate } from 'graphene-pk11'
import { KmsError } from '../core/error.ts'
import { openGcm, sealGcm } from './aes.ts'
import { ID_BYTES } from './key-ref.ts'
import { CKK, CKM, CKO } from './mechanisms.ts'
import { assertLocked, type Handle, LOCKED, NO_WRAPPING } from './objects.ts'
import type { RootKeyFacts } from './protocol.ts'
import { HANDLE_GONE } from './return-codes.ts'
import { ckrOf, type Session, type SessionPool } from './token.ts'
import type { TimedUser } from './token-use.ts'

const KEY_BYTES = 32
const IV_BYTES = 12
const SEAL_FORMAT = 1
const USES: ITemplate = { encrypt: true, decrypt: true, derive: false, sign: false, verify: false, ...NO_WRAPPING }

const kind = (label: string) => ({ class: CKO.SECRET_KEY, keyType: CKK.AES, token: true, label })
const template = (label: string, more: ITemplate) =>
  graphene.Template.toPkcs11({ ...kind(label), id: randomBytes(ID_BYTES), ...LOCKED, ...USES, ...more })
const internal = (reason: string): KmsError => new KmsError('internal', {}, { cause: new Error(reason) })

export class RootKeys {
  readonly #pool: SessionPool
  readonly #user: TimedUser
  /** Throws while the token is away: finding nothing is what that looks like, too. */
  readonly #assertPresent: (session: Session) => void
  readonly #handles = new Map<string, Handle>()

  constructor(pool: SessionPool, user: TimedUser, assertPresent: (session: Session) => void) {
    this.#pool = pool
    this.#user = user
    this.#assertPresent = assertPresent
  }

  /** @throws KmsError internal where more than one has the label */
  async find(label: string): Promise<RootKeyFacts | undefined> {
    return this.#pool.use((session) => {
      const handle = this.#find(session, label)
      return handle && factsOf(session, handle)
    })
  }

  /** Generated in the token, or `key` put into it, which the caller wipes. @throws KmsError internal where the label is taken */
  async make(label: string, key?: Uint8Array): Promise<RootKeyFacts> {
    return this.#pool.use((session) => {
      if (this.#find(session, label) !== undefined) throw internal(`the token holds a key labelled ${label} already`)
      const { lib } = session
      const handle =
        key === undefined
          ? lib.C_GenerateKey(session.handle, { mechanism: CKM.AES_KEY_GEN }, template(label, { valueLen: KEY_BYTES }))
          : lib.C_CreateObject(
              session.handle,
              template(label, { value: Buffer.from(key.buffer, key.byteOffset, key.length) }),
            )
      assertLocked(session, handle, 'root', { token: true, extractable: false })
      this.#handles.set(label, handle)
      return factsOf(session, handle)
    })
  }

  /** Format 0x01 | iv (12) | ciphertext ‖ tag, the context bound as AAD: as core/seal.ts does outside of a token. */
  seal(label: string, plaintext: Uint8Array, context: string): Promise<Buffer> {
    // Few things are sealed under the root key, one per key ring: random IVs suffice.
    const iv = randomBytes(IV_BYTES)
    const params = { iv, aad: Buffer.from(context) }
    return this.#use(label, async (session, key) => {
      const sealed = await sealGcm(this.#user, { session, key, params }, plaintext)
      return Buffer.concat([Buffer.of(SEAL_FORMAT), iv, sealed])
    })
  }

  unseal(label: string, sealed: Uint8Array, context: string): Promise<Buffer> {
    return this.#use(label, async (session, key) => {
      if (sealed[0] !== SEAL_FORMAT) throw new KmsError('invalid_ciphertext')
      const params = { iv: sealed.subarray(1, 1 + IV_BYTES), aad: Buffer.from(context) }
      return openGcm(this.#user, { session, key, params }, sealed.subarray(1 + IV_BYTES))
    })
  }

  #find(session: Session, label: string): Handle | undefined {
    const found = session.find(kind(label))
    if (found.length > 1) throw internal(`the token holds ${found.length} keys labelled ${label}`)
    if (found.length === 0) {
      this.#assertPresent(session)
      return undefined
    }
    return found.items(0).handle
  }

  async #use<T>(label: string, work: (session: Session, root: Handle) => Promise<T>): Promise<T> {
    return this.#pool.use(async (session) => {
      const root = this.#handles.get(label) ?? this.#find(session, label)
      if (root === undefined) throw internal(`the token holds no key labelled ${label}`)
      this.#handles.set(label, root)
      try {
        return await work(session, root)
      } catch (error) {
        const ckr = ckrOf(error)
        if (ckr !== undefined && HANDLE_GONE.has(ckr)) this.#handles.delete(label)
        throw error
      }
    })
  }
}

/** CKA_LOCAL: generated on the token (PKCS#11 v2.40 section 4.4). */
const factsOf = (session: Session, handle: Handle): RootKeyFacts => ({
  madeInside: new graphene.SessionObject(handle, session, session.lib).getAttribute({ local: null }).local === true,
})
