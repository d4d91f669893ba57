/** Changing keys as Google has it, over both transports: masks, labels, templates, primaries and rotation schedules. */
import t from 'tap'
import {
  CryptoKeyVersion_CryptoKeyVersionAlgorithm as Algorithm,
  ProtectionLevel,
  CryptoKey_CryptoKeyPurpose as Purpose,
  CryptoKeyVersion_CryptoKeyVersionState as State,
} from '../../src/api/gcp/gen/google/cloud/kms/v1/resources_pb.js'
import { createKey } from '../../src/core/ops/create-key.ts'
import { setRotation } from '../../src/core/ops/set-rotation.ts'
import { days } from '../../src/core/rotation.ts'
import { grpcClient } from './clients.ts'
import { both, kms, newKey, RING, symmetric, TEXT } from './fixture.ts'
import { LOCATION, makeGcp } from './support.ts'

const DAY = 86_400
const period = (seconds: number) => ({ case: 'rotationPeriod', value: { seconds: BigInt(seconds) } }) as const
const none = { case: undefined } as const

both('labels', async (t, client) => {
  const { key: name } = await symmetric(client)
  const set = (labels: Record<string, string>, paths = ['labels']) =>
    client.call(kms.updateCryptoKey, { cryptoKey: { name, labels }, updateMask: { paths } })
  t.match(await set({ team: 'alpha', 'cost-center': '42' }), { ok: true })
  t.same((await client.get(kms.getCryptoKey, { name })).labels, { team: 'alpha', 'cost-center': '42' })
  t.match(await set({ café: '' }), { ok: true, message: { labels: { café: '' } } }, 'they are replaced as a whole')
  t.notOk('team' in (await client.get(kms.getCryptoKey, { name })).labels)
  t.match(await set({ team: 'x' }, ['rotation_period']), { ok: true }, 'a field out of the mask stays')
  t.same((await client.get(kms.getCryptoKey, { name })).labels, { café: '' })
  const many = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`k${index}`, '']))
  const bad = [
    many,
    { Team: 'x' },
    { team: 'X' },
    { '': 'x' },
    { '1a': 'x' },
    { a: 'b'.repeat(64) },
    { ['a'.repeat(64)]: '' },
  ]
  for (const labels of bad)
    t.match(await set(labels), { ok: false, status: 'INVALID_ARGUMENT' }, JSON.stringify(labels))
  t.match(await set({}), { ok: true, message: { labels: {} } })
})

both('masks', async (t, client) => {
  const { key: name } = await symmetric(client)
  const update = (paths: string[], cryptoKey: object = {}) =>
    client.status(kms.updateCryptoKey, { cryptoKey: { name, ...cryptoKey }, updateMask: { paths } })
  t.equal(await client.status(kms.updateCryptoKey, { cryptoKey: { name } }), 'INVALID_ARGUMENT', 'no mask')
  t.equal(await update([]), 'INVALID_ARGUMENT', 'an empty one')
  for (const path of ['name', 'primary', 'purpose', 'create_time', 'import_only', 'destroy_scheduled_duration'])
    t.equal(await update([path]), 'INVALID_ARGUMENT', path)
  for (const path of [
    'crypto_key_backend',
    'nonsense',
    'labels.team',
    '*',
    'primary.state',
    'version_template.nonsense',
  ])
    t.equal(await update([path]), 'INVALID_ARGUMENT', path)
  t.equal(await update(['labels', 'purpose'], { labels: { a: 'b' } }), 'INVALID_ARGUMENT')
  t.same((await client.get(kms.getCryptoKey, { name })).labels, {}, 'all or nothing')
  t.equal(await update(['key_access_justifications_policy']), 'UNIMPLEMENTED')
  t.equal(await update(['labels', 'labels'], { labels: { a: 'b' } }), 'OK')
  t.equal(await update(Array(101).fill('labels')), 'INVALID_ARGUMENT', 'too long')
  t.equal(await update(['labels'], { name: `${RING}/cryptoKeys/none` }), 'NOT_FOUND')
  t.equal(
    await client.status(kms.updateCryptoKeyVersion, {
      cryptoKeyVersion: { name: `${name}/cryptoKeyVersions/1`, state: State.DISABLED },
      updateMask: { paths: ['external_protection_level_options'] },
    }),
    'UNIMPLEMENTED',
  )
})

