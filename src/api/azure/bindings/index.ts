import type { BoundOperation } from '../binding.ts'
import { backupKey } from './backup-key.ts'
import { backupSecret } from './backup-secret.ts'
import { createKey } from './create-key.ts'
import { decrypt } from './decrypt.ts'
import { deleteKey } from './delete-key.ts'
import { deleteSecret } from './delete-secret.ts'
import { encrypt } from './encrypt.ts'
import { getDeletedKey } from './get-deleted-key.ts'
import { getDeletedSecret } from './get-deleted-secret.ts'
import { getKey } from './get-key.ts'
import { getRandomBytes } from './get-random-bytes.ts'
import { getRotationPolicy } from './get-rotation-policy.ts'
import { getSecret } from './get-secret.ts'
import { importKey } from './import-key.ts'
import { listDeletedKeys } from './list-deleted-keys.ts'
import { listDeletedSecrets } from './list-deleted-secrets.ts'
import { listKeyVersions } from './list-key-versions.ts'
import { listKeys } from './list-keys.ts'
import { listSecretVersions } from './list-secret-versions.ts'
import { listSecrets } from './list-secrets.ts'
import { purgeKey } from './purge-key.ts'
import { purgeSecret } from './purge-secret.ts'
import { recoverKey } from './recover-key.ts'
import { recoverSecret } from './recover-secret.ts'
import { restoreKey } from './restore-key.ts'
import { restoreSecret } from './restore-secret.ts'
import { rotateKey } from './rotate-key.ts'
import { setSecret } from './set-secret.ts'
import { sign } from './sign.ts'
import { unwrapKey } from './unwrap-key.ts'
import { updateKey } from './update-key.ts'
import { updateRotationPolicy } from './update-rotation-policy.ts'
import { updateSecret } from './update-secret.ts'
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
  setSecret,
  getSecret,
  updateSecret,
  deleteSecret,
  listSecrets,
  listSecretVersions,
  getDeletedSecret,
  listDeletedSecrets,
  recoverSecret,
  purgeSecret,
  backupSecret,
  restoreSecret,
]
