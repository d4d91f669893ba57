import { DIALECTS } from '../../core/key.ts'
import { runCommand } from '../admin.ts'
import { command, JSON_OPTION, print, table } from '../command.ts'
import { inRealm, REALM_OPTION, runList } from '../list.ts'

type Shown = { readonly name: string; readonly vault: string; readonly dialects: readonly string[] }

export const ringList = command({
  name: 'ring list',
  summary: "a realm's key rings",
  options: { ...JSON_OPTION, ...REALM_OPTION },
  examples: ['trefoil ring list', 'trefoil ring list --realm aws:000000000000/eu-west-1'],
  async run({ options, config }) {
    const rings = await runList<Shown>(config(), 'ring list', 'rings', inRealm(options))
    const rows = rings.map(({ name, vault, dialects }) => [name, vault, dialects.join(' ')])
    return print(options.json, rings, table([['NAME', 'VAULT', 'DIALECTS'], ...rows]))
  },
})

export const ringCreate = command({
  name: 'ring create',
  summary: 'make a key ring',
  operand: { name: 'NAME', required: true },
  options: {
    ...JSON_OPTION,
    ...REALM_OPTION,
    dialect: { value: 'DIALECT', multiple: true, choices: DIALECTS, help: 'who sees its keys; default in dev: all' },
    'cross-dialect': { help: 'production: let several dialects see it, all of which are in enforce' },
  },
  examples: ['trefoil ring create payments --dialect gcp'],
  async run({ options, operand, config }) {
    const body = {
      name: operand,
      ...inRealm(options),
      ...(options.dialect && { dialects: options.dialect }),
      ...(options['cross-dialect'] && { crossDialect: true }),
    }
    const made = (await runCommand(config(), 'ring create', body)) as Shown
    return print(options.json, made, `${made.name}, vault ${made.vault}, seen by ${made.dialects.join(', ')}\n`)
  },
})
