/** Re-encryption: each key answers for itself, one record tells of both, and the plaintext stays inside. */
import { randomBytes } from 'node:crypto'
import t from 'tap'
import type { KeySpec, KeyUse } from '../../src/core/algorithm.ts'
import { createKey } from '../../src/core/ops/create-key.ts'
import { decrypt } from '../../src/core/ops/decrypt.ts'
import { encrypt } from '../../src/core/ops/encrypt.ts'
import { getLastUse } from '../../src/core/ops/get-last-use.ts'
import { type ReEncryptInput, reEncrypt } from '../../src/core/ops/re-encrypt.ts'
import { rotateKey } from '../../src/core/ops/rotate-key.ts'
import { disableKey } from '../../src/core/ops/set-key-enabled.ts'
import type { AccessRequest } from '../../src/core/ports.ts'
import { type KernelOptions, makeKernel, type TestKernel } from '../support/kernel.ts'

const DEFAULT = { by: 'default' } as const
const plaintext = Buffer.from('attack at dawn')
const A = { kind: 'map', entries: { a: 'b' } } as const
const B = { kind: 'map', entries: { c: 'd' } } as const
const EMPTY = { kind: 'map', entries: {} } as const

const make = async ({ run }: TestKernel, spec: KeySpec = 'aes_256', uses?: readonly KeyUse[]) => {
  const { key } = await run('azure', createKey, { ring: DEFAULT, spec, uses })
  return { by: 'id', id: key.id } as const
}

/** Two envelope keys, and what the first one sealed under context A. */
async function makePair(options: KernelOptions = {}) {
  const core = await makeKernel(options)
  const [one, two] = [await make(core), await make(core)]
  const sealed = { key: one, algorithm: 'envelope', plaintext, context: A } as const
  const { ciphertext } = await core.run('aws', encrypt, sealed)
  const source = { algorithm: 'envelope', ciphertext, context: A } as const
  const destination = { key: two, algorithm: 'envelope', context: B } as const
  core.audit.records.length = 0
  return { ...core, one, two, source, destination }
}

t.test('one record tells of both keys', async (t) => {
  const { run, audit, one, two, source, destination } = await makePair()
  await run('aws', rotateKey, { key: two, kind: 'symmetric' })
  audit.records.length = 0
  const output = await run('aws', reEncrypt, { source, destination })
  t.equal(output.source.key.id, one.id)
  t.equal(output.destination.key.id, two.id)
  const [record, ...others] = audit.records
  t.same(others, [])
  t.match(record, {
    operation: 'ReEncrypt',
    action: 're-encrypt',
    key: two.id,
    version: 2,
    sourceKey: one.id,
    sourceVersion: 1,
    algorithm: 'envelope_hmac_kdf',
    decision: 'allow',
    outcome: 'ok',
  })
  t.notMatch(JSON.stringify(record), plaintext.toString('base64'))
  const again = { key: two, algorithm: 'envelope', ciphertext: output.ciphertext, context: B } as const
  t.same(Buffer.from((await run('aws', decrypt, again)).plaintext), plaintext)
})

t.test('both contexts bind', async (t) => {
  const { run, code, source, destination } = await makePair()
  for (const context of [B, EMPTY, undefined]) {
    t.equal(await code(run('aws', reEncrypt, { source: { ...source, context }, destination })), 'invalid_ciphertext')
  }
  const { ciphertext } = await run('aws', reEncrypt, { source, destination })
  for (const context of [A, EMPTY, undefined]) {
    t.equal(await code(run('aws', decrypt, { algorithm: 'envelope', ciphertext, context })), 'invalid_ciphertext')
  }
})

t.test('the source is found by its ciphertext, and has to be the key that was named', async (t) => {
  const { run, code, one, two, source, destination } = await makePair()
  t.equal(await code(run('aws', reEncrypt, { source: { ...source, key: one }, destination })), 'ok')
  t.equal(await code(run('aws', reEncrypt, { source: { ...source, key: two }, destination })), 'incorrect_key')
  const cut = { ...source, ciphertext: source.ciphertext.subarray(1) }
  t.equal(await code(run('aws', reEncrypt, { source: cut, destination })), 'invalid_ciphertext')
  t.equal(await code(run('aws', reEncrypt, { source: { ...cut, key: one }, destination })), 'invalid_ciphertext')
  const absent = { ...destination, key: { by: 'id', id: '6ba7b810-9dad-11d1-80b4-00c04fd430c8' } } as const
  t.equal(await code(run('aws', reEncrypt, { source, destination: absent })), 'key_not_found')
})

