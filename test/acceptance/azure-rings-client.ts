/** A Managed HSM with purge protection by the unmodified Azure SDK. Prints one JSON object. */
import { createHash } from 'node:crypto'
import { SecretClient } from '@azure/keyvault-secrets'
import { codeOf, credential, cryptography, fast, keyClient, options, VAULT_URL } from './azure-sdk.ts'

const client = keyClient()
const secrets = new SecretClient(VAULT_URL, credential(), options)
const rotate = (timeAfterCreate: string) => ({ lifetimeActions: [{ action: 'Rotate' as const, timeAfterCreate }] })
const DAY = 86_400_000

const key = await client.createRsaKey('k', { hsm: true })
const digest = createHash('sha256').update('a message').digest()
const { result } = await cryptography(key).sign('RS256', digest)
const software = await codeOf(client.createRsaKey('software'))
const noPolicy = await codeOf(client.rotateKey('k'))
const tooSoon = await codeOf(client.updateKeyRotationPolicy('k', rotate('P27D')))
await client.updateKeyRotationPolicy('k', rotate('P28D'))
const rotated = await client.rotateKey('k')
const { properties: deleted } = await (await client.beginDeleteKey('k', fast)).pollUntilDone()
const purged = await codeOf(client.purgeDeletedKey('k'))
const recovered = await (await client.beginRecoverDeletedKey('k', fast)).pollUntilDone()
await secrets.setSecret('s', 'v')
const secret = await (await secrets.beginDeleteSecret('s', fast)).pollUntilDone()
const report = {
  key: {
    type: key.keyType,
    platform: key.properties.hsmPlatform,
    level: key.properties.recoveryLevel,
    verified: (await cryptography(key).verify('RS256', digest, result)).result,
    software,
  },
  rotation: { noPolicy, tooSoon, rotated: rotated.properties.version !== key.properties.version },
  deletion: {
    days: ((deleted.scheduledPurgeDate?.getTime() ?? 0) - (deleted.deletedOn?.getTime() ?? 0)) / DAY,
    purged,
    recovered: recovered.properties.version === rotated.properties.version,
    secret: [secret.properties.recoveryLevel, await codeOf(secrets.purgeDeletedSecret('s'))],
  },
}
process.stdout.write(`${JSON.stringify(report)}\n`)
