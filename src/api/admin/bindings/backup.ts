import { Type } from '@sinclair/typebox'
import { completeBackup, createBackup } from '../../../core/ops/backups.ts'
import { command, Streamed } from '../binding.ts'
import { closed } from '../names.ts'

const Id = Type.String({ pattern: '^[0-9a-f]{32}$', description: 'the id of a backup' })

export const createBackupCommand = command({
  wire: 'backup create',
  operation: createBackup,
  schema: Type.Object({ since: Type.Optional(Id) }, closed),
  toInput(body, { backups }) {
    backups.check(body.since)
    return body
  },
  toOutput(_output, { backups }, { since }) {
    const { stream, ...facts } = backups.create(since)
    return new Streamed(facts, stream)
  },
})

export const completeBackupCommand = command({
  wire: 'backup complete',
  operation: completeBackup,
  schema: Type.Object({ id: Id, bytes: Type.Integer({ minimum: 1 }) }, closed),
  toInput({ id, bytes }, { backups }) {
    backups.complete(id)
    return { id, bytes, at: new Date().toISOString() }
  },
  toOutput: (made) => made,
})
