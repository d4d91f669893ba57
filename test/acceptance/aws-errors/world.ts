/** What the tables' requests are about: keys of every kind in every state, in a real process with signatures enforced. */
import { constants, createPublicKey, publicEncrypt } from 'node:crypto'
import {
  CreateKeyCommand,
  type CreateKeyCommandInput,
  DisableKeyCommand,
  GetParametersForImportCommand,
  KMSClient,
  ListKeysCommand,
  ScheduleKeyDeletionCommand,
} from '@aws-sdk/client-kms'
import type { RunningTrefoil } from '../../support/process.ts'
import type { TestProxy } from '../../support/xks-proxy.ts'
import { CREDENTIALS } from '../aws-tools.ts'

const KINDS = {
  symmetric: {},
  rsa: { KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' },
  signer: { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' },
  mac: { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' },
  agreement: { KeySpec: 'ECC_NIST_P256', KeyUsage: 'KEY_AGREEMENT' },
  kem: { KeySpec: 'ML_KEM_768', KeyUsage: 'ENCAPSULATE_DECAPSULATE' },
  imported: { Origin: 'EXTERNAL' },
  multiRegion: { MultiRegion: true },
} as const satisfies Record<string, CreateKeyCommandInput>
export type Kind = keyof typeof KINDS

/** `empty`: another cloud's client made it and has not given it a version yet. */
export type State = 'enabled' | 'disabled' | 'deleted' | 'empty'

/** The same kinds of keys in Google's words. */
const IN_GOOGLE: { readonly [K in Kind]?: object } = {
  symmetric: { purpose: 'ENCRYPT_DECRYPT' },
  rsa: { purpose: 'ASYMMETRIC_DECRYPT', versionTemplate: { algorithm: 'RSA_DECRYPT_OAEP_2048_SHA256' } },
  signer: { purpose: 'ASYMMETRIC_SIGN', versionTemplate: { algorithm: 'EC_SIGN_P256_SHA256' } },
  mac: { purpose: 'MAC', versionTemplate: { algorithm: 'HMAC_SHA256' } },
  kem: { purpose: 'KEY_ENCAPSULATION', versionTemplate: { algorithm: 'ML_KEM_768' } },
}

export const REGION = 'us-east-1'
export const ELSEWHERE = 'eu-west-1'

export type ImportParameters = { readonly PublicKey: Uint8Array; readonly ImportToken: Uint8Array }

export class World {
  readonly client: KMSClient
  /** The key manager of external key stores, where the table has some. */
  readonly proxy: TestProxy | undefined
  readonly #url: string
  readonly #known = new Map<string, Promise<unknown>>()
  readonly #clients: KMSClient[] = []
  #counter = 0

  constructor(trefoil: RunningTrefoil, proxy?: TestProxy) {
    this.#url = trefoil.plainUrl
    this.proxy = proxy
    this.client = new KMSClient({ endpoint: trefoil.plainUrl, region: REGION, credentials: CREDENTIALS })
    this.#clients.push(this.client)
  }

  /** Made at the first call for the name, and the same from then on. */
  once<T>(name: string, make: () => Promise<T>): Promise<T> {
    const known = this.#known.get(name) ?? make()
    this.#known.set(name, known)
    return known as Promise<T>
  }

  /** Another Region's, for the rest of the run. */
  clientIn(region: string): Promise<KMSClient> {
    return this.once(`client in ${region}`, async () => {
      const client = new KMSClient({ endpoint: this.#url, region, credentials: CREDENTIALS })
      this.#clients.push(client)
      return client
    })
  }

  close(): void {
    for (const client of this.#clients) client.destroy()
  }

  /** Used by nothing else. */
  name(prefix: string): string {
    this.#counter += 1
    return `${prefix}-${this.#counter}`
  }

  key(kind: Kind, state: State = 'enabled'): Promise<string> {
    return this.once(`${kind} ${state}`, () => (state === 'empty' ? this.#empty(kind) : this.fresh(kind, state)))
  }

  async fresh(
    kind: Kind,
    state: Exclude<State, 'empty'> = 'enabled',
    more: CreateKeyCommandInput = {},
  ): Promise<string> {
    const { KeyMetadata } = await this.client.send(new CreateKeyCommand({ ...KINDS[kind], ...more }))
    const KeyId = KeyMetadata?.KeyId ?? ''
    if (state === 'disabled') await this.client.send(new DisableKeyCommand({ KeyId }))
    if (state === 'deleted') await this.client.send(new ScheduleKeyDeletionCommand({ KeyId }))
    return KeyId
  }

  async #empty(kind: Kind): Promise<string> {
    const before = await this.#keys()
    await this.once('ring', () => this.google('?keyRingId=errors', {}))
    await this.google(`/errors/cryptoKeys?cryptoKeyId=${kind}&skipInitialVersionCreation=true`, IN_GOOGLE[kind] ?? {})
    const made = (await this.#keys()).find((id) => !before.includes(id))
    if (made === undefined) throw new Error(`no ${kind} key was made`)
    return made
  }

  async #keys(): Promise<readonly string[]> {
    const { Keys = [] } = await this.client.send(new ListKeysCommand({ Limit: 1000 }))
    return Keys.map(({ KeyId = '' }) => KeyId)
  }

  /** Asks as a client of Google's: `path` follows the location's key rings. */
  async google(path: string, body: object, method = 'POST'): Promise<void> {
    const response = await fetch(`${this.#url}/v1/projects/local/locations/global/keyRings${path}`, {
      method,
      headers: { authorization: 'Bearer any', 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    if (!response.ok) throw new Error(await response.text())
  }

  /** @param change of the clock; none: as it is */
  async clock(change: object): Promise<void> {
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(`${this.#url}/_/clock`, { method: 'POST', headers, body: JSON.stringify(change) })
    if (!response.ok) throw new Error(await response.text())
  }

  async importParameters(KeyId: string, client = this.client): Promise<ImportParameters> {
    const WrappingKeySpec = 'RSA_2048'
    const command = new GetParametersForImportCommand({
      KeyId,
      WrappingAlgorithm: 'RSAES_OAEP_SHA_256',
      WrappingKeySpec,
    })
    const { PublicKey = new Uint8Array(), ImportToken = new Uint8Array() } = await client.send(command)
    return { PublicKey, ImportToken }
  }
}

export function wrap({ PublicKey }: Pick<ImportParameters, 'PublicKey'>, material: Uint8Array): Uint8Array {
  const key = createPublicKey({ key: Buffer.from(PublicKey), format: 'der', type: 'spki' })
  return publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }, material)
}
