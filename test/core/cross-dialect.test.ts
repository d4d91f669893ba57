/** The rules that make one hierarchy safe under three dialects (design section 1), over every ordered pair. */
import t from 'tap'
import { DIALECTS, type Dialect } from '../../src/core/key.ts'
import { cancelDeletion } from '../../src/core/ops/cancel-deletion.ts'
import { createKey } from '../../src/core/ops/create-key.ts'
import { decrypt } from '../../src/core/ops/decrypt.ts'
import { destroyVersion, restoreVersion } from '../../src/core/ops/destroy-version.ts'
import { encrypt } from '../../src/core/ops/encrypt.ts'
import { getKey } from '../../src/core/ops/get-key.ts'
import { purgeKey } from '../../src/core/ops/purge-key.ts'
import { putKey } from '../../src/core/ops/put-key.ts'
import { scheduleDeletion } from '../../src/core/ops/schedule-deletion.ts'
import { disableKey, enableKey } from '../../src/core/ops/set-key-enabled.ts'
import { setVersionEnabled } from '../../src/core/ops/set-version-enabled.ts'
import { sign } from '../../src/core/ops/sign.ts'
import { verify } from '../../src/core/ops/verify.ts'
import { makeKernel } from '../support/kernel.ts'

const DAY = 86_400_000
const DEFAULT = { by: 'default' } as const
const message = Buffer.from('trefoil')
const RSA = {
  ring: DEFAULT,
  name: 'k',
  spec: 'rsa_2048',
  defaultUses: ['sign', 'verify', 'encrypt', 'decrypt'],
} as const
const PAIRS = DIALECTS.flatMap((one) => DIALECTS.map((other) => [one, other] as const))

/** How each dialect turns a key off and on: as a whole, or by its current version. */
const SWITCH = {
  aws: { off: [disableKey, {}], on: [enableKey, {}] },
  azure: { off: [setVersionEnabled, { enabled: false }], on: [setVersionEnabled, { enabled: true }] },
  gcp: { off: [setVersionEnabled, { enabled: false }], on: [setVersionEnabled, { enabled: true }] },
} as const satisfies Record<Dialect, unknown>

for (const [maker, user] of PAIRS) {
  t.test(`a key made by ${maker} signs for ${user}`, async (t) => {
    const { run } = await makeKernel()
    const made = await run(maker, createKey, { ring: DEFAULT, name: 'shared', spec: 'ec_p256' })
    const key = { by: 'name', ring: DEFAULT, name: 'shared' } as const
    const signed = await run(user, sign, { key, algorithm: 'ecdsa_sha256', input: { message } })
    const { signature } = signed
    for (const verifier of DIALECTS) {
      const input = { key, algorithm: 'ecdsa_sha256', input: { message }, signature } as const
      t.ok((await run(verifier, verify, input)).valid, `${verifier} verifies`)
    }
    t.equal(signed.key.id, made.key.id)
  })

  t.test(`disabled by ${maker}, refused to ${user} from the next request, and back`, async (t) => {
    const { run, code } = await makeKernel()
    await run(maker, createKey, { ring: DEFAULT, name: 'k', spec: 'ec_p256' })
    const key = { by: 'name', ring: DEFAULT, name: 'k' } as const
    const request = { key, algorithm: 'ecdsa_sha256', input: { message } } as const
    t.equal(await code(run(user, sign, request)), 'ok')
    const [off, offInput] = SWITCH[maker].off
    await run(maker, off as typeof setVersionEnabled, { key, ...offInput } as never)
    t.equal(await code(run(user, sign, request)), maker === 'aws' ? 'key_disabled' : 'version_disabled')
    const [on, onInput] = SWITCH[user].on
    await run(user, on as typeof setVersionEnabled, { key, ...onInput } as never)
    t.equal(await code(run(maker, sign, request)), 'ok', `${user} may turn it on again`)
  })

  t.test(`deletion scheduled by ${maker} stops ${user}; the name stays taken until the purge`, async (t) => {
    const { run, code, advance } = await makeKernel()
    await run(maker, createKey, { ring: DEFAULT, name: 'k', spec: 'ec_p256' })
    const key = { by: 'name', ring: DEFAULT, name: 'k' } as const
    await run(maker, scheduleDeletion, { key, delay: 7 * DAY })
    const request = { key, algorithm: 'ecdsa_sha256', input: { message } } as const
    t.equal(await code(run(user, sign, request)), 'key_pending_deletion')
    t.equal(await code(run(user, createKey, { ring: DEFAULT, name: 'K', spec: 'ec_p256' })), 'key_deleted')
    t.equal(await code(run(user, restoreVersion, { key })), 'key_pending_deletion', 'docs/adr/007')
    t.equal(await code(run(user, destroyVersion, { key })), 'key_pending_deletion')
    const { purged } = await run(user, purgeKey, { key })
    t.equal(purged, maker === user, 'a purge waits for what another dialect asked')
    if (!purged) {
      await advance(7 * DAY - 1)
      t.equal(await code(run(user, getKey, { key })), 'ok')
      await advance(1)
    }
    t.equal(await code(run(maker, getKey, { key })), 'key_not_found')
    const again = await run(user, createKey, { ring: DEFAULT, name: 'k', spec: 'ec_p256' })
    t.equal(again.current?.number, 2, 'no version name is used twice')
  })
}

