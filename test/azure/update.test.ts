import t from 'tap'
import { makeAzure } from './support.ts'

const DAY = 86_400_000

t.test('update changes what it names and keeps the rest', async (t) => {
  const { ask, create } = await makeAzure()
  const made = (await create('k', { kty: 'RSA', tags: { a: '1' }, attributes: { nbf: 1000 } })).body
  const version = made.key.kid.split('/').at(-1)
  const changed = await ask('PATCH', `/keys/k/${version}`, {
    key_ops: ['sign'],
    attributes: { exp: 4_000_000_000 },
    tags: { b: '2' },
  })
  t.equal(changed.status, 200)
  t.match(changed.body, { attributes: { enabled: true, nbf: 1000, exp: 4_000_000_000 }, tags: { b: '2' } })
  t.same(changed.body.tags, { b: '2' }, 'replaced, not merged')
  t.same(changed.body.key.key_ops, ['sign'])
  t.same((await ask('PATCH', '/keys/k/', {})).body.key, changed.body.key, 'nothing named, nothing changed')
  t.same((await ask('PATCH', '/keys/k', { key_ops: ['sign', 'verify'] })).body.key.key_ops, ['sign', 'verify'])
  const disabled = await ask('PATCH', '/keys/k', { attributes: { enabled: false } })
  t.equal(disabled.body.attributes.enabled, false)
  const value = Buffer.alloc(32).toString('base64url')
  t.match(await ask('POST', '/keys/k//sign', { alg: 'RS256', value }), {
    status: 403,
    body: { error: { innererror: { code: 'KeyDisabled' } } },
  })
  await ask('PATCH', '/keys/k', { attributes: { enabled: true } })
  t.equal((await ask('POST', '/keys/k//sign', { alg: 'RS256', value })).status, 200)
})

t.test('an update that does not fit is refused whole, with its field named', async (t) => {
  const { ask, create } = await makeAzure()
  await create('k', { kty: 'EC', attributes: { exp: 5000 } })
  const before = (await ask('GET', '/keys/k')).body
  const wrong: readonly [object, RegExp][] = [
    [{ key_ops: ['encrypt'] }, /key_ops/],
    [{ key_ops: ['sign', 'sign'] }, /key_ops/],
    [{ key_ops: 'sign' }, /key_ops/],
    [{ attributes: { nbf: 6000 } }, /exp/],
    [{ attributes: { exp: -1 } }, /attributes\.exp/],
    [{ attributes: { enabled: 'yes' } }, /attributes\.enabled/],
    [{ attributes: { exportable: true } }, /^Exportable keys must have release policy$/],
    [{ release_policy: { data: 'e30' } }, /^Non-exportable keys must not have release policy$/],
    [{ tags: { a: 1 } }, /tags/],
    [{ tags: Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`t${i}`, ''])) }, /tags/],
  ]
  for (const [body, field] of wrong) {
    const { status, body: answer } = await ask('PATCH', '/keys/k', { tags: { x: 'y' }, ...body })
    t.equal(status, 400, JSON.stringify(body))
    t.match(answer.error, { code: 'BadParameter', message: field })
  }
  t.same((await ask('GET', '/keys/k')).body, before)
  t.equal((await ask('PATCH', '/keys/none', {})).status, 404)
  t.equal((await ask('PATCH', `/keys/k/${'0'.repeat(32)}`, {})).status, 404)
  await ask('DELETE', '/keys/k')
  t.equal((await ask('PATCH', '/keys/k', {})).status, 404, 'a deleted key')
})

t.test('rotate makes a new current version of the same kind', async (t) => {
  const { ask, create } = await makeAzure()
  const made = (await create('k', { kty: 'EC', crv: 'P-384', tags: { a: '1' } })).body
  const next = await ask('POST', '/keys/k/rotate')
  t.equal(next.status, 200)
  t.not(next.body.key.kid, made.key.kid)
  t.not(next.body.key.x, made.key.x)
  t.match(next.body, { key: { crv: 'P-384', key_ops: ['sign', 'verify'] }, tags: { a: '1' } })
  t.same((await ask('GET', '/keys/k')).body, next.body)
  t.equal((await ask('GET', '/keys/k/versions')).body.value.length, 2)
  t.equal((await ask('POST', '/keys/none/rotate')).status, 404)
  await ask('DELETE', '/keys/k')
  t.equal((await ask('POST', '/keys/k/rotate')).status, 404)
})

