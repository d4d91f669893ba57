/** A request's form: what it names, and checks in the service's own words. */
import { StsError, validation } from './error.ts'

export type Parameters = ReadonlyMap<string, string>

/** More than any operation has, lists included. */
const MAX_PARAMETERS = 256

/** The first of a name counts. @throws StsError */
export function readParameters(form: string): Parameters {
  const found = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(form)) {
    if (!found.has(name)) found.set(name, value)
    if (found.size > MAX_PARAMETERS) throw new StsError('MalformedInput', 'The request has too many parameters.')
  }
  return found
}

type Rule = { readonly least: number; readonly most: number; readonly pattern: string }

const fails = (value: string, field: string, constraint: string): StsError =>
  validation(
    `1 validation error detected: Value '${value.slice(0, 256)}' at '${field}' failed to satisfy constraint: ${constraint}`,
  )

const fieldOf = (name: string): string => name[0]?.toLowerCase() + name.slice(1)

/** @throws StsError ValidationError */
export function text(parameters: Parameters, name: string, { least, most, pattern }: Rule): string | undefined {
  const value = parameters.get(name)
  if (value === undefined) return undefined
  const field = fieldOf(name)
  if (value.length < least) throw fails(value, field, `Member must have length greater than or equal to ${least}`)
  if (value.length > most) throw fails(value, field, `Member must have length less than or equal to ${most}`)
  if (!new RegExp(`^(?:${pattern})$`, 'u').test(value)) {
    throw fails(value, field, `Member must satisfy regular expression pattern: ${pattern}`)
  }
  return value
}

/** @throws StsError ValidationError, also where it is missing */
export function requiredText(parameters: Parameters, name: string, rule: Rule): string {
  const value = text(parameters, name, rule)
  if (value !== undefined) return value
  throw validation(
    `1 validation error detected: Value null at '${fieldOf(name)}' failed to satisfy constraint: Member must not be null`,
  )
}

/** @throws StsError ValidationError */
export function wholeNumber(parameters: Parameters, name: string, least: number, most: number): number | undefined {
  const value = parameters.get(name)
  if (value === undefined) return undefined
  const field = fieldOf(name)
  if (!/^\d{1,9}$/.test(value)) throw new StsError('MalformedInput', `${name} is not a number.`)
  if (Number(value) < least) throw fails(value, field, `Member must have value greater than or equal to ${least}`)
  if (Number(value) > most) throw fails(value, field, `Member must have value less than or equal to ${most}`)
  return Number(value)
}

/** What Trefoil does not have is refused, so that nobody believes that it holds. */
export function refuseUnsupported(parameters: Parameters, names: readonly string[]): void {
  for (const name of parameters.keys()) {
    const root = name.split('.', 1)[0] ?? name
    if (names.includes(root)) throw validation(`${root} is not supported.`)
  }
}
