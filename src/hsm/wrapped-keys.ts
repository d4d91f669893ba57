/**
 * Keys that the token has no room for: made there, wrapped under a key of the token, kept in the store, and unwrapped to
 * session objects while they are used.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto'
import graphene, { type ITemplate } from 'graphene-pk11'
import { HASH_BYTES, type KeySpec, PURPOSES, type Purpose } from '../core/algorithm.ts'
import { KmsError } from '../core/error.ts'
import { andThen, type Eventually, orElse } from '../core/eventually.ts'
import { ID_BYTES, type ObjectRef, type WrappedKey, type WrappedRef } from './key-ref.ts'
import { CKK, CKM, CKO } from './mechanisms.ts'
import {
  assertLocked,
  destroyQuietly,
  type Handle,
  LOCKED,
  type Mechanisms,
  NO_WRAPPING,
  unwrapTemplate,
} from './objects.ts'
import { CKR, HANDLE_GONE, returnCode } from './return-codes.ts'
import { ckrOf, type Session } from './token.ts'

/** Session objects at once; tokens have little memory for them. */
const CACHED_KEYS = 256
/** Larger than any key that is wrapped: RSA-4096 is 2.4 KB, ML-DSA-87 4.9 KB. */
const LARGEST_WRAPPED = 8192

/** Ways to wrap, the best first. What a token's are worth is found out when it is opened. */
const WRAPPINGS = [CKM.AES_KEY_WRAP_KWP, CKM.AES_KEY_WRAP_PAD, CKM.AES_KEY_WRAP] as const

/** Keys of the token itself. One wraps; the other binds what was wrapped to its place, as key wrapping can't. */
const OWN_KEYS = {
  wrap: {
    label: 'trefoil-wrap',
    mechanism: CKM.AES_KEY_GEN,
    template: {
      keyType: CKK.AES,
      valueLen: 32,
      wrap: true,
      unwrap: true,
      encrypt: false,
      decrypt: false,
      derive: false,
    },
  },
  bind: {
    label: 'trefoil-bind',
    mechanism: CKM.GENERIC_SECRET_KEY_GEN,
    template: { keyType: CKK.GENERIC_SECRET, valueLen: 32, sign: true, verify: false, derive: false, ...NO_WRAPPING },
  },
} as const satisfies Record<string, { label: string; mechanism: number; template: ITemplate }>
type OwnKeyName = keyof typeof OWN_KEYS
type OwnKey = { readonly handle: Handle; readonly id: Uint8Array }

/** A key that is unwrapped for the purpose that it is used for, and may do no more. */
export type WrappedKeyInUse = { readonly key: WrappedRef; readonly spec: KeySpec; readonly purpose: Purpose }

type Unwrapped = { readonly handle: Handle; users: number; dropped: boolean }

export class WrappedKeys {
  /** Makes the session objects, which live as long as it does. */
  readonly #holder: Session
  readonly #mechanisms: Mechanisms
  readonly #onLost: (reason: string) => void
  /** The least recently used first. */
  readonly #unwrapped = new Map<string, Unwrapped>()
  readonly #own = new Map<string, OwnKey>()

  constructor(holder: Session, mechanisms: Mechanisms, onLost: (reason: string) => void) {
    this.#holder = holder
    this.#mechanisms = mechanisms
    this.#onLost = onLost
  }

