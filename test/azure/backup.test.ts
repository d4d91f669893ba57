import { randomBytes } from 'node:crypto'
import t from 'tap'
import { decrypt } from '../../src/core/ops/decrypt.ts'
import { encrypt } from '../../src/core/ops/encrypt.ts'
import { b64, HOST, makeAzure, type TestAzure } from './support.ts'

const remove = async ({ ask }: TestAzure, name: string) => {
  await ask('DELETE', `/keys/${name}`)
  await ask('DELETE', `/deletedkeys/${name}`)
}
const versionsOf = async ({ ask }: TestAzure, name: string) => (await ask('GET', `/keys/${name}/versions`)).body.value

t.test('a purged key comes back whole: versions, identifiers, attributes, tags, policy', async (t) => {
  const azure = await makeAzure()
  const { ask, create } = azure
  await create('k', { kty: 'RSA', tags: { a: 'b' }, key_ops: ['sign', 'verify', 'encrypt', 'decrypt'] })
  const digest = b64(randomBytes(32))
  const signed = await ask('POST', '/keys/k//sign', { alg: 'RS256', value: digest })
  const sealed = await ask('POST', '/keys/k//encrypt', { alg: 'RSA-OAEP-256', value: digest })
  await ask('POST', '/keys/k/rotate')
  await ask('PATCH', '/keys/k', { attributes: { exp: 4_000_000_000 } })
  const rotate = { trigger: { timeAfterCreate: 'P90D' }, action: { type: 'Rotate' } }
  await ask('PUT', '/keys/k/rotationpolicy', { lifetimeActions: [rotate] })
  const before = { key: (await ask('GET', '/keys/k')).body, versions: await versionsOf(azure, 'k') }
  const policy = (await ask('GET', '/keys/k/rotationpolicy')).body

  const { status, body } = await ask('POST', '/keys/k/backup')
  t.equal(status, 200)
  t.match(body.value, /^[\w-]+$/)
  t.match(await ask('POST', '/keys/restore', body), { status: 409, body: { error: { code: 'Conflict' } } })
  await ask('DELETE', '/keys/k')
  t.match(await ask('POST', '/keys/restore', body), {
    status: 409,
    body: { error: { innererror: { code: 'ObjectIsDeletedButRecoverable' } } },
  })
  await ask('DELETE', '/deletedkeys/k')

  const restored = await ask('POST', '/keys/restore', body)
  t.equal(restored.status, 200)
  t.equal(restored.body.key.kid, before.key.key.kid)
  t.same({ key: (await ask('GET', '/keys/k')).body, versions: await versionsOf(azure, 'k') }, before)
  t.same((await ask('GET', '/keys/k/rotationpolicy')).body, policy)
  const first = signed.body.kid.split('/').at(-1)
  const opened = await ask('POST', `/keys/k/${first}/decrypt`, { alg: 'RSA-OAEP-256', value: sealed.body.value })
  t.equal(opened.body.value, digest)
  const verified = await ask('POST', `/keys/k/${first}/verify`, { alg: 'RS256', digest, value: signed.body.value })
  t.equal(verified.body.value, true)
  t.equal((await ask('POST', '/keys/k/rotate')).status, 200)
  t.equal((await versionsOf(azure, 'k')).length, 3)
})

t.test('no version number is used twice, whatever the name was in between', async (t) => {
  const azure = await makeAzure()
  const { ask, create, store } = azure
  await create('k')
  const backup = (await ask('POST', '/keys/k/backup')).body
  await remove(azure, 'k')
  await create('k')
  await remove(azure, 'k')
  t.equal((await ask('POST', '/keys/restore', backup)).status, 200)
  await ask('POST', '/keys/k/rotate')
  const { rows } = await store.page('versions', 'number', [], undefined, 10)
  t.same(
    rows.map(({ number }) => number),
    [1, 3],
  )
})

