/**
 * The configuration as it is written, in trefoil.yaml or in TREFOIL_* variables: every key is optional. What is left
 * out gets its default in resolve.ts.
 */
import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { DIALECTS, EXTERNAL_DIALECTS } from '../core/key.ts'
import { ACCESS_KEY_ID, ACCOUNT, MAX_ACCESS_KEYS, PRINCIPAL_NAME } from '../core/principals/principal.ts'
import { AuditExport } from './audit-exports.ts'
import { AzureCallers, GcpCallers } from './callers.ts'
import { AnyExposure } from './exposures/common.ts'
import { closed, oneOf, Path, SecretSource } from './parts.ts'

export type { SecretSource }

const Host = Type.String({
  pattern: '^([A-Za-z0-9_.-]{1,253}|[0-9A-Fa-f:.]{2,45})$',
  description: 'a host name or IP address',
})
const DnsName = Type.String({
  pattern: '^[a-z0-9]([a-z0-9-]{0,62})(\\.[a-z0-9]([a-z0-9-]{0,62}))*$',
  maxLength: 253,
  description: 'a DNS name in lower case',
})
const AddressRange = Type.String({
  pattern: '^[0-9A-Fa-f:.]{2,45}(/[0-9]{1,3})?$',
  description: 'an address or a range such as 192.0.2.0/24',
})
const HeaderName = Type.String({ pattern: '^[A-Za-z0-9-]{1,64}$', description: 'the name of a header' })
const PublicUrl = Type.String({
  pattern: '^https?://[A-Za-z0-9.:[\\]-]+$',
  description: 'a URL of scheme, host and port, such as https://kms.example.org',
})
const Port = Type.Integer({ minimum: 0, maximum: 65535 })

const Tls = Type.Partial(
  Type.Object({ cert: Path, key: Path, clientCa: Path, minVersion: oneOf(['TLSv1.2', 'TLSv1.3']) }),
  closed,
)
const Mode = oneOf(['off', 'permissive', 'enforce'])
const Realm = Type.Partial(
  Type.Object({
    aws: Type.Partial(
      Type.Object({
        account: Type.String({ pattern: '^[0-9]{12}$', description: 'a 12-digit account number' }),
        region: Type.String({ pattern: '^[a-z][a-z0-9-]{2,31}$', description: 'a region such as us-east-1' }),
      }),
      closed,
    ),
    gcp: Type.Partial(
      Type.Object({
        project: Type.String({ pattern: '^[a-z][a-z0-9:.-]{1,62}[a-z0-9]$', description: 'a project id' }),
        location: Type.String({
          pattern: '^[a-z][a-z0-9-]{1,62}$',
          description: 'a location such as global or us-east1',
        }),
      }),
      closed,
    ),
    azure: Type.Partial(
      Type.Object({
        tenant: Type.String({
          pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$',
          description: 'a GUID in lower case',
        }),
      }),
      closed,
    ),
  }),
  closed,
)

const Listener = Type.Object(
  {
    address: Type.Optional(Host),
    port: Port,
    /** Present: TLS. Without `cert` and `key` the dev profile uses its local certificate authority. */
    tls: Type.Optional(Tls),
    dialects: Type.Optional(Type.Array(oneOf([...DIALECTS, ...EXTERNAL_DIALECTS]), { minItems: 1, uniqueItems: true })),
    /** Something in front of this plain listener ends TLS; without it, production refuses plain listeners. */
    behindProxy: Type.Optional(Type.Boolean()),
    /** The proxies that are believed about the client. */
    trustedProxies: Type.Optional(Type.Array(AddressRange, { minItems: 1, maxItems: 256 })),
    /** What they say it with: X-Forwarded-For and -Proto, or RFC 7239's Forwarded. */
    forwardedHeaders: Type.Optional(oneOf(['x-forwarded', 'forwarded'])),
    /** How they hand the client's certificate on, and the authorities that it has to lead to. */
    clientCertificate: Type.Optional(Type.Object({ header: HeaderName, ca: Path }, closed)),
    /** In place of the general one. */
    publicUrl: Type.Optional(PublicUrl),
  },
  closed,
)

