/** Field masks of updates: https://google.aip.dev/134 and google/protobuf/field_mask.proto. */
import type { DescMessage } from '@bufbuild/protobuf'
import type { FieldMask } from '@bufbuild/protobuf/wkt'
import { badField, badRequest, type FieldViolation } from './status.ts'

const FIELD = 'update_mask'
/** More paths than any resource has fields; a longer mask repeats itself. */
const MAX_PATHS = 100
const SHOWN = 100

/** Enough of a path to recognise it. */
const shown = (path: string): string => (path.length > SHOWN ? `${path.slice(0, SHOWN)}…` : path)

function isField(desc: DescMessage, path: string): boolean {
  const [head = '', ...rest] = path.split('.')
  const field = desc.fields.find(({ name }) => name === head)
  if (field === undefined || rest.length === 0) return field !== undefined
  return field.fieldKind === 'message' && isField(field.message, rest.join('.'))
}

/**
 * The paths of a mask, all of them among `updatable`.
 * @throws RpcError INVALID_ARGUMENT with every path that can't be updated
 */
export function readMask<Path extends string>(
  mask: FieldMask | undefined,
  desc: DescMessage,
  updatable: readonly Path[],
): ReadonlySet<Path> {
  const paths = mask?.paths ?? []
  if (paths.length === 0) throw badField(FIELD, 'The update_mask field is required.')
  if (paths.length > MAX_PATHS) throw badField(FIELD, `The update_mask names more than ${MAX_PATHS} paths.`)
  const known: ReadonlySet<string> = new Set(updatable)
  const offences = paths
    .filter((path) => !known.has(path))
    .map((path): FieldViolation => {
      const why = isField(desc, path) ? 'can not be updated' : `is not a field of ${desc.name}`
      return { field: FIELD, description: `Invalid update_mask: the field ${shown(path)} ${why}.` }
    })
  if (offences.length > 0) throw badRequest(offences.slice(0, 32))
  return new Set(paths as Path[])
}
