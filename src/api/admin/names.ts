/** How commands name realms, rings and keys, and what they are shown of them. */
import { Type } from '@sinclair/typebox'
import { invalidArgument } from '../../core/error.ts'
import {
  DIALECTS,
  effectiveKeyState,
  effectiveVersionState,
  type Key,
  type KeyRing,
  type KeyVersion,
  type Realm,
  UUID,
} from '../../core/key.ts'
import type { KeyReference, RealmAddress, RingReference } from '../../core/reference.ts'
import type { KeyView } from '../../core/view.ts'

export const closed = { additionalProperties: false } as const
export const iso = (time: number): string => new Date(time).toISOString()

/** Fits every cloud's grammar of rings and keys. */
export const Name = Type.String({ pattern: '^[A-Za-z0-9_-]{1,63}$', description: '1 to 63 letters, digits, - and _' })
export const DialectName = Type.Unsafe<(typeof DIALECTS)[number]>(
  Type.Union(DIALECTS.map((dialect) => Type.Literal(dialect))),
)
/** `<ring>/<name or UUID>`, a UUID, or a name in the default ring. */
export const KeyName = Type.String({ minLength: 1, maxLength: 128 })

export const ringReference = (name: string | undefined): RingReference =>
  name === undefined ? { by: 'default' } : { by: 'name', name }

/** A realm's id, `aws:<account>/<region>` or `gcp:<project>/<location>`. @throws KmsError invalid_argument */
export function realmAddress(text: unknown): RealmAddress {
  if (typeof text === 'string' && UUID.test(text)) return { dialect: 'system', realmId: text.toLowerCase() }
  const [, dialect, first = '', second = ''] = /^(aws|gcp):([^/]{1,128})\/([^/]{1,128})$/.exec(String(text)) ?? []
  if (dialect === 'aws') return { dialect, account: first, region: second }
  if (dialect === 'gcp') return { dialect, project: first, location: second }
  throw invalidArgument('realm', 'not the id of a realm, aws:<account>/<region> or gcp:<project>/<location>')
}

/** @throws KmsError invalid_argument */
export function keyReference(text: string): KeyReference {
  const [first = '', second, ...more] = text.split('/')
  if (more.length > 0 || first === '' || second === '') {
    throw invalidArgument('key', 'not a UUID, the name of a key, or the names of a ring and a key with / between them')
  }
  if (second !== undefined) return { by: 'name', ring: ringReference(first), name: second }
  return UUID.test(first)
    ? { by: 'id', id: first.toLowerCase() }
    : { by: 'name', ring: ringReference(undefined), name: first }
}

export const PAGE = {
  after: Type.Optional(Type.String({ maxLength: 4096 })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
}
export const paging = ({
  after,
  limit = 1000,
}: {
  readonly after?: string | undefined
  readonly limit?: number | undefined
}) => ({
  ...(after !== undefined && { after }),
  limit,
})

export const shownRealm = ({ id, aws, gcp, azure, createdAt }: Realm) => ({
  id,
  ...(aws && { aws: `${aws.account}/${aws.region}` }),
  ...(gcp && { gcp: `projects/${gcp.project}/locations/${gcp.location}` }),
  ...(azure && { azure: azure.tenant }),
  createdAt: iso(createdAt),
})

export const shownRing = (ring: KeyRing) => ({
  name: ring.name,
  id: ring.id,
  vault: ring.vaultName,
  dialects: ring.dialects,
  createdAt: iso(ring.createdAt),
})

/** The names that the key has in each dialect that sees its ring. */
function namesOf(realm: Realm, ring: KeyRing, key: Key) {
  const { aws, gcp } = realm
  const sees = (dialect: (typeof DIALECTS)[number]): boolean => ring.dialects.includes(dialect)
  return {
    ...(aws && sees('aws') && { aws: `arn:aws:kms:${aws.region}:${aws.account}:key/${key.id}` }),
    ...(sees('azure') && { azure: `${ring.vaultName}/keys/${key.name}` }),
    ...(gcp &&
      sees('gcp') && {
        gcp: `projects/${gcp.project}/locations/${gcp.location}/keyRings/${ring.name}/cryptoKeys/${key.name}`,
      }),
  }
}

export const shownKey = ({ realm, ring, key, current, keyStore }: KeyView) => ({
  id: key.id,
  ring: ring.name,
  name: key.name,
  spec: key.spec,
  purpose: key.purpose,
  state: effectiveKeyState(key, current, keyStore),
  protection: key.protection,
  backend: key.backend,
  origin: key.origin,
  version: key.current,
  createdAt: iso(key.createdAt),
  ...(key.description !== '' && { description: key.description }),
  ...(key.nextRotationAt !== undefined && { nextRotationAt: iso(key.nextRotationAt) }),
  ...(key.deletion !== undefined && { deletionAt: iso(key.deletion.dueAt) }),
  names: namesOf(realm, ring, key),
})

export const shownVersion = (key: Key, version: KeyVersion) => ({
  number: version.number,
  id: version.id,
  state: effectiveVersionState(key, version),
  spec: version.spec,
  backend: version.backend,
  createdAt: iso(version.createdAt),
  ...(version.destroyAt !== undefined && { destroyAt: iso(version.destroyAt) }),
  ...(version.destroyedAt !== undefined && { destroyedAt: iso(version.destroyedAt) }),
})
