/** Wycheproof's files as the runners read them, and the keys that they import. */
import { randomUUID } from 'node:crypto'
import {
  ALGORITHM_NAMES,
  type Algorithm,
  type AlgorithmRow,
  algorithmRow,
  type Hash,
  KEY_SPEC_NAMES,
  type KeySpec,
  type KeySpecRow,
  specHas,
  specRow,
} from '../../src/core/algorithm.ts'
import { type ErrorCode, KmsError } from '../../src/core/error.ts'
import type { Eventually } from '../../src/core/eventually.ts'
import type { CallContext, CryptoBackend, EncryptParams, KeyHandle } from '../../src/core/ports.ts'
import { Secret } from '../../src/core/secret.ts'

export type Vector = {
  readonly tcId: number
  readonly comment?: string
  readonly flags: readonly string[]
  readonly result: 'valid' | 'invalid' | 'acceptable'
  readonly msg?: string
  readonly sig?: string
  readonly ct?: string
  readonly label?: string
  readonly key?: string
  readonly tag?: string
  readonly ctx?: string
  readonly mu?: string
  readonly iv?: string
  readonly aad?: string
  readonly public?: string
  readonly private?: string
  readonly shared?: string
  readonly seed?: string
  readonly dk?: string
  readonly ek?: string
  readonly c?: string
  readonly K?: string
}
export type Group = {
  readonly type: string
  readonly tests: readonly Vector[]
  readonly sha?: string
  readonly mgfSha?: string
  readonly sLen?: number
  readonly keySize?: number
  readonly tagSize?: number
  readonly ivSize?: number
  readonly curve?: string
  readonly parameterSet?: string
  readonly publicKey?: string | Readonly<Record<string, unknown>> | null
  readonly publicKeyDer?: string | null
  readonly privateSeed?: string
  readonly privateKeyPkcs8?: string | null
}
export type VectorFile = {
  readonly algorithm?: string
  readonly source?: string
  readonly testGroups: readonly Group[]
}

/**
 * What came of one vector: whether Trefoil took it for good, or why it was not tried. `strict`: rightly refused, since it
 * was made with parameters that Trefoil has not (another salt length, a label, another length of key), however well made
 * it is.
 */
export type Outcome = boolean | 'strict' | { readonly skip: string }
export type Runner = (backend: CryptoBackend, group: Group, vector: Vector, keys: ImportCache) => Promise<Outcome>
export type Imported = { readonly handle: KeyHandle; readonly spki: Uint8Array | undefined }

export const UNSUPPORTED: Outcome = { skip: 'the backend has no such algorithm' }
export const hex = (text: string | null | undefined): Buffer => Buffer.from(text ?? '', 'hex')
export const equal = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0
export const context = (): CallContext => ({ signal: new AbortController().signal, requestId: randomUUID() })
const NOTHING = new Uint8Array()
export const NO_PARAMS: EncryptParams = { nonce: NOTHING, iv: NOTHING, aad: NOTHING }

export const hashNamed = (name: string | undefined): Hash | undefined =>
  (({ 'SHA-1': 'sha1', 'SHA-224': 'sha224', 'SHA-256': 'sha256', 'SHA-384': 'sha384', 'SHA-512': 'sha512' }) as const)[
    name ?? ''
  ]

/** @throws where there is none: every file that is run is of a spec of the table */
export function specWhere(matches: (row: KeySpecRow) => boolean): KeySpec {
  const spec = KEY_SPEC_NAMES.find((name) => matches(specRow(name)))
  if (spec === undefined) throw new Error('no such key spec')
  return spec
}

/** OpenSSL's name of Wycheproof's curve. */
export const curveSpec = (curve: unknown): KeySpec =>
  specWhere((row) => row.type === 'ec' && row.curve === (curve === 'secp256r1' ? 'prime256v1' : curve))

export function algorithmWhere(spec: KeySpec, scheme: AlgorithmRow['scheme'], hash?: Hash): Algorithm | undefined {
  return ALGORITHM_NAMES.find((name) => {
    const row = algorithmRow(name)
    return specHas(spec, name) && row.scheme === scheme && ('hash' in row ? row.hash : undefined) === hash
  })
}

/** Undefined where the work ended with the one error that it may end with; any other error is a failure. */
export async function orRefused<T>(
  code: ErrorCode,
  field: string | undefined,
  work: () => Eventually<T>,
): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof KmsError) || error.code !== code) throw error
    if (field !== undefined && error.params.field !== field) throw error
    return undefined
  }
}

/** The decryption, or undefined for the one error a decryption may end with. */
export const decrypted = (
  backend: CryptoBackend,
  key: Imported,
  algorithm: Algorithm,
  ciphertext: Uint8Array,
  params: EncryptParams = NO_PARAMS,
): Promise<Uint8Array | undefined> =>
  orRefused('invalid_ciphertext', undefined, () =>
    backend.decrypt(key.handle, algorithm, ciphertext, params, context()),
  )

/** Imports are slow on tokens, and groups share their key over all their vectors. */
export class ImportCache {
  readonly #backend: CryptoBackend
  readonly #imported = new Map<string, Promise<Imported | undefined>>()

  constructor(backend: CryptoBackend) {
    this.#backend = backend
  }

  /** Undefined when the backend refuses the material. */
  get(spec: KeySpec, material: string): Promise<Imported | undefined> {
    const id = `${spec} ${material}`
    const imported = this.#imported.get(id) ?? this.#import(spec, hex(material))
    this.#imported.set(id, imported)
    return imported
  }

  async take(spec: KeySpec, material: string): Promise<Imported> {
    const imported = await this.get(spec, material)
    if (imported === undefined) throw new Error('the key was refused')
    return imported
  }

  async #import(spec: KeySpec, material: Uint8Array): Promise<Imported | undefined> {
    const home = { ringId: randomUUID(), versionId: randomUUID() }
    const secret = new Secret(Uint8Array.from(material))
    const made = await orRefused('invalid_argument', 'material', () =>
      this.#backend.importKey(spec, secret, home, context()),
    )
    return made && { handle: { ...home, spec, ref: made.ref }, spki: made.spki }
  }

  async destroyAll(): Promise<void> {
    for (const imported of this.#imported.values()) {
      const key = await imported
      if (key !== undefined) await this.#backend.destroyKey(key.handle, context())
    }
  }
}