/** A clone of the token: what it leaves out is as for the other. */
const Standby = Type.Object(
  {
    library: Type.Optional(Path),
    tokenLabel: Type.Optional(Type.String({ minLength: 1, maxLength: 32 })),
    serial: Type.Optional(Type.String({ minLength: 1, maxLength: 16 })),
    slot: Type.Optional(Type.Integer({ minimum: 0 })),
    pin: Type.Optional(SecretSource),
  },
  closed,
)

const Hsm = Type.Object(
  {
    name: Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,62}$', description: 'lower case letters, digits and hyphens' }),
    library: Path,
    tokenLabel: Type.Optional(Type.String({ minLength: 1, maxLength: 32 })),
    serial: Type.Optional(Type.String({ minLength: 1, maxLength: 16 })),
    slot: Type.Optional(Type.Integer({ minimum: 0 })),
    pin: SecretSource,
    standby: Type.Optional(Standby),
    /** Passed to C_Initialize, as NSS takes them. */
    libraryParameters: Type.Optional(Type.String({ minLength: 1, maxLength: 1024 })),
    /** Whether ML-DSA signatures are hedged (FIPS 204 section 3.4). */
    mlDsa: Type.Optional(oneOf(['hedged', 'deterministic'])),
    sessions: Type.Optional(Type.Integer({ minimum: 1, maximum: 1024 })),
    /** Where keys are kept: objects of the token, or in Trefoil's store, wrapped under a key of the token. */
    keyStorage: Type.Optional(oneOf(['token', 'wrapped'])),
    deadlineMs: Type.Optional(Type.Integer({ minimum: 100, maximum: 600_000 })),
  },
  closed,
)

/** A key ring that is to be other than the defaults; it need not be there yet. */
const KeyRing = Type.Object(
  {
    name: Type.String({ pattern: '^[A-Za-z0-9_-]{1,63}$', description: 'the name of a key ring' }),
    /** The `hsm` entry that makes the ring's keys of protection level HSM. */
    hsm: Type.Optional(Type.String({ minLength: 1, maxLength: 63 })),
    softDeleteDays: Type.Optional(Type.Integer({ minimum: 7, maximum: 90 })),
    purgeProtection: Type.Optional(Type.Boolean()),
    managedHsm: Type.Optional(Type.Boolean()),
  },
  closed,
)

/** A policy document, written out. */
const Policy = Type.Record(Type.String(), Type.Unknown(), { description: 'a policy document' })

const SERVICE_NAME = /^[a-z][a-z0-9-]{0,62}$/

const AwsPrincipal = Type.Object(
  {
    kind: Type.Optional(oneOf(['user', 'role', 'root'])),
    /** Absent for the root of an account. */
    name: Type.Optional(Type.String({ pattern: PRINCIPAL_NAME.source, description: 'a name as IAM takes it' })),
    account: Type.Optional(Type.String({ pattern: ACCOUNT.source, description: 'a 12-digit account number' })),
    accessKeys: Type.Optional(
      Type.Array(
        Type.Object(
          {
            id: Type.String({
              pattern: ACCESS_KEY_ID.source,
              description: '16 to 128 letters, digits and underscores',
            }),
            secret: SecretSource,
          },
          closed,
        ),
        { maxItems: MAX_ACCESS_KEYS },
      ),
    ),
    policies: Type.Optional(Type.Array(Policy)),
    boundary: Type.Optional(Policy),
    trust: Type.Optional(Policy),
    maxSessionSeconds: Type.Optional(Type.Integer({ minimum: 3600, maximum: 43_200 })),
    tags: Type.Optional(Type.Record(Type.String(), Type.String())),
    /** Whoever signs as this principal calls for that service, as AWS's own do: `kms:ViaService`. */
    service: Type.Optional(
      Type.String({ pattern: SERVICE_NAME.source, description: 'the name of a service as in its host, such as s3' }),
    ),
  },
  closed,
)

