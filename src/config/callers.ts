/** Whose tokens the Azure and Google Cloud dialects take. */

import { resolve as absolute } from 'node:path'
import { type Static, Type } from '@sinclair/typebox'
import { Problem } from '../core/problem.ts'
import { Issuer, type IssuerConfig, type KeySource, resolveIssuer, resolveKeys } from './issuer.ts'
import { closed, Path } from './parts.ts'

const AzureIssuer = Type.Object(
  {
    ...Issuer.properties,
    /** Microsoft Entra, or what speaks like it: `tid` is the tenant, `oid` and `groups` are whom roles are assigned to. */
    entra: Type.Optional(Type.Boolean()),
  },
  closed,
)

const Pool = Type.String({
  pattern: '^(projects/[a-z0-9-]{1,63}/)?locations/global/work(force|loadIdentity)Pools/[a-z0-9-]{4,63}$',
  description: 'a pool, projects/<number>/locations/global/workloadIdentityPools/<id>',
})

const GcpIssuer = Type.Object(
  {
    ...Issuer.properties,
    /** Its callers are `principal://iam.googleapis.com/<pool>/subject/<sub>`; absent: who their verified `email` says. */
    pool: Type.Optional(Pool),
  },
  closed,
)

const ServiceAccount = Type.Object(
  {
    email: Type.String({ pattern: '^[^\\s:@]{1,64}@[a-z0-9.-]{1,190}$', description: 'a mail address in lower case' }),
    /** Public keys or certificates, PEM, by their ids: `private_key_id` of a key file. */
    publicKeys: Type.Optional(
      Type.Array(Type.Object({ id: Type.String({ minLength: 1, maxLength: 128 }), file: Path }, closed), {
        minItems: 1,
        maxItems: 16,
      }),
    ),
    jwksUri: Issuer.properties.jwksUri,
    jwksFile: Issuer.properties.jwksFile,
  },
  closed,
)

export const AzureCallers = Type.Partial(
  Type.Object({
    oidc: Type.Partial(Type.Object({ issuers: Type.Array(AzureIssuer, { maxItems: 64 }) }), closed),
    /** Whether a request without a token is its client certificate's. */
    clientCertificates: Type.Boolean(),
  }),
  closed,
)
export const GcpCallers = Type.Partial(
  Type.Object({
    oidc: Type.Partial(Type.Object({ issuers: Type.Array(GcpIssuer, { maxItems: 64 }) }), closed),
    /** Of tokens that service accounts sign themselves, besides https://cloudkms.googleapis.com/. */
    audiences: Type.Array(Type.String({ minLength: 1, maxLength: 512 }), { maxItems: 64 }),
    /** The pool of those who show a client certificate and no token. */
    certificatePool: Pool,
    serviceAccounts: Type.Array(ServiceAccount, { maxItems: 10_000 }),
  }),
  closed,
)

export type AzureIssuerConfig = IssuerConfig & { readonly entra: boolean }
export type GcpIssuerConfig = IssuerConfig & { readonly pool?: string }
export type CallersConfig = {
  readonly azure: { readonly issuers: readonly AzureIssuerConfig[]; readonly clientCertificates: boolean }
  readonly gcp: {
    readonly issuers: readonly GcpIssuerConfig[]
    /** Each its own issuer, named by its mail address. */
    readonly serviceAccounts: readonly IssuerConfig[]
    /** Taken beside what each issuer has. */
    readonly audiences: readonly string[]
    /** Whose subjects those are who show a client certificate and no token; absent: nobody's. */
    readonly certificatePool?: string
  }
}

/** Key Vault's own application, which tokens of Entra's second version are for. */
const KEY_VAULT_APPLICATION = 'cfa8b339-82a2-471a-a3c9-0fc0be7a4093'
/** What the clients of Cloud KMS sign for, where they are left alone. */
export const CLOUD_KMS_AUDIENCES = ['https://cloudkms.googleapis.com/', 'https://cloudkms.googleapis.com'] as const