t.test('names in one ring are unique without regard to case, whoever asks', async (t) => {
  for (const [one, other] of PAIRS) {
    const { run, code } = await makeKernel()
    await run(one, createKey, { ring: DEFAULT, name: 'Mixed', spec: 'ec_p256' })
    t.equal(await code(run(other, createKey, { ring: DEFAULT, name: 'mIXED', spec: 'ec_p256' })), 'key_exists')
  }
})

t.test('UUID-shaped names are reserved; a key without a name answers to its UUID in every ring dialect', async (t) => {
  const { run, code } = await makeKernel()
  const { key } = await run('aws', createKey, { ring: DEFAULT, spec: 'ec_p256' })
  t.equal(key.name, key.id)
  const byName = { key: { by: 'name', ring: DEFAULT, name: key.id } } as const
  t.equal((await run('gcp', getKey, byName)).key.id, key.id)
  t.equal((await run('azure', getKey, byName)).key.id, key.id)
  const taken = { ring: DEFAULT, name: '6ba7b810-9dad-11d1-80b4-00c04fd430c8', spec: 'ec_p256' } as const
  t.equal(await code(run('gcp', createKey, taken)), 'name_reserved')
})

t.test('what is encrypted without context opens in another dialect; any context binds', async (t) => {
  const { run, code } = await makeKernel()
  await run('aws', createKey, { ring: DEFAULT, name: 'k', spec: 'aes_256' })
  const key = { by: 'name', ring: DEFAULT, name: 'k' } as const
  const { ciphertext } = await run('aws', encrypt, { key, algorithm: 'envelope', plaintext: message })
  const empty = { kind: 'bytes', bytes: new Uint8Array(0) } as const
  const opened = await run('gcp', decrypt, { key, algorithm: 'envelope', ciphertext, context: empty })
  t.same(Buffer.from(opened.plaintext), message)
  const bound = {
    key,
    algorithm: 'envelope',
    plaintext: message,
    context: { kind: 'map', entries: { a: 'bc' } },
  } as const
  const sealed = (await run('aws', encrypt, bound)).ciphertext
  const other = { key, algorithm: 'envelope', ciphertext: sealed } as const
  const moved = { kind: 'map', entries: { ab: 'c' } } as const
  t.equal(await code(run('aws', decrypt, { ...other, context: moved })), 'invalid_ciphertext')
  t.equal(await code(run('gcp', decrypt, other)), 'invalid_ciphertext')
  t.equal(await code(run('aws', decrypt, { ...other, context: bound.context })), 'ok')
})

