import t from 'tap'
import { startTrefoil } from '../support/process.ts'
import { softHsmMissing, startSoftHsm } from '../support/softhsm.ts'
import { runAzureClient } from './azure-tools.ts'

t.test('a ring set to be a Managed HSM under purge protection', { skip: softHsmMissing ?? false }, async (t) => {
  const hsm = await startSoftHsm()
  const keyRings = [{ name: 'pool', hsm: 'soft', softDeleteDays: 7, purgeProtection: true, managedHsm: true }]
  const server = await startTrefoil({ env: hsm.env, config: { ...hsm.config, keyRings, defaultBackend: 'software' } })
  t.teardown(async () => {
    await server.stop()
    await hsm.close()
  })
  const VAULT_URL = `https://pool.vault.localhost:${new URL(server.tlsUrl).port}`
  t.same(await runAzureClient('azure-rings-client.ts', server, { VAULT_URL }), {
    key: {
      type: 'RSA-HSM',
      platform: 'pkcs11:soft',
      level: 'CustomizedRecoverable',
      verified: true,
      software: '400 BadParameter',
    },
    rotation: { noPolicy: '400 BadParameter', tooSoon: '400 BadParameter', rotated: true },
    deletion: {
      days: 7,
      purged: '403 Forbidden',
      recovered: true,
      secret: ['CustomizedRecoverable', '403 Forbidden'],
    },
  })
  t.notMatch(server.log(), /"level":(50|60)/, 'nothing went wrong inside')
})
