import { encrypting } from '../ciphers.ts'

export const wrapKey = encrypting({ wire: 'wrapKey', segment: 'wrapkey', wraps: true })
