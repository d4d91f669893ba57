/** Secrets as Azure shows and names them. */
import { invalidArgument, KmsError } from '../../core/error.ts'
import type { SecretReference } from '../../core/reference.ts'
import type { SecretVersion, StoredSecret } from '../../core/stored-secret.ts'
import type { SecretView } from '../../core/view.ts'

type Attributes = {
  readonly enabled: boolean
  readonly nbf?: number
  readonly exp?: number
  readonly created: number
  readonly updated: number
  readonly recoveryLevel: string
  readonly recoverableDays: number
}
type Facts = {
  readonly id: string
  readonly contentType?: string
  readonly attributes: Attributes
  readonly tags?: Readonly<Record<string, string>>
}
export type SecretBundle = Facts & { readonly value?: string }
type Deleted = { readonly recoveryId: string; readonly deletedDate: number; readonly scheduledPurgeDate: number }

const SECRET_NAME = /^[0-9a-zA-Z-]{1,127}$/

/** @throws KmsError invalid_argument for a name outside Azure's grammar, which is not repeated */
export function parseSecretName(name: string): string {
  if (!SECRET_NAME.test(name)) throw invalidArgument('request', 'The request URI contains an invalid name.')
  return name
}

export const secretReference = (name: string): SecretReference => ({
  by: 'name',
  ring: { by: 'default' },
  name: parseSecretName(name),
})

const seconds = (ms: number): number => Math.floor(ms / 1000)
/** Below Azure's default the vault's owner has shortened the period, which has a level of its own. */
const DEFAULT_RECOVERABLE_DAYS = 90

const attributesOf = (secret: StoredSecret, version: SecretVersion): Attributes => ({
  enabled: version.enabled,
  ...(version.notBefore !== undefined && { nbf: seconds(version.notBefore) }),
  ...(version.expiresAt !== undefined && { exp: seconds(version.expiresAt) }),
  created: seconds(version.createdAt),
  updated: seconds(version.updatedAt),
  recoveryLevel:
    secret.recoverableDays < DEFAULT_RECOVERABLE_DAYS ? 'CustomizedRecoverable+Purgeable' : 'Recoverable+Purgeable',
  recoverableDays: secret.recoverableDays,
})

const factsOf = (id: string, secret: StoredSecret, version: SecretVersion): Facts => ({
  id,
  ...(version.contentType !== undefined && { contentType: version.contentType }),
  attributes: attributesOf(secret, version),
  ...(Object.keys(version.tags).length > 0 && { tags: version.tags }),
})

export const secretUrl = (base: string, secret: StoredSecret): string => `${base}/secrets/${secret.name}`

export const versionItem = (base: string, secret: StoredSecret, version: SecretVersion): Facts =>
  factsOf(`${secretUrl(base, secret)}/${version.hexId}`, secret, version)

/** Only set and get answer with the value. */
export const secretBundle = (base: string, { secret, secretVersion }: SecretView, value?: string): SecretBundle => ({
  ...(value !== undefined && { value }),
  ...versionItem(base, secret, secretVersion),
})

/** In lists a secret goes by its name alone. */
export const secretItem = (base: string, { secret, secretVersion }: SecretView): Facts =>
  factsOf(secretUrl(base, secret), secret, secretVersion)

function deletionOf(base: string, { name, deletion }: StoredSecret): Deleted {
  if (deletion === undefined) throw new KmsError('internal')
  return {
    recoveryId: `${base}/deletedsecrets/${name}`,
    deletedDate: seconds(deletion.requestedAt),
    scheduledPurgeDate: seconds(deletion.dueAt),
  }
}

export const deletedSecretBundle = (base: string, view: SecretView): SecretBundle & Deleted => ({
  ...deletionOf(base, view.secret),
  ...secretBundle(base, view),
})
export const deletedSecretItem = (base: string, view: SecretView): Facts & Deleted => ({
  ...deletionOf(base, view.secret),
  ...secretItem(base, view),
})
