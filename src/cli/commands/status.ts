import type { Status } from '../../api/admin/status.ts'
import type { Counts } from '../../core/ops/status.ts'
import { runCommand } from '../admin.ts'
import { command, JSON_OPTION, print, table } from '../command.ts'

/** A sealed server can't count. */
type Shown = Status & { readonly counts?: Counts }

const countRows = ({ lastBackup, ...counts }: Counts): readonly (readonly string[])[] => [
  ['keys', `${counts.keys} with ${counts.versions} versions in ${counts.rings} rings of ${counts.realms} realms`],
  ['last backup', lastBackup === undefined ? 'none' : `${lastBackup.at}, ${lastBackup.bytes} bytes`],
]

const textOf = ({ state, serving, version, profile, pid, startedAt, rootKey, checks, auditRecords, counts }: Shown) =>
  table([
    ['state', serving ? state : `${state}, but no server runs`],
    ['version', `${version}, profile ${profile}, process ${pid}, since ${startedAt}`],
    ['root key', rootKey],
    ...(counts === undefined ? [] : countRows(counts)),
    ...(auditRecords === undefined ? [] : [['audit log', `${auditRecords} records`]]),
    ...Object.entries(checks).map(([name, verdict]) => [name, verdict]),
  ])

export const status = command({
  name: 'status',
  summary: 'say how the server is: its state, its root key, what it needs and what it has',
  options: JSON_OPTION,
  examples: ['trefoil status --json'],
  async run({ options, config }) {
    const found = (await runCommand(config(), 'status', {})) as Shown
    print(options.json, found, textOf(found))
    return found.state === 'ready' && found.serving ? 0 : 1
  },
})
