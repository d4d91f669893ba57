/** The audit log as a server has written it. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** All segments, one after the other. */
export function auditText(dataDir: string): string {
  const directory = join(dataDir, 'audit')
  return readdirSync(directory)
    .map((name) => readFileSync(join(directory, name), 'utf8'))
    .join('')
}

export type Written = Readonly<Record<string, unknown>>

export const auditRecords = (dataDir: string): readonly Written[] =>
  auditText(dataDir)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Written)
