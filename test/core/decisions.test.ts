/** What the authorizer is asked: which action, about what. */
import t from 'tap'
import { createKey } from '../../src/core/ops/create-key.ts'
import { generateDataKey } from '../../src/core/ops/generate-data-key.ts'
import { generateDataKeyPair } from '../../src/core/ops/generate-data-key-pair.ts'
import { generateDataKeyPairWithoutPlaintext } from '../../src/core/ops/generate-data-key-pair-without-plaintext.ts'
import { generateDataKeyWithoutPlaintext } from '../../src/core/ops/generate-data-key-without-plaintext.ts'
import { importKey } from '../../src/core/ops/import-key.ts'
import { putKey } from '../../src/core/ops/put-key.ts'
import { setSecret } from '../../src/core/ops/set-secret.ts'
import type { AccessRequest } from '../../src/core/ports.ts'
import { Secret } from '../../src/core/secret.ts'
import { makeKernel } from '../support/kernel.ts'

const ring = { by: 'default' } as const

/** A kernel that allows what `allowed` does, and remembers the last thing it was asked. */
async function makeAsked(allowed: (request: AccessRequest) => boolean) {
  const asked: AccessRequest[] = []
  const decide = (request: AccessRequest) => {
    asked.push(request)
    return allowed(request) ? ({ allow: true } as const) : ({ allow: false, reason: 'test' } as const)
  }
  const kernel = await makeKernel({ decide })
  return { ...kernel, last: () => asked.at(-1) }
}

t.test('a secret that is there is asked about by itself, a new one by its vault', async (t) => {
  const { run, code, last, audit } = await makeAsked(({ secret }) => secret === undefined)
  const set = (name: string) => {
    const value = new Secret(Buffer.from('value'))
    return run('azure', setSecret, { ring, name, value, attributes: { enabled: true, tags: {} } })
  }
  const { secret } = await set('one')
  t.notOk(last()?.secret)
  t.equal(await code(set('ONE')), 'access_denied', 'whatever the case')
  t.match(last(), { action: 'set-secret', ring: { id: secret.ringId }, secret: { id: secret.id } })
  t.match(audit.records.at(-1), { outcome: 'access_denied', secret: secret.id })
  t.equal(await code(set('two')), 'ok')
})

t.test('so is a key that is made or imported again', async (t) => {
  const { run, code, last } = await makeAsked((request) => request.key === undefined)
  const request = { ring, name: 'k', spec: 'hmac_256', defaultUses: ['mac_sign', 'mac_verify'] } as const
  const put = () => run('azure', putKey, request)
  const { key } = await put()
  t.notOk(last()?.key)
  t.equal(await code(put()), 'access_denied')
  t.match(last(), { action: 'create-key', key: { id: key.id } })
  const material = new Secret(Buffer.alloc(32, 1))
  t.equal(await code(run('azure', importKey, { ...request, material })), 'access_denied')
  t.match(last(), { action: 'import-key', key: { id: key.id } })
})

t.test('data keys without their plaintext are a right of their own', async (t) => {
  const { run, code } = await makeAsked(({ action }) => !/^generate-data-key(-pair)?$/.test(action))
  const { key: made } = await run('aws', createKey, { ring, spec: 'aes_256' })
  const key = { by: 'id', id: made.id } as const
  t.equal(await code(run('aws', generateDataKey, { key, bytes: 32 })), 'access_denied')
  t.equal(await code(run('aws', generateDataKeyPair, { key, spec: 'ec_p256' })), 'access_denied')
  const single = await run('aws', generateDataKeyWithoutPlaintext, { key, bytes: 32 })
  t.ok(single.ciphertext.length > 32)
  t.notOk('plaintext' in single)
  const pair = await run('aws', generateDataKeyPairWithoutPlaintext, { key, spec: 'ec_p256' })
  t.ok(pair.ciphertext.length > 100)
  t.ok(pair.publicKey.length > 50)
  t.notOk('privateKey' in pair)
})
