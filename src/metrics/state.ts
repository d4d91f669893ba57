/** What the server is asked about when somebody looks: queues, tokens, dates that draw near. */
import type { Point, Registry } from './registry.ts'

/** Of a token: how many calls its sessions are at work on, and how many wait for one. */
export type TokenUse = {
  readonly name: string
  readonly sessions: number
  readonly used: number
  readonly queued: number
  readonly restarts: number
}
export type BackendUse = {
  readonly name: string
  readonly inFlight: number
  readonly limit: number
  readonly refused: number
}
export type ListenerUse = {
  /** `0.0.0.0:7443` */
  readonly name: string
  readonly connections: number
  /** When its certificate expires, ms since the epoch; absent: it has none. */
  readonly certificateExpiry?: number | undefined
}

export type ExportUse = {
  readonly sink: string
  /** Records that are in the log and not yet with the sink, and for how long there have been some. */
  readonly lag: number
  readonly lagMs: number
  readonly sent: number
  readonly failures: number
  readonly missing: number
}

export type Observed = {
  readonly version: string
  /** `ok`, or what is out of order, by the part's name. */
  health(): Promise<Readonly<Record<string, string>>>
  backends(): readonly BackendUse[]
  tokens(): readonly TokenUse[]
  listeners(): readonly ListenerUse[]
  /** Requests that were refused because of load, and by the callers' quotas. */
  refused(): { readonly overload: number; readonly quota: number }
  /** Records that wait to be written, and that were committed with a change and are not yet in the log. */
  audit(): { readonly last: number; readonly waiting: number; readonly outbox: number }
  /** Where the audit log is sent besides. */
  exports(): readonly ExportUse[]
  /** Of AES keys whose IVs are drawn at random. */
  messages(): { readonly limit: number; readonly highest: number; readonly nearLimit: number }
  /** What is due and not done, by what it is; and when the next falls due, ms since the epoch. */
  due(): Promise<{ readonly overdue: Readonly<Record<string, number>>; readonly next: number | undefined }>
}

const one = (value: number): readonly Point[] => [{ labels: [], value }]

function watchParts(registry: Registry, { version, health, backends, listeners }: Observed): void {
  registry.watch(
    'gauge',
    { name: 'trefoil_build_info', help: 'The version that runs.', labels: ['version', 'node'] },
    () => [{ labels: [version, process.versions.node], value: 1 }],
  )
  registry.watch(
    'gauge',
    { name: 'trefoil_up', help: 'Whether a part is in order: store, audit log, backends.', labels: ['part'] },
    async () =>
      Object.entries(await health()).map(([part, verdict]) => ({ labels: [part], value: verdict === 'ok' ? 1 : 0 })),
  )
  const ofBackends = (read: (use: BackendUse) => number) => () =>
    backends().map((use) => ({ labels: [use.name], value: read(use) }))
  const labels = ['backend']
  registry.watch(
    'gauge',
    {
      name: 'trefoil_backend_calls_in_flight',
      help: 'Calls that a backend is at work on, or that wait for it.',
      labels,
    },
    ofBackends(({ inFlight }) => inFlight),
  )
  registry.watch(
    'gauge',
    { name: 'trefoil_backend_calls_limit', help: 'Calls in flight beyond which more are refused.', labels },
    ofBackends(({ limit }) => limit),
  )
  registry.watch(
    'counter',
    { name: 'trefoil_backend_calls_refused_total', help: 'Calls that a backend had no room for.', labels },
    ofBackends(({ refused }) => refused),
  )
  const ofListeners = (read: (use: ListenerUse) => number | undefined) => () =>
    listeners().flatMap((use) => {
      const value = read(use)
      return value === undefined ? [] : [{ labels: [use.name], value }]
    })
  registry.watch(
    'gauge',
    { name: 'trefoil_connections', help: 'Open connections.', labels: ['listener'] },
    ofListeners(({ connections }) => connections),
  )
  registry.watch(
    'gauge',
    {
      name: 'trefoil_certificate_expiry_timestamp_seconds',
      help: 'When the certificate of a listener expires, seconds since the epoch.',
      labels: ['listener'],
    },
    ofListeners(({ certificateExpiry }) => certificateExpiry && certificateExpiry / 1000),
  )
}

