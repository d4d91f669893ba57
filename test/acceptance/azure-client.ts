/**
 * An application that knows nothing of this repository: the unmodified Azure SDK with challenge verification on. Run
 * as a process of its own, because a CA can be trusted only at start (NODE_EXTRA_CA_CERTS). Prints one JSON object.
 */
import { constants, createHash, createPublicKey, randomBytes, verify as verifyOutside } from 'node:crypto'
import type { KeyVaultKey } from '@azure/keyvault-keys'
import { codeOf, collect, cryptography, fast, keyClient } from './azure-sdk.ts'

const hsm = (process.env.HSM ?? '') !== ''
const client = keyClient()

const MESSAGE = Buffer.from('a message for every cloud')

/** By OpenSSL, from the public half that the service gave. */
function verifiedOutside(key: KeyVaultKey, algorithm: string, hash: string, signature: Uint8Array): boolean {
  const { n, e, x, y, crv } = key.key ?? {}
  const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString('base64url')
  const jwk =
    n === undefined
      ? { kty: 'EC', crv: crv === 'P-256K' ? 'secp256k1' : (crv ?? ''), x: text(x), y: text(y) }
      : { kty: 'RSA', n: text(n), e: text(e) }
  const publicKey = {
    key: createPublicKey({ key: jwk, format: 'jwk' }),
    dsaEncoding: 'ieee-p1363' as const,
    ...(algorithm.startsWith('PS') && { padding: constants.RSA_PKCS1_PSS_PADDING }),
  }
  return verifyOutside(hash, MESSAGE, publicKey, signature)
}

async function signatures(prefix: string) {
  const results: Record<string, unknown> = {}
  const curves = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521', ES256K: 'P-256K' } as const
  const hashes: Record<string, string> = { '256': 'sha256', '384': 'sha384', '512': 'sha512' }
  const rsa = await client.createRsaKey(`${prefix}-rsa`, { keySize: 2048, hsm })
  for (const algorithm of [
    'ES256',
    'ES384',
    'ES512',
    'ES256K',
    'RS256',
    'RS384',
    'RS512',
    'PS256',
    'PS384',
    'PS512',
  ] as const) {
    const key = algorithm.startsWith('ES')
      ? await client.createEcKey(`${prefix}-${algorithm}`, { curve: curves[algorithm as keyof typeof curves], hsm })
      : rsa
    const hash = hashes[algorithm.slice(2, 5)] ?? ''
    const digest = createHash(hash).update(MESSAGE).digest()
    const crypto = cryptography(key)
    const { result, keyID } = await crypto.sign(algorithm, digest)
    const other = await cryptography(key).signData(algorithm, MESSAGE)
    results[algorithm] = {
      type: key.keyType,
      sameKey: keyID === key.id,
      remote: (await crypto.verify(algorithm, digest, result)).result,
      // The client checks data itself, and RSA-PSS signatures as if they were PKCS #1 (4.10.2): those go to the service.
      data: algorithm.startsWith('PS')
        ? (await crypto.verify(algorithm, digest, other.result)).result
        : (await crypto.verifyData(algorithm, MESSAGE, other.result)).result,
      outside: verifiedOutside(key, algorithm, hash, result),
      forged: (await crypto.verify(algorithm, digest, randomBytes(result.length))).result,
    }
  }
  return results
}

async function encryption(prefix: string) {
  const key = await client.createRsaKey(`${prefix}-encrypt`, { hsm })
  const crypto = cryptography(key)
  const results: Record<string, boolean> = {}
  for (const algorithm of ['RSA1_5', 'RSA-OAEP', 'RSA-OAEP-256'] as const) {
    const { result } = await crypto.encrypt({ algorithm, plaintext: MESSAGE })
    const opened = await crypto.decrypt({ algorithm, ciphertext: result })
    const wrapped = await crypto.wrapKey(algorithm, MESSAGE)
    const unwrapped = await crypto.unwrapKey(algorithm, wrapped.result)
    results[algorithm] = MESSAGE.equals(opened.result) && MESSAGE.equals(unwrapped.result)
  }
  return results
}

async function lifecycle(prefix: string) {
  const name = `${prefix}-life`
  const kty = hsm ? 'EC-HSM' : 'EC'
  // The client sends dates as 32-bit integers.
  const expiresOn = new Date('2037-01-01T00:00:00Z')
  const made = await client.createKey(name, kty, { tags: { team: 'a' }, expiresOn, keyOps: ['sign', 'verify'] })
  const next = await client.createKey(name, kty)
  const versions = await collect(client.listPropertiesOfKeyVersions(name))
  const deleting = await client.beginDeleteKey(name, fast)
  const deleted = await deleting.pollUntilDone()
  const taken = await codeOf(client.createKey(name, kty))
  const listed = (await collect(client.listDeletedKeys())).filter((key) => key.name === name)
  const gone = await codeOf(client.getKey(name))
  const recovered = await (await client.beginRecoverDeletedKey(name, fast)).pollUntilDone()
  const back = await client.getKey(name, { version: made.properties.version ?? '' })
  await (await client.beginDeleteKey(name, fast)).pollUntilDone()
  await client.purgeDeletedKey(name)
  return {
    tags: made.properties.tags,
    expires: made.properties.expiresOn?.getTime() === expiresOn.getTime(),
    enabled: made.properties.enabled,
    operations: made.keyOperations,
    recoveryLevel: made.properties.recoveryLevel,
    versions: versions.length,
    otherVersion: made.properties.version !== next.properties.version,
    recoveryId: deleted.properties.recoveryId,
    purgeInDays:
      ((deleted.properties.scheduledPurgeDate?.getTime() ?? 0) - (deleted.properties.deletedOn?.getTime() ?? 0)) /
      86_400_000,
    taken,
    listed: listed.length,
    gone,
    recovered: recovered.name,
    back: back.id === made.id,
    purged: await codeOf(client.getDeletedKey(name)),
  }
}

async function paging(prefix: string) {
  for (let i = 0; i < 27; i++) await client.createEcKey(`${prefix}-page-${i}`, { curve: 'P-256', hsm })
  const names = (await collect(client.listPropertiesOfKeys())).map(({ name }) => name)
  const mine = names.filter((name) => name.startsWith(`${prefix}-page-`))
  const pages = []
  for await (const page of client.listPropertiesOfKeys().byPage({ maxPageSize: 10 })) pages.push(page.length)
  return { mine: mine.length, unique: new Set(names).size === names.length, fullPages: pages.slice(0, 2) }
}

async function refusals(prefix: string) {
  const { id = '' } = await client.createRsaKey(`${prefix}-sign-only`, { keyOps: ['sign', 'verify'], hsm })
  const digest = createHash('sha256').update(MESSAGE).digest()
  return {
    unknown: await codeOf(client.getKey(`${prefix}-nope`)),
    oct: await codeOf(client.createOctKey(`${prefix}-oct`, { hsm: true })),
    release: await codeOf(client.releaseKey(`${prefix}-sign-only`, 'a-token')),
    digest: await codeOf(cryptography(id).sign('RS384', digest)),
  }
}

const prefix = `t${randomBytes(4).toString('hex')}`
const report = {
  signatures: await signatures(prefix),
  encryption: await encryption(prefix),
  lifecycle: await lifecycle(prefix),
  paging: await paging(prefix),
  refusals: await refusals(prefix),
}
process.stdout.write(`${JSON.stringify(report)}\n`)
