/** Every method that is bound: the one list that routes, coverage and docs come from. */
import type { BoundMethod } from '../binding.ts'
import { asymmetricDecryptBinding } from './asymmetric-decrypt.ts'
import { asymmetricSignBinding } from './asymmetric-sign.ts'
import { createCryptoKeyBinding } from './create-crypto-key.ts'
import { createCryptoKeyVersionBinding } from './create-crypto-key-version.ts'
import { createKeyRingBinding } from './create-key-ring.ts'
import { decapsulateBinding } from './decapsulate.ts'
import { decryptBinding } from './decrypt.ts'
import { deleteCryptoKeyBinding } from './delete-crypto-key.ts'
import { deleteCryptoKeyVersionBinding } from './delete-crypto-key-version.ts'
import { destroyCryptoKeyVersionBinding } from './destroy-crypto-key-version.ts'
import { encryptBinding } from './encrypt.ts'
import { generateRandomBytesBinding } from './generate-random-bytes.ts'
import { getCryptoKeyBinding } from './get-crypto-key.ts'
import { getCryptoKeyVersionBinding } from './get-crypto-key-version.ts'
import { getIamPolicyBinding } from './get-iam-policy.ts'
import { getKeyRingBinding } from './get-key-ring.ts'
import { getLocationBinding } from './get-location.ts'
import { getOperationBinding } from './get-operation.ts'
import { getPublicKeyBinding } from './get-public-key.ts'
import { listCryptoKeyVersionsBinding } from './list-crypto-key-versions.ts'
import { listCryptoKeysBinding } from './list-crypto-keys.ts'
import { listKeyRingsBinding } from './list-key-rings.ts'
import { listLocationsBinding } from './list-locations.ts'
import { macSignBinding } from './mac-sign.ts'
import { macVerifyBinding } from './mac-verify.ts'
import { rawDecryptBinding } from './raw-decrypt.ts'
import { rawEncryptBinding } from './raw-encrypt.ts'
import { restoreCryptoKeyVersionBinding } from './restore-crypto-key-version.ts'
import { setIamPolicyBinding } from './set-iam-policy.ts'
import { testIamPermissionsBinding } from './test-iam-permissions.ts'
import { updateCryptoKeyBinding } from './update-crypto-key.ts'
import { updateCryptoKeyPrimaryVersionBinding } from './update-crypto-key-primary-version.ts'
import { updateCryptoKeyVersionBinding } from './update-crypto-key-version.ts'

export const BINDINGS: readonly BoundMethod[] = [
  asymmetricDecryptBinding,
  asymmetricSignBinding,
  createCryptoKeyVersionBinding,
  createCryptoKeyBinding,
  createKeyRingBinding,
  decapsulateBinding,
  decryptBinding,
  deleteCryptoKeyVersionBinding,
  deleteCryptoKeyBinding,
  destroyCryptoKeyVersionBinding,
  encryptBinding,
  generateRandomBytesBinding,
  getCryptoKeyVersionBinding,
  getCryptoKeyBinding,
  getIamPolicyBinding,
  getKeyRingBinding,
  getLocationBinding,
  getOperationBinding,
  getPublicKeyBinding,
  listCryptoKeyVersionsBinding,
  listCryptoKeysBinding,
  listKeyRingsBinding,
  listLocationsBinding,
  macSignBinding,
  macVerifyBinding,
  rawDecryptBinding,
  rawEncryptBinding,
  restoreCryptoKeyVersionBinding,
  updateCryptoKeyPrimaryVersionBinding,
  updateCryptoKeyVersionBinding,
  updateCryptoKeyBinding,
  setIamPolicyBinding,
  testIamPermissionsBinding,
]
