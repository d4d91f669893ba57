/** Bodies of requests. Members that are not known are ignored: a preview may get more. */
import { type Static, Type } from '@sinclair/typebox'
import { invalidArgument } from '../../../core/error.ts'
import { decodeBase64url } from '../../codec/base64url.ts'

/** Recorded, never believed. */
const Fact = Type.String({ maxLength: 256 })
const RequestContext = Type.Object({
  request_id: Type.Optional(Fact),
  correlation_id: Type.Optional(Fact),
  pool_name: Type.Optional(Fact),
})
export type RequestContext = Static<typeof RequestContext>

/** Of bytes that are wrapped: an RSA key of 4,096 bits in PKCS #8 is below it. */
export const MAX_PLAIN = 4096
/** RFC 3394 and RFC 5649 add a semiblock. */
export const MAX_WRAPPED = MAX_PLAIN + 8
const Value = Type.String({ minLength: 1, maxLength: Math.ceil((MAX_WRAPPED * 4) / 3) })

export const PlainBody = Type.Object({ request_context: Type.Optional(RequestContext) })
export const CipherBody = Type.Object({
  request_context: Type.Optional(RequestContext),
  alg: Type.String({ minLength: 1, maxLength: 64 }),
  value: Value,
})

/** Unpadded, and written in the one way there is. @throws KmsError invalid_argument */
export function valueBytes(text: string, limit: number): Uint8Array {
  const bytes = decodeBase64url(text)
  if (bytes === undefined) throw invalidArgument('value', 'is no base64url without padding')
  if (bytes.length > limit) throw invalidArgument('value', `has more than ${limit} bytes`)
  return bytes
}
