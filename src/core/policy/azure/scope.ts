/**
 * What a role is assigned on: `/` is every vault of the tenant, then a vault, all keys or secrets of it, one of them. An
 * id of Azure Resource Manager means what follows its provider: there are no subscriptions here.
 */
import type { AccessRequest } from '../../ports.ts'
import { foldName } from '../../schema.ts'

const RESOURCE_MANAGER = /^\/subscriptions\/[^/]+\/resourcegroups\/[^/]+\/providers\/microsoft\.keyvault(?=\/)/
const SCOPE =
  /^\/(?:vaults|managedhsms)\/([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)(\/(?:keys|secrets)(?:\/[a-z0-9_-]{1,127})?)?$/
const MAX_SCOPE = 1024

/** In the one form that assignments are kept in: lower case, as all names in it are without case. Undefined: no scope. */
export function parseScope(text: string): string | undefined {
  if (text.length > MAX_SCOPE) return undefined
  const short = text.toLowerCase().replace(RESOURCE_MANAGER, '')
  if (short === '/') return short
  const match = SCOPE.exec(short)
  return match === null ? undefined : `/vaults/${match[1]}${match[2] ?? ''}`
}

/** What the right is about, besides a key or secret that is there. */
const collectionOf = (right: string): 'keys' | 'secrets' | undefined =>
  right.includes('/secrets/') ? 'secrets' : /\/key(s|rotationpolicies)\//.test(right) ? 'keys' : undefined

/** The names of the object: a key's UUID serves for one that Azure's grammar can't say. */
function objectsOf({ key, secret, missing }: AccessRequest): readonly string[] {
  if (secret !== undefined) return [foldName(secret.name)]
  if (key !== undefined) return [foldName(key.name), key.id]
  return missing?.by === 'name' ? [foldName(missing.name)] : []
}

/** Every scope that the request is in, the widest first. */
export function scopesOf(request: AccessRequest, right: string): readonly string[] {
  const { realm, ring } = request
  if (ring === undefined) return ['/']
  const vault = `/vaults/${ring.vaultName}`
  // A vault whose realm has no tenant is of no tenant's vaults.
  const vaults = realm?.azure === undefined ? [vault] : ['/', vault]
  const collection = collectionOf(right)
  if (collection === undefined) return vaults
  const objects = objectsOf(request).map((name) => `${vault}/${collection}/${name}`)
  return [...vaults, `${vault}/${collection}`, ...objects]
}