t.test('every offence of a mask is listed', async (t) => {
  const gcp = await makeGcp()
  t.teardown(gcp.close)
  const client = grpcClient(gcp)
  await client.get(kms.createKeyRing, { parent: LOCATION, keyRingId: 'r' })
  const { key } = await symmetric(client)
  const { status, body } = await gcp.rest('PATCH', `${key}?updateMask=purpose,labels,bogus`, {})
  t.equal(status, 400)
  t.match(body.error.details, [
    {
      '@type': 'type.googleapis.com/google.rpc.BadRequest',
      fieldViolations: [
        { field: 'update_mask', description: /purpose can not be updated/ },
        { field: 'update_mask', description: /bogus is not a field of CryptoKey/ },
      ],
    },
  ])
  const camel = await gcp.rest('PATCH', `${key}?updateMask=rotationPeriod,nextRotationTime`, {
    rotationPeriod: '86400s',
    nextRotationTime: '2026-01-02T12:00:00.500Z',
  })
  t.match(camel.body, { rotationPeriod: '86400s', nextRotationTime: '2026-01-02T12:00:00.500Z' })
})

t.test('what was in the way is said as Google says it', async (t) => {
  const gcp = await makeGcp()
  t.teardown(gcp.close)
  const client = grpcClient(gcp)
  await client.get(kms.createKeyRing, { parent: LOCATION, keyRingId: 'r' })
  const { key, version: name } = await symmetric(client)
  const request = { cryptoKeyVersion: { name, state: State.DISABLED }, updateMask: { paths: ['state'] } }
  await client.get(kms.updateCryptoKeyVersion, request)
  const { body } = await gcp.rest('POST', `${key}:encrypt`, { plaintext: '' })
  const description = `${name} is not enabled, current state is: DISABLED.`
  t.equal(body.error.message, description)
  t.match(body.error.details[1], {
    '@type': 'type.googleapis.com/google.rpc.PreconditionFailure',
    violations: [{ type: 'KEY_DISABLED', subject: name, description }],
  })
})

both('version templates', async (t, client) => {
  const { key: name, version } = await newKey(client, 's', Algorithm.RSA_SIGN_PSS_2048_SHA256)
  const set = (versionTemplate: object, paths = ['version_template.algorithm'], key = name) =>
    client.call(kms.updateCryptoKey, { cryptoKey: { name: key, versionTemplate }, updateMask: { paths } })
  t.match(await set({ algorithm: Algorithm.EC_SIGN_P256_SHA256 }), {
    ok: true,
    message: {
      versionTemplate: { algorithm: Algorithm.EC_SIGN_P256_SHA256, protectionLevel: ProtectionLevel.SOFTWARE },
    },
  })
  t.match(await client.get(kms.getCryptoKeyVersion, { name: version }), {
    algorithm: Algorithm.RSA_SIGN_PSS_2048_SHA256,
  })
  t.match(await client.get(kms.createCryptoKeyVersion, { parent: name, cryptoKeyVersion: {} }), {
    name: `${name}/cryptoKeyVersions/2`,
    algorithm: Algorithm.EC_SIGN_P256_SHA256,
  })
  for (const number of [1, 2])
    t.equal(await client.status(kms.asymmetricSign, { name: `${name}/cryptoKeyVersions/${number}`, data: TEXT }), 'OK')
  const invalid = { ok: false, status: 'INVALID_ARGUMENT' }
  t.match(await set({ algorithm: Algorithm.RSA_DECRYPT_OAEP_2048_SHA256 }), invalid, 'of another purpose')
  t.match(await set({}), invalid, 'none')
  t.match(await set({ algorithm: Algorithm.EC_SIGN_SECP256K1_SHA256 }), invalid, 'for HSM keys only')
  const whole = { algorithm: Algorithm.EC_SIGN_P384_SHA384, protectionLevel: ProtectionLevel.HSM }
  t.match(await set(whole, ['version_template']), invalid, 'the protection level is immutable')
  t.match(await set(whole, ['version_template.protection_level']), invalid)
  t.match(await set({ ...whole, protectionLevel: ProtectionLevel.SOFTWARE }, ['version_template']), { ok: true })
  const { key: box } = await symmetric(client)
  t.match(await set({ algorithm: Algorithm.EC_SIGN_P256_SHA256 }, undefined, box), invalid)
  t.match(await set({ algorithm: Algorithm.GOOGLE_SYMMETRIC_ENCRYPTION }, undefined, box), { ok: true })
})

