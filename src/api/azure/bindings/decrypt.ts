import { decrypting } from '../ciphers.ts'

export const decrypt = decrypting({ wire: 'decrypt', segment: 'decrypt', wraps: false })
