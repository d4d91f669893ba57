/** Secrets as Azure shows and names them. */
import { invalidArgument, KmsError } from '../../core/error.ts'
import type { SecretReference } from '../../core/reference.ts'
import type { SecretVersion, StoredSecret } from '../../core/stored-secret.ts'
import type { SecretView } from '../../core/view.ts'
import type { Shown } from './binding.ts'
import { type Dates, type Deleted, datesOf, deletedOf, type Recovery, recoveryOf } from './recovery.ts'

type Attributes = Dates & Recovery & { readonly enabled: boolean }
type Facts = {
  readonly id: string
  readonly contentType?: string
  readonly attributes: Attributes
  readonly tags?: Readonly<Record<string, string>>
}
export type SecretBundle = Facts & { readonly value?: string }
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

/** A secret and where it is. */
type Placed = Pick<SecretView, 'ring' | 'secret'>

const attributesOf = (shown: Shown, { ring, secret }: Placed, version: SecretVersion): Attributes => ({
  enabled: version.enabled,
  ...datesOf(version),
  ...recoveryOf(shown, ring, secret.recoverableDays),
})

const factsOf = (shown: Shown, id: string, placed: Placed, version: SecretVersion): Facts => ({
  id,
  ...(version.contentType !== undefined && { contentType: version.contentType }),
  attributes: attributesOf(shown, placed, version),
  ...(Object.keys(version.tags).length > 0 && { tags: version.tags }),
})

export const secretUrl = ({ base }: Pick<Shown, 'base'>, secret: StoredSecret): string =>
  `${base}/secrets/${secret.name}`

export const versionItem = (shown: Shown, placed: Placed, version: SecretVersion): Facts =>
  factsOf(shown, `${secretUrl(shown, placed.secret)}/${version.hexId}`, placed, version)

/** Only set and get answer with the value. */
export const secretBundle = (shown: Shown, view: SecretView, value?: string): SecretBundle => ({
  ...(value !== undefined && { value }),
  ...versionItem(shown, view, view.secretVersion),
})

/** In lists a secret goes by its name alone. */
export const secretItem = (shown: Shown, view: SecretView): Facts =>
  factsOf(shown, secretUrl(shown, view.secret), view, view.secretVersion)

function deletionOf(shown: Shown, { name, deletion }: StoredSecret): Deleted {
  if (deletion === undefined) throw new KmsError('internal')
  return deletedOf(`${shown.base}/deletedsecrets/${name}`, deletion)
}

export const deletedSecretBundle = (shown: Shown, view: SecretView): SecretBundle & Deleted => ({
  ...deletionOf(shown, view.secret),
  ...secretBundle(shown, view),
})
export const deletedSecretItem = (shown: Shown, view: SecretView): Facts & Deleted => ({
  ...deletionOf(shown, view.secret),
  ...secretItem(shown, view),
})
