/** What each version of the API brought: in an older one it has no name, and is not there. */

/** The first version with it, by the REST specifications; a preview counts as the version it led to. */
const SINCE = {
  recoverableDays: '7.1',
  /** oct-HSM keys, and every algorithm of AES keys. */
  aes: '7.2',
  /** Rotation on demand and by policy. */
  rotation: '7.3',
  random: '7.3',
  exportable: '7.3',
  hsmPlatform: '7.5',
  /** The CKM_ names of key wrapping. */
  ckm: '7.6',
  hmac: '7.6',
  keySize: '2026-01-01',
  akp: '2026-05-01',
} as const
export type Feature = keyof typeof SINCE

/** Versions compare by it: those that are numbers come before those that are dates. */
function rank(version: string): number {
  const [, major, minor] = /^([0-9]+)\.([0-9]+)/.exec(version) ?? []
  if (major !== undefined && minor !== undefined) return Number(major) * 100 + Number(minor)
  return Number(version.slice(0, 10).replaceAll('-', ''))
}

export const knows = (apiVersion: string, feature: Feature): boolean => rank(apiVersion) >= rank(SINCE[feature])
