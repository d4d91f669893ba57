import t from 'tap'
import { destroyVersion } from '../../src/core/ops/destroy-version.ts'
import { scheduleDeletion } from '../../src/core/ops/schedule-deletion.ts'
import { makeAzure } from './support.ts'

const DAY = 86_400_000
const HSM_HOST = 'pool.managedhsm.azure.net'
const ring = (more: object) => ({
  name: 'default',
  recoverableDays: 90,
  purgeProtected: false,
  managedHsm: false,
  ...more,
})
const PURGE_REFUSED = {
  status: 403,
  body: { error: { code: 'Forbidden', innererror: { code: 'ForbiddenByPolicy' }, message: /^Operation "purge" / } },
}

t.test('recovery levels say how long, and whether a purge is possible', async (t) => {
  for (const [settings, recoveryLevel] of [
    [{}, 'Recoverable+Purgeable'],
    [{ purgeProtected: true }, 'Recoverable'],
    [{ recoverableDays: 7 }, 'CustomizedRecoverable+Purgeable'],
    [{ recoverableDays: 89, purgeProtected: true }, 'CustomizedRecoverable'],
  ] as const) {
    const { ask, create } = await makeAzure({ rings: [ring(settings)] })
    const { recoverableDays } = ring(settings)
    t.match((await create('k')).body.attributes, { recoveryLevel, recoverableDays })
    const secret = await ask('PUT', '/secrets/s', { value: 'v' })
    t.match(secret.body.attributes, { recoveryLevel, recoverableDays })
    for (const path of ['keys/k', 'secrets/s']) {
      const { body } = await ask('DELETE', `/${path}`)
      t.equal(body.scheduledPurgeDate - body.deletedDate, recoverableDays * 86_400)
    }
    t.match((await create('other', { kty: 'EC' })).body.attributes, { recoveryLevel })
    const elsewhere = await ask('POST', '/keys/k/create', { kty: 'EC' }, { host: 'else.vault.localhost' })
    t.match(elsewhere.body.attributes, { recoveryLevel: 'Recoverable+Purgeable', recoverableDays: 90 }, 'no other ring')
  }
})

t.test('where purges are refused, the clock alone takes what is deleted', async (t) => {
  const { ask, create, advance } = await makeAzure({ rings: [ring({ recoverableDays: 10, purgeProtected: true })] })
  await create('k')
  await ask('PUT', '/secrets/s', { value: 'v' })
  for (const path of ['keys/k', 'secrets/s']) {
    await ask('DELETE', `/${path}`)
    t.match(await ask('DELETE', `/deleted${path}`), PURGE_REFUSED)
    t.equal((await ask('POST', `/deleted${path}/recover`)).status, 200)
    await ask('DELETE', `/${path}`)
  }
  await advance(10 * DAY - 1)
  for (const path of ['keys/k', 'secrets/s']) t.equal((await ask('GET', `/deleted${path}`)).status, 200)
  await advance(1)
  for (const path of ['keys/k', 'secrets/s']) t.equal((await ask('GET', `/deleted${path}`)).status, 404)
})

t.test('purge protection binds the other clouds’ deletions too', async (t) => {
  const { create, run, clock } = await makeAzure({ rings: [ring({ recoverableDays: 30, purgeProtected: true })] })
  await create('aws')
  await create('gcp')
  const key = (name: string) => ({ by: 'name', ring: { by: 'default' }, name }) as const
  const scheduled = await run('aws', scheduleDeletion, { key: key('aws'), delay: 7 * DAY })
  t.equal(scheduled.key.deletion?.dueAt, clock.now() + 30 * DAY)
  const longer = await makeAzure({ rings: [ring({ recoverableDays: 10, purgeProtected: true })] })
  await longer.create('aws')
  const kept = await longer.run('aws', scheduleDeletion, { key: key('aws'), delay: 20 * DAY })
  t.equal(kept.key.deletion?.dueAt, longer.clock.now() + 20 * DAY, 'never shortened')
  const destroyed = await run('gcp', destroyVersion, { key: key('gcp'), version: { by: 'number', number: 1 } })
  t.equal(destroyed.version.destroyAt, clock.now() + 30 * DAY)
})

