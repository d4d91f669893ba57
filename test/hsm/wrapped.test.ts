import { randomBytes } from 'node:crypto'
import t from 'tap'
import { type KeySpec, specRow } from '../../src/core/algorithm.ts'
import type { KeyHandle } from '../../src/core/ports.ts'
import { Secret } from '../../src/core/secret.ts'
import { openPkcs11Backend, type Pkcs11Backend } from '../../src/hsm/pkcs11.ts'
import { probeToken } from '../../src/hsm/probe.ts'
import { callContext, equal, newHome, refusal } from '../conformance/backend.ts'
import { makeShimmedHsm, shimMissing } from '../support/shim.ts'
import { backendOn, makeSoftHsm, type SoftHsm, softHsmMissing } from '../support/softhsm.ts'
import { ATTRIBUTE, dump, exposure } from '../support/token-objects.ts'

const options = softHsmMissing === undefined ? {} : { skip: softHsmMissing }
const shimmed = (softHsmMissing ?? shimMissing) === undefined ? {} : { skip: softHsmMissing ?? shimMissing ?? false }

const configOf = (hsm: SoftHsm, keyStorage: 'token' | 'wrapped' = 'wrapped') => backendOn(hsm, { keyStorage })

async function makeKey(backend: Pkcs11Backend, spec: KeySpec = 'hmac_256'): Promise<KeyHandle> {
  const home = newHome()
  const { ref } = await backend.generateKey(spec, home, callContext())
  return { ...home, spec, ref }
}
const mac = (backend: Pkcs11Backend, handle: KeyHandle) =>
  backend.mac(handle, 'hmac_sha256', Buffer.from('a message'), callContext())

t.test('what stays in the token', options, async (t) => {
  const hsm = await makeSoftHsm()
  t.teardown(() => hsm.close())
  t.equal((await probeToken(configOf(hsm))).ok, true, 'probed')
  t.same(await dump(hsm), [], 'probing leaves nothing')
  const backend = await openPkcs11Backend(configOf(hsm))
  t.teardown(() => backend.close())
  const material = randomBytes(32)
  for (const spec of ['aes_256', 'ec_p256', 'rsa_2048', 'hmac_512'] as const) await makeKey(backend, spec)
  await backend.importKey('hmac_256', new Secret(Uint8Array.from(material)), newHome(), callContext())
  const objects = await dump(hsm)
  const labels = objects.map(({ attributes }) => Buffer.from(attributes[ATTRIBUTE.label] ?? '', 'hex').toString())
  t.same(labels.sort(), ['trefoil-bind', 'trefoil-wrap'], 'the keys that wrap and bind, and no others')
  for (const object of objects) t.equal(exposure(object, [material.toString('hex')]), undefined, 'neither can be had')
})

t.test('what can not be wrapped is not made', options, async (t) => {
  const hsm = await makeSoftHsm()
  const backend = await openPkcs11Backend(configOf(hsm))
  t.teardown(async () => {
    await backend.close()
    await hsm.close()
  })
  const { profile } = backend.client
  const unwrapped = profile?.gaps.filter(({ reason }) => reason === 'wrap').map(({ spec }) => spec)
  t.same([...new Set(unwrapped)], ['ed25519', 'x25519'], 'SoftHSM 2.6 wraps no Edwards keys')
  t.equal(await refusal(makeKey(backend, 'ed25519')), 'unsupported_spec')
  t.equal(backend.supports('ed25519', 'ed25519'), false)
})

