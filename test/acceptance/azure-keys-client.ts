/** The life of keys by the unmodified Azure SDK: import, update, versions, rotation, backup. Prints one JSON object. */
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto'
import type { JsonWebKey } from '@azure/keyvault-keys'
import { codeOf, cryptography, fast, keyClient, PLAIN_URL } from './azure-sdk.ts'

const client = keyClient()
const DAY = 86_400_000

const digest = createHash('sha256').update('a message').digest()
const bytes = (text: string | undefined) => (text === undefined ? undefined : Buffer.from(text, 'base64url'))

/** As the client wants it: numbers as bytes. */
function jwkOf(privateKey: { export(options: { format: 'jwk' }): Record<string, unknown> }): JsonWebKey {
  const { kty, crv, ...numbers } = privateKey.export({ format: 'jwk' }) as Record<string, string>
  const decoded = Object.entries(numbers).map(([name, text]) => [name, bytes(text)])
  return { kty, ...(crv !== undefined && { crv }), ...Object.fromEntries(decoded) } as JsonWebKey
}

async function importing() {
  const rsa = jwkOf(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey)
  const key = await client.importKey('imported', { ...rsa, keyOps: ['sign', 'verify'] }, { tags: { from: 'outside' } })
  const { result } = await cryptography(key).sign('RS256', digest)
  const ec = await client.importKey('imported-ec', jwkOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey))
  return {
    modulus: Buffer.compare(key.key?.n ?? Buffer.alloc(0), rsa.n ?? Buffer.alloc(1)) === 0,
    tags: key.properties.tags,
    operations: key.keyOperations,
    verified: (await cryptography(key).verify('RS256', digest, result)).result,
    ec: (await cryptography(ec).verify('ES256', digest, (await cryptography(ec).sign('ES256', digest)).result)).result,
    wrong: await codeOf(client.importKey('wrong', { ...rsa, dp: randomBytes(128) })),
    hsm: await codeOf(client.importKey('wrong', rsa, { hardwareProtected: true })),
    rotate: await codeOf(client.rotateKey('imported')),
  }
}

async function updating() {
  const made = await client.createRsaKey('updated', { tags: { a: '1' } })
  const expiresOn = new Date('2037-01-01T00:00:00Z')
  const changed = await client.updateKeyProperties('updated', made.properties.version ?? '', {
    expiresOn,
    keyOps: ['sign'],
    tags: { b: '2' },
  })
  const whole = await client.updateKeyProperties('updated', { enabled: false })
  const disabled = await codeOf(cryptography(made).sign('RS256', digest))
  await client.updateKeyProperties('updated', { enabled: true })
  return {
    expires: changed.properties.expiresOn?.getTime() === expiresOn.getTime(),
    operations: changed.keyOperations,
    tags: changed.properties.tags,
    enabled: whole.properties.enabled,
    disabled,
    enabledAgain: await codeOf(cryptography(made).sign('RS256', digest)),
    unknown: await codeOf(client.updateKeyProperties('none', { enabled: false })),
  }
}

async function rotating() {
  await client.createEcKey('rotated', { curve: 'P-256' })
  const none = await client.getKeyRotationPolicy('rotated')
  const policy = await client.updateKeyRotationPolicy('rotated', {
    lifetimeActions: [{ action: 'Rotate', timeAfterCreate: 'P90D' }],
    expiresIn: 'P2Y',
  })
  const next = await client.rotateKey('rotated')
  const clock = await fetch(`${PLAIN_URL}/_/clock`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ advance: 91 * DAY }),
  })
  const pages = []
  for await (const page of client.listPropertiesOfKeyVersions('rotated').byPage({ maxPageSize: 2 })) {
    pages.push(page.length)
  }
  const current = await client.getKey('rotated')
  return {
    none: none.lifetimeActions,
    policy: policy.lifetimeActions,
    expiresIn: (await client.getKeyRotationPolicy('rotated')).expiresIn,
    days: ((next.properties.expiresOn?.getTime() ?? 0) - (next.properties.createdOn?.getTime() ?? 0)) / DAY,
    clock: clock.status,
    pages,
    moved: current.id !== next.id,
    wrong: await codeOf(client.updateKeyRotationPolicy('rotated', { expiresIn: 'P1D' })),
    unknown: await codeOf(client.getKeyRotationPolicy('none')),
  }
}

async function backingUp() {
  const made = await client.createEcKey('saved', { curve: 'P-256', tags: { a: '1' } })
  const { result } = await cryptography(made).sign('ES256', digest)
  const backup = (await client.backupKey('saved')) ?? new Uint8Array(0)
  const taken = await codeOf(client.restoreKeyBackup(backup))
  await (await client.beginDeleteKey('saved', fast)).pollUntilDone()
  await client.purgeDeletedKey('saved')
  const restored = await client.restoreKeyBackup(backup)
  return {
    taken,
    same: restored.id === made.id,
    tags: restored.properties.tags,
    verified: (await cryptography(restored).verify('ES256', digest, result)).result,
    corrupt: await codeOf(client.restoreKeyBackup(new Uint8Array(4728))),
    unknown: await codeOf(client.backupKey('none')),
  }
}

async function random() {
  return { bytes: (await client.getRandomBytes(32)).length, tooMany: await codeOf(client.getRandomBytes(129)) }
}

const report = {
  importing: await importing(),
  updating: await updating(),
  rotating: await rotating(),
  backingUp: await backingUp(),
  random: await random(),
}
process.stdout.write(`${JSON.stringify(report)}\n`)
