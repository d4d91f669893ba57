/** Who calls: the credentials of a prefix (SigV4), and where the exposure asks for one, the name in the certificate. */
import { type KeyObject, randomBytes } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import type { XksExposed } from '../../config/exposures/xks.ts'
import { KmsError } from '../../core/error.ts'
import { externalPrincipal } from '../../core/exposed.ts'
import type { Principal } from '../../core/ports.ts'
import type { RawRequest } from '../http/request.ts'
import { type Claim, type ClaimRules, readClaim } from '../sigv4/claim.ts'
import { mismatch, SignatureFault } from '../sigv4/fault.ts'
import { type SignatureVerifier, secretKeyOf } from '../sigv4/verify.ts'

const SERVICE = 'kms-xks-proxy'
/** Appendix A: requests more than five minutes in the past or future fail. */
const SKEW_MS = 300_000
const RULES: ClaimRules = {
  services: [SERVICE],
  mustSign: (name) => name === 'x-amz-date',
  normalizePath: false,
  skewMs: SKEW_MS,
}

type Secret = { readonly name: string; readonly key: KeyObject; readonly principal: Principal }
/** Of no access key: stands in for the secret of an unknown one, so that it takes as long. */
const UNKNOWN = { name: '', key: secretKeyOf(randomBytes(40)) }

export class Credentials {
  readonly #secrets: ReadonlyMap<string, Secret>
  readonly #exposure: XksExposed
  readonly #verifier: SignatureVerifier

  constructor(exposure: XksExposed, verifier: SignatureVerifier) {
    this.#exposure = exposure
    this.#verifier = verifier
    this.#secrets = new Map(
      exposure.credentials.map(({ accessKeyId, secret }) => {
        const principal = externalPrincipal('sigv4', exposure.name, accessKeyId)
        return [accessKeyId, { name: principal.id, key: secret.use(secretKeyOf), principal }]
      }),
    )
  }

  /**
   * By the head alone, before a body is read.
   * @throws SignatureFault
   */
  claim(request: FastifyRequest, url: string, now: number): Claim {
    const { method, rawHeaders } = request.raw
    const head = { method: method ?? '', url, rawHeaders, host: request.listener?.publicHost }
    const claim = readClaim(head, RULES, now)
    if (claim === undefined || request.headers['x-amz-date'] === undefined) {
      throw new SignatureFault('missing', 'The request has no signature, or no X-Amz-Date.')
    }
    const { regions } = this.#exposure
    if (regions !== undefined && !regions.includes(claim.region)) throw mismatch()
    return claim
  }

  /** An unknown access key is answered as a wrong signature is. @throws SignatureFault */
  verify(claim: Claim, body: Uint8Array): Principal {
    const known = this.#secrets.get(claim.accessKeyId)
    const { name, key } = known ?? UNKNOWN
    const verified = this.#verifier.verify(claim, name, key, body)
    if (known === undefined || !verified || claim.token !== undefined) throw mismatch()
    return known.principal
  }
}

/** Over HTTP/2 a request's socket is its stream alone. */
const cutOff = (request: RawRequest): void => {
  const session = 'stream' in request ? request.stream?.session : undefined
  if (session === undefined) request.socket.destroy()
  else session.destroy()
}

/**
 * The specification ends the handshake of a client with another name. Names are a prefix's, and the prefix is not known
 * before the request, so that its connection is ended then; a proxy's connection carries others' requests too.
 * @param refused told of the name
 * @throws KmsError unauthenticated for a certificate that is another's, or none
 */
export function checkClient(
  request: FastifyRequest,
  allowed: readonly string[] | undefined,
  refused: (name: string | undefined) => void,
): void {
  if (allowed === undefined) return
  const name = request.client.certificate?.commonName
  if (name !== undefined && allowed.includes(name)) return
  refused(name)
  if (request.listener !== undefined && request.listener.proxy === undefined) cutOff(request.raw)
  throw new KmsError('unauthenticated', { reason: 'certificate' })
}
