import t from 'tap'
import { createKey } from '../../src/core/ops/create-key.ts'
import { createVersion } from '../../src/core/ops/create-version.ts'
import { decrypt } from '../../src/core/ops/decrypt.ts'
import { encrypt } from '../../src/core/ops/encrypt.ts'
import { sign } from '../../src/core/ops/sign.ts'
import { verify } from '../../src/core/ops/verify.ts'
import { type Answer, b64, makeAzure } from './support.ts'

const ring = { by: 'default' } as const
const key = { by: 'name', ring, name: 'k' } as const
const message = Buffer.from('trefoil')
const DIGEST = { alg: 'RS256', value: b64(Buffer.alloc(32)) }
const ALL = ['encrypt', 'decrypt', 'sign', 'verify', 'wrapKey', 'unwrapKey']
const versionOf = ({ body }: Answer): string => new URL(body.key.kid).pathname.split('/').at(-1) ?? ''

t.test('each version has tags and operations of its own', async (t) => {
  const { ask, create } = await makeAzure()
  const first = await create('k', { kty: 'RSA', key_ops: ['sign'], tags: { a: '1' } })
  const second = await create('k', { kty: 'RSA', key_ops: ['verify'], tags: { b: '2' } })
  const third = await create('k', { kty: 'RSA' })
  t.same([third.body.key.key_ops, third.body.tags], [ALL, undefined], 'nothing comes down from an older one')
  const old = `/keys/k/${versionOf(first)}`
  const changed = await ask('PATCH', old, { tags: { c: '3' }, key_ops: ['sign', 'verify'] })
  t.same([changed.body.tags, changed.body.key.key_ops], [{ c: '3' }, ['sign', 'verify']])
  t.same((await ask('GET', old)).body, changed.body)
  t.same((await ask('GET', `/keys/k/${versionOf(second)}`)).body, second.body, 'the others stay as they are')
  t.same((await ask('GET', '/keys/k')).body, third.body)
  const listed = (await ask('GET', '/keys/k/versions')).body.value
  t.same(
    listed.map(({ tags }: { tags?: unknown }) => tags),
    [{ c: '3' }, { b: '2' }, undefined],
  )
  t.notOk('tags' in (await ask('GET', '/keys')).body.value[0], 'a key is listed with its current version’s')
  await ask('PATCH', '/keys/k', { tags: { d: '4' } })
  t.same((await ask('GET', '/keys')).body.value[0].tags, { d: '4' }, 'no version named: the current one')
  t.equal((await ask('POST', `/keys/k/${versionOf(second)}/sign`, DIGEST)).status, 403)
  t.equal((await ask('POST', `${old}/sign`, DIGEST)).status, 200)
})

t.test('a rotation hands them on, whoever rotates', async (t) => {
  const { ask, create, run, advance } = await makeAzure()
  await create('k', { kty: 'RSA', key_ops: ['sign'], tags: { a: '1' } })
  const expected = { key: { key_ops: ['sign'] }, tags: { a: '1' } }
  t.match((await ask('POST', '/keys/k/rotate')).body, expected)
  await run('gcp', createVersion, { key, makeCurrent: true })
  t.match((await ask('GET', '/keys/k')).body, expected)
  const lifetimeActions = [{ trigger: { timeAfterCreate: 'P7D' }, action: { type: 'Rotate' } }]
  await ask('PUT', '/keys/k/rotationpolicy', { lifetimeActions })
  await advance(8 * 86_400_000)
  t.match((await ask('GET', '/keys/k')).body, expected)
  t.equal((await ask('GET', '/keys/k/versions')).body.value.length, 4)
})

t.test('they go into a backup and come back', async (t) => {
  const { ask, create } = await makeAzure()
  const first = await create('k', { kty: 'EC', key_ops: ['sign'], tags: { a: '1' } })
  const second = await create('k', { kty: 'EC', key_ops: ['verify'] })
  const { value } = (await ask('POST', '/keys/k/backup')).body
  await ask('DELETE', '/keys/k')
  await ask('DELETE', '/deletedkeys/k')
  await ask('POST', '/keys/restore', { value })
  for (const one of [first, second]) t.same((await ask('GET', `/keys/k/${versionOf(one)}`)).body, one.body)
})

t.test('what one version may not do, no other cloud gets it to do', async (t) => {
  const { create, ask, run } = await makeAzure()
  const first = await create('k', { kty: 'RSA' })
  const request = { key, algorithm: 'rsa_pss_sha256', input: { message } } as const
  const { signature } = await run('aws', sign, request)
  await create('k', { kty: 'RSA', key_ops: ['verify'] })
  await t.rejects(run('aws', sign, request), { code: 'usage_mismatch' })
  await t.rejects(run('gcp', sign, request), { code: 'usage_mismatch' })
  t.ok((await run('gcp', sign, { ...request, version: { by: 'number', number: 1 } })).signature.length > 0)
  t.ok((await run('aws', verify, { ...request, signature })).valid, 'AWS verifies with any version that may')
  await ask('PATCH', `/keys/k/${versionOf(first)}`, { key_ops: ['sign'] })
  t.notOk((await run('aws', verify, { ...request, signature })).valid, 'and with no other')
})

t.test('AWS decrypts with the versions that may', async (t) => {
  const { create, ask, run } = await makeAzure()
  const body = { kty: 'RSA', key_ops: ['encrypt', 'decrypt'] }
  const first = await create('k', body)
  const rsa = { key, algorithm: 'rsa_oaep_sha256' } as const
  const { ciphertext } = await run('aws', encrypt, { ...rsa, plaintext: message })
  await create('k', body)
  t.same(Buffer.from((await run('aws', decrypt, { ...rsa, ciphertext })).plaintext), message)
  await ask('PATCH', `/keys/k/${versionOf(first)}`, { key_ops: ['encrypt'] })
  await t.rejects(run('aws', decrypt, { ...rsa, ciphertext }), { code: 'invalid_ciphertext' })
})

t.test('another cloud’s key can be narrowed by version, and never widened', async (t) => {
  const { create, ask, run } = await makeAzure()
  await run('aws', createKey, { ring, name: 'k', spec: 'rsa_2048', purpose: 'sign_verify' })
  t.same((await ask('GET', '/keys/k')).body.key.key_ops, ['sign', 'verify'])
  t.equal((await ask('PATCH', '/keys/k', { key_ops: ['sign', 'encrypt'] })).status, 400)
  t.same((await ask('PATCH', '/keys/k', { key_ops: ['verify'] })).body.key.key_ops, ['verify'])
  const next = await create('k', { kty: 'RSA' })
  t.same(next.body.key.key_ops, ['sign', 'verify'], 'a new version may what the key may')
  t.equal((await create('k', { kty: 'RSA', key_ops: ['encrypt'] })).status, 400)
})
