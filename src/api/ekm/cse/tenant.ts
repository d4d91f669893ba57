/** One exposure with what verifies its tokens and signs its own. */
import type { CseConfig, EmailType } from '../../../config/exposures/cse.ts'
import { externalPrincipal } from '../../../core/exposed.ts'
import type { Call } from '../../../core/operation.ts'
import type { Principal } from '../../../core/ports.ts'
import { Gate } from '../../http/gate.ts'
import type { TrustedIssuer } from '../../oidc/key-set.ts'
import type { KeySetPool } from '../../oidc/key-set-pool.ts'
import { TokenVerifier } from '../../oidc/verifier.ts'
import type { SurfaceServices } from '../../surface.ts'
import { SigningKeys } from './signing-keys.ts'

export type Tenant = {
  readonly config: CseConfig
  readonly path: string
  /** Google's, of what users may. */
  readonly authorization: TokenVerifier
  /** The identity providers', and ours for whom a user delegated to. */
  readonly authentication: TokenVerifier
  /** Other key services'. */
  readonly peers: TokenVerifier
  /** Of each identity provider. */
  readonly emailTypes: ReadonlyMap<string, readonly EmailType[]>
  readonly signing: SigningKeys | undefined
  readonly gate: Gate
}

type Own = { readonly services: SurfaceServices; readonly keySets: KeySetPool; homeRealm(): string }

const SIGNING_ACTIONS: ReadonlySet<string> = new Set(['sign', 'list-versions'])
const SERVICE: Principal['method'] = 'system'
/** Signing for others is no work of one request: its records are the service's own. */
const SIGNING_MS = 5000

function signingKeys(config: CseConfig, { services, homeRealm }: Own): SigningKeys | undefined {
  const { signingKey: key } = config
  if (key === undefined) return undefined
  const call = (wire: string): Call => ({
    signal: AbortSignal.timeout(SIGNING_MS),
    requestId: crypto.randomUUID(),
    dialect: 'ekm',
    wire,
    principal: externalPrincipal(SERVICE, config.name, 'signing'),
    realm: { dialect: 'system', realmId: homeRealm() },
    exposed: { exposure: config.name, key: 'signing', actions: SIGNING_ACTIONS },
  })
  return new SigningKeys({ kernel: services.kernel, key, call, monotonic: () => performance.now() })
}

/** Whoever holds a token of ours was given it by a user; no audience of another service is ever ours. */
const ownIssuer = ({ url }: CseConfig, signing: SigningKeys): TrustedIssuer => ({
  issuer: url,
  aliases: [],
  keys: { kind: 'own', load: () => signing.jwks() },
  audiences: [url],
  algorithms: ['RS256'],
  clockSkewMs: 0,
})

export function tenantOf(config: CseConfig, own: Own): Tenant {
  const { keySets, services } = own
  const signing = signingKeys(config, own)
  const verifier = (issuers: readonly TrustedIssuer[]) => new TokenVerifier({ issuers, clock: services.clock, keySets })
  const ours = signing === undefined ? [] : [ownIssuer(config, signing)]
  const tenant = {
    config,
    path: config.path,
    authorization: verifier(config.authorization),
    authentication: verifier([...config.authentication, ...ours]),
    peers: verifier(config.to.map(({ issuer }) => issuer)),
    emailTypes: new Map(
      config.authentication.flatMap(({ issuer, aliases, emailTypes }) =>
        [issuer, ...aliases].map((name) => [name, emailTypes] as const),
      ),
    ),
    signing,
    gate: new Gate(config.deadlineMs),
  }
  void tenant.authorization.warm()
  return tenant
}
