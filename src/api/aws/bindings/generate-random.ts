import { generateRandom } from '../../../core/ops/generate-random.ts'
import { validationError } from '../aws-error.ts'
import { parseKeyStore } from '../names.ts'
import { attest, secretMember } from '../recipient/index.ts'
import { bind } from '../route.ts'

export const generateRandomBinding = bind({
  wire: 'GenerateRandom',
  operation: generateRandom,
  toInput(wire, ctx) {
    attest(wire.Recipient, ctx)
    if (wire.NumberOfBytes === undefined) throw validationError('NumberOfBytes is required.')
    const { CustomKeyStoreId: id } = wire
    return { bytes: wire.NumberOfBytes, ...(id !== undefined && { keyStoreId: parseKeyStore(id) }) }
  },
  toOutput: ({ bytes }, wire, ctx) => secretMember('Plaintext', bytes, wire.Recipient, ctx),
})