t.test('a key restored into a vault gets that vault’s days', async (t) => {
  const { ask, create } = await makeAzure({ rings: [ring({ recoverableDays: 14 })] })
  await create('k')
  await ask('PUT', '/secrets/s', { value: 'v' })
  for (const [kind, name] of [
    ['keys', 'k'],
    ['secrets', 's'],
  ] as const) {
    const { value } = (await ask('POST', `/${kind}/${name}/backup`)).body
    const restored = await ask('POST', `/${kind}/restore`, { value }, { host: 'else.vault.localhost' })
    t.equal(restored.body.attributes.recoverableDays, 90)
  }
})

const hsm = { host: HSM_HOST }
const KINDS = {
  'by its domain': [{}, hsm],
  'by its setting': [{ rings: [ring({ managedHsm: true })] }, {}],
} as const

for (const [title, [overrides, where]] of Object.entries(KINDS)) {
  t.test(`a Managed HSM, ${title}, keeps its keys in HSMs`, async (t) => {
    const { ask } = await makeAzure(overrides, { token: true })
    const create = (name: string, body: object) => ask('POST', `/keys/${name}/create`, body, where)
    for (const kty of ['RSA', 'EC', 'oct']) {
      t.match(await create('k', { kty }), {
        status: 400,
        body: { error: { message: `Invalid kty value: ${kty}`, innererror: { code: 'KeyTypeNotSupported' } } },
      })
    }
    t.equal((await create('k', { kty: 'EC-HSM' })).body.key.kty, 'EC-HSM')
    t.equal((await create('k', { kty: 'EC-HSM' })).body.attributes.hsmPlatform, 'token')
    const jwk = { kty: 'oct', k: Buffer.alloc(16, 7).toString('base64url') }
    t.equal((await ask('PUT', '/keys/imported', { key: jwk }, where)).body.key.kty, 'oct-HSM')
  })

  t.test(`a Managed HSM, ${title}, has rules of its own for rotation`, async (t) => {
    const { ask } = await makeAzure(overrides, { token: true })
    await ask('POST', '/keys/k/create', { kty: 'EC-HSM' }, where)
    const policy = (type: string, trigger: object, expiryTime?: string) =>
      ask(
        'PUT',
        '/keys/k/rotationpolicy',
        { lifetimeActions: [{ trigger, action: { type } }], attributes: { expiryTime } },
        where,
      )
    t.same((await ask('GET', '/keys/k/rotationpolicy', undefined, where)).body.lifetimeActions, [], 'notifies nobody')
    t.match(await ask('POST', '/keys/k/rotate', undefined, where), { status: 400 }, 'there is no policy')
    for (const [type, trigger, expiryTime, message] of [
      ['Rotate', { timeAfterCreate: 'P27D' }, undefined, /timeAfterCreate .*28 days/],
      ['Rotate', { timeBeforeExpiry: 'P27D' }, 'P90D', /timeBeforeExpiry .*28 days/],
      ['Rotate', { timeBeforeExpiry: 'P63D' }, 'P90D', /timeBeforeExpiry .*28 days shorter/],
      ['Notify', { timeBeforeExpiry: 'P30D' }, 'P90D', /must be Rotate/],
    ] as const) {
      t.match(await policy(type, trigger, expiryTime), { status: 400, body: { error: { message } } })
    }
    t.equal((await policy('Rotate', { timeBeforeExpiry: 'P62D' }, 'P90D')).status, 200)
    t.equal((await policy('Rotate', { timeAfterCreate: 'P28D' })).status, 200)
    t.equal((await ask('POST', '/keys/k/rotate', undefined, where)).status, 200)
  })
}

t.test('a Managed HSM’s key has at most 100 versions', async (t) => {
  const { ask } = await makeAzure({}, { token: true })
  await ask('POST', '/keys/k/create', { kty: 'oct-HSM' }, hsm)
  const lifetimeActions = [{ trigger: { timeAfterCreate: 'P28D' }, action: { type: 'Rotate' } }]
  await ask('PUT', '/keys/k/rotationpolicy', { lifetimeActions }, hsm)
  for (let i = 1; i < 100; i++) await ask('POST', '/keys/k/rotate', undefined, hsm)
  t.match(await ask('POST', '/keys/k/rotate', undefined, hsm), {
    status: 403,
    body: { error: { code: 'Forbidden', message: /100 versions/ } },
  })
})
