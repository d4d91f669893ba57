/**
 * Who asks, and for which account and region. The region is in the credential's scope, where every signed request has
 * it; the account is the verified caller's, or the configured one while nobody is verified.
 */
import { type KeyObject, randomBytes } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import type { Eventually } from '../../core/eventually.ts'
import type { Clock, Principal } from '../../core/ports.ts'
import type { Credential, Directory } from '../../core/principals/directory.ts'
import type { SessionCredential, Sessions } from '../../core/principals/sessions.ts'
import { headOf } from '../http/request.ts'
import { type Claim, type ClaimRules, readClaim } from '../sigv4/claim.ts'
import { expiredToken, mismatch, SignatureFault, unknownToken } from '../sigv4/fault.ts'
import { SignatureVerifier, secretKeyOf } from '../sigv4/verify.ts'
import type { RequestHead, SurfaceServices, SurfaceSettings } from '../surface.ts'
import type { AwsAddress } from './names.ts'

const CREDENTIAL =
  /^AWS4-HMAC-SHA256\s+Credential=([A-Za-z0-9_-]{1,128})\/\d{8}\/([a-z0-9-]{1,32})\/[a-z0-9-]{1,32}\/aws4_request\s*,/
const ANONYMOUS: Principal = { id: 'anonymous:', method: 'none' }
/** Of no access key: stands in for the secret of an unknown one. */
const UNKNOWN = { name: '', secret: secretKeyOf(randomBytes(40)) }

export type Caller = {
  readonly principal: Principal
  readonly address: AwsAddress
  /** By a session's credentials. */
  readonly temporary?: boolean
}
export type AwsService = 'kms' | 'sts'
/** What the head of a request says: a claim to verify, or why there is none. */
export type Pending = { readonly claim: Claim } | { readonly fault: SignatureFault }

/** Reads the credential without checking its signature: enough to know the region, never to trust the key id. */
function claimed(head: Pick<RequestHead, 'headers'>, settings: SurfaceSettings): Caller {
  const { authorization } = head.headers
  const [, accessKeyId, region] = (typeof authorization === 'string' && CREDENTIAL.exec(authorization)) || []
  const address = { account: settings.defaultAccount, region: region ?? settings.defaultRegion }
  if (accessKeyId === undefined) return { principal: ANONYMOUS, address }
  return { principal: { id: `sigv4:${accessKeyId}`, method: 'sigv4' }, address }
}

/** For errors, which name ARNs whoever asked. */
export const addressOf = (head: Pick<RequestHead, 'headers'>, settings: SurfaceSettings): AwsAddress =>
  claimed(head, settings).address

/** What the dialect knows of those who may call. */
export type Identities = {
  readonly directory: Directory
  readonly sessions: Sessions
  readonly skewMs: number
  /** Where requests that are about no realm are recorded. */
  homeRealm(): string
}

/** Puts a request that has no valid signature into the audit log, under the access key that it claims. Never fails. */
export async function recordStranger(
  request: FastifyRequest,
  wire: string,
  { kernel, settings, log }: SurfaceServices,
  { homeRealm }: Pick<Identities, 'homeRealm'>,
): Promise<void> {
  const { principal } = claimed(request, settings)
  const call = {
    dialect: 'system',
    spoken: 'aws',
    wire,
    principal,
    realm: { dialect: 'system', realmId: homeRealm() },
    signal: request.deadline,
    requestId: request.id,
    address: request.client.address,
  } as const
  await kernel.stranger(call).catch((err: unknown) => log.error({ err }, 'a refused request is not in the audit log'))
}

type Deps = Identities & { readonly clock: Clock; readonly log: Logger; readonly settings: SurfaceSettings }

const rulesFor = (service: AwsService, skewMs: number): ClaimRules => ({
  services: [service],
  // A token may be added after signing: it is checked against the access key.
  mustSign: (name) => name.startsWith('x-amz-') && name !== 'x-amz-security-token',
  normalizePath: true,
  skewMs,
})

export class Authenticator {
  readonly #deps: Deps
  readonly #verifier = new SignatureVerifier()
  readonly #rules: Readonly<Record<AwsService, ClaimRules>>
  readonly #secrets = new WeakMap<Credential, KeyObject>()

  constructor(deps: Deps) {
    this.#deps = deps
    this.#rules = { kms: rulesFor('kms', deps.skewMs), sts: rulesFor('sts', deps.skewMs) }
  }

  /**
   * Before the body is read.
   * @returns undefined where signatures are not looked at
   * @throws SignatureFault in `enforce`
   */
  begin(request: FastifyRequest, service: AwsService): Pending | undefined {
    const { settings, clock } = this.#deps
    if (settings.auth === 'off') return undefined
    try {
      const { rawHeaders } = request.raw
      const head = { ...headOf(request.raw), rawHeaders, host: request.listener?.publicHost }
      const claim = readClaim(head, this.#rules[service], clock.now())
      if (claim === undefined) throw new SignatureFault('missing', 'Missing Authentication Token')
      return { claim }
    } catch (error) {
      if (!(error instanceof SignatureFault) || settings.auth === 'enforce') throw error
      return { fault: error }
    }
  }

  /**
   * `enforce` wants a signature that verifies, `permissive` says what it would have refused, `off` takes everybody at
   * his word.
   * @throws SignatureFault in `enforce`
   */
  finish(request: FastifyRequest, pending: Pending | undefined, body: Uint8Array | undefined): Eventually<Caller> {
    return pending === undefined ? claimed(request, this.#deps.settings) : this.#settle(request, pending, body)
  }

  async #settle(request: FastifyRequest, pending: Pending, body: Uint8Array | undefined): Promise<Caller> {
    const { settings, log } = this.#deps
    try {
      if ('fault' in pending) throw pending.fault
      return await this.#verify(pending.claim, body)
    } catch (error) {
      if (!(error instanceof SignatureFault) || settings.auth === 'enforce') throw error
      log.warn({ dialect: 'aws', fault: error.kind, reason: error.message }, 'would be refused')
      return claimed(request, settings)
    }
  }

  async #verify(claim: Claim, body: Uint8Array | undefined): Promise<Caller> {
    const { directory, clock } = this.#deps
    const credential = await this.#find(claim)
    const { name, secret } =
      credential === undefined ? UNKNOWN : { name: claim.accessKeyId, secret: this.#secretOf(credential) }
    const verified = this.#verifier.verify(claim, name, secret, body)
    if (credential === undefined) throw unknownToken()
    if (!verified) throw mismatch()
    const now = clock.now()
    if ('expiresAt' in credential && credential.expiresAt <= now) throw expiredToken()
    const { region, service } = claim
    if (!('expiresAt' in credential)) directory.uses.note({ id: claim.accessKeyId, at: now, service, region })
    const { principal } = credential
    const address = { account: principal.aws?.account ?? '', region }
    return { principal, address, ...('expiresAt' in credential && { temporary: true }) }
  }

  async #find({ accessKeyId, token }: Claim): Promise<Credential | SessionCredential | undefined> {
    const { directory, sessions } = this.#deps
    if (token !== undefined) return sessions.find(token, accessKeyId)
    const found = directory.find(accessKeyId)
    if (found !== undefined) return found
    await directory.settle()
    return directory.find(accessKeyId)
  }

  #secretOf(credential: Credential): KeyObject {
    const known = this.#secrets.get(credential)
    if (known !== undefined) return known
    const secret = credential.secret.use(secretKeyOf)
    this.#secrets.set(credential, secret)
    return secret
  }
}
