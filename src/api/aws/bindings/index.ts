/** Every operation that is there: the source of routes, validation and the coverage table. */
import { type Route, route } from '../route.ts'
import { cancelKeyDeletionBinding } from './cancel-key-deletion.ts'
import { connectCustomKeyStoreBinding } from './connect-custom-key-store.ts'
import { createAliasBinding } from './create-alias.ts'
import { createCustomKeyStoreBinding } from './create-custom-key-store.ts'
import { createGrantBinding } from './create-grant.ts'
import { createKeyBinding } from './create-key.ts'
import { decapsulateBinding } from './decapsulate.ts'
import { decryptBinding } from './decrypt.ts'
import { deleteAliasBinding } from './delete-alias.ts'
import { deleteCustomKeyStoreBinding } from './delete-custom-key-store.ts'
import { deleteImportedKeyMaterialBinding } from './delete-imported-key-material.ts'
import { deriveSharedSecretBinding } from './derive-shared-secret.ts'
import { describeCustomKeyStoresBinding } from './describe-custom-key-stores.ts'
import { describeKeyBinding } from './describe-key.ts'
import { disableKeyBinding } from './disable-key.ts'
import { disableKeyRotationBinding } from './disable-key-rotation.ts'
import { disconnectCustomKeyStoreBinding } from './disconnect-custom-key-store.ts'
import { enableKeyBinding } from './enable-key.ts'
import { enableKeyRotationBinding } from './enable-key-rotation.ts'
import { encapsulateBinding } from './encapsulate.ts'
import { encryptBinding } from './encrypt.ts'
import { generateDataKeyBinding } from './generate-data-key.ts'
import { generateDataKeyPairBinding } from './generate-data-key-pair.ts'
import { generateDataKeyPairWithoutPlaintextBinding } from './generate-data-key-pair-without-plaintext.ts'
import { generateDataKeyWithoutPlaintextBinding } from './generate-data-key-without-plaintext.ts'
import { generateMacBinding } from './generate-mac.ts'
import { generateRandomBinding } from './generate-random.ts'
import { getKeyLastUsageBinding } from './get-key-last-usage.ts'
import { getKeyPolicyBinding } from './get-key-policy.ts'
import { getKeyRotationStatusBinding } from './get-key-rotation-status.ts'
import { getParametersForImportBinding } from './get-parameters-for-import.ts'
import { getPublicKeyBinding } from './get-public-key.ts'
import { importKeyMaterialBinding } from './import-key-material.ts'
import { listAliasesRoute } from './list-aliases.ts'
import { listGrantsBinding } from './list-grants.ts'
import { listKeyPoliciesBinding } from './list-key-policies.ts'
import { listKeyRotationsBinding } from './list-key-rotations.ts'
import { listKeysBinding } from './list-keys.ts'
import { listResourceTagsBinding } from './list-resource-tags.ts'
import { listRetirableGrantsBinding } from './list-retirable-grants.ts'
import { putKeyPolicyBinding } from './put-key-policy.ts'
import { reEncryptBinding } from './re-encrypt.ts'
import { replicateKeyBinding } from './replicate-key.ts'
import { retireGrantBinding } from './retire-grant.ts'
import { revokeGrantBinding } from './revoke-grant.ts'
import { rotateKeyOnDemandBinding } from './rotate-key-on-demand.ts'
import { scheduleKeyDeletionBinding } from './schedule-key-deletion.ts'
import { signBinding } from './sign.ts'
import { tagResourceBinding } from './tag-resource.ts'
import { untagResourceBinding } from './untag-resource.ts'
import { updateAliasBinding } from './update-alias.ts'
import { updateCustomKeyStoreBinding } from './update-custom-key-store.ts'
import { updateKeyDescriptionBinding } from './update-key-description.ts'
import { updatePrimaryRegionBinding } from './update-primary-region.ts'
import { verifyBinding } from './verify.ts'
import { verifyMacBinding } from './verify-mac.ts'

export const routes: readonly Route[] = [
  route(cancelKeyDeletionBinding),
  route(createAliasBinding),
  route(createGrantBinding),
  route(createKeyBinding),
  route(decapsulateBinding),
  route(decryptBinding),
  route(deleteAliasBinding),
  route(deleteImportedKeyMaterialBinding),
  route(deriveSharedSecretBinding),
  route(describeKeyBinding),
  route(disableKeyBinding),
  route(disableKeyRotationBinding),
  route(enableKeyBinding),
  route(enableKeyRotationBinding),
  route(encapsulateBinding),
  route(encryptBinding),
  route(generateDataKeyBinding),
  route(generateDataKeyPairBinding),
  route(generateDataKeyPairWithoutPlaintextBinding),
  route(generateDataKeyWithoutPlaintextBinding),
  route(generateMacBinding),
  route(generateRandomBinding),
  route(getKeyLastUsageBinding),
  route(getKeyPolicyBinding),
  route(getKeyRotationStatusBinding),
  route(getParametersForImportBinding),
  route(getPublicKeyBinding),
  route(importKeyMaterialBinding),
  listAliasesRoute,
  route(listGrantsBinding),
  route(listKeyPoliciesBinding),
  route(listKeyRotationsBinding),
  route(listKeysBinding),
  route(listResourceTagsBinding),
  route(listRetirableGrantsBinding),
  route(putKeyPolicyBinding),
  route(reEncryptBinding),
  route(replicateKeyBinding),
  route(retireGrantBinding),
  route(revokeGrantBinding),
  route(rotateKeyOnDemandBinding),
  route(scheduleKeyDeletionBinding),
  route(signBinding),
  route(tagResourceBinding),
  route(untagResourceBinding),
  route(updateAliasBinding),
  route(updateKeyDescriptionBinding),
  route(updatePrimaryRegionBinding),
  route(verifyBinding),
  route(verifyMacBinding),
  route(connectCustomKeyStoreBinding),
  route(createCustomKeyStoreBinding),
  route(deleteCustomKeyStoreBinding),
  route(describeCustomKeyStoresBinding),
  route(disconnectCustomKeyStoreBinding),
  route(updateCustomKeyStoreBinding),
]