t.test('either key is decided on by an action of its own', async (t) => {
  const asked: (readonly [string, string | undefined])[] = []
  let refuses = ''
  const decide = ({ action, key }: AccessRequest) => {
    asked.push([action, key?.id])
    return action === refuses ? ({ allow: false, reason: 'test' } as const) : ({ allow: true } as const)
  }
  const { run, code, audit, one, two, source, destination } = await makePair({ decide })
  asked.length = 0
  await run('aws', reEncrypt, { source, destination })
  t.same(asked, [
    ['re-encrypt-from', one.id],
    ['re-encrypt-to', two.id],
  ])
  for (const action of ['re-encrypt-from', 're-encrypt-to']) {
    refuses = action
    audit.records.length = 0
    t.equal(await code(run('aws', reEncrypt, { source, destination })), 'access_denied')
    t.match(audit.records, [{ decision: 'deny', outcome: 'access_denied' }])
    t.equal(audit.records.length, 1, action)
  }
})

t.test('either key needs its own use', async (t) => {
  const core = await makeKernel()
  const { run, code } = core
  const [opens, seals] = [await make(core, 'rsa_2048', ['decrypt']), await make(core, 'rsa_2048', ['encrypt'])]
  const [both, signs] = [await make(core), await make(core, 'ec_p256')]
  const sealed = await run('aws', encrypt, { key: both, algorithm: 'envelope', plaintext })
  const from = { algorithm: 'envelope', ciphertext: sealed.ciphertext } as const
  const into = (key: typeof both, algorithm: 'envelope' | 'rsa_oaep_sha256') => ({ key, algorithm })
  const attempt = (source: ReEncryptInput['source'], destination: ReEncryptInput['destination']) =>
    code(run('azure', reEncrypt, { source, destination }))
  t.equal(await attempt(from, into(seals, 'rsa_oaep_sha256')), 'ok')
  t.equal(await attempt(from, into(opens, 'rsa_oaep_sha256')), 'usage_mismatch')
  t.equal(await attempt(from, into(signs, 'envelope')), 'usage_mismatch')
  t.equal(await attempt(from, into(both, 'rsa_oaep_sha256')), 'algorithm_mismatch')
  const foreign = { key: seals, algorithm: 'rsa_oaep_sha256', ciphertext: randomBytes(256) } as const
  t.equal(await attempt(foreign, into(both, 'envelope')), 'usage_mismatch')
  t.equal(await attempt({ ...foreign, key: opens }, into(both, 'envelope')), 'invalid_ciphertext')
})

t.test('from and to RSA, up to what fits', async (t) => {
  const core = await makePair()
  const { run, code, two, source } = core
  const rsa = await make(core, 'rsa_2048', ['encrypt', 'decrypt'])
  const destination = { key: rsa, algorithm: 'rsa_oaep_sha256' } as const
  const { ciphertext } = await run('aws', reEncrypt, { source, destination })
  t.equal(ciphertext.length, 256)
  const back = { source: { ...destination, ciphertext }, destination: { key: two, algorithm: 'envelope' } } as const
  const output = await run('aws', reEncrypt, back)
  const opened = await run('aws', decrypt, { algorithm: 'envelope', ciphertext: output.ciphertext })
  t.same(Buffer.from(opened.plaintext), plaintext)
  for (const [length, expected] of [
    [190, 'ok'],
    [191, 'plaintext_too_large'],
  ] as const) {
    const long = await run('aws', encrypt, { key: two, algorithm: 'envelope', plaintext: randomBytes(length) })
    const from = { algorithm: 'envelope', ciphertext: long.ciphertext } as const
    t.equal(await code(run('aws', reEncrypt, { source: from, destination })), expected, `${length} bytes`)
  }
})

t.test('a disabled key neither gives nor takes, and a dry run says so too', async (t) => {
  for (const side of ['one', 'two'] as const) {
    const { run, code, audit, source, destination, ...keys } = await makePair()
    await run('aws', disableKey, { key: keys[side] })
    for (const dryRun of [false, true]) {
      t.equal(await code(run('aws', reEncrypt, { source, destination, dryRun })), 'key_disabled', side)
      t.match(audit.records.at(-1), { operation: 'ReEncrypt', key: keys[side].id, outcome: 'key_disabled' })
    }
  }
})

t.test('a dry run makes nothing', async (t) => {
  const { run, audit, one, two, source, destination } = await makePair()
  const output = await run('aws', reEncrypt, { source, destination, dryRun: true })
  t.equal(output.ciphertext.length, 0)
  t.match(audit.records, [{ operation: 'ReEncrypt', sourceKey: one.id, key: two.id, outcome: 'ok' }])
})

t.test('it is a use of both keys', async (t) => {
  const { run, clock, one, two, source, destination } = await makePair()
  const last = async (key: typeof one) => (await run('aws', getLastUse, { key })).lastUse
  await run('aws', reEncrypt, { source, destination, dryRun: true })
  t.match(await last(one), { wire: 'Encrypt' })
  t.equal(await last(two), undefined)
  clock.time += 1000
  await run('aws', reEncrypt, { source, destination })
  t.match(await last(one), { wire: 'ReEncrypt', use: 'decrypt', at: clock.now() })
  t.match(await last(two), { wire: 'ReEncrypt', use: 'encrypt', at: clock.now() })
})
