/** What an external caller may do: an exposure lists the keys, and the actions of the operations that it lets them be used for. */
import type { Principal } from './ports.ts'

/**
 * What the calling cloud says of the request behind this one: recorded, never believed where it is not signed. Its
 * surface bounds each text.
 */
export type Behalf = {
  /** Who asked that cloud. */
  readonly principal?: string | undefined
  /** Its own id of what this request is a part of. */
  readonly correlation?: string | undefined
  /** For what. */
  readonly operation?: string | undefined
  /** Its own name of the key. */
  readonly key?: string | undefined
  /** Its service in between. */
  readonly service?: string | undefined
  /** Where the request came from: a network, and its way out of there. */
  readonly network?: string | undefined
  readonly endpoint?: string | undefined
  /** Why, in its own words. */
  readonly reason?: string | undefined
}

/** An external request, with what its surface found among the exposure's keys. */
export type Exposed = {
  /** The exposure's name. */
  readonly exposure: string
  /** The key's name towards the caller, shown or not. */
  readonly key?: string | undefined
  readonly actions: ReadonlySet<string>
  readonly behalf?: Behalf | undefined
  /** The rule of the exposure that refused the request. */
  readonly rule?: string | undefined
}

/** Of no key: nothing may be done. */
export const NO_ACTIONS: ReadonlySet<string> = new Set()

/** Two exposures may know the same subject, and are told apart. */
export const externalPrincipal = (method: Principal['method'], exposure: string, subject: string): Principal => ({
  id: `${method}:${exposure}/${subject}`,
  method,
})
