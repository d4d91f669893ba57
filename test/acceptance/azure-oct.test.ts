import t from 'tap'
import { startTrefoil } from '../support/process.ts'
import { softHsmMissing, startSoftHsm } from '../support/softhsm.ts'
import { runAzureClient } from './azure-tools.ts'

const refused = '400 BadParameter'

t.test('AES keys by @azure/keyvault-keys', async (t) => {
  const server = await startTrefoil()
  t.teardown(() => server.stop())
  const { created, ...imported } = await runAzureClient('azure-oct-client.ts', server)
  t.same(created, {
    operations: ['encrypt', 'decrypt', 'wrapKey', 'unwrapKey'],
    rotated: true,
    opened: true,
    listed: true,
    size: refused,
    noTag: refused,
    hsm: refused,
    bits: refused,
  })
  t.same(Object.keys(imported), ['128', '192', '256'])
  for (const [bits, report] of Object.entries(imported)) {
    t.same(
      report,
      {
        shown: ['oct', true],
        gcm: { outside: true, back: true, tag: refused, aad: refused, iv: refused },
        cbc: { outside: true, back: true, noIv: refused, iv: refused },
        wrapping: { outside: true, back: true, tampered: refused, short: refused },
      },
      `${bits} bits`,
    )
  }
  t.notMatch(server.log(), /"level":(50|60)/, 'nothing went wrong inside')
})

t.test('a token that has no raw AES makes no oct-HSM', { skip: softHsmMissing ?? false }, async (t) => {
  const hsm = await startSoftHsm()
  const server = await startTrefoil({ env: hsm.env, config: hsm.config })
  t.teardown(async () => {
    await server.stop()
    await hsm.close()
  })
  const url = `${server.plainUrl}/keys/k/create?api-version=2025-07-01`
  const ask = (kty: string) =>
    fetch(url, {
      method: 'POST',
      headers: { authorization: 'Bearer any', 'content-type': 'application/json' },
      body: JSON.stringify({ kty }),
    })
  const refusal = await ask('oct-HSM')
  t.equal(refusal.status, 400)
  t.match(await refusal.json(), { error: { code: 'BadParameter', innererror: { code: 'KeyTypeNotSupported' } } })
  const { key } = (await (await ask('RSA-HSM')).json()) as { key: { kty: string } }
  t.equal(key.kty, 'RSA-HSM', 'other types are made there')
})
