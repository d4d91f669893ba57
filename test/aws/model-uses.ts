/** The steps that use keys. */
import type { Weighted } from '../support/random.ts'
import {
  type Action,
  ALIASES,
  ask,
  checkMaterial,
  MISTAKE,
  pickId,
  type Sequence,
  same,
  symmetric,
  used,
  word,
} from './model-ask.ts'
import { unknownAlias } from './reference-model.ts'
import { arnOf } from './support.ts'

const KEPT = 6
const keep = <T>(list: T[], item: T): void => {
  list.push(item)
  if (list.length > KEPT) list.shift()
}

/** By id or, now and then, by an alias: what stands for a key in its uses, and the refusal of an alias that is not. */
function pickReference({ model, random }: Sequence, id: string): { KeyId: string; id: string; refused?: string } {
  if (!random.chance(0.3)) return { KeyId: id, id }
  const KeyId = random.pick(ALIASES)
  const alias = model.aliases.get(KeyId)
  return alias === undefined ? { KeyId, id, refused: unknownAlias(KeyId) } : { KeyId, id: alias.keyId }
}

const encrypt: Action = async (sequence) => {
  const { model, random } = sequence
  const { KeyId, id, refused } = pickReference(sequence, pickId(sequence, symmetric))
  const [plaintext, context] = [word(random), random.chance(0.5) ? { a: word(random) } : {}]
  const Plaintext = Buffer.from(plaintext).toString('base64')
  const no = refused ?? model.unlessUsable(id, 'symmetric', 'Encrypt')
  const body = await ask(sequence, 'Encrypt', { KeyId, Plaintext, EncryptionContext: context }, no)
  const key = model.keys.get(id)
  if (body === undefined || key === undefined) return
  same(body.KeyId, arnOf(id), 'key')
  keep(key.sealed, { blob: body.CiphertextBlob, plaintext: Plaintext, context, material: key.rotations.length })
  used(model, key, 'Encrypt')
}

/** The data key is kept like any ciphertext: Decrypt has to give it back. */
const dataKey: Action = async (sequence) => {
  const { model } = sequence
  const id = pickId(sequence, symmetric)
  const refused = model.unlessUsable(id, 'symmetric', 'GenerateDataKey')
  const body = await ask(sequence, 'GenerateDataKey', { KeyId: id, KeySpec: 'AES_256' }, refused)
  const key = model.keys.get(id)
  if (body === undefined || key === undefined) return
  checkMaterial(key, key.rotations.length, body.KeyMaterialId)
  const sealed = { blob: body.CiphertextBlob, plaintext: body.Plaintext, context: {}, material: key.rotations.length }
  keep(key.sealed, sealed)
  used(model, key, 'GenerateDataKey')
}

const decrypt: Action = async (sequence) => {
  const { model, random } = sequence
  const key = model.keys.get(pickId(sequence, (key) => key.sealed.length > 0))
  if (key === undefined || key.sealed.length === 0) return
  const sealed = random.pick(key.sealed)
  const wrong = random.chance(MISTAKE)
  const EncryptionContext = wrong ? { ...sealed.context, b: 'c' } : sealed.context
  const refused = model.unlessEnabled(key.id) ?? (wrong ? 'InvalidCiphertextException' : undefined)
  const body = await ask(sequence, 'Decrypt', { CiphertextBlob: sealed.blob, EncryptionContext }, refused)
  if (body === undefined) return
  same([body.KeyId, body.Plaintext], [arnOf(key.id), sealed.plaintext], 'plaintext')
  checkMaterial(key, sealed.material, body.KeyMaterialId)
  used(model, key, 'Decrypt')
}

const SIGNING = {
  sign: 'Sign',
  verify: 'Verify',
  member: 'Signature',
  algorithm: { SigningAlgorithm: 'ECDSA_SHA_256' },
  invalid: 'KMSInvalidSignatureException',
}
const MAC = {
  sign: 'GenerateMac',
  verify: 'VerifyMac',
  member: 'Mac',
  algorithm: { MacAlgorithm: 'HMAC_SHA_256' },
  invalid: 'KMSInvalidMacException',
}
const WORDS = { signing: SIGNING, mac: MAC } as const

const sign =
  (kind: 'signing' | 'mac'): Action =>
  async (sequence) => {
    const { model, random } = sequence
    const { sign: operation, member, algorithm } = WORDS[kind]
    const id = pickId(sequence, (key) => key.kind === kind)
    const message = Buffer.from(word(random)).toString('base64')
    const refused = model.unlessUsable(id, kind, operation)
    const body = await ask(sequence, operation, { KeyId: id, Message: message, ...algorithm }, refused)
    const key = model.keys.get(id)
    if (body === undefined || key === undefined) return
    keep(key.signed, { message, signature: body[member] })
    used(model, key, operation)
  }

const verify: Action = async (sequence) => {
  const { model, random } = sequence
  const key = model.keys.get(pickId(sequence, (key) => key.signed.length > 0))
  if (key === undefined || key.kind === 'symmetric' || key.signed.length === 0) return
  const { verify: operation, member, algorithm, invalid } = WORDS[key.kind]
  const { message, signature } = random.pick(key.signed)
  const wrong = random.chance(MISTAKE)
  const input = { KeyId: key.id, Message: wrong ? 'bm8=' : message, [member]: signature, ...algorithm }
  const refused = model.unlessEnabled(key.id) ?? (wrong ? invalid : undefined)
  const body = await ask(sequence, operation, input, refused)
  if (body !== undefined) used(model, key, operation)
}

export const USES: Weighted<Action> = [
  [8, encrypt],
  [8, decrypt],
  [3, dataKey],
  [3, sign('signing')],
  [3, sign('mac')],
  [6, verify],
]