t.test('a wrapped key is bound to its place', options, async (t) => {
  const hsm = await makeSoftHsm()
  const backend = await openPkcs11Backend(configOf(hsm))
  t.teardown(async () => {
    await backend.close()
    await hsm.close()
  })
  const [one, other] = [await makeKey(backend), await makeKey(backend)]
  // The wrapped key is what follows format, class, home, serial, CKA_ID, wrapping key, mechanism and tag.
  const bodyAt = 12 + (one.ref[10] ?? 0) + 16 + 16 + 4 + 32 - 1
  const swap = (from: number): KeyHandle => ({
    ...one,
    ref: Buffer.concat([one.ref.subarray(0, from), other.ref.subarray(from)]),
  })
  t.equal(await refusal(mac(backend, swap(bodyAt))), 'internal', "another's wrapped key behind one's own tag")
  t.equal(await refusal(mac(backend, swap(11 + (one.ref[10] ?? 0)))), 'internal', 'all but the home of another')
  for (const at of [bodyAt, one.ref.length - 1, bodyAt - 1, bodyAt - 33]) {
    const ref = Uint8Array.from(one.ref, (byte, i) => (i === at ? byte ^ 1 : byte))
    t.equal(await refusal(mac(backend, { ...one, ref })), 'internal', `byte ${at} changed`)
  }
  t.equal((await mac(backend, one)).length, 32, 'as it was made it works')
})

t.test('more keys than are kept unwrapped, and a child that dies', options, async (t) => {
  const hsm = await makeSoftHsm()
  const backend = await openPkcs11Backend(configOf(hsm))
  t.teardown(async () => {
    await backend.close()
    await hsm.close()
  })
  const keys: KeyHandle[] = []
  while (keys.length < 300) keys.push(...(await Promise.all(Array.from({ length: 100 }, () => makeKey(backend)))))
  const macAll = async () => {
    const tags: Uint8Array[] = []
    for (const key of keys) tags.push(await mac(backend, key))
    return tags
  }
  const macs = await macAll()
  t.equal(new Set(macs.map((tag) => Buffer.from(tag).toString('hex'))).size, 300, 'no two alike')
  const again = await macAll()
  t.ok(
    again.every((tag, i) => equal(tag, macs[i] ?? new Uint8Array())),
    'the same again after some made room',
  )
  const { pid } = backend.client
  if (pid !== undefined) process.kill(pid, 'SIGKILL')
  while (backend.client.pid === pid) await new Promise((resolve) => setTimeout(resolve, 10))
  const [key] = keys
  if (key === undefined) throw new Error('no key')
  t.ok(equal(await mac(backend, key), macs[0] ?? new Uint8Array()), 'another child unwraps it too')
  t.equal((await dump(hsm)).length, 2, 'nothing of it stays in the token')
})

t.test('keys of both storages live side by side', options, async (t) => {
  const hsm = await makeSoftHsm()
  t.teardown(() => hsm.close())
  const before = await openPkcs11Backend(configOf(hsm, 'token'))
  const inToken = await makeKey(before)
  const tag = await mac(before, inToken)
  await before.close()
  const backend = await openPkcs11Backend(configOf(hsm))
  t.teardown(() => backend.close())
  t.ok(equal(await mac(backend, inToken), tag), 'a token object is used where keys are wrapped now')
  const wrapped = await makeKey(backend)
  await backend.destroyKey(inToken, callContext())
  t.equal((await dump(hsm)).length, 2, 'and destroyed')
  t.equal((await mac(backend, wrapped)).length, specRow('hmac_256').type === 'hmac' ? 32 : 0)
})

t.test('a key that comes back extractable is refused', shimmed, async (t) => {
  const hsm = await makeShimmedHsm()
  const backend = await openPkcs11Backend(configOf(hsm))
  t.teardown(async () => {
    await backend.close()
    await hsm.close()
  })
  const key = await makeKey(backend)
  await hsm.set('extractable')
  t.equal(await refusal(mac(backend, key)), 'unsupported_spec', 'not used')
  await hsm.unset('extractable')
  t.equal((await mac(backend, key)).length, 32, 'used once it is locked')
  await hsm.set('extractable')
  const probed = await probeToken(configOf(hsm))
  t.equal(probed.ok && Object.keys(probed.profile.algorithms).length, 0, 'a token that unwraps so wraps nothing')
})
