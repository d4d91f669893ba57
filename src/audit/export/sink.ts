import type { ExportLine } from './tail.ts'

/** Where records are sent besides the log. */
export interface Sink {
  /**
   * How long a record that was sent may still be lost with its connection, ms: as long it is ready to be sent again. 0
   * where `send` means that it has arrived.
   */
  readonly settleMs: number
  /** In their order. Rejects where they have to be sent again, some of which may have arrived. */
  send(lines: readonly ExportLine[], signal: AbortSignal): Promise<void>
  /** @throws where what was sent last may be lost */
  check(): void
  /** Lets go of what it has open; the next `send` opens it anew. */
  reset(): Promise<void>
}