function checkUnique(issuers: readonly IssuerConfig[], where: string): void {
  const names = issuers.flatMap(({ issuer, aliases }) => [issuer, ...aliases])
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new Problem(`${where} has ${twice} twice`, 'remove one of them')
  // Roles are assigned to <issuer>#<subject> and to certificate#<name>.
  if (names.includes('certificate')) throw new Problem(`${where} names an issuer certificate`, 'give it another name')
}

const withAudiences = (issuer: IssuerConfig, audiences: readonly string[]): IssuerConfig =>
  issuer.audiences.length > 0 ? issuer : { ...issuer, audiences }

function accountKeys(account: Static<typeof ServiceAccount>, where: string, dev: boolean): KeySource {
  const { email, publicKeys, jwksUri, jwksFile } = account
  const given = [publicKeys, jwksUri, jwksFile].filter((one) => one !== undefined)
  if (given.length !== 1) {
    throw new Problem(
      `${where} says in ${given.length} ways where its keys are`,
      'set one of publicKeys, jwksUri, jwksFile',
    )
  }
  if (publicKeys !== undefined) {
    return { kind: 'pem', keys: publicKeys.map(({ id, file }) => ({ id, path: absolute(file) })) }
  }
  return resolveKeys(
    { issuer: email, ...(jwksUri !== undefined && { jwksUri }), ...(jwksFile !== undefined && { jwksFile }) },
    where,
    dev,
  )
}

function resolveAccount(account: Static<typeof ServiceAccount>, where: string, dev: boolean): IssuerConfig {
  return {
    issuer: account.email,
    aliases: [],
    keys: accountKeys(account, where, dev),
    audiences: CLOUD_KMS_AUDIENCES,
    algorithms: ['RS256'],
    clockSkewMs: 60_000,
  }
}

/** Google's clients leave the port of an endpoint away. */
const audiencesOf = (url: string): readonly string[] => [url, `${url}/`, `https://${new URL(url).hostname}/`]

/** @throws Problem */
export function resolveCallers(
  azure: Static<typeof AzureCallers> = {},
  gcp: Static<typeof GcpCallers> = {},
  { dev, publicUrl }: { readonly dev: boolean; readonly publicUrl: string | undefined },
): CallersConfig {
  // This server by its public name, and in dev by the names of this machine.
  const own = publicUrl === undefined ? [] : audiencesOf(publicUrl)
  const local = dev ? ['https://localhost/', 'https://127.0.0.1/'] : []
  const azureIssuers = (azure.oidc?.issuers ?? []).map(({ entra = false, ...rest }, index) => ({
    ...withAudiences(resolveIssuer(rest, `azure.oidc.issuers[${index}]`, dev), [KEY_VAULT_APPLICATION]),
    entra,
  }))
  const gcpIssuers = (gcp.oidc?.issuers ?? []).map(({ pool, ...rest }, index) => ({
    ...withAudiences(resolveIssuer(rest, `gcp.oidc.issuers[${index}]`, dev), CLOUD_KMS_AUDIENCES),
    ...(pool !== undefined && { pool }),
  }))
  const accounts = (gcp.serviceAccounts ?? []).map((account, index) =>
    resolveAccount(account, `gcp.serviceAccounts[${index}]`, dev),
  )
  checkUnique(azureIssuers, 'azure.oidc.issuers')
  checkUnique(gcpIssuers, 'gcp.oidc.issuers')
  checkUnique(accounts, 'gcp.serviceAccounts')
  return {
    azure: { issuers: azureIssuers, clientCertificates: azure.clientCertificates ?? false },
    gcp: {
      issuers: gcpIssuers,
      serviceAccounts: accounts,
      audiences: [...(gcp.audiences ?? []), ...own, ...local],
      ...(gcp.certificatePool !== undefined && { certificatePool: gcp.certificatePool }),
    },
  }
}
