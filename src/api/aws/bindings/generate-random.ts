import { generateRandom } from '../../../core/ops/generate-random.ts'
import { unsupported, validationError } from '../aws-error.ts'
import { refuseRecipient } from '../crypto-input.ts'
import { bind } from '../route.ts'

export const generateRandomBinding = bind({
  wire: 'GenerateRandom',
  operation: generateRandom,
  toInput(wire) {
    refuseRecipient(wire.Recipient)
    if (wire.CustomKeyStoreId !== undefined) throw unsupported('CustomKeyStoreId is not supported.')
    if (wire.NumberOfBytes === undefined) throw validationError('NumberOfBytes is required.')
    return { bytes: wire.NumberOfBytes }
  },
  toOutput: ({ bytes }) => ({ Plaintext: bytes }),
})
