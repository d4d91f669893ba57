/** Keys of several realms with one material, under three dialects: what is shared binds in all, what is a key's own stays its own. */
import t from 'tap'
import { DIALECTS } from '../../src/core/key.ts'
import { backupKey } from '../../src/core/ops/backup-key.ts'
import { createKey } from '../../src/core/ops/create-key.ts'
import { createVersion } from '../../src/core/ops/create-version.ts'
import { decrypt } from '../../src/core/ops/decrypt.ts'
import { destroyVersion } from '../../src/core/ops/destroy-version.ts'
import { encrypt } from '../../src/core/ops/encrypt.ts'
import { getKey } from '../../src/core/ops/get-key.ts'
import { purgeKey } from '../../src/core/ops/purge-key.ts'
import { replicateKey } from '../../src/core/ops/replicate-key.ts'
import { rotateKey } from '../../src/core/ops/rotate-key.ts'
import { scheduleDeletion } from '../../src/core/ops/schedule-deletion.ts'
import { setCurrent } from '../../src/core/ops/set-current.ts'
import { setRotation } from '../../src/core/ops/set-rotation.ts'
import { setVersionEnabled } from '../../src/core/ops/set-version-enabled.ts'
import { updatePrimary } from '../../src/core/ops/update-primary.ts'
import type { KeyReference, RealmAddress } from '../../src/core/reference.ts'
import { days } from '../../src/core/rotation.ts'
import { makeKernel, type TestKernel } from '../support/kernel.ts'

const DAY = 86_400_000
const ring = { by: 'default' } as const
const plaintext = Buffer.from('trefoil')
const WEST = { dialect: 'aws', account: '000000000000', region: 'us-west-2' } as const satisfies RealmAddress
const PAIRS = DIALECTS.flatMap((one) => DIALECTS.map((other) => [one, other] as const))

/** A primary in the built-in realm that every dialect knows by name, and its replica in a realm that is AWS's alone. */
async function makeSet({ run, due }: TestKernel) {
  const { key: made } = await run('aws', createKey, {
    ring,
    name: 'k',
    spec: 'aes_256',
    multiRegion: true,
    destroyDelay: DAY,
  })
  const key: KeyReference = { by: 'name', ring, name: 'k' }
  const { key: row, realm } = await run('aws', replicateKey, { key, realm: WEST })
  await due.settle()
  const replica = { by: 'id', id: row.id } as const
  return { key, replica, id: made.multiRegion?.id, there: { realm: WEST }, realm }
}

