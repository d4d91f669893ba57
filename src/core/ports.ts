/** What the core needs from outside. Every method's promise rejects with a KmsError, nothing else. */
import type { Algorithm, KeySpec, Purpose } from './algorithm.ts'
import type { Eventually } from './eventually.ts'
import type { Exposed } from './exposed.ts'
import type { Key, KeyRing, Protection, Realm, WireDialect } from './key.ts'
import type { AwsFacts } from './policy/aws/facts.ts'
import type { KeyReference } from './reference.ts'
import type { CollectionName, IndexName, Rows } from './schema.ts'
import type { Secret } from './secret.ts'
import type { StoredSecret } from './stored-secret.ts'

/**
 * Travels with every call: abandon the work when `signal` aborts; name the request in logs by `requestId`. Who asks for
 * what is for external key managers, which decide on it.
 */
export type CallContext = {
  readonly signal: AbortSignal
  readonly requestId: string
  readonly wire?: string
  readonly principal?: Principal
}

/** Opaque to everything but the backend that made it: a sealed blob, or a token's serial and CKA_ID. */
export type KeyRef = Uint8Array

/**
 * Where a version lives. The software backend binds its seal to both, a token names its object by them. `external` is
 * there for the external backend alone: the custom key store, and the key's name on either side of it.
 */
export type KeyHome = {
  readonly ringId: string
  readonly versionId: string
  readonly external?: { readonly storeId: string; readonly externalKeyId: string; readonly keyId: string }
}

/**
 * Where a new key is to live, and the purposes that it may ever serve, for backends that bind a key to them; absent: all
 * that its spec can have.
 */
export type NewKeyHome = KeyHome & { readonly purposes?: readonly Purpose[] }

/** A key version as a backend needs it. */
export type KeyHandle = KeyHome & { readonly spec: KeySpec; readonly ref: KeyRef }

/**
 * What is signed: the message itself, its digest made by the caller, or the 64-byte representative µ of a message and its
 * context (FIPS 204 section 6.2), which only `ml_dsa_mu` takes. `context` is for algorithms whose row has one; 0 to 255
 * bytes, absent is empty.
 */
export type SignInput =
  | { readonly message: Uint8Array; readonly context?: Uint8Array | undefined }
  | { readonly digest: Uint8Array; readonly context?: Uint8Array | undefined }
  | { readonly mu: Uint8Array }

/** Public parameters of an encryption. Envelope algorithms need the first three; what a scheme has no place for is empty. */
export type EncryptParams = {
  /** 16 random bytes; the per-message key is derived from them. Envelope algorithms only. */
  readonly nonce: Uint8Array
  /** 12 bytes for envelopes; `ivBytes` of the row for raw AES. */
  readonly iv: Uint8Array
  readonly aad: Uint8Array
  /** `aes_gcm` only: 12 to 16, default 16. */
  readonly tagBytes?: number | undefined
}

/** Moving material between homes, for backups that the core seals. Its bytes are in the backend's own form. */
export type PortableKeys = {
  exportKey(key: KeyHandle, ctx: CallContext): Promise<Secret>
  adoptKey(spec: KeySpec, exported: Secret, home: KeyHome, ctx: CallContext): Promise<KeyRef>
}

/**
 * A place where keys live and are used. Outputs are canonical: ECDSA is raw r‖s, an envelope encryption is ciphertext
 * followed by its 16-byte tag, and so is AES-GCM. Work with the public key alone needs no backend: core/verify.ts and
 * core/encapsulate.ts do it from the public key, which is a DER SubjectPublicKeyInfo for every spec: the OIDs of RFC 9881
 * (ML-DSA), RFC 9909 (SLH-DSA), RFC 9935 (ML-KEM), RFC 8410 (X25519) and draft-connolly-cfrg-xwing-kem (X-Wing,
 * 1.3.6.1.4.1.62253.25722). Its last bytes are the raw key.
 *
 * Errors, as rejections, never thrown: `unsupported_algorithm` where `supports` is false; `invalid_ciphertext` for every
 * decryption failure whatever its cause; `digest_length`; `plaintext_too_large`; `backend_unavailable`, `backend_timeout`,
 * `throttled` for what the caller may retry; `internal` for a reference that does not open.
 */
