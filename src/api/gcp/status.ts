/** google.rpc.Code and what stands for it in HTTP (google/rpc/code.proto). */
export const STATUS = {
  OK: { code: 0, http: 200 },
  CANCELLED: { code: 1, http: 499 },
  UNKNOWN: { code: 2, http: 500 },
  INVALID_ARGUMENT: { code: 3, http: 400 },
  DEADLINE_EXCEEDED: { code: 4, http: 504 },
  NOT_FOUND: { code: 5, http: 404 },
  ALREADY_EXISTS: { code: 6, http: 409 },
  PERMISSION_DENIED: { code: 7, http: 403 },
  RESOURCE_EXHAUSTED: { code: 8, http: 429 },
  FAILED_PRECONDITION: { code: 9, http: 400 },
  ABORTED: { code: 10, http: 409 },
  OUT_OF_RANGE: { code: 11, http: 400 },
  UNIMPLEMENTED: { code: 12, http: 501 },
  INTERNAL: { code: 13, http: 500 },
  UNAVAILABLE: { code: 14, http: 503 },
  DATA_LOSS: { code: 15, http: 500 },
  UNAUTHENTICATED: { code: 16, http: 401 },
} as const
export type StatusName = keyof typeof STATUS

/** One offence against a request's form, as google.rpc.BadRequest lists them. */
export type FieldViolation = { readonly field: string; readonly description: string }

/** What a request found in its way, as google.rpc.PreconditionFailure lists it. */
export type Precondition = { readonly type: string; readonly subject: string; readonly description: string }

/**
 * A failure in Google's terms. Framing, transcoding and field checks throw it; a KmsError is rendered to one by the
 * table in errors.ts.
 */
export class RpcError extends Error {
  override readonly name = 'RpcError'
  readonly status: StatusName
  /** ErrorInfo's reason; absent where Google sends no ErrorInfo. */
  readonly reason: string | undefined
  readonly metadata: Readonly<Record<string, string>>
  readonly violations: readonly FieldViolation[]
  readonly preconditions: readonly Precondition[]
  /** RetryInfo's delay; absent where Google sends no RetryInfo. */
  readonly retryDelayMs: number | undefined

  constructor(
    status: StatusName,
    message: string,
    details: {
      reason?: string
      metadata?: Readonly<Record<string, string>>
      violations?: readonly FieldViolation[]
      preconditions?: readonly Precondition[]
      retryDelayMs?: number | undefined
      cause?: unknown
    } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.status = status
    this.reason = details.reason
    this.metadata = details.metadata ?? {}
    this.violations = details.violations ?? []
    this.preconditions = details.preconditions ?? []
    this.retryDelayMs = details.retryDelayMs
  }
}

export const badArgument = (message: string): RpcError => new RpcError('INVALID_ARGUMENT', message)

/** A request whose fields are wrong, each as google.rpc.BadRequest names it: in snake_case, from the request's root. */
export const badRequest = (violations: readonly FieldViolation[]): RpcError =>
  new RpcError('INVALID_ARGUMENT', violations.map((violation) => violation.description).join('\n'), { violations })

/** One field that is wrong. */
export const badField = (field: string, description: string): RpcError => badRequest([{ field, description }])
