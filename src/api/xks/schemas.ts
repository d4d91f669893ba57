/** Requests of the XKS proxy API. Members that are not known are ignored: AWS may add some (appendix B). */
import { type Static, Type } from '@sinclair/typebox'
import { invalidArgument } from '../../core/error.ts'
import { XksError } from './errors.ts'

/** ARNs are of 2,048 characters at most; so is all that is said of a request. */
const Fact = Type.String({ minLength: 1, maxLength: 2048 })
const optionalFacts = {
  awsSourceVpc: Type.Optional(Fact),
  awsSourceVpce: Type.Optional(Fact),
  kmsViaService: Type.Optional(Fact),
}
const requestFacts = { kmsOperation: Fact, kmsRequestId: Fact }
const HealthMetadata = Type.Object({ ...requestFacts, ...optionalFacts, awsPrincipalArn: Type.Optional(Fact) })
/** AWS KMS has no ARN yet for a key that it is making. */
const MetadataOfKey = Type.Object({
  ...requestFacts,
  ...optionalFacts,
  awsPrincipalArn: Fact,
  kmsKeyArn: Type.Optional(Fact),
})
const MetadataOfUse = Type.Object({ ...requestFacts, ...optionalFacts, awsPrincipalArn: Fact, kmsKeyArn: Fact })
export type RequestMetadata = Partial<Static<typeof MetadataOfKey>> & Static<typeof HealthMetadata>

/** Longer than any that is allowed: lengths are judged once it is decoded. */
const Base64 = Type.String({ maxLength: 32 * 1024 })
const algorithm = { encryptionAlgorithm: Type.Literal('AES_GCM'), additionalAuthenticatedData: Type.Optional(Base64) }

export const HealthRequest = Type.Object({ requestMetadata: HealthMetadata })
export const MetadataRequest = Type.Object({ requestMetadata: MetadataOfKey })
export const EncryptRequest = Type.Object({
  requestMetadata: MetadataOfUse,
  ...algorithm,
  plaintext: Base64,
  ciphertextDataIntegrityValueAlgorithm: Type.Optional(Type.Literal('SHA_256')),
})
export const DecryptRequest = Type.Object({
  requestMetadata: MetadataOfUse,
  ...algorithm,
  ciphertext: Base64,
  ciphertextMetadata: Type.Optional(Base64),
  initializationVector: Base64,
  authenticationTag: Base64,
})

/** Bytes that the specification wants supported; longer ones are not. */
const MAX_AAD = 8192
const MAX_TEXT = 4300
const NOTHING = new Uint8Array(0)

/** RFC 4648 section 4, padded, and written in the one way there is. @throws KmsError invalid_argument */
function decode(field: string, text: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.toString('base64') !== text) throw invalidArgument(field, 'is not Base64')
  return bytes
}

const tooLong = (field: string, limit: number): XksError =>
  new XksError('UnsupportedOperationException', `${field} is larger than the ${limit} bytes that are supported.`)

/** @throws KmsError invalid_argument; XksError for one that is too long */
export function textBytes(field: string, text: string): Uint8Array {
  const bytes = decode(field, text)
  if (bytes.length > MAX_TEXT) throw tooLong(field, MAX_TEXT)
  if (bytes.length === 0) throw invalidArgument(field, 'is empty')
  return bytes
}

/** @throws KmsError invalid_argument; XksError for one that is too long */
export function aadBytes(text: string | undefined): Uint8Array {
  const bytes = text === undefined ? NOTHING : decode('additionalAuthenticatedData', text)
  if (bytes.length > MAX_AAD) throw tooLong('additionalAuthenticatedData', MAX_AAD)
  return bytes
}

/** Of one of the given lengths. @throws KmsError invalid_argument; XksError for another length */
export function partBytes(field: string, text: string, lengths: readonly number[]): Uint8Array {
  const bytes = decode(field, text)
  if (!lengths.includes(bytes.length)) throw new XksError('InvalidCiphertextException')
  return bytes
}

/** @throws KmsError invalid_argument; XksError for more than the 20 bytes that were ever given out */
export function metadataBytes(text: string | undefined): Uint8Array {
  const bytes = text === undefined ? NOTHING : decode('ciphertextMetadata', text)
  if (bytes.length > 20) throw new XksError('InvalidCiphertextException')
  return bytes
}
