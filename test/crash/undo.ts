/** Puts back what a killed process had written and never synced, from the logs of unsynced.c. */
import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'

type Record = { readonly offset: number; readonly size: number; readonly old: Uint8Array }

function parse(log: Buffer): { path: string; records: Record[] } {
  let at = 0
  const number = (): number => {
    const value = Number(log.readBigUInt64LE(at))
    at += 8
    return value
  }
  const bytes = (length: number): Buffer => {
    const slice = log.subarray(at, at + length)
    at += length
    return slice
  }
  const path = bytes(number()).toString()
  const records: Record[] = []
  while (at + 24 <= log.length) {
    const [offset, size, length] = [number(), number(), number()]
    // The last record may be torn by the kill: its write did not happen then.
    if (at + length > log.length) break
    records.push({ offset, size, old: bytes(length) })
  }
  return { path, records }
}

/** @returns how many writes were lost */
export function loseUnsynced(logs: string): number {
  let lost = 0
  for (const name of readdirSync(logs)) {
    const log = readFileSync(join(logs, name))
    rmSync(join(logs, name))
    if (log.length < 8) continue
    const { path, records } = parse(log)
    if (!existsSync(path)) continue
    const fd = openSync(path, 'r+')
    // A file of the same name made since is another file: its records have another inode, and another log.
    const inode = name.slice(name.indexOf('-') + 1)
    if (fstatSync(fd).ino.toString(16) === inode) {
      for (const record of records.reverse()) {
        if (record.old.length > 0) writeSync(fd, record.old, 0, record.old.length, record.offset)
        ftruncateSync(fd, record.size)
        lost++
      }
    }
    closeSync(fd)
  }
  return lost
}
