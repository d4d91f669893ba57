/** The root key that the configuration names: opened, made where nothing is sealed yet, described to the operator. */
import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import { existsSync, writeSync } from 'node:fs'
import type { RootOfBackup } from './backup/format.ts'
import { type EscrowConfig, type RootKeyConfig, readSecret } from './config.ts'
import { KmsError } from './core/error.ts'
import type { Sealer } from './core/ports.ts'
import { Problem } from './core/problem.ts'
import { opensRootCheck, sealRootCheck } from './core/root-check.ts'
import { AesSealer } from './core/seal.ts'
import { Secret } from './core/secret.ts'
import type { TokenCalls } from './hsm/client.ts'
import type { Pkcs11Backend } from './hsm/pkcs11.ts'
import { findTokenSealer, makeTokenSealer, TokenSealer } from './hsm/token-sealer.ts'
import { readEscrow, readOperators, writeEscrow } from './store/escrow.ts'
import { fileRootKey, passphraseRootKey } from './store/root-key.ts'
import { makeSharedKey, readShareSet, ShareCollector } from './store/root-shares.ts'
import { newTypedSecret, typedSecret } from './typed.ts'

type InToken = Extract<RootKeyConfig, { type: 'pkcs11' }>

/** How to come by the right root key, for the message when it is the wrong one. */
export const ROOT_KEY_FIX = {
  file: 'bring the root key file back from a backup',
  passphrase: 'give the passphrase it was made with',
  pkcs11: 'connect the token it was made with',
  manual: 'type the passphrase it was made with',
  shamir: 'type shares of the root key it was made with',
} as const

/**
 * @param make nothing is sealed yet, or is about to be sealed anew: a key that is not there is made
 * @throws Problem
 */
export async function openRootKey(
  root: RootKeyConfig,
  tokens: readonly Pkcs11Backend[],
  make: boolean,
): Promise<Sealer> {
  switch (root.type) {
    case 'file':
      return new AesSealer(fileRootKey(root.path, { storeExists: !make }))
    case 'passphrase': {
      const passphrase = readSecret(root.passphrase, 'the passphrase')
      return new AesSealer(await passphraseRootKey(root.path, passphrase, { storeExists: !make }))
    }
    case 'manual':
      return new AesSealer(await typedRootKey(root.path, make))
    case 'shamir':
      return new AesSealer(await sharedRootKey(root, make))
    case 'pkcs11':
      return answering(root, () => openInToken(root, clientOf(root, tokens), make))
  }
}

async function typedRootKey(path: string, make: boolean): Promise<KeyObject> {
  const fresh = make && !existsSync(path)
  const passphrase = fresh ? newTypedSecret('the new passphrase') : typedSecret('the passphrase')
  return passphraseRootKey(path, passphrase, { storeExists: !make })
}

async function sharedRootKey(root: Extract<RootKeyConfig, { type: 'shamir' }>, make: boolean): Promise<KeyObject> {
  if (make && !existsSync(root.path)) return makeSharedKey(root.path, root, handOut)
  const shares = new ShareCollector(readShareSet(root.path))
  while (shares.missing > 0) {
    const share = typedSecret(`a share (${shares.missing} more)`)
    share.use((bytes) => shares.add(Buffer.from(bytes).toString('latin1')))
    share.wipe()
  }
  return shares.combine()
}

/** On the standard output, once: nobody has them afterwards but who reads it. */
const handOut = (shares: readonly string[]): void => {
  writeSync(1, shares.map((share, index) => `share ${index + 1} of ${shares.length}: ${share}\n`).join(''))
}

/** Of a root key that nobody but a person can open: the server waits for `trefoil unseal`. */
export const isTyped = ({ type }: RootKeyConfig): boolean => type === 'manual' || type === 'shamir'

/** Undefined where it was not made yet. @throws Problem */
export async function findRootKey(root: RootKeyConfig, tokens: readonly Pkcs11Backend[]): Promise<Sealer | undefined> {
  if (root.type === 'pkcs11') return answering(root, () => findTokenSealer(clientOf(root, tokens), root.label))
  return existsSync(root.path) ? openRootKey(root, tokens, false) : undefined
}

