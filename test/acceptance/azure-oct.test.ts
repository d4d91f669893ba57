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

t.test('oct-HSM in a token', { skip: softHsmMissing ?? false }, async (t) => {
  const hsm = await startSoftHsm()
  const server = await startTrefoil({ env: hsm.env, config: hsm.config })
  t.teardown(async () => {
    await server.stop()
    await hsm.close()
  })
  const ask = async (path: string, body: object) => {
    const response = await fetch(`${server.plainUrl}/keys/k/${path}?api-version=2025-07-01`, {
      method: 'POST',
      headers: { authorization: 'Bearer any', 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    t.equal(response.status, 200, path)
    return (await response.json()) as Record<string, string>
  }
  const made = await ask('create', { kty: 'oct-HSM', key_size: 256 })
  t.match(made, { key: { kty: 'oct-HSM' } })
  const { kid = '' } = made.key as unknown as { kid: string }
  const version = kid.split('/').at(-1)
  const value = Buffer.from('a plaintext of no block length').toString('base64url')
  const gcm = await ask(`${version}/encrypt`, { alg: 'A256GCM', value, aad: 'YWFk' })
  const { iv, tag, value: sealed, aad } = gcm
  t.equal((await ask(`${version}/decrypt`, { alg: 'A256GCM', value: sealed, iv, tag, aad })).value, value, 'A256GCM')
  const key = Buffer.alloc(32, 7).toString('base64url')
  for (const alg of ['A256KW', 'CKM_AES_KEY_WRAP', 'CKM_AES_KEY_WRAP_PAD']) {
    const wrapped = await ask(`${version}/wrapkey`, { alg, value: key })
    t.equal((await ask(`${version}/unwrapkey`, { alg, value: wrapped.value })).value, key, alg)
  }
})
