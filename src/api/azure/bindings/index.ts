import type { BoundOperation } from '../binding.ts'
import { backupKey } from './backup-key.ts'
import { createKey } from './create-key.ts'
import { decrypt } from './decrypt.ts'
import { deleteKey } from './delete-key.ts'
import { encrypt } from './encrypt.ts'
import { getDeletedKey } from './get-deleted-key.ts'
import { getKey } from './get-key.ts'
import { getRandomBytes } from './get-random-bytes.ts'
import { getRotationPolicy } from './get-rotation-policy.ts'
import { importKey } from './import-key.ts'
import { listDeletedKeys } from './list-deleted-keys.ts'
import { listKeyVersions } from './list-key-versions.ts'
import { listKeys } from './list-keys.ts'
import { purgeKey } from './purge-key.ts'
import { recoverKey } from './recover-key.ts'
import { restoreKey } from './restore-key.ts'
import { rotateKey } from './rotate-key.ts'
import { sign } from './sign.ts'
import { unwrapKey } from './unwrap-key.ts'
import { updateKey } from './update-key.ts'
import { updateRotationPolicy } from './update-rotation-policy.ts'
import { verify } from './verify.ts'
import { wrapKey } from './wrap-key.ts'

/** The single source of routes, validation and the coverage table. */
export const BINDINGS: readonly BoundOperation[] = [
  createKey,
  importKey,
  getKey,
  listKeys,
  listKeyVersions,
  updateKey,
  rotateKey,
  backupKey,
  restoreKey,
  getRotationPolicy,
  updateRotationPolicy,
  getRandomBytes,
  deleteKey,
  getDeletedKey,
  listDeletedKeys,
  recoverKey,
  purgeKey,
  encrypt,
  decrypt,
  sign,
  verify,
  wrapKey,
  unwrapKey,
]