t.test('AWS signs with the current version, verifies and decrypts with any enabled one', async (t) => {
  const { run, code, audit } = await makeKernel()
  await run('azure', putKey, RSA)
  const opener = { ...RSA, name: 'opener', uses: ['encrypt', 'decrypt'] } as const
  await run('azure', putKey, opener)
  const key = { by: 'name', ring: DEFAULT, name: 'k' } as const
  const request = { key, algorithm: 'rsa_pss_sha256', input: { message } } as const
  const first = await run('aws', sign, request)
  const asked = { key: { ...key, name: 'opener' }, algorithm: 'rsa_oaep_sha256' } as const
  const { ciphertext } = await run('azure', encrypt, { ...asked, plaintext: message })
  await run('azure', putKey, RSA)
  await run('azure', putKey, opener)
  t.equal((await run('aws', sign, request)).version.number, 2)
  const old = { ...request, signature: first.signature } as const
  t.ok((await run('aws', verify, old)).valid)
  t.match(audit.records.at(-1), { operation: 'Verify', version: 1 }, 'the record names the version that it was')
  t.equal((await run('aws', decrypt, { ...asked, ciphertext })).version.number, 1)
  t.match(audit.records.at(-1), { operation: 'Decrypt', version: 1 })
  const both = await run('azure', encrypt, { key, algorithm: 'rsa_oaep_sha256', plaintext: message })
  const other = { key, algorithm: 'rsa_oaep_sha256', ciphertext: both.ciphertext } as const
  t.equal(await code(run('aws', decrypt, other)), 'usage_mismatch', 'sign before decrypt: AWS knows one use')
  for (const each of [key, asked.key]) {
    await run('gcp', setVersionEnabled, { key: each, version: { by: 'number', number: 1 }, enabled: false })
  }
  t.notOk((await run('aws', verify, old)).valid, 'a disabled version verifies nothing')
  t.equal(await code(run('aws', decrypt, { ...asked, ciphertext })), 'invalid_ciphertext')
})

t.test('a version disabled through Azure still encrypts and verifies there, and nowhere else', async (t) => {
  const { run, code } = await makeKernel()
  await run('azure', putKey, RSA)
  const key = { by: 'name', ring: DEFAULT, name: 'k' } as const
  const sealed = { key, algorithm: 'rsa_oaep_sha256', plaintext: message } as const
  await run('azure', setVersionEnabled, { key, enabled: false })
  t.equal(await code(run('azure', encrypt, sealed)), 'ok')
  t.equal(await code(run('azure', sign, { key, algorithm: 'rsa_pss_sha256', input: { message } })), 'version_disabled')
  t.equal(await code(run('aws', encrypt, sealed)), 'version_disabled')
  await run('azure', setVersionEnabled, { key, enabled: true })
  await run('gcp', setVersionEnabled, { key, enabled: false })
  t.equal(await code(run('azure', encrypt, sealed)), 'version_disabled', 'only for its own doing')
})

t.test('AWS recovers to disabled, Azure to what the key was', async (t) => {
  for (const [restore, state] of [
    ['disabled', 'disabled'],
    ['previous', 'enabled'],
  ] as const) {
    const { run } = await makeKernel()
    await run('aws', createKey, { ring: DEFAULT, name: 'k', spec: 'ec_p256' })
    const key = { by: 'name', ring: DEFAULT, name: 'k' } as const
    await run('aws', scheduleDeletion, { key })
    t.equal((await run('azure', cancelDeletion, { key, restore })).key.state, state)
  }
})

t.test('a destroyed version is gone for all, and its key unavailable in AWS', async (t) => {
  const { run, code, advance } = await makeKernel()
  await run('gcp', createKey, { ring: DEFAULT, name: 'k', spec: 'aes_256', destroyDelay: DAY })
  const key = { by: 'name', ring: DEFAULT, name: 'k' } as const
  const { ciphertext } = await run('gcp', encrypt, { key, algorithm: 'envelope', plaintext: message })
  await run('gcp', destroyVersion, { key, version: { by: 'number', number: 1 } })
  t.equal(await code(run('aws', decrypt, { key, algorithm: 'envelope', ciphertext })), 'version_state')
  await run('gcp', restoreVersion, { key, version: { by: 'number', number: 1 } })
  await run('gcp', destroyVersion, { key, version: { by: 'number', number: 1 } })
  await advance(DAY)
  t.equal(await code(run('aws', decrypt, { key, algorithm: 'envelope', ciphertext })), 'version_destroyed')
  t.equal(await code(run('gcp', restoreVersion, { key, version: { by: 'number', number: 1 } })), 'version_state')
  t.equal(await code(run('aws', enableKey, { key })), 'key_unavailable')
})
