/** docs/configuration.md: every setting of the schema, with its variable and what it may be. */
import { writeFileSync } from 'node:fs'
import { Kind, type TObject, type TSchema } from '@sinclair/typebox'
import { choices, Settings } from '../src/config/schema.ts'

const upperSnake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()
const number = (value: unknown): string => Number(value).toLocaleString('en-US')

function range({ minimum, exclusiveMinimum, maximum }: TSchema): string {
  if (minimum !== undefined && maximum !== undefined) return `${number(minimum)} to ${number(maximum)}`
  return exclusiveMinimum === undefined ? '' : `above ${number(exclusiveMinimum)}, up to ${number(maximum)}`
}

function allowedIn(schema: TSchema): string {
  const literals = choices(schema)
  if (literals !== undefined) return literals.map((literal) => `\`${literal}\``).join(', ')
  if (typeof schema.description === 'string') return schema.description
  switch (schema[Kind]) {
    case 'Integer':
      return `a whole number, ${range(schema)}`
    case 'Number':
      return `a number, ${range(schema)}`
    case 'Boolean':
      return 'true or false'
    case 'Array':
      return `a list${schema.maxItems === undefined ? '' : ` of up to ${number(schema.maxItems)}`}`
    case 'Record':
      return 'names and values'
    default:
      return 'a text'
  }
}

type Row = { readonly name: string; readonly variable: string; readonly value: string }

/** Members of lists have no variables of their own: the list has one. */
function rowsOf(schema: TSchema, name: string, variable: string | undefined): Row[] {
  const escaped = allowedIn(schema).replaceAll('|', '\\|')
  const own = { name, variable: variable === undefined ? '' : `\`${variable}\``, value: escaped }
  const members = (parent: TObject, inside: string | undefined): Row[] =>
    Object.entries(parent.properties).flatMap(([key, child]) =>
      rowsOf(child, name === '' ? key : `${name}.${key}`, inside && `${inside}_${upperSnake(key)}`),
    )
  if (schema[Kind] === 'Object') return members(schema as TObject, variable)
  if (schema[Kind] !== 'Array' || schema.items?.[Kind] !== 'Object') return [own]
  return [own, ...rowsOf(schema.items, `${name}[]`, undefined)]
}

const rows = rowsOf(Settings, '', 'TREFOIL')
const text = `# Configuration

Every setting there is, generated from its schema. What each does and its default are in
[operations.md](operations.md#settings); \`trefoil serve --print-config\` prints those in force. A variable goes over the file.

| setting | variable | value |
| --- | --- | --- |
${rows.map(({ name, variable, value }) => `| \`${name}\` | ${variable} | ${value} |`).join('\n')}
`
writeFileSync(new URL('../docs/configuration.md', import.meta.url), text)