t.test('in another vault of the tenant beside the original; not in another installation', async (t) => {
  const azure = await makeAzure()
  const made = (await azure.create('k')).body
  const backup = (await azure.ask('POST', '/keys/k/backup')).body
  const host = HOST.replace('default', 'second')
  const copy = await azure.ask('POST', '/keys/restore', backup, { host })
  t.equal(copy.status, 200)
  t.equal(copy.body.key.x, made.key.x)
  t.equal(copy.body.key.kid, made.key.kid.replace('default', 'second'))
  t.equal((await azure.ask('DELETE', '/keys/k')).status, 200)
  t.equal((await azure.ask('GET', '/keys/k', undefined, { host })).status, 200)
  const other = await makeAzure()
  const refused = await other.ask('POST', '/keys/restore', backup)
  t.match(refused, { status: 400, body: { error: { code: 'BadParameter', message: /Backup blob contains invalid/ } } })
})

t.test('a restored key opens what other clouds sealed with it', async (t) => {
  const azure = await makeAzure()
  const { ask, create, run } = azure
  await create('k', { kty: 'RSA', key_ops: ['encrypt', 'decrypt'] })
  const key = { by: 'name', ring: { by: 'default' }, name: 'k' } as const
  const plaintext = randomBytes(16)
  const algorithm = 'rsa_oaep_sha256'
  const { ciphertext } = await run('aws', encrypt, { key, algorithm, plaintext })
  const backup = (await ask('POST', '/keys/k/backup')).body
  await remove(azure, 'k')
  await ask('POST', '/keys/restore', backup)
  const opened = await run('aws', decrypt, { key, algorithm, ciphertext })
  t.same(Buffer.from(opened.plaintext), plaintext)
})

t.test('blobs that are none are refused alike, and leave nothing', async (t) => {
  const azure = await makeAzure()
  const { ask, create } = azure
  await create('k')
  const blob = Buffer.from((await ask('POST', '/keys/k/backup')).body.value, 'base64url')
  await remove(azure, 'k')
  const damaged = (at: number) => {
    const bytes = Buffer.from(blob)
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
    return bytes
  }
  const step = Math.ceil(blob.length / 40)
  const wrong = [
    Buffer.alloc(4728),
    Buffer.of(1),
    blob.subarray(0, -1),
    Buffer.concat([blob, Buffer.of(0)]),
    randomBytes(200),
    ...Array.from({ length: 40 }, (_, i) => damaged(Math.min(i * step, blob.length - 1))),
  ]
  for (const bytes of wrong) {
    const { status, body } = await ask('POST', '/keys/restore', { value: b64(bytes) })
    t.equal(status, 400)
    t.same(body.error, { code: 'BadParameter', message: 'Backup blob contains invalid or corrupt version.' })
  }
  for (const value of [undefined, '', 1, '***']) t.equal((await ask('POST', '/keys/restore', { value })).status, 400)
  t.equal((await ask('GET', '/keys')).body.value.length, 0)
  t.equal((await ask('POST', '/keys/none/backup')).status, 404)
  const restores = await Promise.all(
    Array.from({ length: 4 }, () => ask('POST', '/keys/restore', { value: b64(blob) })),
  )
  t.same(restores.map(({ status }) => status).sort(), [200, 409, 409, 409], 'one of several at once')
})

t.test('a backup of many versions', async (t) => {
  const azure = await makeAzure()
  const { ask, create } = azure
  await create('k')
  for (let i = 1; i < 300; i++) await ask('POST', '/keys/k/rotate')
  const backup = (await ask('POST', '/keys/k/backup')).body
  await remove(azure, 'k')
  t.equal((await ask('POST', '/keys/restore', backup)).status, 200)
  for (let i = 300; i < 501; i++) await ask('POST', '/keys/k/rotate')
  t.match(await ask('POST', '/keys/k/backup'), { status: 403, body: { error: { message: /500 versions/ } } })
})