t.test('a rotation policy is given back as written, and a blank one is the default', async (t) => {
  const { ask, create } = await makeAzure()
  const { kid } = (await create('k')).body.key
  const none = await ask('GET', '/keys/k/rotationpolicy')
  const notify = { trigger: { timeBeforeExpiry: 'P30D' }, action: { type: 'Notify' } }
  t.same(none.body.lifetimeActions, [notify])
  t.equal(none.body.id, `${kid.slice(0, kid.lastIndexOf('/'))}/rotationpolicy`)
  const rotate = { trigger: { timeAfterCreate: 'P18M', timeBeforeExpiry: null }, action: { type: 'rotate' } }
  const set = await ask('PUT', '/keys/k/rotationpolicy', {
    lifetimeActions: [rotate, notify],
    attributes: { expiryTime: 'P2Y10D' },
  })
  t.equal(set.status, 200)
  t.same(set.body.lifetimeActions, [{ trigger: { timeAfterCreate: 'P18M' }, action: { type: 'Rotate' } }, notify])
  t.match(set.body.attributes, { expiryTime: 'P2Y10D', created: Number, updated: Number })
  t.same((await ask('GET', '/keys/k/rotationpolicy')).body, set.body)
  await ask('PUT', '/keys/k/rotationpolicy', { lifetimeActions: [], attributes: {} })
  t.same((await ask('GET', '/keys/k/rotationpolicy')).body, none.body)
  t.equal((await ask('GET', '/keys/none/rotationpolicy')).status, 404)
  t.equal((await ask('PUT', '/keys/none/rotationpolicy', {})).status, 404)
})

t.test('the policy’s lifetime dates new versions, and the next rotation follows the version', async (t) => {
  const { ask, create, store, clock } = await makeAzure()
  await create('k')
  const rotate = { trigger: { timeBeforeExpiry: 'P30D' }, action: { type: 'Rotate' } }
  await ask('PUT', '/keys/k/rotationpolicy', { lifetimeActions: [rotate], attributes: { expiryTime: 'P90D' } })
  const nextOf = async () => (await store.page('keys', 'name', [], undefined, 10)).rows[0]?.nextRotationAt
  t.equal(await nextOf(), undefined, 'the version has no expiry to count from')
  const next = await ask('POST', '/keys/k/rotate')
  t.equal(next.body.attributes.exp, Math.floor((clock.now() + 90 * DAY) / 1000))
  t.equal(await nextOf(), clock.now() + 60 * DAY)
  const exp = Math.floor(clock.now() / 1000) + 100 * 86_400
  await ask('PATCH', '/keys/k', { attributes: { exp } })
  t.equal(await nextOf(), exp * 1000 - 30 * DAY, 'a new expiry moves it')
})

t.test('policies outside Key Vault’s rules are refused', async (t) => {
  const { ask, create } = await makeAzure()
  await create('k')
  const action = (type: string, trigger: object) => ({ trigger, action: { type } })
  const year = { expiryTime: 'P1Y' }
  const wrong: readonly [object, RegExp][] = [
    [{ attributes: { expiryTime: 'P27D' } }, /expiryTime.*28 days/],
    [{ attributes: { expiryTime: '1 year' } }, /expiryTime.*8601/],
    [{ attributes: { expiryTime: 'P' } }, /expiryTime/],
    [{ attributes: { expiryTime: 'P1DT' } }, /expiryTime/],
    [{ attributes: { expiryTime: 'P9999Y' } }, /expiryTime.*100 years/],
    [{ lifetimeActions: [action('Rotate', { timeAfterCreate: 'P6D' })] }, /timeAfterCreate.*7 days/],
    [{ lifetimeActions: [action('Rotate', { timeAfterCreate: 'P360D' })], attributes: year }, /timeAfterCreate/],
    [{ lifetimeActions: [action('Rotate', { timeBeforeExpiry: 'P30D' })] }, /timeBeforeExpiry.*expiryTime/],
    [{ lifetimeActions: [action('Rotate', {})], attributes: year }, /trigger/],
    [{ lifetimeActions: [action('Notify', { timeAfterCreate: 'P30D' })] }, /Notify/],
    [{ lifetimeActions: [action('Delete', { timeAfterCreate: 'P30D' })] }, /type/],
    [{ lifetimeActions: [0, 1].map(() => action('Rotate', { timeAfterCreate: 'P30D' })) }, /more than one Rotate/],
    [{ lifetimeActions: {} }, /lifetimeActions/],
  ]
  for (const [body, field] of wrong) {
    const { status, body: answer } = await ask('PUT', '/keys/k/rotationpolicy', body)
    t.equal(status, 400, JSON.stringify(body))
    t.match(answer.error, { code: 'BadParameter', message: field })
  }
})

t.test('random bytes', async (t) => {
  const { ask } = await makeAzure()
  for (const count of [1, 128]) {
    const { body } = await ask('POST', '/rng', { count })
    t.equal(Buffer.from(body.value, 'base64url').length, count)
  }
  for (const count of [0, 129, 1.5, '8', null]) {
    t.match(await ask('POST', '/rng', { count }), { status: 400, body: { error: { message: /count/ } } })
  }
})
