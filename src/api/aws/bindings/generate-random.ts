import { generateRandom } from '../../../core/ops/generate-random.ts'
import { validationError } from '../aws-error.ts'
import { refuseRecipient } from '../crypto-input.ts'
import { parseKeyStore } from '../names.ts'
import { bind } from '../route.ts'

export const generateRandomBinding = bind({
  wire: 'GenerateRandom',
  operation: generateRandom,
  toInput(wire) {
    refuseRecipient(wire.Recipient)
    if (wire.NumberOfBytes === undefined) throw validationError('NumberOfBytes is required.')
    const { CustomKeyStoreId: id } = wire
    return { bytes: wire.NumberOfBytes, ...(id !== undefined && { keyStoreId: parseKeyStore(id) }) }
  },
  toOutput: ({ bytes }) => ({ Plaintext: bytes }),
})
