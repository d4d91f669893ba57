/**
 * What is inside of a backup's age file: lines of JSON arrays.
 *
 *     ["manifest", {…}]                            the first
 *     ["buckets", collection, [3, 17, …]]          of an increment: the buckets whose rows follow, all others are as before
 *     ["row", collection, id, revision, body]
 *     ["file", name, offset]                       the file is kept up to there, and goes on with
 *     ["data", base64]
 *     ["end", {"lines": n, "signature": base64}]   the last: Ed25519 over a label and the SHA-256 of all bytes before
 *
 * age itself proves that no chunk is missing, moved or changed; the signature says which installation wrote it, since
 * anybody can encrypt to a public key.
 */
import { createHash } from 'node:crypto'

export const FORMAT = 1
export const SIGNATURE_LABEL = 'trefoil backup\n'
/** A row may be a secret of a policy's size; nothing of ours is near it. */
export const MAX_LINE = 16 * 1024 * 1024
export const BUCKETS = 4096

export type RootOfBackup =
  /** Its 32 bytes in base64. */
  | { readonly kind: 'key'; readonly key: string }
  /** In a token, where it stays. */
  | { readonly kind: 'token'; readonly label: string }

export type Manifest = {
  readonly format: typeof FORMAT
  readonly id: string
  /** What an increment goes on from. */
  readonly parent?: { readonly id: string; readonly digest: string }
  readonly createdAt: string
  /** Of the program, and of the database's layout. */
  readonly version: string
  readonly schema: number
  readonly installation: string
  /** Ed25519, DER in base64: the public key of the audit log's checkpoints signs backups, too. */
  readonly signer: string
  readonly root: RootOfBackup
}

export type Line =
  | readonly ['manifest', Manifest]
  | readonly ['buckets', string, readonly number[]]
  | readonly ['row', string, string, number, string]
  | readonly ['file', string, number]
  | readonly ['data', string]
  | readonly ['end', { readonly lines: number; readonly signature: string }]

export const fingerprintOf = (signer: Uint8Array): string => createHash('sha256').update(signer).digest('hex')

/** Where a row is counted: rows of one bucket go into an increment together. */
export function bucketOf(id: string): number {
  return createHash('sha256').update(id).digest().readUInt16BE(0) % BUCKETS
}

/** Of the files beside the database, by their names in a backup. */
export const AUDIT_FILE = /^audit\/(\d{16}\.ndjson)$/
export const CHECKPOINTS_FILE = 'checkpoints'
export const ESCROW_FILE = 'escrow'

const FILE_NAME = /^(\d{8}T\d{6}Z)-(full|inc)-([0-9a-f]{32})\.trefoil\.age$/
export type BackupKind = 'full' | 'inc'

export function fileName(createdAt: string, kind: BackupKind, id: string): string {
  const stamp = createdAt.replace(/[-:]|\.\d+/g, '')
  return `${stamp}-${kind}-${id}.trefoil.age`
}

export type NamedBackup = { readonly name: string; readonly at: number; readonly kind: BackupKind; readonly id: string }

/** What a file's name says; undefined for files that are no whole backups. */
export function parseFileName(name: string): NamedBackup | undefined {
  const [, stamp = '', kind, id = ''] = FILE_NAME.exec(name) ?? []
  if (kind === undefined) return undefined
  const at = Date.parse(stamp.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z'))
  return { name, at, kind: kind as BackupKind, id }
}
