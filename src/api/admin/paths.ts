/** Where commands go: what the socket and its callers must agree on. */
import { join } from 'node:path'

export const socketPath = (dataDir: string): string => join(dataDir, 'trefoil.sock')
/** `principal create` → `/principal/create` */
export const routeOf = (wire: string): string => `/${wire.replaceAll(' ', '/')}`

/** Of an answer that is no JSON: what there is to know of it, as JSON. */
export const FACTS_HEADER = 'x-trefoil-facts'

export type AdminError = { readonly code: string; readonly message: string; readonly field?: string }
