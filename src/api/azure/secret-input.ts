/** Bodies of requests about secrets, and what they ask for. */
import { type Static, Type } from '@sinclair/typebox'
import { invalidArgument } from '../../core/error.ts'
import { Secret } from '../../core/secret.ts'
import type { SecretAttributes } from '../../core/stored-secret.ts'
import { MAX_TAG_LENGTH, MAX_TAGS } from './schemas.ts'

/** Year 9999: what dates can say. */
const Seconds = Type.Integer({ minimum: 0, maximum: 253_402_300_799 })
const MAX_VALUE_BYTES = 25 * 1024

const described = {
  contentType: Type.Optional(Type.String({ maxLength: 255 })),
  attributes: Type.Optional(
    Type.Object({
      enabled: Type.Optional(Type.Boolean()),
      nbf: Type.Optional(Seconds),
      exp: Type.Optional(Seconds),
    }),
  ),
  tags: Type.Optional(
    Type.Record(Type.String(), Type.String({ maxLength: MAX_TAG_LENGTH }), { maxProperties: MAX_TAGS }),
  ),
}
export const UpdateSecretBody = Type.Object(described)
export const SetSecretBody = Type.Object({ value: Type.String(), ...described })
export const RestoreSecretBody = Type.Object({ value: Type.String({ minLength: 1 }) })

/** @throws KmsError invalid_argument beyond Azure's 25 KiB */
export function secretValue(value: string): Secret {
  const bytes = Buffer.from(value, 'utf8')
  if (bytes.length <= MAX_VALUE_BYTES) return new Secret(bytes)
  bytes.fill(0)
  throw invalidArgument('value', `longer than ${MAX_VALUE_BYTES} bytes`)
}

/** What the body says; what it leaves out is absent. */
export function attributesIn(body: Static<typeof UpdateSecretBody>): Partial<SecretAttributes> {
  const { enabled, nbf, exp } = body.attributes ?? {}
  if (nbf !== undefined && exp !== undefined && exp <= nbf) {
    throw invalidArgument('attributes.exp', 'must be later than nbf')
  }
  if (Object.keys(body.tags ?? {}).some((name) => name.length > MAX_TAG_LENGTH)) {
    throw invalidArgument('tags', `names have at most ${MAX_TAG_LENGTH} characters`)
  }
  return {
    ...(enabled !== undefined && { enabled }),
    ...(nbf !== undefined && { notBefore: nbf * 1000 }),
    ...(exp !== undefined && { expiresAt: exp * 1000 }),
    ...(body.contentType !== undefined && { contentType: body.contentType }),
    ...(body.tags !== undefined && { tags: body.tags }),
  }
}
