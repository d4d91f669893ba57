import { type SharedSecretInput, sharedSecretOperation } from './shared-secret.ts'

export type DeriveSharedSecretInput = SharedSecretInput & {
  /** The other side's, DER SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array
}

/** @throws KmsError invalid_argument (publicKey) */
export const deriveSharedSecret = sharedSecretOperation<DeriveSharedSecretInput>({
  name: 'DeriveSharedSecret',
  action: 'derive-shared-secret',
  use: 'derive',
  secretOf: ({ backend, handle }, algorithm, { publicKey }, call) => backend.agree(handle, algorithm, publicKey, call),
})
