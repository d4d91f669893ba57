/** What the schemas of several groups of settings are made of. */
import { Type } from '@sinclair/typebox'

/** Unknown keys are mistakes. */
export const closed = { additionalProperties: false } as const
export const oneOf = <const T extends readonly string[]>(values: T) =>
  Type.Unsafe<T[number]>(Type.Union(values.map((value) => Type.Literal(value))))
export const Path = Type.String({ minLength: 1, maxLength: 4096 })
