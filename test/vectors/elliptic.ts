/** ECDSA in both encodings, Ed25519, and ECDH. */
import { createECDH, createPrivateKey, hash as hashOf } from 'node:crypto'
import { derToRaw, rawToDer } from '../../src/api/codec/ecdsa-der.ts'
import { type KeySpecRow, specRow } from '../../src/core/algorithm.ts'
import { verify } from '../../src/core/verify.ts'
import {
  algorithmWhere,
  context,
  curveSpec,
  equal,
  type Group,
  hashNamed,
  hex,
  orRefused,
  type Runner,
  UNSUPPORTED,
} from './vector.ts'

const specOf = ({ publicKey }: Group) => curveSpec(typeof publicKey === 'object' ? publicKey?.curve : undefined)

/** Over the message and over its digest, which must agree. */
async function verifyBoth(group: Group, message: Uint8Array, signature: Uint8Array): Promise<boolean> {
  const spec = specOf(group)
  const hash = hashNamed(group.sha)
  const algorithm = algorithmWhere(spec, 'ecdsa', hash)
  if (hash === undefined || algorithm === undefined) throw new Error('no such algorithm')
  const inputs = [{ message }, { digest: hashOf(hash, message, 'buffer') }]
  const [one, other] = await Promise.all(
    inputs.map((input) => verify(hex(group.publicKeyDer), spec, algorithm, input, signature)),
  )
  if (one !== other) throw new Error('message and digest do not agree')
  return one === true
}

export const ecdsaDer: Runner = async (_backend, group, { msg, sig }) => {
  const row = specRow(specOf(group))
  const raw = row.type === 'ec' ? derToRaw(hex(sig), row.coordinate) : undefined
  if (raw === undefined) return false
  if (!equal(rawToDer(raw), hex(sig))) throw new Error('accepted a DER encoding that it would not make')
  return verifyBoth(group, hex(msg), raw)
}

export const ecdsaRaw: Runner = (_backend, group, { msg, sig }) => verifyBoth(group, hex(msg), hex(sig))

export const ed25519Verify: Runner = (_backend, group, { msg, sig }) =>
  verify(hex(group.publicKeyDer), 'ed25519', 'ed25519', { message: hex(msg) }, hex(sig))

/** What may be taken or refused must give the vector's secret where it is taken. */
export const ecdh: Runner = async (backend, group, vector, keys) => {
  const spec = curveSpec(group.curve)
  const row = specRow(spec)
  if (row.type !== 'ec') throw new Error('no curve')
  if (!backend.supports(spec, 'ecdh')) return UNSUPPORTED
  const imported = await keys.take(spec, pkcs8OfScalar(row, hex(vector.private)))
  const agreed = await orRefused('invalid_argument', 'publicKey', () =>
    backend.agree(imported.handle, 'ecdh', hex(vector.public), context()),
  )
  if (agreed === undefined) return false
  if (vector.result !== 'invalid' && !equal(agreed, hex(vector.shared))) throw new Error('agreed on another secret')
  return true
}

/** The scalar is a DER integer's bytes: with zeros in front of it, or shorter than the field. */
function pkcs8OfScalar(row: Extract<KeySpecRow, { type: 'ec' }>, scalar: Uint8Array): string {
  const padded = Buffer.concat([Buffer.alloc(row.coordinate), scalar]).subarray(-row.coordinate)
  const half = createECDH(row.curve)
  half.setPrivateKey(padded)
  const point = half.getPublicKey()
  const jwk = {
    kty: 'EC',
    crv: row.jwk,
    d: padded.toString('base64url'),
    x: point.subarray(1, 1 + row.coordinate).toString('base64url'),
    y: point.subarray(1 + row.coordinate).toString('base64url'),
  }
  return createPrivateKey({ key: jwk, format: 'jwk' }).export({ format: 'der', type: 'pkcs8' }).toString('hex')
}
