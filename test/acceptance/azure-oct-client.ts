/** AES keys by the unmodified Azure SDK, checked with node:crypto where their bytes are known. Prints one JSON object. */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import type {
  AesCbcEncryptionAlgorithm,
  AesGcmDecryptParameters,
  AesGcmEncryptionAlgorithm,
  KeyVaultKey,
  KeyWrapAlgorithm,
} from '@azure/keyvault-keys'
import { codeOf, cryptography as cryptographyOf, keyClient } from './azure-sdk.ts'

const client = keyClient()
/** Whether keys are to live in a token. */
const hsm = process.env.HSM === '1'
const cryptography = (key: KeyVaultKey) => cryptographyOf(key.id ?? '')

const same = (one: Uint8Array | undefined, other: Uint8Array): boolean =>
  one !== undefined && Buffer.from(one).equals(other)
const tampered = (bytes: Uint8Array): Uint8Array => bytes.map((byte, at) => (at === 0 ? byte ^ 1 : byte))

const plaintext = Buffer.from('what an application keeps')
const aad = Buffer.from('where it belongs')
const secret = randomBytes(32)

async function withGcm(key: KeyVaultKey, k: Uint8Array) {
  const algorithm = `A${k.length * 8}GCM` as AesGcmEncryptionAlgorithm
  const aes = cryptography(key)
  const { result, iv, authenticationTag } = await aes.encrypt({
    algorithm,
    plaintext,
    additionalAuthenticatedData: aad,
  })
  if (iv === undefined || authenticationTag === undefined) throw new Error('the IV or the tag is missing')
  const decipher = createDecipheriv(`aes-${k.length * 8}-gcm` as 'aes-256-gcm', k, iv)
  decipher.setAAD(aad).setAuthTag(authenticationTag)
  const sealed = { algorithm, ciphertext: result, iv, authenticationTag, additionalAuthenticatedData: aad }
  return {
    outside: same(plaintext, Buffer.concat([decipher.update(result), decipher.final()])),
    back: same((await aes.decrypt(sealed)).result, plaintext),
    tag: await codeOf(aes.decrypt({ ...sealed, authenticationTag: tampered(authenticationTag) })),
    aad: await codeOf(aes.decrypt({ ...sealed, additionalAuthenticatedData: Buffer.from('elsewhere') })),
    iv: await codeOf(aes.decrypt({ ...sealed, iv: Buffer.alloc(16) })),
  }
}

async function withCbcPad(key: KeyVaultKey, k: Uint8Array) {
  const algorithm = `A${k.length * 8}CBCPAD` as AesCbcEncryptionAlgorithm
  const aes = cryptography(key)
  const iv = randomBytes(16)
  const { result } = await aes.encrypt({ algorithm, plaintext, iv })
  const cipher = createCipheriv(`aes-${k.length * 8}-cbc`, k, iv)
  return {
    outside: same(result, Buffer.concat([cipher.update(plaintext), cipher.final()])),
    back: same((await aes.decrypt({ algorithm, ciphertext: result, iv })).result, plaintext),
    noIv: await codeOf(aes.encrypt({ algorithm, plaintext })),
    iv: await codeOf(aes.encrypt({ algorithm, plaintext, iv: Buffer.alloc(12) })),
  }
}

async function withWrapping(key: KeyVaultKey, k: Uint8Array) {
  const algorithm = `A${k.length * 8}KW` as KeyWrapAlgorithm
  const aes = cryptography(key)
  const { result } = await aes.wrapKey(algorithm, secret)
  const cipher = createCipheriv(`id-aes${k.length * 8}-wrap`, k, Buffer.alloc(8, 0xa6))
  return {
    outside: same(result, Buffer.concat([cipher.update(secret), cipher.final()])),
    back: same((await aes.unwrapKey(algorithm, result)).result, secret),
    tampered: await codeOf(aes.unwrapKey(algorithm, tampered(result))),
    short: await codeOf(aes.wrapKey(algorithm, Buffer.alloc(12))),
  }
}

async function imported(bits: number) {
  const k = randomBytes(bits / 8)
  const key = await client.importKey(`imported-${bits}`, { kty: 'oct', k }, { hardwareProtected: hsm })
  return {
    shown: [key.keyType, key.key?.k === undefined],
    gcm: await withGcm(key, k),
    cbc: await withCbcPad(key, k),
    wrapping: await withWrapping(key, k),
  }
}

async function created() {
  const key = await client.createOctKey('created', { keySize: 128, hsm })
  const [aes, larger] = [cryptography(key), 'A256GCM' as const]
  const { result: ciphertext, iv, authenticationTag } = await aes.encrypt({ algorithm: 'A128GCM', plaintext })
  if (iv === undefined || authenticationTag === undefined) throw new Error('the IV or the tag is missing')
  const rotated = await client.rotateKey('created')
  const opened = await aes.decrypt({ algorithm: 'A128GCM', ciphertext, iv, authenticationTag })
  const names = []
  for await (const { name } of client.listPropertiesOfKeys()) names.push(name)
  return {
    operations: key.keyOperations,
    rotated: rotated.properties.version !== key.properties.version,
    opened: same(opened.result, plaintext),
    listed: names.includes('created'),
    size: await codeOf(aes.encrypt({ algorithm: larger, plaintext })),
    noTag: await codeOf(aes.decrypt({ algorithm: 'A128GCM', ciphertext, iv } as AesGcmDecryptParameters)),
    hsm: await codeOf(client.createOctKey('hsm', { hsm: true })),
    platform: key.properties.hsmPlatform,
    bits: await codeOf(client.createOctKey('odd', { keySize: 512 })),
  }
}

async function macs() {
  const results: Record<string, unknown> = {}
  for (const [algorithm, keySize, hash] of [
    ['HS256', 256, 'sha256'],
    ['HS384', 384, 'sha384'],
    ['HS512', 512, 'sha512'],
  ] as const) {
    const key = await client.createOctKey(`mac-${keySize}`, { keySize, hsm, keyOps: ['sign', 'verify'] })
    const digest = createHash(hash).update(plaintext).digest()
    const { result } = await cryptography(key).sign(algorithm, digest)
    const verified = async (mac: Uint8Array) => (await cryptography(key).verify(algorithm, digest, mac)).result
    results[algorithm] = [result.length, await verified(result), await verified(tampered(result))]
  }
  return results
}

const report = {
  macs: await macs(),
  created: await created(),
  128: await imported(128),
  192: await imported(192),
  256: await imported(256),
}
process.stdout.write(JSON.stringify(report))
