/** Limits set in one dialect bind in all (design section 1): dates, algorithms, retention, rotation; over every ordered pair. */
import t from 'tap'
import { DIALECTS } from '../../src/core/key.ts'
import { createAlias, listAliases } from '../../src/core/ops/aliases.ts'
import { backupKey } from '../../src/core/ops/backup-key.ts'
import { createKey } from '../../src/core/ops/create-key.ts'
import { createVersion } from '../../src/core/ops/create-version.ts'
import { decrypt } from '../../src/core/ops/decrypt.ts'
import { deleteKey } from '../../src/core/ops/delete-key.ts'
import { deleteVersion } from '../../src/core/ops/delete-version.ts'
import { destroyVersion } from '../../src/core/ops/destroy-version.ts'
import { encrypt } from '../../src/core/ops/encrypt.ts'
import { getKey } from '../../src/core/ops/get-key.ts'
import { importKey } from '../../src/core/ops/import-key.ts'
import { purgeKey } from '../../src/core/ops/purge-key.ts'
import { putKey } from '../../src/core/ops/put-key.ts'
import { restoreKey } from '../../src/core/ops/restore-key.ts'
import { createRing } from '../../src/core/ops/rings.ts'
import { rotateKey } from '../../src/core/ops/rotate-key.ts'
import { scheduleDeletion } from '../../src/core/ops/schedule-deletion.ts'
import { setRotation } from '../../src/core/ops/set-rotation.ts'
import { sign } from '../../src/core/ops/sign.ts'
import { verify } from '../../src/core/ops/verify.ts'
import { days } from '../../src/core/rotation.ts'
import { Secret } from '../../src/core/secret.ts'
import { makeKernel } from '../support/kernel.ts'

const DAY = 86_400_000
const ring = { by: 'default' } as const
const key = { by: 'name', ring, name: 'k' } as const
const message = Buffer.from('trefoil')
const PAIRS = DIALECTS.flatMap((one) => DIALECTS.map((other) => [one, other] as const))

for (const [maker, user] of PAIRS) {
  t.test(
    `dates given by ${maker} bind ${user}: nothing new outside them, what is there can still be checked`,
    async (t) => {
      const { run, code, clock } = await makeKernel()
      const version = { notBefore: clock.now() + DAY, expiresAt: clock.now() + 2 * DAY }
      await run(maker, createKey, { ring, name: 'k', spec: 'ec_p256', version })
      const request = { key, algorithm: 'ecdsa_sha256', input: { message } } as const
      t.equal(await code(run(user, sign, request)), 'key_not_yet_valid')
      clock.time += DAY
      const { signature } = await run(user, sign, request)
      clock.time += DAY
      t.equal(await code(run(user, sign, request)), 'key_expired')
      t.ok((await run(user, verify, { ...request, signature })).valid)
    },
  )

  t.test(`algorithms that ${maker} allowed are all that ${user} gets`, async (t) => {
    const { run, code } = await makeKernel()
    const version = { algorithms: ['rsa_pss_sha256'] } as const
    await run(maker, createKey, { ring, name: 'k', spec: 'rsa_2048', purpose: 'sign_verify', version })
    const request = { key, input: { message } } as const
    t.equal(await code(run(user, sign, { ...request, algorithm: 'rsa_pss_sha256' })), 'ok')
    for (const algorithm of ['rsa_pss_sha512', 'rsa_pkcs1_sha256'] as const) {
      t.equal(await code(run(user, sign, { ...request, algorithm })), 'algorithm_mismatch', algorithm)
    }
  })

  t.test(`a deletion is due at the latest of what ${maker} and ${user} asked`, async (t) => {
    const { run, code, advance, clock } = await makeKernel()
    const start = clock.now()
    await run(maker, createKey, { ring, name: 'k', spec: 'aes_256', destroyDelay: 30 * DAY })
    await run(maker, destroyVersion, { key })
    const { key: deleted } = await run(user, scheduleDeletion, { key, delay: 7 * DAY })
    t.equal(deleted.deletion?.dueAt, start + 30 * DAY)
    await advance(8 * DAY)
    t.equal(await code(run(user, getKey, { key })), 'ok')
    if (maker !== user) {
      t.notOk((await run(maker, purgeKey, { key })).purged, `a purge by ${maker} waits for what ${user} asked`)
    }
    await advance(22 * DAY)
    for (const dialect of DIALECTS) t.equal(await code(run(dialect, getKey, { key })), 'key_not_found')
  })

  t.test(`what ${maker} rotates is current for ${user}, and what was sealed before opens`, async (t) => {
    const { run, advance, failures } = await makeKernel()
    await run(maker, createKey, { ring, name: 'k', spec: 'aes_256' })
    const request = { key, algorithm: 'envelope', plaintext: message } as const
    const { ciphertext } = await run(user, encrypt, request)
    await run(maker, rotateKey, { key, kind: 'symmetric' })
    t.equal((await run(user, encrypt, request)).version.number, 2)
    const policy = { rotate: { from: 'creation', duration: days(90) }, anchor: 'schedule' } as const
    await run(maker, setRotation, { key, kind: 'symmetric', policy })
    await advance(91 * DAY)
    t.equal((await run(user, encrypt, request)).version.number, 3)
    await run(user, setRotation, { key, kind: 'symmetric' })
    await advance(400 * DAY)
    t.equal((await run(maker, getKey, { key })).key.current, 3, `${user} ended it for both`)
    t.same(Buffer.from((await run(user, decrypt, { key, algorithm: 'envelope', ciphertext })).plaintext), message)
    t.same(failures, [])
  })

  t.test(`a version that ${maker} adds without making it current leaves ${user} with the old one`, async (t) => {
    const { run } = await makeKernel()
    await run(maker, createKey, { ring, name: 'k', spec: 'aes_256' })
    await run(maker, createVersion, { key, makeCurrent: false })
    const { version } = await run(user, encrypt, { key, algorithm: 'envelope', plaintext: message })
    t.equal(version.number, 1)
  })
}

