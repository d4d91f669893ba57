import { KEY_SPEC_NAMES, PURPOSES } from '../../core/algorithm.ts'
import { runCommand } from '../admin.ts'
import { type Command, command, JSON_OPTION, print, table } from '../command.ts'
import { inRealm, REALM_OPTION, runList } from '../list.ts'

type Version = { readonly number: number; readonly state: string; readonly createdAt: string; readonly id: string }
type Shown = {
  readonly id: string
  readonly ring: string
  readonly name: string
  readonly spec: string
  readonly purpose: string
  readonly state: string
  readonly protection: string
  readonly version: number
  readonly deletionAt?: string
  readonly nextRotationAt?: string
  readonly names: Readonly<Record<string, string>>
  readonly versions?: readonly Version[]
}

const KEY = { name: 'KEY', required: true } as const

const line = ({ ring, name, id, spec, purpose, state }: Shown): readonly string[] => [
  `${ring}/${name}`,
  id,
  spec,
  purpose,
  state,
]

const detail = ({ names, versions = [], deletionAt, nextRotationAt, ...key }: Shown): string =>
  table([
    ['key', `${key.ring}/${key.name}`],
    ['id', key.id],
    ['kind', `${key.spec}, ${key.purpose}, ${key.protection}`],
    ['state', deletionAt === undefined ? key.state : `${key.state} until ${deletionAt}`],
    ...(nextRotationAt === undefined ? [] : [['rotation', nextRotationAt]]),
    ...Object.entries(names).map(([dialect, name]) => [dialect, name]),
    ...versions.map(({ number, state, createdAt, id }) => [
      `version ${number}`,
      `${state}, ${createdAt}, ${id}${number === key.version ? ', current' : ''}`,
    ]),
  ])

const keyList = command({
  name: 'key list',
  summary: "a realm's keys, or those of one ring",
  options: { ...JSON_OPTION, ...REALM_OPTION, ring: { value: 'RING', help: 'only its keys' } },
  examples: ['trefoil key list', 'trefoil key list --ring payments --json'],
  async run({ options, config }) {
    const [wire, ring] = options.ring === undefined ? ['key list', {}] : ['ring keys', { ring: options.ring }]
    const keys = await runList<Shown>(config(), wire, 'keys', { ...inRealm(options), ...ring })
    return print(options.json, keys, table([['KEY', 'ID', 'SPEC', 'PURPOSE', 'STATE'], ...keys.map(line)]))
  },
})

const keyShow = command({
  name: 'key show',
  summary: 'one key, its names in each cloud and its versions',
  operand: KEY,
  options: { ...JSON_OPTION, ...REALM_OPTION },
  examples: ['trefoil key show payments/signing', 'trefoil key show 6a9b1d0e-0f5e-4b0e-9c61-9d9f3f4b8f11'],
  async run({ options, operand, config }) {
    const body = { ...inRealm(options), key: operand }
    const versions = await runList<Version>(config(), 'key show', 'versions', body)
    const key = (await runCommand(config(), 'key show', { ...body, limit: 1 })) as Shown
    const shown = { ...key, versions }
    return print(options.json, shown, detail(shown))
  },
})

const keyCreate = command({
  name: 'key create',
  summary: 'make a key of any spec; without a NAME its UUID is its name',
  operand: { name: 'NAME', required: false },
  options: {
    ...JSON_OPTION,
    ...REALM_OPTION,
    ring: { value: 'RING', help: "default: the realm's default ring" },
    spec: { value: 'SPEC', choices: KEY_SPEC_NAMES, help: 'default: aes_256' },
    purpose: { value: 'PURPOSE', choices: PURPOSES, help: 'default: the first that the spec can have' },
    protection: { value: 'LEVEL', choices: ['software', 'hsm'], help: 'default: that of the default backend' },
    description: { value: 'TEXT', help: 'words about it' },
  },
  examples: [
    'trefoil key create signing --ring payments --spec ec_p256',
    'trefoil key create xks --spec aes_256 --purpose raw_encrypt_decrypt',
  ],
  async run({ options, operand, config }) {
    const { realm: _, json, spec = 'aes_256', ...rest } = options
    const body = { ...inRealm(options), ...rest, spec, ...(operand !== undefined && { name: operand }) }
    const made = (await runCommand(config(), 'key create', body)) as Shown
    return print(json, made, detail(made))
  },
})

function change(what: string, summary: string): Command {
  return command({
    name: `key ${what}`,
    summary,
    operand: KEY,
    options: { ...JSON_OPTION, ...REALM_OPTION },
    examples: [`trefoil key ${what} payments/signing`],
    async run({ options, operand, config }) {
      const changed = (await runCommand(config(), `key ${what}`, { ...inRealm(options), key: operand })) as Shown
      return print(options.json, changed, detail(changed))
    },
  })
}

const keyDelete = command({
  name: 'key delete',
  summary: 'schedule the deletion of a key',
  operand: KEY,
  options: {
    ...JSON_OPTION,
    ...REALM_OPTION,
    days: { value: 'DAYS', help: 'how long it can be taken back, 7 to 90; default: as its ring says' },
  },
  examples: ['trefoil key delete payments/signing --days 30'],
  async run({ options, operand, config }) {
    const days = options.days === undefined ? {} : { days: Number(options.days) }
    const body = { ...inRealm(options), key: operand, ...days }
    const changed = (await runCommand(config(), 'key delete', body)) as Shown
    return print(options.json, changed, detail(changed))
  },
})

export const keys: readonly Command[] = [
  keyList,
  keyShow,
  keyCreate,
  change('enable', 'let a key be used again'),
  change('disable', 'let no cloud use a key from now on'),
  change('rotate', 'make a new current version'),
  keyDelete,
  change('undelete', 'take the deletion of a key back'),
]
