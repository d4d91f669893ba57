/**
 * Checks a request body against the model and decodes its blobs, with the messages that AWS's own validation gives
 * (reference recordings of 2026-11). Validators are compiled once, at load: checking is on the path of every request.
 *
 * AWS ignores members it does not know and takes null for absent; so does this.
 */
import { decodeBase64 } from '../codec/base64.ts'
import { AwsError } from './aws-error.ts'
import { OPERATIONS, type OperationName } from './gen/operations.ts'
import { SHAPES } from './gen/shapes.ts'
import type { Inputs } from './gen/types.ts'
import type { BlobShape, IntegerShape, ListShape, MapShape, Shape, StringShape, StructureShape } from './shape.ts'

/** Returns the decoded value and adds to `issues`; `path` is AWS's: `tags.1.member.tagKey`. */
type Check = (value: unknown, path: string, issues: string[]) => unknown
/** What a value of a shape must satisfy, in words, with the test for it. */
type Constraint<T> = { readonly text: string; readonly holds: (value: T) => boolean }

/**
 * The order in which the service names the values of an enumeration is neither the model's nor the alphabet's. Where it
 * was recorded it is kept, with values that are newer than the recording after it.
 */
const RECORDED_ENUM_ORDER: Readonly<Record<string, readonly string[]>> = {
  KeySpec: [
    'RSA_2048',
    'ECC_NIST_P384',
    'ECC_NIST_P256',
    'ECC_NIST_P521',
    'HMAC_384',
    'RSA_3072',
    'ECC_SECG_P256K1',
    'RSA_4096',
    'SYMMETRIC_DEFAULT',
    'HMAC_256',
    'HMAC_224',
    'HMAC_512',
  ],
  KeyUsageType: ['ENCRYPT_DECRYPT', 'SIGN_VERIFY', 'GENERATE_VERIFY_MAC'],
  MacAlgorithmSpec: ['HMAC_SHA_384', 'HMAC_SHA_256', 'HMAC_SHA_224', 'HMAC_SHA_512'],
}

const serialization = (message = ''): AwsError => new AwsError('SerializationException', message)

function tokenOf(value: unknown): string {
  if (typeof value === 'string') return 'STRING_VALUE'
  if (typeof value === 'boolean') return value ? 'TRUE_VALUE' : 'FALSE_VALUE'
  return Number.isInteger(value) ? 'NUMBER_VALUE' : 'DECIMAL_VALUE'
}

function wrongType(value: unknown, wanted: string): AwsError {
  if (Array.isArray(value)) return serialization('Start of list found where not expected')
  if (typeof value === 'object') return serialization('Start of structure or map found where not expected')
  return serialization(`${tokenOf(value)} can not be converted to ${wanted}`)
}

const NOT_NULL = 'Member must not be null'
const issue = (shown: string, path: string, text: string): string =>
  `Value ${shown}at '${path}' failed to satisfy constraint: ${text}`
const nullIssue = (path: string): string => issue('null ', path, NOT_NULL)

function lengthConstraints(shape: { readonly min?: number; readonly max?: number }): Constraint<{ length: number }>[] {
  const { min, max } = shape
  const constraints: Constraint<{ length: number }>[] = []
  if (max !== undefined) {
    constraints.push({
      text: `Member must have length less than or equal to ${max}`,
      holds: (value) => value.length <= max,
    })
  }
  if (min !== undefined) {
    constraints.push({
      text: `Member must have length greater than or equal to ${min}`,
      holds: (value) => value.length >= min,
    })
  }
  return constraints
}

function stringConstraints(name: string, shape: StringShape): Constraint<string>[] {
  const constraints: Constraint<string>[] = []
  if (shape.enum !== undefined) {
    const recorded = RECORDED_ENUM_ORDER[name] ?? []
    const values = [...recorded, ...shape.enum.filter((value) => !recorded.includes(value))]
    const known = new Set(shape.enum)
    constraints.push({
      text: `Member must satisfy enum value set: [${values.join(', ')}]`,
      holds: (value) => known.has(value),
    })
  }
  if (shape.pattern !== undefined) {
    const pattern = new RegExp(`^(?:${shape.pattern})$`, 'u')
    constraints.push({
      text: `Member must satisfy regular expression pattern: ${shape.pattern}`,
      holds: (value) => pattern.test(value),
    })
  }
  return [...constraints, ...lengthConstraints(shape)]
}

function stringCheck(name: string, shape: StringShape): Check {
  const constraints = stringConstraints(name, shape)
  return (value, path, issues) => {
    if (typeof value !== 'string') throw wrongType(value, 'a String')
    for (const { text, holds } of constraints) {
      if (!holds(value)) issues.push(issue(shape.sensitive === true ? '' : `'${value}' `, path, text))
    }
    return value
  }
}

/** The standard alphabet, padded: AWS takes no other. */
function decodeBlob(text: string): Uint8Array {
  const bytes = text.length % 4 === 0 && !text.includes('-') && !text.includes('_') ? decodeBase64(text) : undefined
  if (bytes === undefined) throw serialization()
  return bytes
}

