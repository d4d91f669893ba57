/** TREFOIL_* variables: the schema's keys in capitals, `log.level` as TREFOIL_LOG_LEVEL, lists as YAML or JSON. */
import { Kind, type TObject, type TSchema } from '@sinclair/typebox'
import { parse } from 'yaml'
import { Problem } from '../core/problem.ts'
import { nearest } from './nearest.ts'
import { Settings } from './schema.ts'

export type Environment = Readonly<Record<string, string | undefined>>
type Variable = { readonly path: readonly string[]; readonly schema: TSchema }

/** Not settings: which file to read. */
const RESERVED: readonly string[] = ['TREFOIL_CONFIG']
/** What Kubernetes sets in every container beside a service named "trefoil". */
const KUBERNETES = /^TREFOIL_(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT_\d+_(TCP|UDP)(_.*)?)$/

const upperSnake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()

function collect(schema: TObject, prefix: string, path: readonly string[], into: Map<string, Variable>): void {
  for (const [key, child] of Object.entries(schema.properties)) {
    const name = `${prefix}_${upperSnake(key)}`
    if (child[Kind] === 'Object') collect(child as TObject, name, [...path, key], into)
    else into.set(name, { path: [...path, key], schema: child })
  }
}

function variables(): ReadonlyMap<string, Variable> {
  const found = new Map<string, Variable>()
  collect(Settings, 'TREFOIL', [], found)
  return found
}

/** Names of every variable that is a setting. */
export const variableNames = (): readonly string[] => [...RESERVED, ...variables().keys()]

function convert(name: string, schema: TSchema, text: string): unknown {
  switch (schema[Kind]) {
    case 'Number':
      return /^\d{1,9}(\.\d{1,6})?$/.test(text) ? Number(text) : text
    case 'Integer':
      return /^-?\d{1,15}$/.test(text) ? Number(text) : text
    case 'Boolean':
      return text === 'true' ? true : text === 'false' ? false : text
    case 'Array':
      try {
        return parse(text)
      } catch {
        throw new Problem(`${name} is not a list in YAML or JSON`, `write it as one line of JSON: ${name}='[ … ]'`)
      }
    default:
      return text
  }
}

function place(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let group = target
  for (const key of path.slice(0, -1)) {
    group[key] ??= {}
    group = group[key] as Record<string, unknown>
  }
  group[path.at(-1) ?? ''] = value
}

/**
 * The settings that the environment makes, unchecked. An empty variable counts as unset.
 * @param secrets variables that hold a secret some setting points at; their names are free
 * @throws Problem for a TREFOIL_* variable that is no setting
 */
export function fromEnvironment(env: Environment, secrets: ReadonlySet<string>): Record<string, unknown> {
  const known = variables()
  const settings: Record<string, unknown> = {}
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('TREFOIL_') || text === undefined || text === '') continue
    if (RESERVED.includes(name) || secrets.has(name) || KUBERNETES.test(name)) continue
    if (name === 'TREFOIL_PORT' && text.startsWith('tcp://')) continue
    const variable = known.get(name)
    if (variable === undefined) {
      const meant = nearest(name, [...RESERVED, ...known.keys()])
      throw new Problem(
        `the environment variable ${name} is no setting of Trefoil`,
        meant === undefined ? `unset ${name}` : `did you mean ${meant}?`,
      )
    }
    place(settings, variable.path, convert(name, variable.schema, text))
  }
  return settings
}