const KeyStores = Type.Partial(
  Type.Object({
    /** CloudHSM clusters that AWS's custom key stores may name, and the tokens that stand for them. */
    clusters: Type.Array(
      Type.Object(
        {
          id: Type.String({ pattern: '^cluster-[2-7a-zA-Z]{11,16}$', description: 'a cluster id, cluster-…' }),
          /** An `hsm` entry's name. */
          hsm: Type.String({ minLength: 1, maxLength: 63 }),
          /** The cluster's certificate, PEM. */
          trustAnchor: Path,
          /** What a key store's password has to be. */
          password: SecretSource,
        },
        closed,
      ),
      { maxItems: 64 },
    ),
    /** External key store proxies that may be called; no other is. */
    proxies: Type.Array(
      Type.Object(
        {
          endpoint: Type.String({
            pattern: '^https://[a-zA-Z0-9.-]+$',
            maxLength: 128,
            description: 'https:// and a host name',
          }),
          /** host:port to connect to instead of the endpoint's own name and port 443. */
          address: Type.Optional(
            Type.String({ pattern: '^[A-Za-z0-9.:[\\]-]+:[0-9]{1,5}$', description: 'host:port' }),
          ),
          /** Authorities that sign the proxy's certificate, PEM; absent: the public ones. */
          ca: Type.Optional(Path),
          /** The certificate and key to show where the proxy asks for one, PEM. */
          clientCert: Type.Optional(Path),
          clientKey: Type.Optional(Path),
          /** How long the proxy has for an answer; 250 where it says nothing, as AWS KMS gives. */
          deadlineMs: Type.Optional(Type.Integer({ minimum: 50, maximum: 10_000 })),
          /** The VPC endpoint service that stands for the endpoint. */
          service: Type.Optional(Type.String({ minLength: 20, maxLength: 64 })),
        },
        closed,
      ),
      { maxItems: 64 },
    ),
  }),
  closed,
)

const RootKeySource = {
  type: oneOf(['file', 'passphrase', 'pkcs11', 'manual', 'shamir']),
  /** `shamir`: into how many shares the key is split when it is made, and how many bring it back. */
  shares: Type.Integer({ minimum: 2, maximum: 16 }),
  threshold: Type.Integer({ minimum: 2, maximum: 16 }),
  /** `file`: where the key lies; `passphrase`: its salt and cost. */
  path: Path,
  /** `passphrase`: where the passphrase comes from. */
  passphrase: SecretSource,
  /** `pkcs11`: the `hsm` entry whose token holds the key, and the key's label there. */
  hsm: Type.String({ minLength: 1, maxLength: 63 }),
  label: Type.String({ pattern: '^[A-Za-z0-9._-]{1,32}$', description: 'up to 32 letters, digits, . _ and -' }),
}
/** A copy of the root key for each of several operators, made when the key is. */
const Escrow = Type.Partial(
  Type.Object({ publicKeys: Type.Array(Path, { minItems: 1, maxItems: 16, uniqueItems: true }), path: Path }),
  closed,
)

/** Requests a second. */
const Rate = Type.Number({
  exclusiveMinimum: 0,
  maximum: 1_000_000,
  description: 'a number of requests a second, up to 1,000,000',
})

