/** Whether a claim's signature is the secret's: SigV4 as AWS publishes it, without the S3 exceptions. */
import { createHmac, createSecretKey, hash, type KeyObject, timingSafeEqual } from 'node:crypto'
import { Lru } from '../../core/lru.ts'
import type { Claim } from './claim.ts'

const SIGNATURE = /^[0-9a-f]{64}$/

const hmac = (key: KeyObject | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()

/** A secret access key, ready to derive from: `AWS4` before it. */
export const secretKeyOf = (secret: Uint8Array): KeyObject => {
  const prefixed = Buffer.concat([Buffer.from('AWS4'), secret])
  const key = createSecretKey(prefixed)
  prefixed.fill(0)
  return key
}

type Scope = Pick<Claim, 'date' | 'region' | 'service'>

function deriveKey(secret: KeyObject, { date, region, service }: Scope): KeyObject {
  const derived = hmac(hmac(hmac(hmac(secret, date), region), service), 'aws4_request')
  const key = createSecretKey(derived)
  derived.fill(0)
  return key
}

const emptyBody = hash('sha256', '')

export class SignatureVerifier {
  /** By access key and scope. Filled before anything is verified, so that known and unknown keys cost the same. */
  readonly #keys: Lru<{ readonly secret: KeyObject; readonly key: KeyObject }>

  constructor(maxKeys = 4096) {
    this.#keys = new Lru(maxKeys)
  }

  /**
   * @param name of the secret, among all that this verifier is asked about
   * @param body the request's own bytes
   */
  verify(claim: Claim, name: string, secret: KeyObject, body: Uint8Array | undefined): boolean {
    const canonical = claim.canonicalHead + (body === undefined ? emptyBody : hash('sha256', body))
    const text = claim.preamble + hash('sha256', Buffer.from(canonical, 'latin1'))
    const expected = hmac(this.#signingKey(claim, name, secret), text)
    return sameSignature(expected, claim.signature)
  }

  #signingKey(claim: Claim, name: string, secret: KeyObject): KeyObject {
    const id = `${name}/${claim.date}/${claim.region}/${claim.service}`
    const known = this.#keys.get(id)
    if (known?.secret === secret) return known.key
    const key = deriveKey(secret, claim)
    this.#keys.set(id, { secret, key })
    return key
  }
}

function sameSignature(expected: Buffer, signature: string): boolean {
  if (!SIGNATURE.test(signature)) return false
  return timingSafeEqual(expected, Buffer.from(signature, 'hex'))
}
