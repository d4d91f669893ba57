/** Key objects in the token: templates, making, importing, finding and destroying them. */
import graphene, { type ITemplate } from 'graphene-pk11'
import { type KeySpec, type KeySpecRow, type Purpose, specRow } from '../core/algorithm.ts'
import { invalidArgument, KmsError } from '../core/error.ts'
import type { ObjectRef } from './key-ref.ts'
import { ecSpki, edwardsSpki, mlDsaSpki, readPrivateKey, rsaSpki } from './material.ts'
import { CKA, CKK, CKM, CKO } from './mechanisms.ts'
import type { MadeKey } from './protocol.ts'
import { CKR } from './return-codes.ts'
import { ckrOf, type Session } from './token.ts'

export type Handle = Buffer

// graphene has no names for what came after v2.40.
graphene.registerAttribute('parameterSet', CKA.PARAMETER_SET, 'number')
graphene.registerAttribute('seed', CKA.SEED, 'buffer')

/** Read back after every creation: the key stays in the token. */
export const LOCKED = { private: true, sensitive: true, extractable: false } as const
export const NO_WRAPPING = { wrap: false, unwrap: false } as const

/** Specs that tokens have no keys of here. */
type ForeignRow = Extract<KeySpecRow, { type: 'slh-dsa' | 'ml-kem' | 'x-wing' }>
export type TokenRow = Exclude<KeySpecRow, ForeignRow>
type TokenType = TokenRow['type']

/** Undefined for a spec that tokens have no keys of. */
export function tokenRow(spec: KeySpec): TokenRow | undefined {
  const row = specRow(spec)
  return row.type in GENERATORS ? (row as TokenRow) : undefined
}

/** @throws KmsError unsupported_spec */
function requireRow(spec: KeySpec): TokenRow {
  const row = tokenRow(spec)
  if (row === undefined) throw new KmsError('unsupported_spec', { spec })
  return row
}

const NO_USE = { sign: false, decrypt: false, derive: false, unwrap: false } as const

/** What a key may do that serves these purposes, and no more: a strict token refuses one that signs and decrypts. */
function usesIn(row: TokenRow, purposes: readonly Purpose[]): ITemplate {
  const serves = (purpose: Purpose): boolean => purposes.includes(purpose)
  if (row.type === 'aes') {
    // Envelopes derive a key for every message; the raw modes are the key's own.
    const raw = serves('raw_encrypt_decrypt')
    return { ...NO_USE, ...NO_WRAPPING, derive: serves('encrypt_decrypt'), encrypt: raw, decrypt: raw, verify: false }
  }
  if (row.type === 'hmac') return { ...NO_USE, ...NO_WRAPPING, sign: serves('mac'), verify: false, encrypt: false }
  const uses = { sign: serves('sign_verify'), decrypt: serves('encrypt_decrypt'), derive: serves('key_agreement') }
  return { ...NO_USE, ...uses }
}

/** How a token makes keys of a type, and what it calls them. */
type Generator = { readonly mechanism: number; readonly keyType: number }

/** The first that a token has. SoftHSM 2.6 makes X25519 keys as Edwards ones. */
const GENERATORS: Readonly<Record<TokenType, readonly Generator[]>> = {
  aes: [{ mechanism: CKM.AES_KEY_GEN, keyType: CKK.AES }],
  hmac: [{ mechanism: CKM.GENERIC_SECRET_KEY_GEN, keyType: CKK.GENERIC_SECRET }],
  rsa: [{ mechanism: CKM.RSA_PKCS_KEY_PAIR_GEN, keyType: CKK.RSA }],
  ec: [{ mechanism: CKM.EC_KEY_PAIR_GEN, keyType: CKK.EC }],
  ed25519: [{ mechanism: CKM.EC_EDWARDS_KEY_PAIR_GEN, keyType: CKK.EC_EDWARDS }],
  x25519: [
    { mechanism: CKM.EC_MONTGOMERY_KEY_PAIR_GEN, keyType: CKK.EC_MONTGOMERY },
    { mechanism: CKM.EC_EDWARDS_KEY_PAIR_GEN, keyType: CKK.EC_EDWARDS },
  ],
  'ml-dsa': [{ mechanism: CKM.ML_DSA_KEY_PAIR_GEN, keyType: CKK.ML_DSA }],
}

/** Mechanism types of a token. */
export type Mechanisms = { has(type: number): boolean }

export const generatorOf = (row: TokenRow, mechanisms: Mechanisms): Generator | undefined =>
  GENERATORS[row.type].find(({ mechanism }) => mechanisms.has(mechanism))

