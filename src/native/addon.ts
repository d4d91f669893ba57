/** The compiled part of Trefoil: what neither node:crypto nor JavaScript can do, or not fast. scripts/setup.sh builds it. */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

declare const nativeKey: unique symbol
/** A private key in OpenSSL's hands, wiped when the handle is collected. */
export type NativeKey = { readonly [nativeKey]: never }

declare const nativeSecret: unique symbol
/** A secret of 32 bytes in OpenSSL's hands, wiped when the handle is collected. */
export type NativeSecret = { readonly [nativeSecret]: never }

declare const nativeModule: unique symbol
/** A PKCS#11 module. */
export type NativeModule = { readonly [nativeModule]: never }

/** As token.c numbers them. */
export const TOKEN_OPERATIONS = { sign: 0, encrypt: 1, decrypt: 2 } as const
/**
 * How a mechanism's parameter is made: the bytes as they are; GCM's, of `parameter` the IV and `more` the additional data;
 * a signature's with a context, of `parameter` the hedge variant and `more` the context.
 */
export const TOKEN_LAYOUTS = { plain: 0, gcm: 1, context: 2 } as const
export const TOKEN_STAGES = ['derive', 'init', 'call'] as const

/** One use of a token's key: what is handed to the module, in that order. Lengths are in bytes. */
export type TokenUse = readonly [
  module: NativeModule,
  operation: number,
  session: Uint8Array,
  key: Uint8Array,
  mechanism: number,
  layout: number,
  parameter: Uint8Array,
  more: Uint8Array,
  tagBits: number,
  input: Uint8Array,
  output: Uint8Array,
  /** CKM_AES_CBC_ENCRYPT_DATA's for a key that lives for this use; an empty template for none. */
  derivation: number,
  derivationIv: Uint8Array,
  derivationData: Uint8Array,
  template: Uint8Array,
]

export interface NativeAddon {
  /** An EC or ML-DSA key from its PKCS#8, which stays the caller's to wipe. */
  importKey(pkcs8: Uint8Array): NativeKey
  /** ECDSA over a digest, raw r‖s; ML-DSA over µ, hedged. */
  sign(key: NativeKey, input: Uint8Array): Buffer
  /** The same on the thread pool. */
  signAsync(key: NativeKey, input: Uint8Array): Promise<Buffer>
  /** From its 32 bytes, which stay the caller's to wipe. */
  importSecret(bytes: Uint8Array): NativeSecret
  /** HMAC-SHA256 of the text's UTF-8, in base64url. */
  mac(secret: NativeSecret, text: string): string
  /**
   * AES-256-GCM under HMAC-SHA256(secret, derivation), the ciphertext and its 16-byte tag into `output`.
   * @param iv 12 bytes
   */
  seal(
    secret: NativeSecret,
    derivation: Uint8Array,
    iv: Uint8Array,
    aad: Uint8Array,
    plaintext: Uint8Array,
    output: Uint8Array,
  ): void
  /** Whether the tag is right; the plaintext is in `output` then, which is wiped else. */
  open(
    secret: NativeSecret,
    derivation: Uint8Array,
    iv: Uint8Array,
    aad: Uint8Array,
    sealed: Uint8Array,
    output: Uint8Array,
  ): boolean
  /** Resolves when the bytes are durable at that place; they must not change until then. */
  append(fd: number, bytes: Uint8Array, position: number): Promise<void>
  /** Loads a shared library so that it is bound to its own dependencies, not to what the node executable exports. */
  preload(path: string): void
  /** Of a library that is loaded and initialised already. */
  tokenModule(path: string): NativeModule
  /** Bytes that are in `output`, or below zero -(4 × return code + stage) - 1 where the token refused. */
  tokenUse(...use: TokenUse): number
  /**
   * The same on the thread pool; the caller holds all that it hands over until `done` is called.
   * @param use at its end `done`, whose second argument is what the use took there
   */
  tokenUseLater(...use: readonly [...TokenUse, done: (outcome: number, milliseconds: number) => void]): void
  /** Keeps keys out of core files, and other processes of the same user out of the memory. @throws Error where the kernel refuses */
  forbidCoreDumps(): void
}

export type LoadedAddon =
  | { readonly addon: NativeAddon; readonly missing?: never }
  | { readonly addon?: never; readonly missing: string }

/** What is there tells an add-on of these sources from one that was left by a build of earlier ones. */
const CALLS = {
  importKey: true,
  sign: true,
  signAsync: true,
  importSecret: true,
  mac: true,
  seal: true,
  open: true,
  append: true,
  preload: true,
  tokenModule: true,
  tokenUse: true,
  tokenUseLater: true,
  forbidCoreDumps: true,
} as const satisfies Record<keyof NativeAddon, true>

const FILE = join(import.meta.dirname, 'build/trefoil.node')

export function loadAddon(): LoadedAddon {
  if (!existsSync(FILE)) return { missing: 'it was not built: at installation there was no C compiler, or it failed' }
  try {
    const addon = createRequire(import.meta.url)(FILE) as NativeAddon
    const lacking = Object.keys(CALLS).find((name) => !Object.hasOwn(addon, name))
    if (lacking === undefined) return { addon }
    return { missing: `it was built from other sources, without ${lacking}: run sh scripts/setup.sh` }
  } catch (error) {
    return { missing: error instanceof Error ? error.message : String(error) }
  }
}
