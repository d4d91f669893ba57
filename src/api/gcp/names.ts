/** Google Cloud's resource names: read, checked, written. Names that the grammar can't say are said by their UUID. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Key, KeyRing, KeyVersion } from '../../core/key.ts'
import type { KeyReference, RealmAddress, VersionReference } from '../../core/reference.ts'
import type { WireContext } from '../surface.ts'
import type { LocationSchema } from './gen/google/cloud/location/locations_pb.js'
import { badField } from './status.ts'

export type ProjectName = { readonly project: string }
export type LocationName = ProjectName & { readonly location: string }
export type RingName = LocationName & { readonly ring: string }
export type OperationName = LocationName & { readonly operation: string }
export type KeyName = RingName & { readonly key: string }
export type VersionName = KeyName & { readonly version: number }
/** What a request is about, as far down as it says. */
export type ResourceName = LocationName & Partial<VersionName>

const ID = '[a-zA-Z0-9_-]{1,63}'
const RESOURCE_ID = new RegExp(`^${ID}$`)
// A project is named by its id, with a domain before it in old ones, or by its number.
const PROJECT = `projects/(?<project>(?:[a-z0-9.-]{1,190}:)?${ID})`
const LOCATION = `${PROJECT}/locations/(?<location>[a-z0-9-]{1,63})`
const RING = `${LOCATION}/keyRings/(?<ring>${ID})`
const KEY = `${RING}/cryptoKeys/(?<key>${ID})`
const VERSION = `${KEY}/cryptoKeyVersions/(?<version>[1-9][0-9]{0,9})`
const OPERATION = `${LOCATION}/operations/(?<operation>[a-zA-Z0-9_-]{1,63})`
const PATTERNS = {
  project: new RegExp(`^${PROJECT}$`),
  location: new RegExp(`^${LOCATION}$`),
  keyRing: new RegExp(`^${RING}$`),
  cryptoKey: new RegExp(`^${KEY}$`),
  cryptoKeyVersion: new RegExp(`^${VERSION}$`),
  operation: new RegExp(`^${OPERATION}$`),
} as const

const FORMS: Readonly<Record<keyof typeof PATTERNS, string>> = {
  project: 'projects/*',
  location: 'projects/*/locations/*',
  keyRing: 'projects/*/locations/*/keyRings/*',
  cryptoKey: 'projects/*/locations/*/keyRings/*/cryptoKeys/*',
  cryptoKeyVersion: 'projects/*/locations/*/keyRings/*/cryptoKeys/*/cryptoKeyVersions/*',
  operation: 'projects/*/locations/*/operations/*',
}

function match(kind: keyof typeof PATTERNS, field: string, text: string): Readonly<Record<string, string>> {
  const groups = PATTERNS[kind].exec(text)?.groups
  if (groups === undefined) {
    throw badField(field, `Invalid value for field '${field}': a resource name of the form ${FORMS[kind]} is expected.`)
  }
  return groups
}

/** Each throws RpcError INVALID_ARGUMENT, naming `field`, for a name of another form. */
export const parseProject = (field: string, text: string) => match('project', field, text) as ProjectName
export const parseLocation = (field: string, text: string) => match('location', field, text) as LocationName
export const parseRing = (field: string, text: string) => match('keyRing', field, text) as RingName
export const parseKey = (field: string, text: string) => match('cryptoKey', field, text) as KeyName
export function parseVersion(field: string, text: string): VersionName {
  const { version, ...rest } = match('cryptoKeyVersion', field, text) as KeyName & { version: string }
  return { ...rest, version: Number(version) }
}
export const parseOperation = (field: string, text: string) => match('operation', field, text) as OperationName
/** Encrypt takes either. */
export const parseKeyOrVersion = (field: string, text: string): KeyName & { readonly version?: number } =>
  text.includes('/cryptoKeyVersions/') ? parseVersion(field, text) : parseKey(field, text)

/** The last part of a new resource's name. */
export function checkId(field: string, id: string): string {
  if (RESOURCE_ID.test(id)) return id
  throw badField(
    field,
    `Invalid value for field '${field}': it must match the regular expression ${RESOURCE_ID.source}.`,
  )
}

export const realmOf = ({ project, location }: LocationName): RealmAddress => ({ dialect: 'gcp', project, location })
export const ringReference = ({ ring }: RingName) => ({ by: 'name', name: ring }) as const
export const keyReference = (name: KeyName): KeyReference => ({ by: 'name', ring: ringReference(name), name: name.key })
const versionReference = ({ version }: VersionName): VersionReference => ({ by: 'number', number: version })
/** Key and version, as operations take them. */
export const versionTarget = (name: VersionName) => ({ key: keyReference(name), version: versionReference(name) })

export const locationName = ({ project, location }: LocationName): string => `projects/${project}/locations/${location}`

export const locationMessage = (name: LocationName): MessageInitShape<typeof LocationSchema> => ({
  name: locationName(name),
  locationId: name.location,
})

/** The project and location that the request named; a realm's other addresses are other clouds'. */
export function requested(ctx: WireContext): string {
  if (ctx.realm.dialect !== 'gcp') throw new TypeError('a Google Cloud request has a Google Cloud address')
  return locationName(ctx.realm)
}
export const renderRing = (ring: KeyRing, ctx: WireContext): string => `${requested(ctx)}/keyRings/${ring.name}`
export const renderKey = (ring: KeyRing, key: Key, ctx: WireContext): string =>
  `${renderRing(ring, ctx)}/cryptoKeys/${RESOURCE_ID.test(key.name) ? key.name : key.id}`
export const renderVersion = (ring: KeyRing, key: Key, version: Pick<KeyVersion, 'number'>, ctx: WireContext): string =>
  `${renderKey(ring, key, ctx)}/cryptoKeyVersions/${version.number}`

/** The resource or the one above it: what a "not found" is about. */
export function nameAt(resource: ResourceName, level: 'location' | 'ring' | 'key' | 'version'): string {
  let name = locationName(resource)
  if (level === 'location' || resource.ring === undefined) return name
  name += `/keyRings/${resource.ring}`
  if (level === 'ring' || resource.key === undefined) return name
  name += `/cryptoKeys/${resource.key}`
  return level === 'key' || resource.version === undefined ? name : `${name}/cryptoKeyVersions/${resource.version}`
}