/** What a key is made with: by a token that has no way to. @throws KmsError unsupported_spec */
function requireGenerator(spec: KeySpec, row: TokenRow, mechanisms: Mechanisms): Generator {
  const generator = generatorOf(row, mechanisms)
  if (generator === undefined) throw new KmsError('unsupported_spec', { spec })
  return generator
}

/**
 * `token: false` makes a session object, for wrapping and probing; `extractable` one that can be wrapped, though not read.
 * `mechanisms`: what the token has.
 */
export type Placement = {
  readonly purposes: readonly Purpose[]
  /** CKA_ID. */
  readonly id: Uint8Array
  readonly label: string
  readonly token: boolean
  readonly extractable: boolean
  readonly mechanisms: Mechanisms
}

const isSecret = (row: TokenRow): row is Extract<TokenRow, { type: 'aes' | 'hmac' }> =>
  row.type === 'aes' || row.type === 'hmac'

const classOf = (row: TokenRow): ObjectRef['objectClass'] => (isSecret(row) ? CKO.SECRET_KEY : CKO.PRIVATE_KEY)

function privateTemplate(row: TokenRow, keyType: number, place: Placement): ITemplate {
  const common = { class: classOf(row), keyType, token: place.token, label: place.label, id: Buffer.from(place.id) }
  return { ...common, ...LOCKED, extractable: place.extractable, ...usesIn(row, place.purposes) }
}

/** What a wrapped key becomes when it is unwrapped: a session object that can't leave the token. */
export function unwrapTemplate(
  spec: KeySpec,
  { id, label }: ObjectRef,
  purposes: readonly Purpose[],
  mechanisms: Mechanisms,
): ITemplate {
  const row = requireRow(spec)
  const { keyType } = requireGenerator(spec, row, mechanisms)
  return privateTemplate(row, keyType, { purposes, id, label, token: false, extractable: false, mechanisms })
}

/** RFC 8410 section 3. */
const RFC_8410_OIDS = { ed25519: '06032b6570', x25519: '06032b656e' } as const

/** CKA_EC_PARAMS: the curve's OID in DER. */
const curveOf = (row: Extract<TokenRow, { type: 'ec' | 'ed25519' | 'x25519' }>): Buffer =>
  Buffer.from(row.type === 'ec' ? row.oid : RFC_8410_OIDS[row.type], 'hex')

/** The public half is read once and dropped: its place is the store, and token memory is scarce. */
function publicTemplate(row: TokenRow, keyType: number, purposes: readonly Purpose[]): ITemplate {
  const verify = purposes.includes('sign_verify')
  const common = { class: CKO.PUBLIC_KEY, keyType, token: false, private: false, verify }
  switch (row.type) {
    case 'rsa': {
      const encrypt = purposes.includes('encrypt_decrypt')
      return { ...common, encrypt, modulusBits: row.bits, publicExponent: Buffer.of(1, 0, 1) }
    }
    case 'ec':
    case 'ed25519':
    case 'x25519':
      return { ...common, paramsEC: curveOf(row) }
    case 'ml-dsa':
      return { ...common, parameterSet: row.parameterSet }
    default:
      return common
  }
}

const attribute = (session: Session, handle: Handle, type: number): Buffer =>
  new graphene.SessionObject(handle, session, session.lib).getAttribute(type)

function spkiOf(session: Session, row: TokenRow, publicKey: Handle): Uint8Array | undefined {
  switch (row.type) {
    case 'rsa':
      return readRsaSpki(session, publicKey)
    case 'ec':
      return ecSpki(row, attribute(session, publicKey, CKA.EC_POINT))
    case 'ed25519':
    case 'x25519':
      return edwardsSpki(row, attribute(session, publicKey, CKA.EC_POINT))
    case 'ml-dsa':
      return mlDsaSpki(row, attribute(session, publicKey, CKA.VALUE))
    default:
      return undefined
  }
}

/** Works on private keys too: their modulus and exponent are not sensitive. */
export const readRsaSpki = (session: Session, handle: Handle): Uint8Array =>
  rsaSpki(attribute(session, handle, CKA.MODULUS), attribute(session, handle, CKA.PUBLIC_EXPONENT))

/** Some modules ignore the template (openCryptoki on unwrap): a key that could leave the token is destroyed at once. */
export function assertLocked(
  session: Session,
  handle: Handle,
  spec: string,
  place: Pick<Placement, 'token' | 'extractable'>,
): void {
  const object = new graphene.SessionObject(handle, session, session.lib)
  const wanted: ITemplate = { ...LOCKED, token: place.token, extractable: place.extractable }
  const found = object.getAttribute({ ...wanted })
  const wrong = Object.keys(wanted).filter((name) => found[name] !== wanted[name])
  if (wrong.length === 0) return
  object.destroy()
  const cause = new Error(`the token made a key with wrong ${wrong.join(', ')}`)
  throw new KmsError('unsupported_spec', { spec }, { cause })
}