both('primaries', async (t, client) => {
  const { key: name } = await symmetric(client)
  const primary = (cryptoKeyVersionId: string, key = name) =>
    client.call(kms.updateCryptoKeyPrimaryVersion, { name: key, cryptoKeyVersionId })
  const second = await client.get(kms.createCryptoKeyVersion, { parent: name, cryptoKeyVersion: {} })
  const { ciphertext } = await client.get(kms.encrypt, { name, plaintext: TEXT })
  t.match(await primary('2'), { ok: true, message: { primary: { name: second.name, state: State.ENABLED } } })
  t.equal((await client.get(kms.encrypt, { name, plaintext: TEXT })).name, second.name)
  t.match(await client.get(kms.decrypt, { name, ciphertext }), { plaintext: TEXT, usedPrimary: false })
  t.match(await primary('3'), { status: 'NOT_FOUND' })
  for (const id of ['', '0', 'one', '1.0', '-1', `${name}/cryptoKeyVersions/1`, '99999999999'])
    t.match(await primary(id), { status: 'INVALID_ARGUMENT' }, id)
  const first = { name: `${name}/cryptoKeyVersions/1` }
  const updateMask = { paths: ['state'] }
  await client.get(kms.updateCryptoKeyVersion, { cryptoKeyVersion: { ...first, state: State.DISABLED }, updateMask })
  t.match(await primary('1'), { status: 'FAILED_PRECONDITION' }, 'a disabled version')
  await client.get(kms.destroyCryptoKeyVersion, first)
  t.match(await primary('1'), { status: 'FAILED_PRECONDITION' }, 'one to be destroyed')
  const signing = await newKey(client, 's', Algorithm.EC_SIGN_P256_SHA256)
  t.match(await primary('1', signing.key), { status: 'FAILED_PRECONDITION' }, 'another purpose')
  const parent = { parent: RING, cryptoKeyId: 'none', skipInitialVersionCreation: true }
  const bare = await client.get(kms.createCryptoKey, { ...parent, cryptoKey: { purpose: Purpose.ENCRYPT_DECRYPT } })
  t.equal(bare.primary, undefined)
  await client.get(kms.createCryptoKeyVersion, { parent: bare.name, cryptoKeyVersion: {} })
  t.match(await primary('1', bare.name), {
    ok: true,
    message: { primary: { name: `${bare.name}/cryptoKeyVersions/1` } },
  })
})

both('rotation by the clock', async (t, client, gcp) => {
  const start = gcp.clock.now() / 1000
  const at = (seconds: number) => ({ seconds: BigInt(start + seconds) })
  const name = `${RING}/cryptoKeys/k`
  const cryptoKey = { purpose: Purpose.ENCRYPT_DECRYPT, rotationSchedule: period(2 * DAY), nextRotationTime: at(DAY) }
  t.match(await client.get(kms.createCryptoKey, { parent: RING, cryptoKeyId: 'k', cryptoKey }), {
    rotationSchedule: { value: { seconds: BigInt(2 * DAY) } },
    nextRotationTime: at(DAY),
  })
  const shown = async (key = name) => {
    const { primary, nextRotationTime } = await client.get(kms.getCryptoKey, { name: key })
    return [primary?.name.split('/').at(-1), nextRotationTime && Number(nextRotationTime.seconds) - start]
  }
  await gcp.advance((DAY - 1) * 1000)
  t.same(await shown(), ['1', DAY])
  await gcp.advance(1000)
  t.same(await shown(), ['2', 3 * DAY])
  await client.get(kms.createCryptoKeyVersion, { parent: name, cryptoKeyVersion: {} })
  await client.get(kms.updateCryptoKeyPrimaryVersion, { name, cryptoKeyVersionId: '1' })
  t.same(await shown(), ['1', 3 * DAY], 'rotation by hand moves no date')
  await gcp.advance(2 * DAY * 1000)
  t.same(await shown(), ['4', 5 * DAY])
  const update = (fields: object, paths: string[], key = name) =>
    client.status(kms.updateCryptoKey, { cryptoKey: { name: key, ...fields }, updateMask: { paths } })
  t.equal(await update({ rotationSchedule: period(DAY) }, ['rotation_period']), 'OK')
  t.same(await shown(), ['4', 5 * DAY], 'a new period leaves the date')
  t.equal(await update({}, ['next_rotation_time']), 'INVALID_ARGUMENT', 'a period needs a date')
  t.equal(await update({ rotationSchedule: none }, ['rotation_period']), 'OK', 'a date needs no period')
  await gcp.advance(2 * DAY * 1000)
  t.same(await shown(), ['5', undefined], 'and is used once')
  await gcp.advance(100 * DAY * 1000)
  t.same(await shown(), ['5', undefined])
  t.equal(await update({ rotationSchedule: period(DAY) }, ['rotation_period']), 'INVALID_ARGUMENT')
  t.equal(await update({ nextRotationTime: at(DAY) }, ['next_rotation_time']), 'INVALID_ARGUMENT', 'the past')
  const both = ['rotation_period', 'next_rotation_time']
  for (const seconds of [DAY - 1, 876_000 * 3600 + 1, 0, -1])
    t.equal(await update({ rotationSchedule: period(seconds), nextRotationTime: at(1e8) }, both), 'INVALID_ARGUMENT')
  for (const seconds of [DAY, 876_000 * 3600])
    t.equal(await update({ rotationSchedule: period(seconds), nextRotationTime: at(1e8) }, both), 'OK')
  t.equal(await update({}, both), 'OK', 'taken away')
  t.same(await shown(), ['5', undefined])
  const { key: pen } = await newKey(client, 'pen', Algorithm.EC_SIGN_P256_SHA256)
  t.equal(await update({ nextRotationTime: at(1e8) }, both, pen), 'FAILED_PRECONDITION', 'another purpose')
  t.equal(await update({}, both, pen), 'OK', 'nothing to take away')
  t.same(gcp.failures, [])
})

