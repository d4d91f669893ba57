/**
 * From one key to another, in two operations, because each key answers for itself: whether the caller may, its state, its
 * record in the audit log, its last use. The plaintext between them is the caller's to wipe.
 */
import { type UseOperation, useOperation } from '../operation.ts'
import { type DecryptInput, type DecryptOutput, decrypt } from './decrypt.ts'
import { type EncryptInput, type EncryptOutput, encrypt } from './encrypt.ts'

export const reEncryptFrom: UseOperation<DecryptInput, DecryptOutput> = useOperation({
  ...decrypt,
  name: 'ReEncryptFrom',
  action: 're-encrypt-from',
})
export const reEncryptTo: UseOperation<EncryptInput, EncryptOutput> = useOperation({
  ...encrypt,
  name: 'ReEncryptTo',
  action: 're-encrypt-to',
})