export interface CryptoBackend {
  readonly name: string
  /** Undefined where material never leaves, so that its keys can't be backed up (a token). */
  readonly portable: PortableKeys | undefined
  readonly protection: Protection
  supports(spec: KeySpec, algorithm: Algorithm): boolean
  generateKey(spec: KeySpec, home: NewKeyHome, ctx: CallContext): Promise<{ ref: KeyRef; spki?: Uint8Array }>
  /** `material`: raw bytes for symmetric keys, PKCS#8 DER for asymmetric ones. */
  importKey(
    spec: KeySpec,
    material: Secret,
    home: NewKeyHome,
    ctx: CallContext,
  ): Promise<{ ref: KeyRef; spki?: Uint8Array }>
  sign(key: KeyHandle, algorithm: Algorithm, input: SignInput, ctx: CallContext): Eventually<Uint8Array>
  encrypt(
    key: KeyHandle,
    algorithm: Algorithm,
    plaintext: Uint8Array,
    params: EncryptParams,
    ctx: CallContext,
  ): Eventually<Uint8Array>
  decrypt(
    key: KeyHandle,
    algorithm: Algorithm,
    ciphertext: Uint8Array,
    params: EncryptParams,
    ctx: CallContext,
  ): Eventually<Uint8Array>
  /**
   * The shared secret as it comes out of the agreement: the x-coordinate for ECDH (SP 800-56A section 5.7.1.2). `peer` is
   * DER SubjectPublicKeyInfo; `invalid_argument` (publicKey) for one that is not on the key's curve, or of low order.
   */
  agree(key: KeyHandle, algorithm: Algorithm, peer: Uint8Array, ctx: CallContext): Promise<Uint8Array>
  /**
   * The 32-byte shared secret. `invalid_ciphertext` for a wrong length only: another secret comes out of anything else
   * that is wrong (implicit rejection).
   */
  decapsulate(key: KeyHandle, algorithm: Algorithm, ciphertext: Uint8Array, ctx: CallContext): Promise<Uint8Array>
  mac(key: KeyHandle, algorithm: Algorithm, message: Uint8Array, ctx: CallContext): Eventually<Uint8Array>
  /** Idempotent: a key that is gone already is destroyed. */
  destroyKey(key: KeyHandle, ctx: CallContext): Promise<void>
  random(bytes: number, ctx: CallContext): Promise<Uint8Array>
  /** Rejects with the reason while the backend can't serve. */
  health(ctx: CallContext): Promise<void>
  close(): Promise<void>
}

export type Stored<T> = T & { readonly revision: number }

/** One compare-and-set write. `update` and `delete` name the revision that was read. */
export type Write = {
  [C in CollectionName]:
    | { readonly kind: 'insert'; readonly collection: C; readonly row: Rows[C] }
    | { readonly kind: 'update'; readonly collection: C; readonly row: Rows[C]; readonly revision: number }
    | { readonly kind: 'delete'; readonly collection: C; readonly id: string; readonly revision: number }
}[CollectionName]

export type Order = 'ascending' | 'descending'
export type Page<T> = { readonly rows: readonly Stored<T>[]; readonly next?: string }

/**
 * Errors: `conflict` when a revision moved, an inserted id exists or a unique index is taken (the kernel reads again
 * and retries); `store_unavailable` for anything else. Returned rows are frozen; callers never see a half-applied commit.
 */
