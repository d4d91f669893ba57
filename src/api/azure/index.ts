/** The Azure Key Vault dialect. */
import type { KeyObject } from 'node:crypto'
import type { AzureIssuerConfig } from '../../config/callers.ts'
import type { TokenVerifier } from '../oidc/verifier.ts'
import type { Surface } from '../surface.ts'
import { Authenticator } from './auth.ts'
import { COVERAGE, PATH_ROOTS } from './coverage.ts'
import { renderError } from './errors.ts'
import { IDENTITY_PATH, serveIdentity } from './identity.ts'
import { serveLogin } from './login.ts'
import { hostOf, isVaultHost } from './names.ts'
import { serveBindings } from './serve.ts'
import { TokenStandIn } from './token.ts'

const ROOTS: ReadonlySet<string> = new Set(PATH_ROOTS)
const LOGIN = /^\/[^/?]+\/(?:oauth2\/|discovery\/|v2\.0\/)/
/** Mandatory here and known to no other dialect; JavaScript clients encode the hyphen. */
const API_VERSION = /[?&]api(?:-|%2d)version=/i

export type AzureOptions = {
  readonly issuers: readonly AzureIssuerConfig[]
  readonly clientCertificates: boolean
  readonly verifier: Pick<TokenVerifier, 'verify'>
  /** The RSA key of the stand-in for Entra, asked for in dev alone. */
  standInKey(): Promise<KeyObject>
}

export const createAzureSurface = ({ issuers, clientCertificates, verifier, standInKey }: AzureOptions): Surface => ({
  dialect: 'azure',
  coverage: COVERAGE,
  owns({ url, headers }) {
    const root = /^\/([a-z]+)(?=[/?]|$)/.exec(url)?.[1] ?? ''
    return (
      ROOTS.has(root) ||
      isVaultHost(hostOf(headers)) ||
      API_VERSION.test(url) ||
      LOGIN.test(url) ||
      IDENTITY_PATH.test(url)
    )
  },
  async register(app, services) {
    const { settings, clock } = services
    const standIn = settings.profile === 'dev' ? new TokenStandIn(standInKey) : undefined
    const authenticator = new Authenticator({ settings, clock, issuers, clientCertificates, verifier, standIn })
    if (standIn !== undefined) {
      await app.register(async (scope) => serveLogin(scope, services, standIn))
      await app.register(async (scope) => serveIdentity(scope, services, standIn))
    }
    await app.register(async (scope) => serveBindings(scope, services, authenticator))
  },
  render: (error, head, requestId) => renderError(error, head, requestId),
})
