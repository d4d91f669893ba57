import t, { type Test } from 'tap'
import { type RunningTrefoil, startTrefoil } from '../support/process.ts'
import { softHsmMissing, startSoftHsm } from '../support/softhsm.ts'
import { runAzureClient } from './azure-tools.ts'

const refused = '400 BadParameter'

async function check(t: Test, server: RunningTrefoil, kty: 'oct' | 'oct-HSM'): Promise<void> {
  const hsm = kty === 'oct-HSM'
  const { created, macs, ...imported } = await runAzureClient('azure-oct-client.ts', server, { HSM: hsm ? '1' : '' })
  t.same(created, {
    operations: ['encrypt', 'decrypt', 'wrapKey', 'unwrapKey'],
    rotated: true,
    opened: true,
    listed: true,
    size: refused,
    noTag: refused,
    hsm: hsm ? 'succeeded' : refused,
    platform: hsm ? 'pkcs11:soft' : '0',
    bits: refused,
  })
  t.same(macs, { HS256: [32, true, false], HS384: [48, true, false], HS512: [64, true, false] })
  t.same(Object.keys(imported), ['128', '192', '256'])
  for (const [bits, report] of Object.entries(imported)) {
    t.same(
      report,
      {
        shown: [kty, true],
        gcm: { outside: true, back: true, tag: refused, aad: refused, iv: refused },
        cbc: { outside: true, back: true, noIv: refused, iv: refused },
        wrapping: { outside: true, back: true, tampered: refused, short: refused },
      },
      `${bits} bits`,
    )
  }
  t.notMatch(server.log(), /"level":(50|60)/, 'nothing went wrong inside')
}

t.test('oct keys by @azure/keyvault-keys', async (t) => {
  const server = await startTrefoil()
  t.teardown(() => server.stop())
  await check(t, server, 'oct')
})

t.test('oct-HSM in a token', { skip: softHsmMissing ?? false }, async (t) => {
  const hsm = await startSoftHsm()
  const server = await startTrefoil({ env: hsm.env, config: hsm.config })
  t.teardown(async () => {
    await server.stop()
    await hsm.close()
  })
  await check(t, server, 'oct-HSM')
})
