/**
 * What each `CKR_*` means here. A code that is not listed is treated as the worst of its kind: the backend is
 * unavailable and the session is given up.
 */
import type { ErrorCode } from '../core/error.ts'

export type ReturnCode = {
  readonly name: string
  readonly code: ErrorCode
  /** `keep`: harmless. `close`: the session may have an operation left in it. `token`: this process has lost the token. */
  readonly session: 'keep' | 'close' | 'token'
  /** Whether the same call may be made once more, in another session. */
  readonly retry: boolean
}

const row = (name: string, code: ErrorCode, session: ReturnCode['session'], retry = false): ReturnCode => ({
  name,
  code,
  session,
  retry,
})

export const RETURN_CODES: ReadonlyMap<number, ReturnCode> = new Map([
  [0x002, row('HOST_MEMORY', 'backend_unavailable', 'close')],
  [0x003, row('SLOT_ID_INVALID', 'backend_unavailable', 'token')],
  [0x005, row('GENERAL_ERROR', 'backend_unavailable', 'close')],
  [0x006, row('FUNCTION_FAILED', 'backend_unavailable', 'close')],
  [0x007, row('ARGUMENTS_BAD', 'unsupported_algorithm', 'close')],
  [0x00a, row('CANT_LOCK', 'backend_unavailable', 'token')],
  [0x010, row('ATTRIBUTE_READ_ONLY', 'unsupported_algorithm', 'keep')],
  [0x011, row('ATTRIBUTE_SENSITIVE', 'internal', 'keep')],
  [0x012, row('ATTRIBUTE_TYPE_INVALID', 'unsupported_algorithm', 'keep')],
  [0x013, row('ATTRIBUTE_VALUE_INVALID', 'unsupported_algorithm', 'keep')],
  [0x01b, row('ACTION_PROHIBITED', 'unsupported_algorithm', 'keep')],
  [0x020, row('DATA_INVALID', 'invalid_argument', 'close')],
  [0x021, row('DATA_LEN_RANGE', 'invalid_argument', 'close')],
  [0x030, row('DEVICE_ERROR', 'backend_unavailable', 'token')],
  [0x031, row('DEVICE_MEMORY', 'backend_unavailable', 'close')],
  [0x032, row('DEVICE_REMOVED', 'backend_unavailable', 'token')],
  [0x040, row('ENCRYPTED_DATA_INVALID', 'invalid_ciphertext', 'close')],
  [0x041, row('ENCRYPTED_DATA_LEN_RANGE', 'invalid_ciphertext', 'close')],
  [0x050, row('FUNCTION_CANCELED', 'backend_unavailable', 'close')],
  [0x054, row('FUNCTION_NOT_SUPPORTED', 'unsupported_algorithm', 'keep')],
  [0x060, row('KEY_HANDLE_INVALID', 'backend_unavailable', 'close', true)],
  [0x062, row('KEY_SIZE_RANGE', 'unsupported_algorithm', 'keep')],
  [0x063, row('KEY_TYPE_INCONSISTENT', 'unsupported_algorithm', 'keep')],
  [0x068, row('KEY_FUNCTION_NOT_PERMITTED', 'unsupported_algorithm', 'keep')],
  [0x069, row('KEY_NOT_WRAPPABLE', 'unsupported_algorithm', 'keep')],
  [0x06a, row('KEY_UNEXTRACTABLE', 'unsupported_algorithm', 'keep')],
  [0x070, row('MECHANISM_INVALID', 'unsupported_algorithm', 'keep')],
  [0x071, row('MECHANISM_PARAM_INVALID', 'unsupported_algorithm', 'keep')],
  [0x082, row('OBJECT_HANDLE_INVALID', 'backend_unavailable', 'close', true)],
  [0x090, row('OPERATION_ACTIVE', 'backend_unavailable', 'close', true)],
  [0x091, row('OPERATION_NOT_INITIALIZED', 'backend_unavailable', 'close')],
  [0x0a0, row('PIN_INCORRECT', 'backend_unavailable', 'token')],
  [0x0a4, row('PIN_LOCKED', 'backend_unavailable', 'token')],
  [0x0b0, row('SESSION_CLOSED', 'backend_unavailable', 'close', true)],
  [0x0b1, row('SESSION_COUNT', 'backend_unavailable', 'keep')],
  [0x0b3, row('SESSION_HANDLE_INVALID', 'backend_unavailable', 'close', true)],
  [0x0b5, row('SESSION_READ_ONLY', 'backend_unavailable', 'close')],
  [0x0d0, row('TEMPLATE_INCOMPLETE', 'unsupported_algorithm', 'keep')],
  [0x0d1, row('TEMPLATE_INCONSISTENT', 'unsupported_algorithm', 'keep')],
  [0x0e0, row('TOKEN_NOT_PRESENT', 'backend_unavailable', 'token')],
  [0x0e1, row('TOKEN_NOT_RECOGNIZED', 'backend_unavailable', 'token')],
  [0x0e2, row('TOKEN_WRITE_PROTECTED', 'backend_unavailable', 'keep')],
  [0x0f0, row('UNWRAPPING_KEY_HANDLE_INVALID', 'backend_unavailable', 'close', true)],
  [0x101, row('USER_NOT_LOGGED_IN', 'backend_unavailable', 'token')],
  [0x110, row('WRAPPED_KEY_INVALID', 'internal', 'keep')],
  [0x112, row('WRAPPED_KEY_LEN_RANGE', 'internal', 'keep')],
  [0x113, row('WRAPPING_KEY_HANDLE_INVALID', 'backend_unavailable', 'close', true)],
  [0x130, row('DOMAIN_PARAMS_INVALID', 'unsupported_algorithm', 'keep')],
  [0x140, row('CURVE_NOT_SUPPORTED', 'unsupported_algorithm', 'keep')],
  [0x150, row('BUFFER_TOO_SMALL', 'backend_unavailable', 'close')],
  [0x190, row('CRYPTOKI_NOT_INITIALIZED', 'backend_unavailable', 'token')],
])

