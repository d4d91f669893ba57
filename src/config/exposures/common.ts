/** What the exposures of all protocols have: a name, and keys of the hierarchy under names of their own. */
import { type Static, Type } from '@sinclair/typebox'
import { Problem } from '../../core/problem.ts'
import type { KeyReference } from '../../core/reference.ts'
import type { Secret } from '../../core/secret.ts'
import { oneOf, type SecretSource } from '../parts.ts'

/** Protocols, and the dialect that a listener names to serve each. */
export const PROTOCOL_DIALECTS = { xks: 'xks', 'cloud-ekm': 'ekm', 'azure-ekm': 'ekm', cse: 'ekm' } as const
export type Protocol = keyof typeof PROTOCOL_DIALECTS

export const Name = Type.String({
  pattern: '^[a-z0-9][a-z0-9-]{0,62}$',
  description: 'a name of lower case letters, digits and hyphens',
})
const common = { protocol: oneOf(Object.keys(PROTOCOL_DIALECTS) as Protocol[]), name: Name }

/** As much as is known before the protocol is. */
export const AnyExposure = Type.Object(common, { additionalProperties: true })
export type AnyExposure = Static<typeof AnyExposure>

/** `<ring>/<name or UUID>`, in the installation's own realm. */
export const KeyName = Type.String({
  pattern: '^[A-Za-z0-9_-]{1,63}/[A-Za-z0-9_-]{1,127}$',
  description: 'a key, <ring>/<name or UUID>',
})

/** What KeyName says, as the kernel takes it. */
export function keyReference(name: string): KeyReference {
  const slash = name.indexOf('/')
  return { by: 'name', ring: { by: 'name', name: name.slice(0, slash) }, name: name.slice(slash + 1) }
}

export const Email = Type.String({
  pattern: '^[^\\s@]{1,64}@[^\\s@]{1,253}$',
  description: 'an e-mail address',
})
/** Addresses are compared so: of other letters than ASCII's, some become these when they are made small. */
export const foldEmail = (email: string): string => email.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
export const Emails = Type.Array(Email, { minItems: 1, maxItems: 256, uniqueItems: true })
/** A path without slashes around it. */
export const urlPath = (maxLength: number) =>
  Type.String({
    pattern: '^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$',
    maxLength,
    description: 'a path of letters, digits, - and _, such as tenant-1',
  })
export const HostName = Type.String({
  pattern: '^[a-z0-9]([a-z0-9-]{0,62})(\\.[a-z0-9]([a-z0-9-]{0,62}))*$',
  maxLength: 253,
  description: 'a DNS name in lower case',
})

/** @throws Problem where two entries of a list have one name */
export function checkUnique(names: readonly string[], where: string): void {
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new Problem(`${where} has ${twice} twice`, 'remove one of them, or rename it')
}

/** `what`: for messages. @throws Problem */
export type ReadSecret = (source: SecretSource, what: string) => Secret