/** The values of blobs are never shown, sensitive or not. */
function blobCheck(shape: BlobShape): Check {
  const constraints = lengthConstraints(shape)
  return (value, path, issues) => {
    if (typeof value !== 'string') throw wrongType(value, 'a ByteBuffer')
    const bytes = decodeBlob(value)
    for (const { text, holds } of constraints) if (!holds(bytes)) issues.push(issue('', path, text))
    return bytes
  }
}

const INT_MAX = 2 ** 31 - 1

function integerCheck({ min, max }: IntegerShape): Check {
  return (value, path, issues) => {
    if (typeof value !== 'number' || !Number.isInteger(value) || Math.abs(value) > INT_MAX) {
      throw wrongType(value, 'an Integer')
    }
    if (max !== undefined && value > max) {
      issues.push(issue(`'${value}' `, path, `Member must have value less than or equal to ${max}`))
    }
    if (min !== undefined && value < min) {
      issues.push(issue(`'${value}' `, path, `Member must have value greater than or equal to ${min}`))
    }
    return value
  }
}

const booleanCheck: Check = (value) => {
  if (typeof value !== 'boolean') throw wrongType(value, 'a Boolean')
  return value
}

const timestampCheck: Check = (value) => {
  if (typeof value !== 'number') throw wrongType(value, 'a Date')
  return value
}

/** The constraints on the members of a list of plain strings are reported at the list, all of them together. */
function memberConstraintText(name: string): string | undefined {
  const shape = shapeNamed(name)
  if (shape.type !== 'string') return undefined
  return `Member must satisfy constraint: [${stringConstraints(name, shape)
    .map(({ text }) => text)
    .join(', ')}]`
}

function listCheck(shape: ListShape): Check {
  const member = checkNamed(shape.member)
  const constraints = lengthConstraints(shape)
  const together = memberConstraintText(shape.member)
  return (value, path, issues) => {
    if (!Array.isArray(value)) throw serialization('Expected list or null')
    const found: string[] = []
    const decoded = value.map((item: unknown, index) => {
      const at = `${path}.${index + 1}.member`
      if (item === null) found.push(nullIssue(at))
      return item === null ? undefined : member(item, at, found)
    })
    const shown = together === undefined ? '' : `'[${value.join(', ')}]' `
    for (const { text, holds } of constraints) if (!holds(value)) issues.push(issue(shown, path, text))
    if (found.length > 0 && together !== undefined) issues.push(issue(shown, path, together))
    else issues.push(...found)
    return decoded
  }
}

function mapCheck(shape: MapShape): Check {
  const member = checkNamed(shape.value)
  return (value, path, issues) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw serialization('Expected map or null')
    for (const [name, item] of Object.entries(value)) {
      if (item === null) issues.push(nullIssue(`${path}.${name}.member`))
      else member(item, `${path}.${name}.member`, issues)
    }
    return value
  }
}

const camel = (name: string): string => name.charAt(0).toLowerCase() + name.slice(1)

function structureCheck(shape: StructureShape): Check {
  const members = Object.entries(shape.members).map(([name, shapeName]) => ({
    name,
    path: camel(name),
    check: checkNamed(shapeName),
    required: shape.required.includes(name),
  }))
  return (value, path, issues) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw serialization('Expected structure or null')
    const given = value as Readonly<Record<string, unknown>>
    const decoded: Record<string, unknown> = {}
    for (const member of members) {
      const item = given[member.name]
      if (item === undefined || item === null) {
        if (member.required) issues.push(nullIssue(path === '' ? member.path : `${path}.${member.path}`))
      } else {
        decoded[member.name] = member.check(item, path === '' ? member.path : `${path}.${member.path}`, issues)
      }
    }
    return decoded
  }
}

const shapeNamed = (name: string): Shape => {
  const shape = (SHAPES as Readonly<Record<string, Shape>>)[name]
  if (shape === undefined) throw new Error(`no shape ${name}`)
  return shape
}

function compile(name: string): Check {
  const shape = shapeNamed(name)
  switch (shape.type) {
    case 'string':
      return stringCheck(name, shape)
    case 'blob':
      return blobCheck(shape)
    case 'integer':
      return integerCheck(shape)
    case 'boolean':
      return booleanCheck
    case 'timestamp':
      return timestampCheck
    case 'list':
      return listCheck(shape)
    case 'map':
      return mapCheck(shape)
    case 'structure':
      return structureCheck(shape)
  }
}

const compiled = new Map<string, Check>()
function checkNamed(name: string): Check {
  const check = compiled.get(name) ?? compile(name)
  compiled.set(name, check)
  return check
}

export type InputName = OperationName & keyof Inputs
export type Validator<N extends InputName> = (body: unknown) => Inputs[N]

/**
 * The validator of an operation's request body (parsed JSON).
 *
 * @throws AwsError SerializationException for a value of the wrong JSON type or bad base64, ValidationException with every
 *   violated constraint otherwise
 */
export function validatorOf<N extends InputName>(operation: N): Validator<N> {
  const check = checkNamed(OPERATIONS[operation].input)
  return (body) => {
    const issues: string[] = []
    const decoded = check(body, '', issues)
    if (issues.length === 0) return decoded as Inputs[N]
    const noun = issues.length === 1 ? 'error' : 'errors'
    throw new AwsError('ValidationException', `${issues.length} validation ${noun} detected: ${issues.join('; ')}`)
  }
}
