import { existsSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { Problem } from '../../core/problem.ts'
import type { RecoveryReport, RestoreReport } from '../../recovery.ts'
import { type Command, command, JSON_OPTION, print, table } from '../command.ts'

const implementation = () => import('../backup.ts')

const IDENTITY = {
  identity: { value: 'FILE', help: 'a recovery key: the file that trefoil backup keygen, or age-keygen, wrote' },
  signer: { value: 'SHA256', help: 'refuse what another installation made; status and create print it' },
} as const

const iso = (time: number): string => new Date(time).toISOString()

function checked({ seals, createdAt, id, signer, auditRecords }: RecoveryReport): string {
  const elsewhere = Object.entries(seals.elsewhere).map(([backend, count]) => [
    `in ${backend}`,
    `${count} versions, not looked at`,
  ])
  return table([
    ['backup', `${id} of ${createdAt}`],
    ['signer', signer],
    [
      'opened',
      `${seals.versions} versions of ${seals.keys} keys, ${seals.rings} rings, ${seals.secrets} secret versions, ${seals.accessKeys} access keys`,
    ],
    ...elsewhere,
    ['audit log', `${auditRecords} records verified`],
  ])
}

function lostText({ createdAt, lost }: RestoreReport): string {
  if (lost === undefined)
    return `lost: what was made after ${createdAt}; --audit with a log that survived says what it was\n`
  const lines = lost.changes.map(
    ({ time, operation, key, version, secret, about }) =>
      `  ${iso(time)} ${[operation, key, version === undefined ? undefined : `version ${version}`, secret, about].filter(Boolean).join(' ')}\n`,
  )
  return `lost: ${lost.records} records, ${lost.changes.length} of them changes (what was destroyed then is back)\n${lines.join('')}`
}

const create = command({
  name: 'backup create',
  summary: 'back up a running server, encrypted to the recovery keys of backup.recipients',
  options: {
    ...JSON_OPTION,
    to: { value: 'DIRECTORY', help: 'where its file goes' },
    incremental: { help: "only what changed since the directory's newest backup" },
  },
  examples: ['trefoil backup create --to /mnt/backup', 'trefoil backup create --to /mnt/backup --incremental'],
  async run({ options, config }) {
    if (options.to === undefined) throw new Problem('--to is missing', 'name a directory')
    const { takeBackup } = await implementation()
    const made = await takeBackup(config(), options.to, options.incremental === true)
    return print(options.json, made, `${made.file}: ${made.bytes} bytes\nsigner ${made.signer}\n`)
  },
})

const list = command({
  name: 'backup list',
  summary: 'the whole backups of a directory, oldest first',
  options: { ...JSON_OPTION, in: { value: 'DIRECTORY', help: 'where they are' } },
  examples: ['trefoil backup list --in /mnt/backup'],
  async run({ options }) {
    if (options.in === undefined) throw new Problem('--in is missing', 'name a directory')
    const directory = options.in
    const { backupsIn } = await implementation()
    const found = backupsIn(directory).map(({ name, at, kind, id }) => ({
      file: join(directory, name),
      id,
      kind: kind === 'inc' ? 'incremental' : 'full',
      at: iso(at),
      bytes: statSync(join(directory, name)).size,
    }))
    const rows = found.map(({ file, kind, at, bytes }) => [at, kind, String(bytes), basename(file)])
    return print(options.json, found, table([['AT', 'KIND', 'BYTES', 'FILE'], ...rows]))
  },
})

const verify = command({
  name: 'backup verify',
  summary: 'restore a backup (the newest of a directory) into a scratch directory, open every seal, and take it away',
  operand: { name: 'FILE', required: true },
  options: {
    ...JSON_OPTION,
    ...IDENTITY,
    scratch: { value: 'DIRECTORY', help: "default: the system's temporary one" },
  },
  examples: ['trefoil backup verify /mnt/backup --identity recovery.key'],
  async run({ options, operand = '', config }) {
    const { chainOf, fileOf, identitiesOf } = await implementation()
    const identities = identitiesOf(options.identity)
    const sources = await chainOf(fileOf(operand), identities)
    const { testRestore } = await import('../../main.ts')
    const report = await testRestore(
      config(),
      { sources, identities, signer: options.signer },
      options.scratch ?? tmpdir(),
    )
    return print(options.json, report, checked(report))
  },
})

const prune = command({
  name: 'backup prune',
  summary: 'delete backups that are older than backup.retentionDays, each full one with its increments',
  options: {
    ...JSON_OPTION,
    in: { value: 'DIRECTORY', help: 'where they are' },
    days: { value: 'DAYS', help: 'default: backup.retentionDays' },
    'dry-run': { help: 'say what would be deleted' },
  },
  examples: ['trefoil backup prune --in /mnt/backup --dry-run'],
  async run({ options, config }) {
    if (options.in === undefined) throw new Problem('--in is missing', 'name a directory')
    const directory = options.in
    const days = options.days === undefined ? config().backup.retentionDays : Number(options.days)
    if (!Number.isInteger(days) || days < 1)
      throw new Problem(`--days ${options.days} is no number of days`, 'take 1 or more')
    const { backupsIn, prunable } = await implementation()
    const { expired, kept } = prunable(backupsIn(directory), days, Date.now())
    // Increments first: what is left of a chain that is cut short is still whole.
    if (options['dry-run'] !== true) for (const { name } of expired.toReversed()) rmSync(join(directory, name))
    const names = { expired: expired.map(({ name }) => name), kept: kept.map(({ name }) => name) }
    const word = options['dry-run'] === true ? 'would be deleted' : 'deleted'
    return print(options.json, names, `${expired.map(({ name }) => `${name} ${word}\n`).join('')}${kept.length} kept\n`)
  },
})

const keygen = command({
  name: 'backup keygen',
  summary: 'make a recovery key, which age knows as an identity; it is not needed to back up, and to be kept elsewhere',
  options: {
    ...JSON_OPTION,
    out: { value: 'FILE', help: 'where it goes; it must not be there' },
    'post-quantum': { help: 'ML-KEM-768 and X25519 together' },
  },
  examples: ['trefoil backup keygen --out recovery.key'],
  async run({ options }) {
    const { out } = options
    if (out === undefined) throw new Problem('--out is missing', 'name a file')
    if (existsSync(out)) throw new Problem(`${out} is there already`, 'name another file')
    const { newRecoveryKey } = await import('../../backup/age.ts')
    const { createFile } = await import('../../store/files.ts')
    const { identity, recipient } = await newRecoveryKey(options['post-quantum'] === true)
    createFile(out, Buffer.from(`# created: ${new Date().toISOString()}\n# public key: ${recipient}\n${identity}\n`))
    return print(options.json, { file: out, recipient }, `${recipient}\n`)
  },
})

const restore = command({
  name: 'restore',
  summary: 'restore a backup (the newest of a directory) into an empty data directory',
  operand: { name: 'FILE', required: true },
  options: {
    ...JSON_OPTION,
    ...IDENTITY,
    audit: { value: 'DIRECTORY', help: 'an audit log that outlived its server, to say what is lost' },
  },
  examples: ['trefoil restore /mnt/backup --identity recovery.key --config /etc/trefoil.yaml'],
  async run({ options, operand = '', config }) {
    const { backupsIn, chainOf, fileOf, identitiesOf } = await implementation()
    const identities = identitiesOf(options.identity)
    const file = fileOf(operand)
    const sources = await chainOf(file, identities)
    const main = await import('../../main.ts')
    const report = await main.restore(config(), {
      sources,
      identities,
      signer: options.signer,
      survived: options.audit,
    })
    const newer = backupsIn(join(file, '..'))
      .filter(({ name }) => name > basename(file))
      .map(({ name }) => name)
    const hint = newer.length === 0 ? '' : `newer backups are there: ${newer.join(', ')}\n`
    const counts = `${report.countsForwarded} counts of messages put forward\n`
    const text = `${checked(report)}${report.rootKey}\n${counts}${lostText(report)}${hint}`
    return print(options.json, { ...report, newer }, text)
  },
})

export const backups: readonly Command[] = [create, list, verify, prune, keygen, restore]