both('the first version may come by the clock', async (t, client, gcp) => {
  const nextRotationTime = { seconds: BigInt(gcp.clock.now() / 1000 + DAY) }
  const cryptoKey = { purpose: Purpose.ENCRYPT_DECRYPT, rotationSchedule: period(DAY), nextRotationTime }
  const request = { parent: RING, cryptoKeyId: 'k', skipInitialVersionCreation: true, cryptoKey }
  const { name } = await client.get(kms.createCryptoKey, request)
  await gcp.advance(DAY * 1000)
  t.match(await client.get(kms.getCryptoKey, { name }), {
    primary: { name: `${name}/cryptoKeyVersions/1` },
    nextRotationTime: { seconds: nextRotationTime.seconds + BigInt(DAY) },
  })
  await gcp.advance(0)
  t.equal((await client.get(kms.listCryptoKeyVersions, { parent: name })).totalSize, 1)
})

both('a version to be destroyed is restored, not disabled', async (t, client) => {
  const { version: name } = await symmetric(client)
  await client.get(kms.destroyCryptoKeyVersion, { name })
  for (const state of [State.DISABLED, State.ENABLED]) {
    const request = { cryptoKeyVersion: { name, state }, updateMask: { paths: ['state'] } }
    t.equal(await client.status(kms.updateCryptoKeyVersion, request), 'FAILED_PRECONDITION')
  }
  t.match(await client.get(kms.getCryptoKeyVersion, { name }), { state: State.DESTROY_SCHEDULED })
})

both('schedules that a new key can not have', async (t, client, gcp) => {
  const create = (cryptoKey: object) =>
    client.call(kms.createCryptoKey, {
      parent: RING,
      cryptoKeyId: 'k',
      cryptoKey: { purpose: Purpose.ENCRYPT_DECRYPT, ...cryptoKey },
    })
  const future = { seconds: BigInt(gcp.clock.now() / 1000 + 1) }
  t.match(await create({ rotationSchedule: period(DAY) }), {
    status: 'INVALID_ARGUMENT',
    text: 'next_rotation_time is required if rotation_schedule is set.',
  })
  t.match(await create({ rotationSchedule: period(60), nextRotationTime: future }), {
    text: 'Invalid rotation period.',
  })
  t.match(await create({ nextRotationTime: { seconds: 0n } }), { status: 'INVALID_ARGUMENT' })
  const versionTemplate = { algorithm: Algorithm.EC_SIGN_P256_SHA256 }
  t.match(await create({ purpose: Purpose.ASYMMETRIC_SIGN, versionTemplate, nextRotationTime: future }), {
    status: 'INVALID_ARGUMENT',
  })
  t.equal((await client.get(kms.listCryptoKeys, { parent: RING })).totalSize, 0)
})

both("another cloud's rotation", async (t, client, gcp) => {
  const made = await gcp.run('aws', createKey, { ring: { by: 'default' }, spec: 'aes_256' })
  const rotate = { from: 'creation', duration: days(365) } as const
  const key = { by: 'id', id: made.key.id } as const
  await gcp.run('aws', setRotation, { key, kind: 'symmetric', policy: { rotate, anchor: 'schedule' } })
  const name = `${LOCATION}/keyRings/default/cryptoKeys/${made.key.id}`
  const shown = await client.get(kms.getCryptoKey, { name })
  t.equal(shown.rotationSchedule.value?.seconds, BigInt(365 * DAY))
  const updateMask = { paths: ['rotation_period', 'next_rotation_time'] }
  await client.get(kms.updateCryptoKey, { cryptoKey: { name }, updateMask })
  await gcp.advance(366 * DAY * 1000)
  t.equal((await client.get(kms.getCryptoKey, { name })).primary?.name, `${name}/cryptoKeyVersions/1`)
})