export const Settings = Type.Partial(
  Type.Object({
    profile: oneOf(['dev', 'production']),
    dataDir: Path,
    host: Host,
    port: Port,
    tlsPort: Port,
    tls: Tls,
    listeners: Type.Array(Listener, { minItems: 1, maxItems: 32 }),
    publicUrl: PublicUrl,
    vaultDomain: DnsName,
    auth: Type.Partial(Type.Object({ aws: Mode, azure: Mode, gcp: Mode }), closed),
    /** What production refuses and the operator takes upon himself, with the reason. */
    accepted: Type.Partial(
      Type.Object({
        /** Why credentials need not be checked. */
        auth: Type.String({ minLength: 8, maxLength: 500, description: 'a reason of at least 8 characters' }),
      }),
      closed,
    ),
    rootKey: Type.Partial(Type.Object({ ...RootKeySource, escrow: Escrow }), closed),
    /** What `trefoil rotate-root` moves from. */
    previousRootKey: Type.Partial(Type.Object(RootKeySource), closed),
    defaultBackend: Type.String({
      pattern: '^(software|pkcs11:[a-z0-9-]+)$',
      description: 'software or pkcs11:<hsm name>',
    }),
    hsm: Type.Array(Hsm, { maxItems: 64 }),
    keyRings: Type.Array(KeyRing, { maxItems: 4096 }),
    native: oneOf(['auto', 'off']),
    keyStores: KeyStores,
    /** Keys that external callers may use; what else is in an entry is its protocol's. */
    exposures: Type.Array(AnyExposure, { maxItems: 1024 }),
    realm: Realm,
    aws: Type.Partial(
      Type.Object({
        /** How far a signature's date may be from the clock. */
        clockSkewSeconds: Type.Integer({ minimum: 1, maximum: 3600 }),
        /** Roots of the certificates that enclaves' attestation documents are signed with, PEM. */
        attestationRoots: Type.Array(Path, { maxItems: 16 }),
        principals: Type.Array(AwsPrincipal, { maxItems: 10_000 }),
        /** Request quotas: none, or AWS's own numbers with those of `quotaLimits` over them. */
        quotas: oneOf(['off', 'aws']),
        /** By the quota's name: requests a second. */
        quotaLimits: Type.Record(Type.String(), Rate, {
          description: 'names of quotas and requests a second',
        }),
      }),
      closed,
    ),
    azure: AzureCallers,
    gcp: GcpCallers,
    backup: Type.Partial(
      Type.Object({
        /** Public recovery keys, as age writes them: whoever has one of the private keys can restore. */
        recipients: Type.Array(
          Type.String({ pattern: '^age1[a-z0-9]{20,4096}$', description: 'a recipient of age, age1…' }),
          { maxItems: 20, uniqueItems: true },
        ),
        /** How long `trefoil backup prune` keeps backups. */
        retentionDays: Type.Integer({ minimum: 1, maximum: 36_500 }),
      }),
      closed,
    ),
    log: Type.Partial(
      Type.Object({
        level: oneOf(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']),
        format: oneOf(['json', 'pretty']),
      }),
      closed,
    ),
    audit: Type.Partial(
      Type.Object({
        path: Path,
        checkpoints: Path,
        /** Where records are sent besides. */
        exports: Type.Array(AuditExport, { maxItems: 16 }),
      }),
      closed,
    ),
    /** Requests a second of one caller, in any dialect. */
    quotas: Type.Partial(
      Type.Object({
        /** Operations that use keys. */
        data: Rate,
        /** All others. */
        control: Rate,
        /** By the operation's name in the audit log, besides. */
        operations: Type.Record(Type.String(), Rate, { description: 'names of operations and requests a second' }),
      }),
      closed,
    ),
    /** A listener of its own for Prometheus, off where it is not named. */
    metrics: Type.Partial(Type.Object({ address: Host, port: Port, tls: Tls }), closed),
    limits: Type.Partial(
      Type.Object({
        bodyBytes: Type.Integer({ minimum: 1024, maximum: 64 * 1024 * 1024 }),
        headerBytes: Type.Integer({ minimum: 1024, maximum: 1024 * 1024 }),
        requestTimeoutMs: Type.Integer({ minimum: 100, maximum: 3_600_000 }),
        jsonDepth: Type.Integer({ minimum: 4, maximum: 256 }),
        maxConnections: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
        /** How late the event loop may be before requests are told to come back. */
        loopDelayMs: Type.Integer({ minimum: 10, maximum: 600_000 }),
        /** In flight at a time, of each backend; one more is told to come back. */
        backendCalls: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
      }),
      closed,
    ),
  }),
  closed,
)
export type Settings = Static<typeof Settings>
export type TlsSettings = Static<typeof Tls>
export type AwsPrincipalSettings = Static<typeof AwsPrincipal>
export type HsmSettings = Static<typeof Hsm>
export type RootKeySettings = NonNullable<Settings['rootKey']>

/** The literals of a `oneOf`, or undefined for any other schema. */
export function choices(schema: TSchema): readonly string[] | undefined {
  // A union of one is that one.
  const members: unknown = typeof schema.const === 'string' ? [schema] : schema.anyOf
  return Array.isArray(members) ? members.map((member: { const: string }) => member.const) : undefined
}
