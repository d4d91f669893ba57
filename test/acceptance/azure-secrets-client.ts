/** An application with the unmodified `@azure/keyvault-secrets` and `DefaultAzureCredential`. Prints one JSON object. */
import { randomBytes } from 'node:crypto'
import { DefaultAzureCredential } from '@azure/identity'
import { SecretClient } from '@azure/keyvault-secrets'
import { codeOf, collect, fast, options, VAULT_URL } from './azure-sdk.ts'

const client = new SecretClient(VAULT_URL, new DefaultAzureCredential(), options)
const name = `s${randomBytes(4).toString('hex')}`

async function versions() {
  // The client sends dates as 32-bit integers.
  const expiresOn = new Date('2037-01-01T00:00:00Z')
  const first = await client.setSecret(name, 'one', { contentType: 'text/plain', tags: { team: 'a' }, expiresOn })
  const version = first.properties.version ?? ''
  const second = await client.setSecret(name, 'two')
  const updated = await client.updateSecretProperties(name, version, { contentType: 'b', enabled: true })
  const old = await client.getSecret(name, { version })
  await client.updateSecretProperties(name, version, { enabled: false })
  return {
    current: (await client.getSecret(name)).value,
    old: old.value,
    expires: old.properties.expiresOn?.getTime() === expiresOn.getTime(),
    tags: old.properties.tags,
    contentType: updated.contentType,
    recoveryLevel: second.properties.recoveryLevel,
    disabled: await codeOf(client.getSecret(name, { version })),
    versions: (await collect(client.listPropertiesOfSecretVersions(name))).map(({ enabled }) => enabled),
  }
}

async function lifecycle() {
  const backup = (await client.backupSecret(name)) ?? new Uint8Array(0)
  const deleted = await (await client.beginDeleteSecret(name, fast)).pollUntilDone()
  const taken = await codeOf(client.setSecret(name, 'three'))
  const listed = (await collect(client.listDeletedSecrets())).filter((secret) => secret.name === name).length
  const shown = (await client.getDeletedSecret(name)).name === name
  const recovered = await (await client.beginRecoverDeletedSecret(name, fast)).pollUntilDone()
  const exists = await codeOf(client.restoreSecretBackup(backup))
  await (await client.beginDeleteSecret(name, fast)).pollUntilDone()
  await client.purgeDeletedSecret(name)
  const restored = await client.restoreSecretBackup(backup)
  const disabled = await client.setSecret(`${name}-off`, 'v', { enabled: false })
  const off = await (await client.beginDeleteSecret(disabled.name, fast)).pollUntilDone()
  return {
    recoveryId: deleted.properties.recoveryId,
    taken,
    listed,
    shown,
    recovered: recovered.name === name,
    exists,
    restored: restored.name === name,
    again: (await client.getSecret(name)).value,
    versions: (await collect(client.listPropertiesOfSecretVersions(name))).length,
    disabledDeleted: off.name === disabled.name,
  }
}

async function paging() {
  for (let i = 0; i < 27; i++) await client.setSecret(`${name}-page-${i}`, 'v')
  const all = (await collect(client.listPropertiesOfSecrets())).filter((item) => item.name.includes('-page-'))
  const pages: number[] = []
  for await (const page of client.listPropertiesOfSecrets().byPage({ maxPageSize: 10 })) pages.push(page.length)
  return { all: all.length, full: pages.slice(0, 2) }
}

const report = {
  versions: await versions(),
  lifecycle: await lifecycle(),
  paging: await paging(),
  refusals: {
    unknown: await codeOf(client.getSecret(`${name}-nope`)),
    deleted: await codeOf(client.getDeletedSecret(`${name}-nope`)),
    long: await codeOf(client.setSecret(`${name}-long`, 'x'.repeat(25_601))),
    name: await codeOf(client.setSecret('under_score', 'v')),
    backup: await codeOf(client.restoreSecretBackup(Buffer.alloc(4728))),
  },
}
process.stdout.write(`${JSON.stringify(report)}\n`)
