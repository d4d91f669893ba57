/** What a binding of this protocol is: one route, who may ask, and the operations that it is made of. */
import type { Operation } from '../../../core/operation.ts'
import type { Noted } from './auth.ts'
import type { Fields } from './fields.ts'
import type { Tenant } from './tenant.ts'

export type CseRequest = {
  readonly tenant: Tenant
  readonly fields: Fields
  readonly noted: Noted
  readonly signal: AbortSignal
  /** ms since the epoch. */
  readonly now: number
  /** By the kernel, recorded with all that was noted by then. @throws KmsError */
  execute<I, O>(operation: Operation<I, O>, input: I): Promise<O>
}

export type BoundRoute = {
  /** The last segment of its path. */
  readonly wire: string
  /** Names of the core operations it is made of, for the coverage table. */
  readonly operations: readonly string[]
  /** Who may ask, in a word or two. */
  readonly asks: string
  /** Whether the exposure is configured for it. */
  isOn?(tenant: Tenant): boolean
  serve(request: CseRequest): Promise<object>
}

export const ACTIONS: ReadonlySet<string> = new Set(['encrypt', 'decrypt'])
