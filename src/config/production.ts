/** What production asks of the machine: files that keep secrets, and a disk that keeps what it was told to. */
import { statfsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { isExternal } from '../core/key.ts'
import { authority } from './listeners.ts'
import type { Refusals } from './refusals.ts'
import type { Config } from './resolve.ts'

const READ_BY_OTHERS = 0o004
const isGroup = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

/** Paths of the files that hold secrets: sources of secrets, and private keys. */
function secretFiles(value: unknown, into = new Set<string>()): ReadonlySet<string> {
  if (!isGroup(value)) return into
  for (const [name, item] of Object.entries(value)) {
    const secret = name === 'file' || (name === 'key' && typeof value.cert === 'string')
    if (secret && typeof item === 'string') into.add(item)
    else secretFiles(item, into)
  }
  return into
}

/** What is not there is somebody else's problem, who says so when it is needed. */
function statOf(path: string) {
  return statSync(path, { throwIfNoEntry: false })
}

function checkSecretFiles(config: Config, refusals: Refusals): void {
  for (const path of secretFiles(config)) {
    const stat = statOf(path)
    if (stat !== undefined && (stat.mode & READ_BY_OTHERS) !== 0) {
      refusals.add(`${path} holds a secret, and everybody on this machine can read it`, `chmod o-rwx ${path}`)
    }
  }
  const stat = statOf(config.dataDir)
  if (stat !== undefined && (stat.mode & 0o077) !== 0) {
    refusals.add(`the data directory ${config.dataDir} is open to others`, `chmod 700 ${config.dataDir}`)
  }
}

/** File systems that forget (memory), or whose locks and syncs are not what SQLite's log needs (network). */
const UNFIT = new Map([
  [0x01021994, 'tmpfs, which is gone after a power failure'],
  [0x858458f6, 'ramfs, which is gone after a power failure'],
  [0x6969, 'NFS, which a write-ahead log must not be on'],
  [0xff534d42, 'CIFS, which a write-ahead log must not be on'],
  [0xfe534d42, 'SMB, which a write-ahead log must not be on'],
])

/** The directory itself, or the nearest one above it that exists. */
const existing = (path: string): string =>
  statOf(path) !== undefined || dirname(path) === path ? path : existing(dirname(path))

function checkStorage(config: Config, refusals: Refusals): void {
  const places = { dataDir: config.dataDir, 'audit.path': config.audit.path }
  for (const [name, path] of Object.entries(places)) {
    const unfit = UNFIT.get(statfsSync(existing(path)).type)
    if (unfit !== undefined) {
      refusals.add(`${name} (${path}) is on ${unfit}`, `set ${name} to a directory on a local disk`)
    }
  }
}

/** Whoever may only use keys must not reach what manages them, by a fault of any one check. */
function checkSharedListeners({ listeners }: Config, refusals: Refusals): void {
  for (const { address, port, dialects } of listeners) {
    const external = dialects.find(isExternal)
    const management = dialects.find((dialect) => !isExternal(dialect))
    if (external === undefined || management === undefined) continue
    refusals.add(
      `the listener ${authority(address, port)} serves ${external} beside ${management}, which manages keys`,
      `give ${external} a listener of its own, and leave it out of this one's dialects`,
    )
  }
}

export function checkMachine(config: Config, refusals: Refusals): void {
  if (config.profile !== 'production') return
  checkSecretFiles(config, refusals)
  checkStorage(config, refusals)
  checkSharedListeners(config, refusals)
}
