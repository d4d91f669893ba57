import t from 'tap'
import { knows } from '../../src/api/azure/api-version.ts'
import { b64, makeAzure } from './support.ts'

const at = (path: string, version: string) => `${path}?api-version=${version}`

t.test('versions are ordered: numbers before dates, previews with what they led to', (t) => {
  const ordered = ['7.0', '7.1', '7.2', '7.3', '7.4', '7.5', '7.6-preview.1', '2025-07-01', '2026-01-01-preview']
  const from = (feature: Parameters<typeof knows>[1]) => ordered.filter((version) => knows(version, feature))
  t.same(from('recoverableDays'), ordered.slice(1))
  t.same(from('aes'), ordered.slice(2))
  t.same(from('rotation'), ordered.slice(3))
  t.same(from('hsmPlatform'), ordered.slice(5))
  t.same(from('ckm'), ordered.slice(6))
  t.same(from('keySize'), ordered.slice(8))
  t.same(from('akp'), [])
  for (const version of ['2026-05-01-preview', '2026-05-01', '2026-07-01-preview']) t.ok(knows(version, 'akp'), version)
  t.ok(knows('7.10', 'ckm'), 'as numbers, not as text')
  t.end()
})

t.test('attributes that a version does not know are not in its answers', async (t) => {
  const { ask, create } = await makeAzure()
  await create('rsa', { kty: 'RSA', key_size: 3072 })
  await create('ec', { kty: 'EC', crv: 'P-521' })
  await create('oct', { kty: 'oct', key_size: 192 })
  const always = ['enabled', 'created', 'updated', 'recoveryLevel']
  const added = {
    '7.0': [],
    '7.1': ['recoverableDays'],
    '7.2': ['recoverableDays'],
    '7.3': ['recoverableDays', 'exportable'],
    '7.4': ['recoverableDays', 'exportable'],
    '7.5': ['recoverableDays', 'exportable', 'hsmPlatform'],
    '2025-07-01': ['recoverableDays', 'exportable', 'hsmPlatform'],
    '2026-01-01-preview': ['recoverableDays', 'exportable', 'hsmPlatform', 'key_size'],
    '2026-04-01': ['recoverableDays', 'exportable', 'hsmPlatform', 'key_size'],
  }
  for (const [version, names] of Object.entries(added)) {
    for (const path of ['/keys/rsa', '/keys']) {
      const { body } = await ask('GET', at(path, version))
      const { attributes } = body.value?.[0] ?? body
      t.same(Object.keys(attributes).sort(), [...always, ...names].sort(), `${version} ${path}`)
    }
  }
  for (const [name, size] of Object.entries({ rsa: 3072, ec: 521, oct: 192 })) {
    const { attributes } = (await ask('GET', at(`/keys/${name}`, '2026-04-01'))).body
    t.match(attributes, { key_size: size, hsmPlatform: '0' }, name)
  }
  await ask('PUT', '/secrets/s', { value: 'v' })
  t.notOk('recoverableDays' in (await ask('GET', at('/secrets/s', '7.0'))).body.attributes)
  t.equal((await ask('GET', at('/secrets/s', '7.1'))).body.attributes.recoverableDays, 90)
})

t.test('operations that came later are no operations of older versions', async (t) => {
  const { ask, create } = await makeAzure()
  await create('k')
  const later = [
    ['POST', '/keys/k/rotate', undefined, 'rotate'],
    ['GET', '/keys/k/rotationpolicy', undefined, 'rotationpolicy'],
    ['PUT', '/keys/k/rotationpolicy', {}, 'rotationpolicy'],
    ['POST', '/rng', { count: 1 }, 'rng'],
  ] as const
  for (const [method, path, body, operation] of later) {
    t.same((await ask(method, at(path, '7.2'), body)).body, {
      error: { code: 'BadParameter', message: `Method ${method} does not allow operation '${operation}'` },
    })
    t.equal((await ask(method, at(path, '7.3'), body)).status, 200, path)
  }
  t.equal((await ask('GET', '/keys/k/versions')).body.value.length, 2, 'made by 7.3 alone')
})

t.test('types and algorithms that came later are unknown to older versions', async (t) => {
  const { ask, create } = await makeAzure({}, { token: true })
  t.equal((await create('hsm', { kty: 'oct-HSM' })).status, 200)
  await create('oct', { kty: 'oct' })
  t.match(await ask('POST', at('/keys/x/create', '7.1'), { kty: 'oct-HSM' }), {
    status: 400,
    body: { error: { innererror: { code: 'KeyTypeNotSupported' } } },
  })
  t.equal((await ask('GET', at('/keys/hsm', '7.1'))).status, 404)
  t.equal((await ask('GET', at('/keys/hsm', '7.2'))).status, 200)
  const names = async (version: string) =>
    (await ask('GET', at('/keys', version))).body.value.map(({ kid }: { kid: string }) => kid.split('/').at(-1))
  t.same(await names('7.1'), ['oct'])
  t.same(await names('7.2'), ['hsm', 'oct'])
  const value = b64(Buffer.alloc(16))
  for (const [alg, operation, version, next] of [
    ['A256GCM', 'encrypt', '7.1', '7.2'],
    ['A256KW', 'wrapkey', '7.1', '7.2'],
    ['CKM_AES_KEY_WRAP', 'wrapkey', '7.5', '7.6'],
    ['CKM_AES_KEY_WRAP_PAD', 'wrapkey', '7.5', '7.6-preview.2'],
  ] as const) {
    const refused = await ask('POST', at(`/keys/oct//${operation}`, version), { alg, value })
    t.match([refused.status, refused.body.error.message], [400, /^Property alg /], `${alg} ${version}`)
    t.equal((await ask('POST', at(`/keys/oct//${operation}`, next), { alg, value })).status, 200, `${alg} ${next}`)
  }
})