export interface Store {
  /** The row as it stands, if it is at hand; undefined says nothing. */
  peek<C extends CollectionName>(collection: C, id: string): Stored<Rows[C]> | undefined
  get<C extends CollectionName>(collection: C, id: string): Promise<Stored<Rows[C]> | undefined>
  /** The one row of a unique index. */
  find<C extends CollectionName>(
    collection: C,
    index: IndexName<C>,
    key: readonly string[],
  ): Promise<Stored<Rows[C]> | undefined>
  /**
   * Rows whose index tuple starts with `prefix`, in tuple order unless told otherwise, at most `limit`; `after` is a
   * `next` of an earlier page in the same order.
   * Stable under writes: a row that neither moved nor went away is returned exactly once.
   */
  page<C extends CollectionName>(
    collection: C,
    index: IndexName<C>,
    prefix: readonly string[],
    after: string | undefined,
    limit: number,
    order?: Order,
  ): Promise<Page<Rows[C]>>
  /** How many rows have index tuples that start with `prefix`. */
  count<C extends CollectionName>(collection: C, index: IndexName<C>, prefix: readonly string[]): Promise<number>
  /** All or nothing, durable when it resolves. */
  commit(writes: readonly Write[]): Promise<void>
  health(): Promise<void>
  close(): Promise<void>
}

/** What IAM knows of a verified AWS caller. Policies are parsed JSON documents; their grammar is the evaluator's. */
export type AwsIdentity = {
  readonly account: string
  /** `arn:aws:iam::A:user/x`, `arn:aws:sts::A:assumed-role/R/S`, `arn:aws:iam::A:root`. */
  readonly arn: string
  /** Unique and never used again, unlike names: `AIDA…`, `AROA…:session`, the account number for its root. */
  readonly userId: string
  readonly userName?: string
  /** Of a role's session: the role, and the session's name. */
  readonly roleArn?: string
  readonly sessionName?: string
  readonly policies: readonly unknown[]
  readonly sessionPolicies?: readonly unknown[]
  readonly boundary?: unknown
  /** The service that he calls through (`s3`); absent: he calls himself. */
  readonly service?: string
  /** `aws:PrincipalTag`. */
  readonly tags: Readonly<Record<string, string>>
}

/** What role assignments know of a verified Azure caller. */
export type AzureIdentity = {
  readonly tenant: string
  /** What an assignment may name: his object's id and those of his groups. */
  readonly ids: readonly string[]
  /** For messages: `appid=…;oid=…;iss=…`. */
  readonly caller: string
}

/** What IAM policies know of a verified Google Cloud caller. */
export type GcpIdentity = {
  /** What a binding may name him by: `user:…`, `serviceAccount:…`, `group:…`, `principal://…`, `allUsers`. */
  readonly members: readonly string[]
}

export type Principal = {
  /** `method:subject`, so that two methods never collide: `sigv4:AKIA…`, `bearer:<issuer>#<subject>`, `anonymous:`. */
  readonly id: string
  readonly method: 'none' | 'sigv4' | 'bearer' | 'mtls' | 'system' | 'socket'
  /** Of the dialect that verified the caller; absent where nobody was verified. */
  readonly aws?: AwsIdentity
  readonly azure?: AzureIdentity
  readonly gcp?: GcpIdentity
}

