/** Bodies that are checked against a schema, and refused by the member that is wrong. */
import type { Static, TSchema } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { invalidArgument } from '../../core/error.ts'

/** @returns a check that throws KmsError invalid_argument, with the member named */
export function checker<S extends TSchema>(schema: S): (body: unknown) => Static<S> {
  const check = TypeCompiler.Compile(schema)
  return (body) => {
    if (check.Check(body)) return body
    // The checker's own words describe the schema; nothing of the value gets into them.
    const first = check.Errors(body).First()
    const field = first?.path.slice(1).replaceAll('/', '.') ?? ''
    throw invalidArgument(/^[0-9A-Za-z_.]{1,64}$/.test(field) ? field : 'body', first?.message ?? 'is malformed')
  }
}
