/** Files of backups, as the command line keeps them. */
import {
  closeSync,
  createWriteStream,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { readIdentities } from '../backup/age.ts'
import { type NamedBackup, parseFileName } from '../backup/format.ts'
import { type BackupSource, readManifest } from '../backup/read.ts'
import type { Config } from '../config.ts'
import { Problem } from '../core/problem.ts'
import { syncDirectory } from '../store/files.ts'
import { runStream } from './admin.ts'

/** Whole backups of a directory, oldest first. */
export function backupsIn(directory: string): readonly NamedBackup[] {
  if (!existsSync(directory)) return []
  const named = readdirSync(directory).flatMap((name) => parseFileName(name) ?? [])
  return named.sort((one, other) => (one.name < other.name ? -1 : 1))
}

export type MadeBackup = {
  readonly id: string
  readonly kind: 'full' | 'inc'
  readonly file: string
  readonly bytes: number
  readonly signer: string
}
type Facts = Omit<MadeBackup, 'file' | 'bytes'> & { readonly name: string }

function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new Problem(`${directory} cannot be made`, 'give --to a directory that this user may write', { cause: error })
  }
}

/** A file has its name once it is whole and durable. @throws Problem */
export async function takeBackup(config: Config, directory: string, incremental: boolean): Promise<MadeBackup> {
  makeDirectory(directory)
  const since = incremental ? backupsIn(directory).at(-1)?.id : undefined
  if (incremental && since === undefined) {
    throw new Problem(`there is no backup in ${directory} to go on from`, 'leave --incremental out')
  }
  const body = since === undefined ? {} : { since }
  const made = await runStream(
    config,
    'backup create',
    body,
    async (facts, stream) => {
      const { id, kind, name, signer } = facts as Facts
      const file = join(directory, name)
      const partial = `${file}.partial`
      try {
        await pipeline(stream, createWriteStream(partial, { flags: 'wx', mode: 0o600 }))
        const fd = openSync(partial, 'r+')
        fsyncSync(fd)
        closeSync(fd)
        renameSync(partial, file)
        syncDirectory(directory)
      } catch (error) {
        rmSync(partial, { force: true })
        throw new Problem(
          `no backup was made: ${(error as Error).message}`,
          'look at the log of the server, and for room on the disk',
        )
      }
      const bytes = statSync(file).size
      return { id, kind, file, bytes, signer }
    },
    async ({ id, bytes }, run) => void (await run('backup complete', { id, bytes })),
  )
  return made
}

/** The file itself and, of an increment, what it goes on from, the full backup first. @throws Problem */
export async function chainOf(file: string, identities: readonly string[]): Promise<readonly BackupSource[]> {
  if (!existsSync(file)) throw new Problem(`there is no ${file}`, 'name the file of a backup')
  const directory = dirname(file)
  const byId = new Map(backupsIn(directory).map(({ id, name }) => [id, name]))
  const chain: BackupSource[] = []
  let next: BackupSource | undefined = { name: basename(file), path: file }
  while (next !== undefined) {
    chain.unshift(next)
    const { parent }: Awaited<ReturnType<typeof readManifest>> = await readManifest(next, identities)
    if (parent === undefined) return chain
    const name = byId.get(parent.id)
    if (name === undefined || chain.some((one) => one.name === name)) {
      throw new Problem(
        `${next.name} goes on from the backup ${parent.id}, which is not in ${directory}`,
        'put the full backup and all increments into one directory',
      )
    }
    next = { name, path: join(directory, name) }
  }
  return chain
}

/** The newest where a directory is named. @throws Problem */
export function fileOf(path: string): string {
  if (!existsSync(path) || !statSync(path).isDirectory()) return path
  const newest = backupsIn(path).at(-1)
  if (newest === undefined) throw new Problem(`there is no backup in ${path}`, 'name the file of a backup')
  return join(path, newest.name)
}

export const identitiesOf = (path: string | undefined): readonly string[] => {
  if (path === undefined) throw new Problem('--identity is missing', 'name the file of a recovery key')
  return readIdentities(path)
}

const DAY = 86_400_000

export type Prunable = { readonly kept: readonly NamedBackup[]; readonly expired: readonly NamedBackup[] }

/**
 * A full backup and its increments go together, once the last of them is older than the retention: until then each is
 * needed for the next. The newest full backup always stays.
 */
export function prunable(all: readonly NamedBackup[], retentionDays: number, now: number): Prunable {
  const chains: NamedBackup[][] = []
  for (const one of all) {
    const last = chains.at(-1)
    if (one.kind === 'full' || last === undefined) chains.push([one])
    else last.push(one)
  }
  const isOld = (chain: NamedBackup[]): boolean => (chain.at(-1)?.at ?? now) < now - retentionDays * DAY
  const newest = chains.at(-1)
  const expired = chains.filter((chain) => chain !== newest && isOld(chain)).flat()
  return { expired, kept: all.filter((one) => !expired.includes(one)) }
}