for (const [maker, user] of PAIRS) {
  t.test(`no rotation by ${user} makes material for a key that ${maker} imported`, async (t) => {
    const { run, code } = await makeKernel()
    const bytes = Buffer.alloc(32, 7)
    const imported = async (name: string) =>
      run(maker, importKey, {
        ring,
        name,
        spec: 'aes_256',
        defaultUses: ['encrypt', 'decrypt'],
        material: new Secret(Uint8Array.from(bytes)),
      })
    const { key: row, current } = await imported('k')
    t.equal(row.origin, 'imported')
    t.equal((await imported('l')).current?.materialId, current?.materialId, 'the same bytes have the same material id')
    t.equal(await code(run(user, rotateKey, { key, kind: 'any' })), 'unsupported_operation')
    const policy = { rotate: { from: 'creation', duration: days(90) }, anchor: 'schedule' } as const
    t.equal(await code(run(user, setRotation, { key, kind: 'any', policy })), 'unsupported_operation')
    t.not(await code(run(user, createVersion, { key, makeCurrent: true })), 'ok')
    t.equal((await run(user, getKey, { key })).key.versionCounter, 1)
  })
}

t.test('a name that GCP retired is refused everywhere, in any case and by any way of making a key', async (t) => {
  for (const maker of DIALECTS) {
    const { run, code, advance, store } = await makeKernel()
    await run(maker, createKey, { ring, name: 'k', spec: 'aes_256', destroyDelay: DAY })
    const { blob } = await run('azure', backupKey, { key })
    await run('gcp', destroyVersion, { key })
    await advance(DAY)
    await run('gcp', deleteVersion, { key, version: { by: 'number', number: 1 } })
    t.equal(await code(run(maker, createKey, { ring, name: 'k', spec: 'aes_256' })), 'key_exists', 'it is there still')
    t.equal((await run('gcp', createVersion, { key, makeCurrent: true })).version.number, 2, 'no number comes again')
    await run('gcp', destroyVersion, { key })
    t.equal(await code(run('gcp', deleteKey, { key })), 'key_has_versions')
    await advance(DAY)
    await run('gcp', deleteVersion, { key })
    const { tombstone: retired } = await run('gcp', deleteKey, { key })
    for (const dialect of DIALECTS) {
      t.equal(await code(run(dialect, getKey, { key })), 'key_not_found', dialect)
      for (const name of ['k', 'K']) {
        const wanted = { ring, name, spec: 'aes_256', defaultUses: ['encrypt', 'decrypt'] } as const
        const material = new Secret(Uint8Array.from(Buffer.alloc(32, 7)))
        t.equal(await code(run(dialect, createKey, wanted)), 'name_reserved', `${dialect} create ${name}`)
        t.equal(await code(run(dialect, putKey, wanted)), 'name_reserved', `${dialect} put ${name}`)
        t.equal(
          await code(run(dialect, importKey, { ...wanted, material })),
          'name_reserved',
          `${dialect} import ${name}`,
        )
      }
      t.equal(
        await code(run(dialect, createKey, { ring, name: 'l', spec: 'aes_256' })),
        dialect === 'aws' ? 'ok' : 'key_exists',
      )
    }
    t.equal(await code(run('azure', restoreKey, { ring, blob })), 'name_reserved', 'restore')
    await run('gcp', createRing, { name: 'other', shared: true })
    const elsewhere = await run('azure', restoreKey, { ring: { by: 'name', name: 'other' }, blob })
    t.not(elsewhere.key.id, retired.id, 'what was deleted for good comes back under another id, in another ring')
    t.equal(await store.count('keys', 'realm', []), 2, 'nothing else was made')
  }
})

t.test('aliases are AWS’s pointers and no names: a key may have the name that an alias has', async (t) => {
  const { run, code } = await makeKernel()
  const { key: first } = await run('aws', createKey, { ring, spec: 'aes_256' })
  await run('aws', createAlias, { key: { by: 'id', id: first.id }, alias: 'alias/k' })
  for (const dialect of ['gcp', 'azure'] as const) t.equal(await code(run(dialect, getKey, { key })), 'key_not_found')
  const { key: second } = await run('gcp', createKey, { ring, name: 'k', spec: 'aes_256' })
  t.equal((await run('aws', getKey, { key: { by: 'alias', name: 'alias/k' } })).key.id, first.id)
  t.equal((await run('azure', getKey, { key })).key.id, second.id)
  t.equal((await run('aws', listAliases, { limit: 10 })).aliases.length, 1)
})
