/** Import tokens: a wrapping key that only its bearer can bring back, bound to one key of one realm. Kept nowhere here. */
import { openBackup, sealBackup } from './backup.ts'
import { KmsError } from './error.ts'
import { KEY_WRAPPINGS, type KeyWrapping } from './key-wrapping.ts'
import type { Sealer } from './ports.ts'

export type ImportToken = {
  readonly keyId: string
  readonly wrapping: KeyWrapping
  readonly expiresAt: number
  /** Of the RSA key, DER. Its reader wipes it. */
  readonly pkcs8: Buffer
}

const ID_BYTES = 16
const TIME_BYTES = 6
const HEAD_BYTES = ID_BYTES + TIME_BYTES + 1
const WRAPPINGS = Object.keys(KEY_WRAPPINGS) as readonly KeyWrapping[]

const idBytes = (keyId: string): Buffer => Buffer.from(keyId.replaceAll('-', ''), 'hex')

export async function sealImportToken(sealer: Sealer, realmId: string, token: ImportToken): Promise<Uint8Array> {
  const head = Buffer.alloc(HEAD_BYTES)
  idBytes(token.keyId).copy(head)
  head.writeUIntBE(token.expiresAt, ID_BYTES, TIME_BYTES)
  head[HEAD_BYTES - 1] = WRAPPINGS.indexOf(token.wrapping)
  const payload = Buffer.concat([head, token.pkcs8])
  try {
    return await sealBackup(sealer, { kind: 'import', realmId }, payload)
  } finally {
    payload.fill(0)
  }
}

async function open(sealer: Sealer, realmId: string, sealed: Uint8Array): Promise<Buffer> {
  try {
    return await openBackup(sealer, { kind: 'import', realmId }, sealed)
  } catch (cause) {
    const error = KmsError.from(cause)
    throw error.code === 'invalid_backup' ? new KmsError('import_token_invalid', {}, { cause }) : error
  }
}

/** @throws KmsError import_token_invalid for what was not made for this key; import_token_expired */
export async function openImportToken(
  sealer: Sealer,
  key: { readonly realmId: string; readonly id: string },
  sealed: Uint8Array,
  now: number,
): Promise<Pick<ImportToken, 'wrapping' | 'pkcs8'>> {
  const payload = await open(sealer, key.realmId, sealed)
  const wrapping = WRAPPINGS[payload[HEAD_BYTES - 1] ?? -1]
  if (wrapping === undefined || !payload.subarray(0, ID_BYTES).equals(idBytes(key.id))) {
    throw new KmsError('import_token_invalid')
  }
  if (payload.readUIntBE(ID_BYTES, TIME_BYTES) <= now) throw new KmsError('import_token_expired')
  return { wrapping, pkcs8: payload.subarray(HEAD_BYTES) }
}