  /**
   * Wraps an extractable session object.
   * @throws KmsError unsupported_spec where no mechanism of the token can
   */
  wrap(session: Session, key: ObjectRef & { handle: Handle }, spec: KeySpec): WrappedKey {
    const { handle: wrapping, id: wrappingKey } = this.#ownKey(session, 'wrap') ?? this.#makeOwnKey(session, 'wrap')
    if (this.#ownKey(session, 'bind') === undefined) this.#makeOwnKey(session, 'bind')
    const inside = this.#withOwnKeys(() => wrapUnder(session, this.#mechanisms, wrapping, key.handle, spec))
    const wrapped = { wrappingKey, ...inside }
    return { ...wrapped, tag: this.#tag(session, { ...key, wrapped }, spec) }
  }

  /** Runs `work` with the key as a session object, which is there for the next call if there is room. */
  use<T>(session: Session, use: WrappedKeyInUse, work: (handle: Handle) => Eventually<T>): Eventually<T> {
    const name = nameOf(use.key, use.purpose)
    const entry = this.#unwrapped.get(name) ?? this.#unwrap(session, use)
    this.#unwrapped.delete(name)
    this.#unwrapped.set(name, entry)
    entry.users += 1
    return orElse(
      () =>
        andThen(work(entry.handle), (result) => {
          this.#used(entry)
          return result
        }),
      (error) => {
        const ckr = ckrOf(error)
        if (ckr !== undefined && HANDLE_GONE.has(ckr)) this.#drop(name, entry)
        this.#used(entry)
        throw error
      },
    )
  }

  #used(entry: Unwrapped): void {
    entry.users -= 1
    if (entry.dropped && entry.users === 0) this.#destroy(entry.handle)
    this.#trim(CACHED_KEYS)
  }

  forget(key: WrappedRef): void {
    for (const purpose of PURPOSES) {
      const name = nameOf(key, purpose)
      const entry = this.#unwrapped.get(name)
      if (entry !== undefined) this.#drop(name, entry)
    }
  }

  #unwrap(session: Session, { key, spec, purpose }: WrappedKeyInUse): Unwrapped {
    if (!timingSafeEqual(this.#tag(session, key, spec), key.wrapped.tag)) {
      throw new KmsError('internal', {}, { cause: new Error('a wrapped key that is not from this place') })
    }
    const wrapping = this.#ownKey(session, 'wrap', key.wrapped.wrappingKey)
    if (wrapping === undefined) throw lacking('wrap')
    const template = unwrapTemplate(spec, key, [purpose], this.#mechanisms)
    const unwrap = () => unwrapUnder(this.#holder, wrapping.handle, key.wrapped, template)
    const handle = this.#withOwnKeys(() => this.#held(() => this.#withRoom(unwrap)))
    assertLocked(this.#holder, handle, spec, { token: false, extractable: false })
    return { handle, users: 0, dropped: false }
  }

  /** The session that holds the keys is not in the pool: what becomes of it is seen here. */
  #held<T>(call: () => T): T {
    try {
      return call()
    } catch (error) {
      const ckr = ckrOf(error)
      if (ckr === CKR.SESSION_HANDLE_INVALID || ckr === CKR.SESSION_CLOSED)
        this.#onLost('the session with the keys is gone')
      throw error
    }
  }

  /** Once more with the idle keys out of the way, where the token has no memory left. */
  #withRoom(unwrap: () => Handle): Handle {
    try {
      return unwrap()
    } catch (error) {
      if (ckrOf(error) !== CKR.DEVICE_MEMORY || !this.#trim(0)) throw error
      return unwrap()
    }
  }

  /** Drops the oldest idle keys until `limit` are left; whether it dropped one. */
  #trim(limit: number): boolean {
    const before = this.#unwrapped.size
    for (const [name, entry] of this.#unwrapped) {
      if (this.#unwrapped.size <= limit) break
      if (entry.users === 0) this.#drop(name, entry)
    }
    return this.#unwrapped.size < before
  }

  #drop(name: string, entry: Unwrapped): void {
    if (this.#unwrapped.get(name) === entry) this.#unwrapped.delete(name)
    if (entry.dropped) return
    entry.dropped = true
    // Destroying an object in use may crash the module: the last user does it.
    if (entry.users === 0) this.#destroy(entry.handle)
  }

  /** What the token says of it is no answer to whoever used the key: the object ends with its session at the latest. */
  #destroy(handle: Handle): void {
    try {
      destroyQuietly(this.#holder, handle)
    } catch (error) {
      if (ckrOf(error) === undefined) throw error
    }
  }

  #tag(session: Session, key: ObjectRef & { wrapped: Omit<WrappedKey, 'tag'> }, spec: KeySpec): Buffer {
    const { mechanism, wrappingKey, blob } = key.wrapped
    const place = ['trefoil wrapped key', spec, key.objectClass, key.label, mechanism, ''].join('\0')
    const data = Buffer.concat([Buffer.from(place), key.id, wrappingKey, blob])
    const bind = this.#ownKey(session, 'bind')
    if (bind === undefined) throw lacking('bind')
    const { lib, handle } = session
    return this.#withOwnKeys(() => {
      lib.C_SignInit(handle, { mechanism: CKM.SHA256_HMAC }, bind.handle)
      return lib.C_Sign(handle, data, Buffer.alloc(HASH_BYTES.sha256))
    })
  }

