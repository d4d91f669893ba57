/** Where the root key is, and where it was. */
import { resolve as absolute, join } from 'node:path'
import { Problem } from '../core/problem.ts'
import type { Refusals } from './refusals.ts'
import type { RootKeySettings, SecretSource } from './schema.ts'
import { checkSource } from './source.ts'

export type RootKeyConfig =
  | { readonly type: 'file'; readonly path: string }
  | { readonly type: 'passphrase'; readonly passphrase: SecretSource; readonly path: string }
  /** Its passphrase is typed in: by `trefoil unseal`, or to the command that needs the key. */
  | { readonly type: 'manual'; readonly path: string }
  /** Likewise shares of it. */
  | { readonly type: 'shamir'; readonly shares: number; readonly threshold: number; readonly path: string }
  | { readonly type: 'pkcs11'; readonly hsm: string; readonly label: string; readonly escrow?: EscrowConfig }
/** Files: the operators' public keys, and where the copies for them go. */
export type EscrowConfig = { readonly publicKeys: readonly string[]; readonly path: string }

/** @param where `rootKey` or `previousRootKey`, for messages */
export function resolveRootKey(
  settings: RootKeySettings,
  where: string,
  dataDir: string,
  hsms: readonly string[],
): RootKeyConfig {
  const { type = 'file', path, passphrase, label, hsm = hsms[0], escrow } = settings
  if (escrow !== undefined && type !== 'pkcs11') {
    throw new Problem(`${where}.escrow is for root keys in a token`, `remove it, or set ${where}.type to pkcs11`)
  }
  switch (type) {
    case 'file':
      return { type, path: absolute(path ?? join(dataDir, 'root.key')) }
    case 'passphrase':
      return {
        type,
        passphrase: checkSource(passphrase ?? {}, `${where}.passphrase`),
        path: absolute(path ?? join(dataDir, 'root.params.json')),
      }
    case 'manual':
      return { type, path: absolute(path ?? join(dataDir, 'root.params.json')) }
    case 'shamir': {
      const { shares = 5, threshold = 3 } = settings
      if (threshold > shares) {
        throw new Problem(`${where}.threshold is more than ${where}.shares`, 'take as many shares as it has, or fewer')
      }
      return { type, shares, threshold, path: absolute(path ?? join(dataDir, 'root.shares.json')) }
    }
    case 'pkcs11': {
      if (hsm === undefined || !hsms.includes(hsm)) {
        throw new Problem(
          `${where}.hsm is not the name of an hsm entry`,
          `set it to one of: ${hsms.join(', ') || '(there is no hsm entry yet)'}`,
        )
      }
      const place = { type, hsm, label: label ?? 'trefoil-root' }
      return escrow === undefined ? place : { ...place, escrow: resolveEscrow(escrow, where, dataDir) }
    }
  }
}

function resolveEscrow(
  { publicKeys, path }: NonNullable<RootKeySettings['escrow']>,
  where: string,
  dataDir: string,
): EscrowConfig {
  if (publicKeys === undefined) {
    throw new Problem(
      `${where}.escrow.publicKeys says nothing`,
      "list the PEM files of the operators' RSA public keys, or remove the escrow",
    )
  }
  return {
    publicKeys: publicKeys.map((file) => absolute(file)),
    path: absolute(path ?? join(dataDir, 'root.escrow.json')),
  }
}

/** Its file may be moved away from, in production too. */
export function refuseFile({ type }: RootKeyConfig, refusals: Refusals): void {
  if (type !== 'file') return
  refusals.add(
    'production does not keep its root key in a file',
    'set rootKey.type to passphrase (with rootKey.passphrase) or to pkcs11 (with rootKey.hsm)',
  )
}
