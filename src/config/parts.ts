/** What the schemas of several groups of settings are made of. */
import { type Static, Type } from '@sinclair/typebox'

/** Unknown keys are mistakes. */
export const closed = { additionalProperties: false } as const
export const oneOf = <const T extends readonly string[]>(values: T) =>
  Type.Unsafe<T[number]>(Type.Union(values.map((value) => Type.Literal(value))))
export const Path = Type.String({ minLength: 1, maxLength: 4096 })

/** Where a secret comes from: exactly one of the three. The secret itself is never part of the configuration. */
export const SecretSource = Type.Partial(
  Type.Object({
    /** Name of an environment variable. */
    env: Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]*$', description: 'the name of an environment variable' }),
    file: Path,
    /** An open file descriptor, 3 or more. */
    fd: Type.Integer({ minimum: 3, maximum: 1024 }),
  }),
  closed,
)
export type SecretSource = Static<typeof SecretSource>
