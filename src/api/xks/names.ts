/** The paths of the XKS proxy API, and the exposures' own place in them. */

export type XksRoute = 'health' | 'metadata' | 'encrypt' | 'decrypt'
export type Place = {
  /** With the exposure's prefix, as it configures it: `/tenant-1/kms/xks/v1`. */
  readonly path: string
  readonly route: XksRoute
  /** The external key id; undefined for health. */
  readonly keyId: string | undefined
}

/** The specification's bound of a URI, less the host. */
const MAX_PATH = 512
const PATH =
  /^((?:\/[A-Za-z0-9_-]+)*\/kms\/xks\/v1)\/(?:(health)|keys\/([A-Za-z0-9._-]{1,128})\/(metadata|encrypt|decrypt))$/

/** Undefined for what is no path of the API. There are no queries. */
export function placeOf(url: string): Place | undefined {
  const match = url.length > MAX_PATH ? null : PATH.exec(url)
  const [, path, health, keyId, route] = match ?? []
  if (path === undefined) return undefined
  return { path, route: (health ?? route) as XksRoute, keyId }
}

/** Whose request it is where it has no route: as wide as mistakes in the version go. */
export const isXks = (url: string): boolean => url.includes('/kms/xks/')

/** AWS's names of key specs, of which KMS takes AES_256 alone. */
export const keySpecName = (spec: string): string => spec.toUpperCase()
