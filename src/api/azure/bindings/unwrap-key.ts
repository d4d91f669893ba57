import { decrypting } from '../ciphers.ts'

export const unwrapKey = decrypting({ wire: 'unwrapKey', segment: 'unwrapkey', wraps: true })
