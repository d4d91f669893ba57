/** Keys for Azure Managed HSM to use as external ones: the EKM proxy API 0.1-preview. */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { resolve as absolute } from 'node:path'
import { type Static, Type } from '@sinclair/typebox'
import { Problem } from '../../core/problem.ts'
import { closed, oneOf, Path } from '../parts.ts'
import { checkUnique, KeyName, keyReference, Name } from './common.ts'

const Client = Type.Object(
  {
    /** Of the certificate's subject, as `az keyvault ekm-connection certificate show` tells it. */
    commonName: Type.String({ minLength: 1, maxLength: 253, description: 'the common name of a certificate' }),
    /** Authorities (PEM) of which one has to be above the certificate; absent: any that the listener takes. */
    ca: Type.Optional(Path),
  },
  closed,
)

export const AzureEkmExposure = Type.Object(
  {
    protocol: oneOf(['azure-ekm']),
    name: Name,
    /** The path-prefix of the connection; absent: none. */
    prefix: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9-]+(/[A-Za-z0-9-]+)*$',
        maxLength: 64,
        description: 'a path of up to 64 letters, digits, hyphens and slashes in between',
      }),
    ),
    clients: Type.Array(Client, { minItems: 1, maxItems: 64 }),
    keys: Type.Array(
      Type.Object(
        {
          /** The key-name, which Azure calls external key id. */
          id: Type.String({ pattern: '^[A-Za-z0-9-]{1,64}$', description: '1 to 64 letters, digits and hyphens' }),
          key: KeyName,
          /** The one version to use; absent: the current one wraps, any that is enabled unwraps. */
          version: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
        },
        closed,
      ),
      { maxItems: 10_000 },
    ),
    quota: Type.Optional(
      Type.Object({ requestsPerSecond: Type.Number({ exclusiveMinimum: 0, maximum: 1_000_000 }) }, closed),
    ),
    /** How long a request may take: Managed HSM gives up after 250 ms. */
    deadlineMs: Type.Optional(Type.Integer({ minimum: 20, maximum: 10_000 })),
  },
  closed,
)
export type AzureEkmSettings = Static<typeof AzureEkmExposure>

const DEADLINE_MS = 240

/** @throws Problem */
export function resolveAzureEkm(settings: AzureEkmSettings, where: string) {
  const { name, prefix, clients, keys, quota, deadlineMs = DEADLINE_MS } = settings
  checkUnique(
    keys.map(({ id }) => id),
    `${where}.keys`,
  )
  return {
    protocol: 'azure-ekm' as const,
    name,
    path: prefix === undefined ? '' : `/${prefix}`,
    clients: clients.map(({ commonName, ca }) => ({ commonName, ca: ca === undefined ? undefined : absolute(ca) })),
    keys: keys.map(({ id, key, version }) => ({ id, key: keyReference(key), version })),
    quota: quota && { perSecond: quota.requestsPerSecond },
    deadlineMs,
  }
}
export type AzureEkmConfig = ReturnType<typeof resolveAzureEkm>

/** `authorities`: SHA-256 of each, hex; undefined: any. */
export type AzureEkmClient = { readonly commonName: string; readonly authorities: ReadonlySet<string> | undefined }
export type AzureEkmExposed = Omit<AzureEkmConfig, 'clients'> & { readonly clients: readonly AzureEkmClient[] }
export type AzureEkmKey = AzureEkmConfig['keys'][number]

/** @throws Problem */
function readAuthorities(path: string): ReadonlySet<string> {
  let pem: string
  let certificates: readonly X509Certificate[]
  try {
    pem = readFileSync(path, 'utf8')
    const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? []
    certificates = blocks.map((block) => new X509Certificate(block))
  } catch (cause) {
    throw new Problem(`the authorities in ${path} cannot be read`, 'put their certificates (PEM) there', { cause })
  }
  if (certificates.length > 0 && certificates.every(({ ca }) => ca)) {
    return new Set(certificates.map(({ fingerprint256 }) => fingerprint256.replaceAll(':', '').toLowerCase()))
  }
  throw new Problem(`${path} has other things than certificates of authorities`, 'put those there, and nothing else')
}

/** With the authorities of its clients. @throws Problem */
export const loadAzureEkm = (config: AzureEkmConfig): AzureEkmExposed => ({
  ...config,
  clients: config.clients.map(({ commonName, ca }) => ({
    commonName,
    authorities: ca === undefined ? undefined : readAuthorities(ca),
  })),
})
