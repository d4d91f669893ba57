/** A record as RFC 5424 writes it. */
import { hostname } from 'node:os'
import { isRecord } from '../../core/record.ts'
import type { ExportLine } from './tail.ts'

/** Log audit (RFC 5424 section 6.2.1). */
const FACILITY = 13
const SEVERITY = { error: 3, warning: 4, informational: 6 } as const
/** RFC 5424 section 7.3.1: it starts over at 1. */
const MAX_SEQUENCE_ID = 2_147_483_647
const NIL = '-'

/** PRINTUSASCII of at most that length. */
const field = (text: string, length: number): string => text.replace(/[^\x21-\x7e]/g, '').slice(0, length) || NIL

const HOST = field(hostname(), 255)
const PROCESS = String(process.pid)
/** What the caller can't help. */
const OURS: ReadonlySet<unknown> = new Set([
  'internal',
  'backend_unavailable',
  'backend_timeout',
  'audit_unavailable',
  'store_unavailable',
])

function severityOf({ outcome, decision }: Record<string, unknown>): number {
  if (OURS.has(outcome)) return SEVERITY.error
  return outcome === 'ok' && decision !== 'deny' ? SEVERITY.informational : SEVERITY.warning
}

/** The message's text is the log's own line, so that it can be verified by whoever has the log's key. */
export function syslogMessage({ seq, text }: ExportLine): string {
  const parsed: unknown = JSON.parse(text)
  const record = isRecord(parsed) ? parsed : {}
  const priority = FACILITY * 8 + severityOf(record)
  const time = typeof record.time === 'number' ? new Date(record.time).toISOString() : NIL
  const id = ((seq - 1) % MAX_SEQUENCE_ID) + 1
  const name = field(String(record.operation ?? ''), 32)
  return `<${priority}>1 ${time} ${HOST} trefoil ${PROCESS} ${name} [meta sequenceId="${id}"] ${text}`
}
