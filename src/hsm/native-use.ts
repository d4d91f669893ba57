/** Uses of keys by the add-on: derivation, Init and call in one visit to C. */
import pkcs11js, { type Template } from 'pkcs11js'
import { HASH_BYTES, type Hash } from '../core/algorithm.ts'
import {
  type NativeAddon,
  type NativeModule,
  TOKEN_LAYOUTS,
  TOKEN_OPERATIONS,
  TOKEN_STAGES,
  type TokenUse,
} from '../native/addon.ts'
import { CKM, CKZ_DATA_SPECIFIED, HASH_PARAMS } from './mechanisms.ts'
import { CIPHERTEXT_REFUSED, returnCode } from './return-codes.ts'
import { CiphertextRefused } from './token.ts'
import type { Parameter, TokenUser, Use } from './token-use.ts'

const NONE = Buffer.alloc(0)
const WORD = 8
const CALL = TOKEN_STAGES.indexOf('call')

/** CK_ULONGs one behind the other, which have 8 bytes wherever the add-on compiles. */
const words = (...values: readonly number[]): Buffer => Buffer.from(BigUint64Array.from(values, BigInt).buffer)

const perHash = (make: (hash: Hash) => Buffer): Readonly<Record<Hash, Buffer>> => ({
  sha1: make('sha1'),
  sha224: make('sha224'),
  sha256: make('sha256'),
  sha384: make('sha384'),
  sha512: make('sha512'),
})
/** CK_RSA_PKCS_PSS_PARAMS. */
const PSS = perHash((hash) => words(HASH_PARAMS[hash].hashAlg, HASH_PARAMS[hash].mgf, HASH_BYTES[hash]))
/** CK_RSA_PKCS_OAEP_PARAMS, no label. */
const OAEP = perHash((hash) => words(HASH_PARAMS[hash].hashAlg, HASH_PARAMS[hash].mgf, CKZ_DATA_SPECIFIED, 0, 0))

type Laid = readonly [layout: number, parameter: Uint8Array, more: Uint8Array, tagBits: number]
const NO_PARAMETER: Laid = [TOKEN_LAYOUTS.plain, NONE, NONE, 0]

function layOut(parameter: Parameter | undefined): Laid {
  switch (parameter?.kind) {
    case undefined:
      return NO_PARAMETER
    case 'bytes':
      return [TOKEN_LAYOUTS.plain, parameter.bytes, NONE, 0]
    case 'pss':
      return [TOKEN_LAYOUTS.plain, PSS[parameter.hash], NONE, 0]
    case 'oaep':
      return [TOKEN_LAYOUTS.plain, OAEP[parameter.hash], NONE, 0]
    case 'gcm':
      return [TOKEN_LAYOUTS.gcm, parameter.iv, parameter.aad, parameter.tagBytes * 8]
    case 'context':
      return [TOKEN_LAYOUTS.context, words(parameter.hedge), parameter.context, 0]
  }
}

function bytesOf(value: Template[number]['value']): Uint8Array {
  if (typeof value === 'boolean') return Buffer.of(value ? 1 : 0)
  if (typeof value === 'number') return words(value)
  if (value instanceof Uint8Array) return value
  throw new Error('no such attribute in a template for the add-on')
}

/** As token.c reads it: type, length and value of each, at multiples of a word. */
function pack(template: Template): Buffer {
  const parts = template.flatMap(({ type, value }) => {
    const bytes = bytesOf(value)
    return [words(type, bytes.length), bytes, Buffer.alloc((WORD - (bytes.length % WORD)) % WORD)]
  })
  return Buffer.concat(parts)
}

export class NativeUser implements TokenUser {
  readonly #addon: NativeAddon
  readonly #module: NativeModule
  readonly #templates = new WeakMap<Template, Buffer>()
  /** What calls on the thread pool work on. */
  readonly #flying = new Set<TokenUse>()

  /** `library`: loaded and initialised. */
  constructor(addon: NativeAddon, library: string) {
    this.#addon = addon
    this.#module = addon.tokenModule(library)
  }

  now(use: Use): Buffer {
    return outputOf(use, this.#addon.tokenUse(...this.#arguments(use)))
  }

  later(use: Use, took: (milliseconds: number) => void): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const all = this.#arguments(use)
      this.#addon.tokenUseLater(...all, (outcome, milliseconds) => {
        this.#flying.delete(all)
        took(milliseconds)
        try {
          resolve(outputOf(use, outcome))
        } catch (error) {
          reject(error)
        }
      })
      this.#flying.add(all)
    })
  }

  #arguments({ operation, session, key, mechanism, input, output, derivation }: Use): TokenUse {
    const [layout, parameter, more, tagBits] = layOut(mechanism.parameter)
    return [
      this.#module,
      TOKEN_OPERATIONS[operation],
      session.handle,
      key,
      mechanism.type,
      layout,
      parameter,
      more,
      tagBits,
      input,
      output,
      CKM.AES_CBC_ENCRYPT_DATA,
      derivation?.iv ?? NONE,
      derivation?.data ?? NONE,
      derivation === undefined ? NONE : this.#packed(derivation.template),
    ]
  }

  #packed(template: Template): Buffer {
    const known = this.#templates.get(template)
    if (known !== undefined) return known
    const packed = pack(template)
    this.#templates.set(template, packed)
    return packed
  }
}

/** @throws Pkcs11Error, CiphertextRefused */
function outputOf({ operation, output }: Use, outcome: number): Buffer {
  if (outcome >= 0) return outcome === output.length ? output : output.subarray(0, outcome)
  const ckr = Math.floor((-outcome - 1) / 4)
  const stage = (-outcome - 1) % 4
  if (operation === 'decrypt' && stage === CALL && CIPHERTEXT_REFUSED.has(ckr)) throw new CiphertextRefused(ckr)
  throw new pkcs11js.Pkcs11Error(`CKR_${returnCode(ckr).name}`, ckr, `${operation}: ${TOKEN_STAGES[stage]}`)
}