for (const [one, other] of PAIRS) {
  t.test(`what ${one} does to the primary, and what ${other} finds`, async (t) => {
    const kernel = await makeKernel()
    const { run, code, advance, failures } = kernel
    const { key, replica, there } = await makeSet(kernel)
    const { ciphertext } = await run(one, encrypt, { key, algorithm: 'envelope', plaintext })
    const opening = { key: replica, algorithm: 'envelope', ciphertext } as const
    t.same(Buffer.from((await run('aws', decrypt, opening, there)).plaintext), plaintext)
    await run(one, rotateKey, { key, kind: 'any' })
    await run(other, rotateKey, { key, kind: 'any' })
    const { key: follower } = await run('aws', getKey, { key: replica }, there)
    t.equal(follower.current, 3, 'rotations are shared')
    const policy = { rotate: { from: 'creation', duration: days(90) }, anchor: 'schedule' } as const
    await run(one, setRotation, { key, kind: 'symmetric', policy })
    await advance(90 * DAY)
    const sealed = await run(other, encrypt, { key, algorithm: 'envelope', plaintext })
    t.equal(sealed.version.number, 4)
    const late = { ...opening, ciphertext: sealed.ciphertext }
    t.same(Buffer.from((await run('aws', decrypt, late, there)).plaintext), plaintext)
    await run(one, createVersion, { key, makeCurrent: false })
    await run('gcp', setCurrent, { key, version: { by: 'number', number: 1 } })
    const moved = (await run('aws', getKey, { key: replica }, there)).key
    t.same([moved.current, moved.versionCounter], [1, 5])

    const version = { by: 'number', number: 1 } as const
    await run(one, setVersionEnabled, { key, version, enabled: false })
    t.equal(await code(run(other, decrypt, { key, algorithm: 'envelope', ciphertext })), 'version_disabled')
    t.equal(await code(run('aws', decrypt, opening, there)), 'ok', 'a state is a key’s own')
    await run(one, destroyVersion, { key, version })
    await advance(DAY)
    t.equal(await code(run(other, decrypt, { key, algorithm: 'envelope', ciphertext })), 'version_destroyed')
    t.equal(await code(run('aws', decrypt, opening, there)), 'ok', 'and so is its hold on the material')

    await run(one, scheduleDeletion, { key, delay: 7 * DAY })
    t.equal(await code(run(other, encrypt, { key, algorithm: 'envelope', plaintext })), 'key_pending_deletion')
    t.equal(
      await code(run(other, purgeKey, { key })),
      'key_not_pending_deletion',
      'nobody purges it before its replicas',
    )
    await advance(100 * DAY)
    t.equal(await code(run('aws', decrypt, late, there)), 'ok')
    await run('aws', scheduleDeletion, { key: replica, delay: 7 * DAY }, there)
    await advance(7 * DAY)
    t.equal((await run(other, getKey, { key })).key.state, 'pending_deletion')
    await advance(7 * DAY)
    t.equal(await code(run(other, getKey, { key })), 'key_not_found')
    t.same(failures, [])
  })
}

t.test('no dialect rotates a replica, or backs up one of a set', async (t) => {
  const kernel = await makeKernel()
  const { run, code } = kernel
  const { key, there } = await makeSet(kernel)
  await run('aws', updatePrimary, { key, realm: WEST })
  await kernel.due.settle()
  for (const dialect of DIALECTS) {
    t.equal(await code(run(dialect, rotateKey, { key, kind: 'any' })), 'not_primary')
    t.equal(await code(run(dialect, createVersion, { key, makeCurrent: true })), 'not_primary')
    t.equal(await code(run(dialect, setRotation, { key, kind: 'symmetric' })), 'not_primary')
    t.equal(await code(run(dialect, backupKey, { key })), 'unsupported_operation')
  }
  t.equal(await code(run('gcp', setCurrent, { key, version: { by: 'number', number: 1 } })), 'not_primary')
  t.equal(await code(run('aws', getKey, { key: { by: 'multi_region', id: 'mrk-0' } }, there)), 'key_not_found')
})

t.test('a key in a token is the same object for all of its set, and goes with the last of them', async (t) => {
  const destroyed: string[] = []
  const kernel = await makeKernel({
    wrapBackend: (backend) =>
      new Proxy(backend, {
        get(target, name) {
          if (name === 'destroyKey') {
            return async (handle: { versionId: string }, ctx: never) => {
              destroyed.push(handle.versionId)
              return target.destroyKey(handle as never, ctx)
            }
          }
          const member: unknown = Reflect.get(target, name, target)
          return typeof member === 'function' ? member.bind(target) : member
        },
      }),
  })
  const { run, advance } = kernel
  const { key, replica, there } = await makeSet(kernel)
  const { current } = await run('aws', getKey, { key })
  await run('aws', updatePrimary, { key, realm: WEST })
  await kernel.due.settle()
  await run('aws', scheduleDeletion, { key, delay: 7 * DAY })
  await advance(7 * DAY)
  t.same(destroyed, [], 'where it was made is gone, the other holds it')
  await run('aws', scheduleDeletion, { key: replica, delay: 7 * DAY }, there)
  await advance(7 * DAY)
  t.same(destroyed, [current?.id], 'under the name that it was made by')
})
