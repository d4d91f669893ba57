import { decrypt } from '../../../core/ops/decrypt.ts'
import { materialIdFor, readCiphertext, sourceKey } from '../ciphertext.ts'
import { encryptionAlgorithm, encryptionContext } from '../crypto-input.ts'
import { arnOfKey } from '../names.ts'
import { attest, secretMember } from '../recipient/index.ts'
import { bind, checkDryRun } from '../route.ts'

export const decryptBinding = bind({
  wire: 'Decrypt',
  operation: decrypt,
  toInput(wire, ctx) {
    attest(wire.Recipient, ctx)
    const algorithm = encryptionAlgorithm(wire.EncryptionAlgorithm)
    const ciphertext = readCiphertext(wire)
    return {
      ciphertext,
      key: sourceKey(wire.KeyId, 'KeyId', { algorithm, ciphertext }, ctx.realm),
      algorithm,
      context: encryptionContext(wire.EncryptionContext, algorithm),
      dryRun: wire.DryRun,
    }
  },
  toOutput({ key, version, plaintext }, wire, ctx) {
    checkDryRun(wire)
    const algorithm = wire.EncryptionAlgorithm ?? 'SYMMETRIC_DEFAULT'
    return {
      KeyId: arnOfKey(ctx.realm, key),
      ...secretMember('Plaintext', plaintext, wire.Recipient, ctx),
      EncryptionAlgorithm: algorithm,
      KeyMaterialId: materialIdFor(algorithm, version),
    }
  },
})