async function generateRaw(
  session: Session,
  row: TokenRow,
  { mechanism: type, keyType }: Generator,
  template: ITemplate,
  purposes: readonly Purpose[],
): Promise<{ key: Handle; publicKey?: Handle }> {
  const { lib, handle } = session
  const mechanism = { mechanism: type }
  const own = graphene.Template.toPkcs11(template)
  if (isSecret(row)) {
    own.push({ type: CKA.VALUE_LEN, value: row.bytes })
    return { key: lib.C_GenerateKey(handle, mechanism, own) }
  }
  const open = graphene.Template.toPkcs11(publicTemplate(row, keyType, purposes))
  // An RSA pair takes up to seconds, during which nobody else could be served. The asynchronous call leaks its templates
  // (pkcs11js issue 120): some hundred bytes without a secret in them, so only it is used so.
  const pair =
    row.type === 'rsa'
      ? await lib.C_GenerateKeyPairAsync(handle, mechanism, open, own)
      : lib.C_GenerateKeyPair(handle, mechanism, open, own)
  return { key: pair.privateKey, publicKey: pair.publicKey }
}

/** Makes a key that can't leave the token. */
export async function generateKey(
  session: Session,
  spec: KeySpec,
  place: Placement,
): Promise<MadeKey & { handle: Handle }> {
  const row = requireRow(spec)
  const generator = requireGenerator(spec, row, place.mechanisms)
  const template = privateTemplate(row, generator.keyType, place)
  const { key, publicKey } = await generateRaw(session, row, generator, template, place.purposes)
  assertLocked(session, key, spec, place)
  const made = { handle: key, id: place.id, objectClass: classOf(row) }
  if (publicKey === undefined) return made
  const spki = spkiOf(session, row, publicKey)
  destroyQuietly(session, publicKey)
  return spki === undefined ? made : { ...made, spki }
}

/** Puts given material into the token, from where it can't be read again. Makes no copy of it: the caller wipes it. */
export function importKey(
  session: Session,
  spec: KeySpec,
  material: Uint8Array,
  place: Placement,
): MadeKey & { handle: Handle } {
  const row = requireRow(spec)
  const { keyType } = requireGenerator(spec, row, place.mechanisms)
  const template = privateTemplate(row, keyType, place)
  let spki: Uint8Array | undefined
  if (isSecret(row)) {
    if (material.length !== row.bytes) throw invalidArgument('material', `must be ${row.bytes} bytes`)
    template.value = Buffer.from(material.buffer, material.byteOffset, material.length)
  } else {
    const read = readPrivateKey(spec, material)
    spki = read.spki
    Object.assign(template, read.attributes)
    if (row.type === 'ec' || row.type === 'ed25519' || row.type === 'x25519') template.paramsEC = curveOf(row)
  }
  const handle = session.lib.C_CreateObject(session.handle, graphene.Template.toPkcs11(template))
  assertLocked(session, handle, spec, place)
  const made = { handle, id: place.id, objectClass: classOf(row) }
  return spki === undefined ? made : { ...made, spki }
}

/** Every private and secret key of the token whose label is text. */
export function listKeys(session: Session): readonly ObjectRef[] {
  const refs: ObjectRef[] = []
  for (const objectClass of [CKO.PRIVATE_KEY, CKO.SECRET_KEY]) {
    const found = session.find({ class: objectClass, token: true })
    for (let i = 0; i < found.length; i += 1) {
      const { id, label } = found.items(i).getAttribute({ id: null, label: null })
      refs.push({ objectClass, id: id ?? new Uint8Array(), label: label ?? '' })
    }
  }
  return refs
}

/** undefined only if the search itself succeeded and found nothing. */
export function findKey(session: Session, ref: ObjectRef): Handle | undefined {
  const found = session.find({ class: ref.objectClass, token: true, id: Buffer.from(ref.id), label: ref.label })
  return found.length === 0 ? undefined : found.items(0).handle
}

/** Removes an object that is of no more use; if it is gone already, so much the better. */
export function destroyQuietly(session: Session, handle: Handle): void {
  try {
    session.lib.C_DestroyObject(session.handle, handle)
  } catch (error) {
    if (ckrOf(error) !== CKR.OBJECT_HANDLE_INVALID) throw error
  }
}