/** Allow-listed: a field is here or it is not recorded. Never a payload. */
export type AuditRecord = {
  /** Unique; says whether an outbox row was drained already. */
  readonly id: string
  readonly time: number
  readonly requestId: string
  readonly clientRequestId?: string | undefined
  readonly dialect: WireDialect | 'system'
  /** The operation's name on the wire, and in the core. */
  readonly wire: string
  readonly operation: string
  readonly action: string
  readonly principal: string
  readonly method: Principal['method']
  /** Whom the principal was verified to be. */
  readonly identity?: string | undefined
  /** Of an external caller: what let it in, and the key's name there. */
  readonly exposure?: string | undefined
  readonly exposedKey?: string | undefined
  /** What its cloud says of the request behind this one. */
  readonly behalfPrincipal?: string | undefined
  readonly behalfCorrelation?: string | undefined
  readonly behalfOperation?: string | undefined
  readonly behalfKey?: string | undefined
  readonly behalfService?: string | undefined
  readonly behalfNetwork?: string | undefined
  readonly behalfEndpoint?: string | undefined
  readonly behalfReason?: string | undefined
  /** The rule of the exposure that refused. */
  readonly rule?: string | undefined
  /** IP address that it came from, where that is known. */
  readonly address?: string | undefined
  /** Whose rights an administrative operation changed or gave. */
  readonly about?: string | undefined
  readonly realm?: string | undefined
  readonly ring?: string | undefined
  readonly key?: string | undefined
  readonly secret?: string | undefined
  readonly version?: number | undefined
  /** Of an operation that takes from one key to another (re-encryption): the one it takes from. */
  readonly sourceKey?: string | undefined
  readonly sourceVersion?: number | undefined
  readonly algorithm?: string | undefined
  readonly decision: 'allow' | 'deny' | 'none'
  /** The grant that allowed, where no policy did. */
  readonly grant?: string | undefined
  /** Requests of callers who could not be verified that the log was spared since the last one. */
  readonly leftOut?: number | undefined
  /** `ok`, or the error code. */
  readonly outcome: string
  readonly durationMs: number
}

/** The chained log. */
export interface AuditLog {
  /** Resolves once the record is durable; rejects with `audit_unavailable`. */
  append(record: AuditRecord): Promise<void>
  /** Number of the last durable record; one that is appended later has a higher one. */
  readonly last: number
  /**
   * Of these record ids, the ones that the log has already; it need not look before its record number `after`. Asked at
   * start, to drain an outbox without doubles.
   */
  has(ids: readonly string[], after: number): Promise<ReadonlySet<string>>
  /** False while appends would fail, so that requests can fail before they do any work. */
  readonly available: boolean
  /** Rejects with the reason while `available` is false. */
  health(): Promise<void>
  close(): Promise<void>
}

export type Decision =
  | { readonly allow: true /** The grant that allowed, where no policy did. */; readonly grant?: string }
  | {
      readonly allow: false
      readonly reason: string /** For the caller, in his dialect's words. */
      readonly message?: string
    }

export type AccessRequest = {
  readonly principal: Principal
  readonly dialect: WireDialect | 'system'
  /** The operation's name on the wire, and what it does in the core's own vocabulary. */
  readonly wire: string
  readonly action: string
  /** What the caller's cloud calls the right to do it: an Azure data action, a Google permission. */
  readonly right: string | undefined
  readonly realm: Realm | undefined
  readonly ring: KeyRing | undefined
  readonly key: Key | undefined
  readonly secret: StoredSecret | undefined
  /** Of an operation that takes from one key to another, when it is asked about the other: the one it takes from. */
  readonly source: Key | undefined
  /** How the caller named a key that is not there. */
  readonly missing: KeyReference | undefined
  /** What AWS's policies may ask of an AWS request. */
  readonly aws: AwsFacts | undefined
  /** Of an external caller. */
  readonly exposed: Exposed | undefined
}
export interface Authorizer {
  decide(request: AccessRequest): Eventually<Decision>
}

export interface Clock {
  /** Wall clock, ms since the epoch. */
  now(): number
  /** Calls `fire` once at or after `at`; the returned function cancels it. */
  schedule(at: number, fire: () => void): () => void
}

/** Opens and makes ring keys; the root key stays behind it. */
export interface Sealer {
  /** Seals `plaintext` so that it opens only with the same `context`. */
  seal(plaintext: Uint8Array, context: string): Promise<Uint8Array>
  /** Rejects with `internal` for a wrong root key, a wrong context or damage: they can't be told apart. */
  unseal(sealed: Uint8Array, context: string): Promise<Uint8Array>
}