  /** After a failure their handles may be what was wrong: they are found again. */
  #withOwnKeys<T>(call: () => T): T {
    try {
      return call()
    } catch (error) {
      this.#own.clear()
      throw error
    }
  }

  /** Found once. With `id`, that very one. */
  #ownKey(session: Session, which: OwnKeyName, id?: Uint8Array): OwnKey | undefined {
    const name = id === undefined ? which : `${which} ${Buffer.from(id).toString('hex')}`
    const key = this.#own.get(name) ?? findOwnKey(session, which, id)
    if (key !== undefined) this.#own.set(name, key)
    return key
  }

  #makeOwnKey(session: Session, which: OwnKeyName): OwnKey {
    const key = makeOwnKey(session, which)
    this.#own.set(which, key)
    return key
  }
}

const lacking = (which: OwnKeyName): KmsError =>
  new KmsError('internal', {}, { cause: new Error(`the token does not hold the key ${OWN_KEYS[which].label}`) })

const nameOf = ({ id, label }: ObjectRef, purpose: Purpose): string =>
  `${Buffer.from(id).toString('latin1')} ${label} ${purpose}`

/** @throws KmsError unsupported_spec where no mechanism of the token can */
function wrapUnder(
  session: Session,
  mechanisms: Mechanisms,
  wrapping: Handle,
  key: Handle,
  spec: KeySpec,
): Pick<WrappedKey, 'mechanism' | 'blob'> {
  for (const mechanism of WRAPPINGS) {
    const blob = mechanisms.has(mechanism) ? wrapWith(session, mechanism, wrapping, key) : undefined
    if (blob !== undefined) return { mechanism, blob }
  }
  throw new KmsError('unsupported_spec', { spec }, { cause: new Error('the token does not wrap such keys') })
}

function unwrapUnder(
  session: Session,
  wrapping: Handle,
  { mechanism, blob }: Pick<WrappedKey, 'mechanism' | 'blob'>,
  template: ITemplate,
): Handle {
  const { lib, handle } = session
  return lib.C_UnwrapKey(handle, { mechanism }, wrapping, Buffer.from(blob), graphene.Template.toPkcs11(template))
}

/**
 * A copy of an extractable session object, by wrapping it and unwrapping it under a key of the moment: for probing.
 * @throws KmsError unsupported_spec, Pkcs11Error
 */
export function rewrapped(
  session: Session,
  mechanisms: Mechanisms,
  key: ObjectRef & { handle: Handle },
  spec: KeySpec,
  purposes: readonly Purpose[],
): Handle {
  const { mechanism, template } = OWN_KEYS.wrap
  const own = graphene.Template.toPkcs11({ class: CKO.SECRET_KEY, token: false, ...LOCKED, ...template })
  const wrapping = session.lib.C_GenerateKey(session.handle, { mechanism }, own)
  const wrapped = wrapUnder(session, mechanisms, wrapping, key.handle, spec)
  const copy = unwrapUnder(session, wrapping, wrapped, unwrapTemplate(spec, key, purposes, mechanisms))
  assertLocked(session, copy, spec, { token: false, extractable: false })
  destroyQuietly(session, wrapping)
  return copy
}

/** Undefined where the mechanism can't wrap such a key. */
function wrapWith(session: Session, mechanism: number, wrapping: Handle, key: Handle): Uint8Array | undefined {
  try {
    return session.lib.C_WrapKey(session.handle, { mechanism }, wrapping, key, Buffer.alloc(LARGEST_WRAPPED))
  } catch (error) {
    const ckr = ckrOf(error)
    if (ckr !== undefined && returnCode(ckr).code === 'unsupported_algorithm') return undefined
    throw error
  }
}

/** Of several, which copies of a token may bring about, always the same one. */
function findOwnKey(session: Session, which: OwnKeyName, id?: Uint8Array): OwnKey | undefined {
  const { label, template } = OWN_KEYS[which]
  const wanted = { class: CKO.SECRET_KEY, keyType: template.keyType, token: true, label }
  const found = session.find(id === undefined ? wanted : { ...wanted, id: Buffer.from(id) })
  const keys = Array.from({ length: found.length }, (_, i) => {
    const object = found.items(i)
    return { handle: object.handle, id: object.getAttribute('id') }
  })
  return keys.sort((one, other) => Buffer.compare(one.id, other.id))[0]
}

function makeOwnKey(session: Session, which: OwnKeyName): OwnKey {
  const { label, mechanism, template } = OWN_KEYS[which]
  const id = randomBytes(ID_BYTES)
  const all = { class: CKO.SECRET_KEY, token: true, label, id, ...LOCKED, ...template }
  const handle = session.lib.C_GenerateKey(session.handle, { mechanism }, graphene.Template.toPkcs11(all))
  assertLocked(session, handle, which, { token: true, extractable: false })
  return { handle, id }
}
