/** What the service and the child process that holds the vendor's module say to each other. */
import type { Algorithm, KeySpec, Purpose } from '../core/algorithm.ts'
import type { ErrorCode, ErrorParams } from '../core/error.ts'
import type { EncryptParams, SignInput } from '../core/ports.ts'
import type { KeyAddress, ObjectRef, WrappedKey } from './key-ref.ts'

/** One of label, serial and slot chooses the token; with none of them it must be the only one. */
export type TokenChoice = {
  readonly tokenLabel?: string
  readonly serial?: string
  /** Slot number as the module counts them: its slot ID. */
  readonly slot?: number
}

export type KeyStorage = 'token' | 'wrapped'

export type WorkerConfig = TokenChoice & {
  /** Path of the vendor's PKCS#11 library. */
  readonly library: string
  /** Passed to C_Initialize as NSS' extension has it. */
  readonly libraryParameters?: string
  /** `off`: the library is loaded without the add-on, and may bind to Node's OpenSSL. */
  readonly native?: 'auto' | 'off'
  /** How ML-DSA signs: with fresh randomness, or so that the same message has the same signature. Default: hedged. */
  readonly mlDsa?: 'hedged' | 'deterministic'
  readonly pin: string
  /** Sessions open at once, besides the one that holds the login. */
  readonly sessions: number
  /** `token`, the default: keys are objects of the token. `wrapped`: the caller keeps them, wrapped under a key of it. */
  readonly keyStorage?: KeyStorage
}

export type TokenIdentity = {
  readonly slot: number
  readonly label: string
  readonly serial: string
  readonly manufacturer: string
  readonly model: string
  readonly firmware: string
}

export type MechanismFacts = {
  readonly type: number
  readonly minKeySize: number
  readonly maxKeySize: number
  readonly flags: number
}

/** What a token can do, found out when it is opened. */
export type Profile = {
  readonly mechanisms: readonly MechanismFacts[]
  /** Specs it can make keys of, with the algorithms that work. */
  readonly algorithms: Readonly<Partial<Record<KeySpec, readonly Algorithm[]>>>
  /** All the others that the tables pair. */
  readonly gaps: readonly Gap[]
}

/**
 * What a token can't do. `call`: PKCS#11 v2.40 has none for it; `mechanism`: the token does not list one that it takes;
 * `refused`: it lists them, and refused a try or did it wrong; `wrap`: such keys can't be wrapped, and wrapped they were to be.
 */
export type Gap = {
  readonly spec: KeySpec
  readonly algorithm: Algorithm
  readonly reason: 'call' | 'mechanism' | 'refused' | 'wrap'
}

export type KnownToken = { readonly token: TokenIdentity; readonly profile: Profile }

/** Why a token can't be opened. `device`: anything that may pass by itself. */
export type TokenProblem = {
  readonly kind: 'library' | 'token' | 'pin' | 'device'
  readonly detail: string
  /** The tokens that are there, for the operator to choose from. */
  readonly tokens?: readonly TokenIdentity[]
}

export type MadeKey = {
  /** CKA_ID. */
  readonly id: Uint8Array
  readonly objectClass: ObjectRef['objectClass']
  readonly spki?: Uint8Array
  /** It is not in the token but here. */
  readonly wrapped?: WrappedKey
}
export type RootKeyFacts = { readonly madeInside: boolean }
export type NewKey = {
  readonly spec: KeySpec
  /** What it may ever be used for. */
  readonly purposes: readonly Purpose[]
  /** CKA_ID. */
  readonly id: Uint8Array
  readonly label: string
}
export type KeyArgs = { readonly key: KeyAddress; readonly spec: KeySpec; readonly algorithm: Algorithm }

/** Calls by name: arguments and result. */
export type Calls = {
  generateKey: { args: NewKey; result: MadeKey }
  /** `material` as in CryptoBackend.importKey; the child wipes its copy. */
  importKey: { args: NewKey & { material: Uint8Array }; result: MadeKey }
  /** DER SubjectPublicKeyInfo of an RSA key, read from the token. */
  publicKey: { args: { key: KeyAddress; spec: KeySpec }; result: Uint8Array }
  sign: { args: KeyArgs & { input: SignInput }; result: Uint8Array }
  encrypt: { args: KeyArgs & { plaintext: Uint8Array; params: EncryptParams }; result: Uint8Array }
  decrypt: { args: KeyArgs & { ciphertext: Uint8Array; params: EncryptParams }; result: Uint8Array }
  /** `point`: the peer's, uncompressed. */
  agree: { args: KeyArgs & { point: Uint8Array }; result: Uint8Array }
  mac: { args: KeyArgs & { message: Uint8Array }; result: Uint8Array }
  destroyKey: { args: { key: KeyAddress }; result: undefined }
  /** Private and secret keys of the token, everybody's. */
  listKeys: { args: Record<string, never>; result: readonly ObjectRef[] }
  random: { args: { bytes: number }; result: Uint8Array }
  health: { args: Record<string, never>; result: undefined }
  findRoot: { args: { label: string }; result: RootKeyFacts | undefined }
  /** Generates one in the token; the child wipes its copy of a `key` that is put there instead. */
  makeRoot: { args: { label: string; key?: Uint8Array | undefined }; result: RootKeyFacts }
  seal: { args: { label: string; plaintext: Uint8Array; context: string }; result: Uint8Array }
  unseal: { args: { label: string; sealed: Uint8Array; context: string }; result: Uint8Array }
}
export type CallName = keyof Calls

/** In the child, of the socket that it shares with its parent. */
export const CHANNEL_FD = 3

export type ToWorker =
  /** `known`: what an earlier child found; it is not asked for again if this is the same token still. */
  | { readonly kind: 'open'; readonly config: WorkerConfig; readonly known?: KnownToken }
  | {
      readonly [N in CallName]: {
        readonly kind: 'call'
        readonly id: number
        readonly name: N
        readonly args: Calls[N]['args']
      }
    }[CallName]
  | { readonly kind: 'close' }

export type FromWorker =
  | { readonly kind: 'opened'; readonly token: TokenIdentity; readonly profile: Profile }
  | { readonly kind: 'problem'; readonly problem: TokenProblem }
  | { readonly kind: 'result'; readonly id: number; readonly value: unknown }
  | {
      readonly kind: 'error'
      readonly id: number
      readonly code: ErrorCode
      readonly params: ErrorParams
      readonly reason: string
    }
  /** This process can't reach the token any more: drain it and start another. */
  | { readonly kind: 'lost'; readonly reason: string }
