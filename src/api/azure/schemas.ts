/** Bodies of requests. Members that Azure doesn't know it ignores, and so do we; those it knows are checked. */
import { type Static, Type } from '@sinclair/typebox'
import { HASH_BYTES } from '../../core/algorithm.ts'
import { invalidArgument, KmsError } from '../../core/error.ts'
import { decodeBase64url } from '../codec/base64url.ts'
import { akpAlgorithm, signatureAlgorithm, signatureRow } from './algorithms.ts'
import { isAkpAlgorithm } from './names.ts'

/** Year 9999: what dates can say. */
const LAST_SECOND = 253_402_300_799
const Seconds = Type.Integer({ minimum: 0, maximum: LAST_SECOND })
const Alg = Type.String({ minLength: 1, maxLength: 64 })
/** Longer than any RSA block or digest; the bound that counts is the algorithm's. */
const Bytes = Type.String({ maxLength: 65_536 })

export const MAX_TAGS = 15
export const MAX_TAG_LENGTH = 256

const KeyOps = Type.Array(Type.String({ maxLength: 16 }), { maxItems: 16 })
const Attributes = Type.Object({
  enabled: Type.Optional(Type.Boolean()),
  nbf: Type.Optional(Seconds),
  exp: Type.Optional(Seconds),
  exportable: Type.Optional(Type.Boolean()),
})
const Tags = Type.Record(Type.String(), Type.String({ maxLength: MAX_TAG_LENGTH }), { maxProperties: MAX_TAGS })
const ReleasePolicy = Type.Object({})

export const CreateKeyBody = Type.Object({
  alg: Type.Optional(Type.String({ maxLength: 16 })),
  kty: Type.String({ minLength: 1, maxLength: 16 }),
  key_size: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_536 })),
  public_exponent: Type.Optional(Type.Integer({ minimum: 0, maximum: 0xffff_ffff })),
  crv: Type.Optional(Type.String({ maxLength: 16 })),
  key_ops: Type.Optional(KeyOps),
  attributes: Type.Optional(Attributes),
  tags: Type.Optional(Tags),
  release_policy: Type.Optional(ReleasePolicy),
})

export const UpdateKeyBody = Type.Object({
  key_ops: Type.Optional(KeyOps),
  attributes: Type.Optional(Attributes),
  tags: Type.Optional(Tags),
  release_policy: Type.Optional(ReleasePolicy),
})

/** Private numbers are text here, so that no message of the checker's can name more than the member. */
const Number64 = Type.Optional(Type.String({ maxLength: 2048 }))
export const JsonWebKeyBody = Type.Object({
  kty: Type.String({ minLength: 1, maxLength: 16 }),
  key_ops: Type.Optional(KeyOps),
  crv: Type.Optional(Type.String({ maxLength: 16 })),
  n: Number64,
  e: Number64,
  d: Number64,
  p: Number64,
  q: Number64,
  dp: Number64,
  dq: Number64,
  qi: Number64,
  x: Number64,
  y: Number64,
  k: Number64,
  key_hsm: Type.Optional(Type.String()),
})
export const ImportKeyBody = Type.Object({
  Hsm: Type.Optional(Type.Boolean()),
  key: JsonWebKeyBody,
  attributes: Type.Optional(Attributes),
  tags: Type.Optional(Tags),
  release_policy: Type.Optional(ReleasePolicy),
})

const Period = Type.Optional(Type.String({ maxLength: 32 }))
export const RotationPolicyBody = Type.Object({
  lifetimeActions: Type.Optional(
    Type.Array(
      Type.Object({
        trigger: Type.Object({ timeAfterCreate: Period, timeBeforeExpiry: Period }),
        action: Type.Object({ type: Type.String({ maxLength: 16 }) }),
      }),
      { maxItems: 8 },
    ),
  ),
  attributes: Type.Optional(Type.Object({ expiryTime: Period })),
})

/** What a backup of 500 versions takes. */
export const MAX_BACKUP_BYTES = 8 * 1024 * 1024
export const RestoreBody = Type.Object({ value: Type.String({ minLength: 1, maxLength: MAX_BACKUP_BYTES }) })

export const RandomBody = Type.Object({ count: Type.Integer() })

/** encrypt, decrypt, wrapkey, unwrapkey. */
export const CipherBody = Type.Object({
  alg: Alg,
  value: Bytes,
  iv: Type.Optional(Bytes),
  aad: Type.Optional(Bytes),
  tag: Type.Optional(Bytes),
})
const AkpMembers = { context: Type.Optional(Bytes), external_mu: Type.Optional(Bytes) }
/** AKP keys have one algorithm, which need not be named. */
export const SignBody = Type.Object({ alg: Type.Optional(Alg), value: Type.Optional(Bytes), ...AkpMembers })
export const VerifyBody = Type.Object({
  alg: Type.Optional(Alg),
  digest: Type.Optional(Bytes),
  value: Bytes,
  ...AkpMembers,
})

/** @throws KmsError invalid_argument for anything but base64url without padding */
export function bytesOf(field: string, text: string): Uint8Array {
  const bytes = decodeBase64url(text)
  if (bytes === undefined) throw invalidArgument(field, 'not base64url')
  return bytes
}

/** @throws KmsError digest_length unless the digest is as long as the algorithm's hash */
export function digestOf(alg: string, field: 'value' | 'digest', text: string): Uint8Array {
  const digest = bytesOf(field, text)
  const expected = HASH_BYTES[signatureRow(alg).hash]
  if (digest.length !== expected) {
    throw new KmsError('digest_length', { field, algorithm: alg, expected, actual: digest.length })
  }
  return digest
}

type Signed = Pick<Static<typeof SignBody>, 'alg' | 'context' | 'external_mu'>

const MU_BYTES = 64
const MAX_CONTEXT_BYTES = 255

/** What a signature is over: the digest that its algorithm names; for AKP keys the message, or mu made of it (FIPS 204). */
export function signedInput(
  { alg, context, external_mu }: Signed,
  field: 'value' | 'digest',
  text: string | undefined,
) {
  if (external_mu !== undefined) {
    if (alg !== undefined || text !== undefined || context !== undefined) {
      throw invalidArgument('external_mu', `excludes alg, ${field} and context`)
    }
    const mu = bytesOf('external_mu', external_mu)
    if (mu.length !== MU_BYTES) throw invalidArgument('external_mu', `must have ${MU_BYTES} bytes`)
    return { algorithm: akpAlgorithm(alg, 'ml_dsa_mu'), input: { mu } }
  }
  if (text === undefined) throw invalidArgument(field, 'is missing')
  if (alg !== undefined && !isAkpAlgorithm(alg)) {
    if (context !== undefined) throw invalidArgument('context', 'only AKP keys have one')
    return { algorithm: signatureAlgorithm(alg), input: { digest: digestOf(alg, field, text) } }
  }
  const bound = context === undefined ? undefined : bytesOf('context', context)
  if (bound !== undefined && bound.length > MAX_CONTEXT_BYTES) {
    throw invalidArgument('context', `has more than ${MAX_CONTEXT_BYTES} bytes`)
  }
  return { algorithm: akpAlgorithm(alg, 'ml_dsa'), input: { message: bytesOf(field, text), context: bound } }
}
