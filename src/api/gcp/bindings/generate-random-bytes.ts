import { generateRandom } from '../../../core/ops/generate-random.ts'
import { ProtectionLevel } from '../algorithms.ts'
import { bind } from '../binding.ts'
import { checksumOf } from '../checksums.ts'
import { KeyManagementService } from '../gen/google/cloud/kms/v1/service_pb.js'
import { parseLocation } from '../names.ts'
import { badField, RpcError } from '../status.ts'

const MIN_BYTES = 8
const MAX_BYTES = 1024

export const generateRandomBytesBinding = bind(KeyManagementService.method.generateRandomBytes, {
  operation: generateRandom,
  permission: 'cloudkms.locations.generateRandomBytes',
  resource: ({ location }) => parseLocation('location', location),
  toInput({ lengthBytes, protectionLevel }) {
    if (lengthBytes < MIN_BYTES || lengthBytes > MAX_BYTES) {
      throw badField('length_bytes', `The length_bytes field must be between ${MIN_BYTES} and ${MAX_BYTES}.`)
    }
    if (protectionLevel !== ProtectionLevel.HSM) {
      const name = ProtectionLevel[protectionLevel] ?? protectionLevel
      throw new RpcError('UNIMPLEMENTED', `Protection level ${name} is not supported: only HSM is.`)
    }
    return { bytes: lengthBytes, protection: 'hsm' } as const
  },
  toOutput: ({ bytes }) => ({ data: bytes, dataCrc32c: checksumOf(bytes) }),
})
