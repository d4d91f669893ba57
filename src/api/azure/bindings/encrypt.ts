import { encrypting } from '../ciphers.ts'

export const encrypt = encrypting({ wire: 'encrypt', segment: 'encrypt', wraps: false })