/** One sentence, without its end. @throws Problem where an escrow is not the one of this key */
export async function describeRootKey(root: RootKeyConfig, sealer: Sealer): Promise<string> {
  if (root.type === 'file') return `root key in the file ${root.path}`
  if (root.type === 'manual') return 'root key from a passphrase that is typed in'
  if (root.type === 'shamir') return `root key in shares, of which ${readShareSet(root.path).threshold} open it`
  if (root.type === 'passphrase' || !(sealer instanceof TokenSealer)) return 'root key from a passphrase'
  const place = `the token of hsm ${root.hsm}`
  if (root.escrow === undefined && sealer.madeInside) return `root key made in ${place}, and nowhere else`
  if (root.escrow === undefined)
    return `root key put into ${place} from outside; rootKey.escrow does not say where its copies are`
  const copies = await checkEscrow(root, root.escrow, sealer)
  return `root key put into ${place}, with copies for ${copies} operator${copies === 1 ? '' : 's'} in ${root.escrow.path}`
}

/** What a backup has of it: the key itself, unless it is in a token. */
export function rootOfBackup(root: RootKeyConfig, sealer: Sealer): RootOfBackup {
  if (root.type === 'pkcs11') return { kind: 'token', label: root.label }
  if (!(sealer instanceof AesSealer)) throw new KmsError('internal')
  const bytes = sealer.copyKey()
  try {
    return { kind: 'key', key: bytes.toString('base64') }
  } finally {
    bytes.fill(0)
  }
}

function clientOf({ hsm }: InToken, tokens: readonly Pkcs11Backend[]): TokenCalls {
  const token = tokens.find(({ name }) => name === `pkcs11:${hsm}`)
  if (token === undefined) throw new Problem(`rootKey.hsm names no hsm: ${hsm}`, 'name one of the hsm entries')
  return token.client
}

async function answering<T>({ hsm }: InToken, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof KmsError)) throw error
    const reason = error.cause instanceof Error ? `: ${error.cause.message}` : ''
    throw new Problem(
      `the root key in the token of hsm ${hsm} can't be used${reason}`,
      'trefoil doctor examines the token',
      {
        cause: error,
      },
    )
  }
}

async function openInToken(root: InToken, client: TokenCalls, make: boolean): Promise<Sealer> {
  const { hsm, label, escrow } = root
  const found = await findTokenSealer(client, label)
  if (found !== undefined) {
    if (make && escrow !== undefined) await checkEscrow(root, escrow, found)
    return found
  }
  if (make) return escrow === undefined ? makeTokenSealer(client, label) : importEscrowed(client, label, escrow)
  throw new Problem(
    `the token of hsm ${hsm} holds no key labelled ${label}, and the data directory has keys that open only with it`,
    'connect the token that holds it, or bring the token back from its backup',
  )
}

/** The copies are durable before the key is in the token: there is no moment with a key in use and no copy of it. */
async function importEscrowed(client: TokenCalls, label: string, escrow: EscrowConfig): Promise<Sealer> {
  const operators = readOperators(escrow.publicKeys)
  const bytes = randomBytes(32)
  const key = new Secret(bytes)
  try {
    writeEscrow(escrow.path, operators, bytes, await sealRootCheck(new AesSealer(createSecretKey(bytes))))
    return await makeTokenSealer(client, label, key)
  } finally {
    key.wipe()
  }
}

/** @returns how many copies there are */
async function checkEscrow({ hsm, label }: InToken, { path }: EscrowConfig, sealer: TokenSealer): Promise<number> {
  const escrow = sealer.madeInside ? undefined : readEscrow(path)
  if (escrow !== undefined && (await opensRootCheck(sealer, Buffer.from(escrow.check, 'base64')))) {
    return escrow.copies.length
  }
  const fault = sealer.madeInside
    ? 'was made there, so that no copy of it can be made'
    : `has no copies in ${path}${escrow === undefined ? '' : ': they are of another key'}`
  throw new Problem(
    `the root key labelled ${label} in the token of hsm ${hsm} ${fault}`,
    'bring its escrow file back, choose another rootKey.label for a new key, or remove rootKey.escrow',
  )
}
