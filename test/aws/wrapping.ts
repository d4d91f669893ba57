/** The caller's side of an import: material wrapped as AWS's documentation says, by OpenSSL. */
import { constants, createCipheriv, createPublicKey, publicEncrypt, randomBytes } from 'node:crypto'
import { arnOf, type TestAws } from './support.ts'

export const WRAPPING_ALGORITHMS = [
  'RSAES_OAEP_SHA_1',
  'RSAES_OAEP_SHA_256',
  'RSA_AES_KEY_WRAP_SHA_1',
  'RSA_AES_KEY_WRAP_SHA_256',
] as const
export type WrappingAlgorithm = (typeof WRAPPING_ALGORITHMS)[number]

function wrapKwp(key: Buffer, material: Buffer): Buffer {
  const cipher = createCipheriv(`id-aes${key.length * 8}-wrap-pad`, key, Buffer.from('a65959a6', 'hex'))
  return Buffer.concat([cipher.update(material), cipher.final()])
}

/** `publicKey`: DER. */
export function wrapMaterial(
  algorithm: WrappingAlgorithm,
  publicKey: Buffer,
  material: Buffer,
  aesBytes: 16 | 24 | 32 = 32,
): Buffer {
  const key = createPublicKey({ key: publicKey, format: 'der', type: 'spki' })
  const oaepHash = algorithm.endsWith('SHA_1') ? 'sha1' : 'sha256'
  const encrypt = (bytes: Buffer) => publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash }, bytes)
  if (algorithm.startsWith('RSAES')) return encrypt(material)
  const carrier = randomBytes(aesBytes)
  return Buffer.concat([encrypt(carrier), wrapKwp(carrier, material)])
}

export const FOREVER = { ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' }
export const SHA_256 = { WrappingAlgorithm: 'RSAES_OAEP_SHA_256', WrappingKeySpec: 'RSA_2048' } as const
type Wrapping = { readonly WrappingAlgorithm: WrappingAlgorithm; readonly WrappingKeySpec: string }

export const external = (aws: TestAws, input: object = {}) => aws.createKey({ Origin: 'EXTERNAL', ...input })
export const metadata = async (aws: TestAws, KeyId: string) =>
  (await aws.ask('DescribeKey', { KeyId })).body.KeyMetadata

type Parameters = { readonly PublicKey: string; readonly ImportToken: string; readonly ParametersValidTo: number }
const parameters = new WeakMap<TestAws, Map<string, Parameters>>()

export async function parametersOf(aws: TestAws, KeyId: string, wrapping: Wrapping = SHA_256): Promise<Parameters> {
  const { status, body, text } = await aws.ask('GetParametersForImport', { KeyId, ...wrapping })
  if (status !== 200) throw new Error(text)
  return body
}

/** RSA keys take long to make: each serves as long as it may. */
async function keptParameters(aws: TestAws, KeyId: string, wrapping: Wrapping): Promise<Parameters> {
  const kept = parameters.get(aws) ?? new Map<string, Parameters>()
  parameters.set(aws, kept)
  const name = `${KeyId} ${wrapping.WrappingAlgorithm} ${wrapping.WrappingKeySpec}`
  const known = kept.get(name)
  if (known !== undefined && known.ParametersValidTo > aws.clock.now() / 1000) return known
  const fresh = await parametersOf(aws, KeyId, wrapping)
  kept.set(name, fresh)
  return fresh
}

/** A request of ImportKeyMaterial. */
export async function wrapped(aws: TestAws, KeyId: string, material: Buffer, wrapping: Wrapping = SHA_256) {
  const { PublicKey, ImportToken } = await keptParameters(aws, KeyId, wrapping)
  const publicKey = Buffer.from(PublicKey, 'base64')
  const EncryptedKeyMaterial = wrapMaterial(wrapping.WrappingAlgorithm, publicKey, material).toString('base64')
  return { KeyId, ImportToken, EncryptedKeyMaterial }
}
export const bring = async (
  aws: TestAws,
  KeyId: string,
  material: Buffer,
  more: object = FOREVER,
  wrapping?: Wrapping,
) => aws.refusal('ImportKeyMaterial', { ...(await wrapped(aws, KeyId, material, wrapping)), ...more })
export const encrypts = (aws: TestAws, KeyId: string) => aws.refusal('Encrypt', { KeyId, Plaintext: 'aGk=' })
export const pendingImport = (KeyId: string) => `KMSInvalidStateException: ${arnOf(KeyId)} is pending import.`
