/** What one request has come to know, for its audit record and its error. */
import { randomUUID } from 'node:crypto'
import type { KeyUse } from './algorithm.ts'
import type { KmsError } from './error.ts'
import type { Key, KeyRing, KeyVersion, Realm } from './key.ts'
import type { Call, Operation, Outcome } from './operation.ts'
import type { AuditRecord, Principal } from './ports.ts'
import type { SecretVersion, StoredSecret } from './stored-secret.ts'

export type Trace = {
  /** The audit record's. */
  readonly id: string
  readonly startedAt: number
  readonly ticks: number
  decision: AuditRecord['decision']
  /** The grant that allowed, where none of the policies did. */
  grant: string | undefined
  realm: Realm | undefined
  ring: KeyRing | undefined
  key: Key | undefined
  version: KeyVersion | undefined
  secret: StoredSecret | undefined
  secretVersion: SecretVersion | undefined
  /** Of an operation that takes from one key to another: the one it takes from. */
  source: { readonly key: Key; readonly version: KeyVersion; readonly use: KeyUse | undefined } | undefined
  /** Whose rights changed. */
  about: string | undefined
  algorithm: string | undefined
  use: KeyUse | undefined
}

export const newTrace = (startedAt: number): Trace => ({
  id: randomUUID(),
  startedAt,
  ticks: performance.now(),
  decision: 'none',
  grant: undefined,
  realm: undefined,
  ring: undefined,
  key: undefined,
  version: undefined,
  secret: undefined,
  secretVersion: undefined,
  source: undefined,
  about: undefined,
  algorithm: undefined,
  use: undefined,
})

export function traceOutcome(trace: Trace, { about, subject }: Outcome<unknown>): void {
  if (about !== undefined) trace.about = about
  if (subject === undefined) return
  trace.key = subject.key ?? trace.key
  trace.version = subject.version ?? trace.version
  trace.secret = subject.secret ?? trace.secret
  trace.secretVersion = subject.secretVersion ?? trace.secretVersion
}

/** The error with the key it is about, where one was found. */
export function withSubject(error: KmsError, { realm, key, ring, version }: Trace): KmsError {
  if (realm !== undefined && key !== undefined && ring !== undefined) {
    error.subject = {
      realm,
      keyId: key.id,
      ...(key.multiRegion && { multiRegionId: key.multiRegion.id }),
      keyName: key.name,
      ringName: ring.name,
      ...(version && { version: version.number }),
    }
  }
  return error
}

/** Whom the principal was verified to be, in his cloud's words. */
const identityOf = ({ aws, azure, gcp }: Principal): string | undefined => aws?.arn ?? azure?.caller ?? gcp?.members[0]

/** `outcome`: `ok`, or the error code. */
export function recordOf(
  operation: Pick<Operation, 'name' | 'action'>,
  call: Call,
  trace: Trace,
  outcome: string,
): AuditRecord {
  const { exposed } = call
  const behalf = exposed?.behalf
  // Every field in one literal: conditional spreads took longer than the rest of the kernel's bookkeeping.
  return {
    id: trace.id,
    time: trace.startedAt,
    requestId: call.requestId,
    clientRequestId: call.clientRequestId,
    dialect: call.spoken ?? call.dialect,
    wire: call.wire,
    operation: operation.name,
    action: operation.action,
    principal: call.principal.id,
    method: call.principal.method,
    identity: identityOf(call.principal),
    exposure: exposed?.exposure,
    exposedKey: exposed?.key,
    behalfPrincipal: behalf?.principal,
    behalfCorrelation: behalf?.correlation,
    behalfOperation: behalf?.operation,
    behalfKey: behalf?.key,
    behalfService: behalf?.service,
    behalfNetwork: behalf?.network,
    behalfEndpoint: behalf?.endpoint,
    behalfReason: behalf?.reason,
    rule: exposed?.rule,
    address: call.address,
    about: trace.about,
    realm: trace.realm?.id,
    ring: trace.ring?.id,
    key: trace.key?.id,
    secret: trace.secret?.id,
    version: trace.version?.number ?? trace.secretVersion?.number,
    sourceKey: trace.source?.key.id,
    sourceVersion: trace.source?.version.number,
    algorithm: trace.algorithm,
    decision: trace.decision,
    grant: trace.grant,
    outcome,
    durationMs: Math.round((performance.now() - trace.ticks) * 1000) / 1000,
  }
}
