/** A dialect as the server sees it: what it binds, how its requests are told apart, how its errors look. */
import type { X509Certificate } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import type { KmsError } from '../core/error.ts'
import type { Kernel } from '../core/kernel.ts'
import type { WireDialect } from '../core/key.ts'
import type { Call, Operation } from '../core/operation.ts'
import type { Clock } from '../core/ports.ts'

/**
 * One wire operation and the core operation it is: two pure functions. The list of bindings is the single source of
 * routes, validation, the coverage table and audit names.
 */
export type Binding<W, I, O, R> = {
  /** The operation's own name in its cloud. */
  readonly wire: string
  readonly operation: Operation<I, O>
  toInput(wire: W, ctx: WireContext): I
  toOutput(output: O, wire: W, ctx: WireContext): R
}

/** Facts about the request and the server that names are rendered from. */
export type WireContext = {
  readonly realm: Call['realm']
  readonly settings: SurfaceSettings
  readonly now: number
}

/** For coverage tables: what a dialect can do, and what its cloud can. */
export type Coverage = { readonly wire: string; readonly operation: string | undefined }

export type SurfaceSettings = {
  readonly profile: 'dev' | 'production'
  readonly auth: 'off' | 'permissive' | 'enforce'
  /** Scheme and authority that handed-out URLs start with, where the request's own can't be used; no trailing slash. */
  readonly publicUrl: string | undefined
  /** Azure: `vault.localhost`. */
  readonly vaultDomain: string
  /** AWS: the account that requests belong to while nothing says otherwise. */
  readonly defaultAccount: string
  readonly defaultRegion: string
  /** AWS: roots of the certificates that attestation documents are signed with. */
  readonly attestationRoots: readonly X509Certificate[]
  /** Azure: tenant named in challenges. */
  readonly tenant: string
  /** Azure: whether the ring of this name keeps what is deleted, whoever asks. */
  readonly purgeProtected: (ring: string) => boolean
  /** Azure: whether the vault of this name is a Managed HSM. */
  readonly managedHsm: (vault: string) => boolean
}

export type SurfaceServices = {
  readonly kernel: Kernel
  readonly clock: Clock
  readonly log: Logger
  readonly settings: SurfaceSettings
}

/** The parts of a request that decide whose it is, before routing and parsing. */
export type RequestHead = {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
}

export type Rendered = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: unknown
}

export interface Surface {
  readonly dialect: WireDialect
  readonly coverage: readonly Coverage[]
  /** Whose request is this? Asked for unknown routes and for failures before routing; the first surface that says yes renders. */
  owns(head: RequestHead): boolean
  /** Web pages that may call it from a browser. */
  readonly origins?: readonly string[]
  /** A path for requests that carry their operation elsewhere (AWS: a header); undefined leaves the URL as it is. */
  rewrite?(head: RequestHead): string | undefined
  /** Routes, parsers, hooks, in the dialect's own encapsulated Fastify scope (no prefix). */
  register(app: FastifyInstance, services: SurfaceServices): void | Promise<void>
  /** An error that arose outside the dialect's routes: unknown route, bad framing, shutdown. */
  render(error: KmsError, head: RequestHead, requestId: string): Rendered
}

/** Names of the core's operations that callers can ask for. */
export const operationNames = (surfaces: readonly Surface[]): ReadonlySet<string> =>
  new Set(surfaces.flatMap(({ coverage }) => coverage.flatMap(({ operation }) => operation ?? [])))