function watchTokens(registry: Registry, { tokens }: Observed): void {
  const ofTokens = (read: (use: TokenUse) => number) => () =>
    tokens().map((use) => ({ labels: [use.name], value: read(use) }))
  const labels = ['token']
  registry.watch(
    'gauge',
    { name: 'trefoil_hsm_sessions', help: 'Sessions that a token may be used by at once.', labels },
    ofTokens(({ sessions }) => sessions),
  )
  registry.watch(
    'gauge',
    { name: 'trefoil_hsm_sessions_used', help: 'Sessions at work.', labels },
    ofTokens(({ used }) => used),
  )
  registry.watch(
    'gauge',
    { name: 'trefoil_hsm_queue', help: 'Calls that wait for a session.', labels },
    ofTokens(({ queued }) => queued),
  )
  registry.watch(
    'counter',
    {
      name: 'trefoil_hsm_restarts_total',
      help: 'How often the process of the PKCS#11 library was started again.',
      labels,
    },
    ofTokens(({ restarts }) => restarts),
  )
}

function watchRefused(registry: Registry, { refused }: Observed): void {
  registry.watch(
    'counter',
    {
      name: 'trefoil_throttled_total',
      help: 'Requests that were refused: by overload before they were read, or by a quota of their caller.',
      labels: ['by'],
    },
    () => Object.entries(refused()).map(([by, value]) => ({ labels: [by], value })),
  )
}

function watchExports(registry: Registry, { exports }: Observed): void {
  const read = (kind: 'counter' | 'gauge', name: string, help: string, value: (use: ExportUse) => number): void =>
    registry.watch(kind, { name, help, labels: ['sink'] }, () =>
      exports().map((use) => ({ labels: [use.sink], value: value(use) })),
    )
  read('gauge', 'trefoil_audit_export_lag_records', 'Records that a sink does not have yet.', ({ lag }) => lag)
  read('gauge', 'trefoil_audit_export_lag_seconds', 'For how long a sink has been behind.', ({ lagMs }) => lagMs / 1000)
  read('counter', 'trefoil_audit_export_sent_total', 'Records sent, those sent again included.', ({ sent }) => sent)
  read('counter', 'trefoil_audit_export_failures_total', 'Attempts that failed.', ({ failures }) => failures)
  read(
    'counter',
    'trefoil_audit_export_missing_total',
    'Records that were taken out of the log before they were sent.',
    ({ missing }) => missing,
  )
}

function watchWork(registry: Registry, { audit, messages, due }: Observed): void {
  const single = (name: string, help: string, read: () => number): void =>
    registry.watch('gauge', { name, help, labels: [] }, () => one(read()))
  single('trefoil_audit_last_record', 'Number of the last durable record.', () => audit().last)
  single('trefoil_audit_queue', 'Records that wait to be written to the log.', () => audit().waiting)
  single(
    'trefoil_audit_outbox',
    'Records of changes that are made, and that are not in the log yet.',
    () => audit().outbox,
  )
  single(
    'trefoil_gcm_messages_limit',
    'Messages under one AES key whose IVs are drawn at random.',
    () => messages().limit,
  )
  single(
    'trefoil_gcm_messages_highest',
    'The most messages reserved for any key version that was used since the start.',
    () => messages().highest,
  )
  single(
    'trefoil_gcm_versions_near_limit',
    'Key versions used since the start that have made more than half of their messages.',
    () => messages().nearLimit,
  )
  registry.watch(
    'gauge',
    { name: 'trefoil_overdue', help: 'What is due and not done, by what it is.', labels: ['work'] },
    async () => Object.entries((await due()).overdue).map(([work, value]) => ({ labels: [work], value })),
  )
  registry.watch(
    'gauge',
    {
      name: 'trefoil_next_due_timestamp_seconds',
      help: 'When something falls due next, seconds since the epoch; absent while nothing will.',
      labels: [],
    },
    async () => {
      const { next } = await due()
      return next === undefined ? [] : one(next / 1000)
    },
  )
}

export function watchState(registry: Registry, observed: Observed): void {
  watchParts(registry, observed)
  watchTokens(registry, observed)
  watchRefused(registry, observed)
  watchExports(registry, observed)
  watchWork(registry, observed)
}
