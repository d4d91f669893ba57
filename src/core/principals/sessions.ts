/**
 * Temporary credentials. The session token is the session itself, sealed: nothing is stored, and nothing needs to be
 * forgotten. format 0x01 | iv (12) | ciphertext | tag (16), AES-256-GCM under a key of the installation.
 */
import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto'
import { KmsError } from '../error.ts'
import { Lru } from '../lru.ts'
import type { AwsIdentity, Clock, Principal } from '../ports.ts'
import { Secret } from '../secret.ts'
import type { Credential, Directory } from './directory.ts'
import { identityOf, newSecretAccessKey, newSessionKeyId, type StoredPrincipal } from './principal.ts'

const FORMAT = 1
const IV_BYTES = 12
const TAG_BYTES = 16
/** Of characters: more would leave a request's head no room for anything else. */
const MAX_TOKEN = 8 * 1024

export type SessionPlan = {
  readonly principal: StoredPrincipal
  readonly seconds: number
  /** Of an assumed role; absent for a user's own session. */
  readonly name?: string
  readonly policies?: readonly string[]
  readonly tags?: Readonly<Record<string, string>>
}

/** As it is sealed. */
type Session = {
  readonly accessKeyId: string
  readonly secret: string
  readonly principalId: string
  readonly expiresAt: number
  readonly name?: string
  readonly policies: readonly string[]
  readonly tags: Readonly<Record<string, string>>
}

export type NewSession = {
  readonly accessKeyId: string
  readonly secret: string
  readonly token: string
  readonly expiresAt: number
  readonly identity: AwsIdentity
}

export type SessionCredential = Credential & { readonly expiresAt: number }
/** With the rows it was made from, which change as objects when they change at all. */
type Opened = SessionCredential & { readonly owner: StoredPrincipal }

/** Role sessions have an ARN of their own; a user's session is the user. */
function sessionIdentity(
  owner: StoredPrincipal,
  { name, policies, tags }: Pick<Session, 'name' | 'policies' | 'tags'>,
) {
  const identity = identityOf(owner)
  const sessionPolicies = policies.map((text) => JSON.parse(text) as unknown)
  const limited = {
    ...identity,
    tags: { ...identity.tags, ...tags },
    ...(sessionPolicies.length > 0 && { sessionPolicies }),
  }
  if (name === undefined) return limited
  return {
    ...limited,
    arn: `arn:aws:sts::${owner.account}:assumed-role/${owner.name}/${name}`,
    userId: `${owner.id}:${name}`,
    roleArn: identity.arn,
    sessionName: name,
  }
}

export class Sessions {
  readonly #key: KeyObject
  readonly #directory: Directory
  readonly #clock: Clock
  readonly #opened = new Lru<Opened>({ maxEntries: 4096, maxCost: 8 * 1024 * 1024 })

  /** @param key 32 bytes; the IVs are random, and so it is good for 2^32 sessions */
  constructor(key: KeyObject, directory: Directory, clock: Clock) {
    this.#key = key
    this.#directory = directory
    this.#clock = clock
  }

  /** @throws KmsError limit_exceeded where policies and tags are too long for a token */
  create({ principal, seconds, name, policies = [], tags = {} }: SessionPlan): NewSession {
    const session: Session = {
      accessKeyId: newSessionKeyId(),
      secret: newSecretAccessKey(),
      principalId: principal.id,
      expiresAt: this.#clock.now() + seconds * 1000,
      ...(name !== undefined && { name }),
      policies,
      tags,
    }
    const token = this.#seal(session)
    if (token.length > MAX_TOKEN) throw new KmsError('limit_exceeded', { limit: MAX_TOKEN })
    return {
      accessKeyId: session.accessKeyId,
      secret: session.secret,
      token,
      expiresAt: session.expiresAt,
      identity: sessionIdentity(principal, session),
    }
  }

  /**
   * Undefined for a token that is not ours, is for another access key, or whose user or role is gone. Whether it has
   * expired is for the caller to see.
   */
  find(token: string, accessKeyId: string): SessionCredential | undefined {
    const known = this.#opened.get(token)
    const found =
      known !== undefined && this.#directory.principal(known.owner.id) === known.owner ? known : this.#open(token)
    return found?.accessKeyId === accessKeyId ? found : undefined
  }

  #open(token: string): Opened | undefined {
    const session = this.#unseal(token)
    const owner = session && this.#directory.principal(session.principalId)
    if (session === undefined || owner === undefined) return undefined
    const { accessKeyId, expiresAt } = session
    const principal: Principal = { id: `sigv4:${accessKeyId}`, method: 'sigv4', aws: sessionIdentity(owner, session) }
    const opened = { accessKeyId, secret: new Secret(Buffer.from(session.secret)), principal, expiresAt, owner }
    this.#opened.set(token, opened, token.length)
    return opened
  }

  #seal(session: Session): string {
    const iv = randomBytes(IV_BYTES)
    const cipher = createCipheriv('aes-256-gcm', this.#key, iv)
    const text = cipher.update(JSON.stringify(session))
    return Buffer.concat([Buffer.of(FORMAT), iv, text, cipher.final(), cipher.getAuthTag()]).toString('base64')
  }

  #unseal(token: string): Session | undefined {
    if (token.length > MAX_TOKEN) return undefined
    const bytes = Buffer.from(token, 'base64')
    if (bytes.length <= 1 + IV_BYTES + TAG_BYTES || bytes[0] !== FORMAT || bytes.toString('base64') !== token)
      return undefined
    const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(1, 1 + IV_BYTES), {
      authTagLength: TAG_BYTES,
    })
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
    try {
      const text = Buffer.concat([decipher.update(bytes.subarray(1 + IV_BYTES, -TAG_BYTES)), decipher.final()])
      return JSON.parse(text.toString()) as Session
    } catch {
      return undefined
    }
  }
}