const UNKNOWN: ReturnCode = row('unknown', 'backend_unavailable', 'close')
export const returnCode = (value: number): ReturnCode => RETURN_CODES.get(value) ?? UNKNOWN

export const CKR = {
  GENERAL_ERROR: 0x005,
  FUNCTION_FAILED: 0x006,
  ARGUMENTS_BAD: 0x007,
  DATA_INVALID: 0x020,
  DATA_LEN_RANGE: 0x021,
  DEVICE_MEMORY: 0x031,
  ENCRYPTED_DATA_INVALID: 0x040,
  ENCRYPTED_DATA_LEN_RANGE: 0x041,
  KEY_HANDLE_INVALID: 0x060,
  MECHANISM_INVALID: 0x070,
  MECHANISM_PARAM_INVALID: 0x071,
  OBJECT_HANDLE_INVALID: 0x082,
  SESSION_CLOSED: 0x0b0,
  SESSION_COUNT: 0x0b1,
  SESSION_HANDLE_INVALID: 0x0b3,
  USER_ALREADY_LOGGED_IN: 0x100,
  USER_PIN_NOT_INITIALIZED: 0x102,
  ALREADY_INITIALIZED: 0x191,
} as const

/** A refused PIN: asking again may lock the token for good. */
export const PIN_REFUSED: ReadonlySet<number> = new Set([
  0x0a0, // PIN_INCORRECT
  0x0a1, // PIN_INVALID
  0x0a2, // PIN_LEN_RANGE
  0x0a3, // PIN_EXPIRED
  0x0a4, // PIN_LOCKED
  CKR.USER_PIN_NOT_INITIALIZED,
])

/** The cached handle is no longer that object's: find it again. */
export const HANDLE_GONE: ReadonlySet<number> = new Set([CKR.OBJECT_HANDLE_INVALID, CKR.KEY_HANDLE_INVALID])

/** From the decrypting call itself, all of these say that the ciphertext is bad (SoftHSM 2.6.1: GENERAL_ERROR for a wrong tag). */
export const CIPHERTEXT_REFUSED: ReadonlySet<number> = new Set([
  CKR.GENERAL_ERROR,
  CKR.FUNCTION_FAILED,
  CKR.ARGUMENTS_BAD,
  CKR.DATA_INVALID,
  CKR.DATA_LEN_RANGE,
  CKR.ENCRYPTED_DATA_INVALID,
  CKR.ENCRYPTED_DATA_LEN_RANGE,
])

/** From an Init call, these say that the token lacks the mechanism with these parameters. */
export const PARAMETERS_REFUSED: ReadonlySet<number> = new Set([
  CKR.ARGUMENTS_BAD,
  CKR.MECHANISM_INVALID,
  CKR.MECHANISM_PARAM_INVALID,
])
