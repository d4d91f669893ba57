import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { KmsError } from '../../src/core/error.ts'
import type { KeyHandle } from '../../src/core/ports.ts'
import { verify } from '../../src/core/verify.ts'
import type { HsmConfig, HsmEvent } from '../../src/hsm/client.ts'
import { openPkcs11Backend, type Pkcs11Backend } from '../../src/hsm/pkcs11.ts'
import { probeToken } from '../../src/hsm/probe.ts'
import { callContext, newHome, refusal } from '../conformance/backend.ts'
import { makeShimmedHsm, type ShimmedHsm, shimMissing } from '../support/shim.ts'
import { backendOn, makeSoftHsm, type SoftHsm, softHsmMissing } from '../support/softhsm.ts'
import { deleteLabelled, listLabels } from '../support/token-objects.ts'
import { until } from '../support/until.ts'

const missing = softHsmMissing ?? shimMissing
const options = missing === undefined ? {} : { skip: missing }
const MESSAGE = Buffer.from('a message')

const configOf = (hsm: SoftHsm, changes: Partial<HsmConfig> = {}): HsmConfig =>
  backendOn(hsm, { deadlineMs: 10_000, ...changes })

type Key = { readonly handle: KeyHandle; readonly spki: Uint8Array }

async function makeKey(backend: Pkcs11Backend): Promise<Key> {
  const home = newHome()
  const { ref, spki } = await backend.generateKey('ec_p256', home, callContext())
  return { handle: { ...home, spec: 'ec_p256', ref }, spki: spki ?? new Uint8Array() }
}

const sign = (backend: Pkcs11Backend, { handle }: Key) =>
  backend.sign(handle, 'ecdsa_sha256', { message: MESSAGE }, callContext())

async function worksAgain(t: Test, backend: Pkcs11Backend, key: Key): Promise<void> {
  const signature = await sign(backend, key)
  t.equal(
    await verify(key.spki, 'ec_p256', 'ecdsa_sha256', { message: MESSAGE }, signature),
    true,
    'the same key signs',
  )
  await backend.health(callContext())
}

/** Until the token serves. */
const recovered = (backend: Pkcs11Backend): Promise<void> =>
  until('the token serves again', async () => (await refusal(backend.health(callContext()))) === 'none')

async function shimmed(
  t: Test,
  changes: Partial<HsmConfig> = {},
): Promise<{ hsm: ShimmedHsm; backend: Pkcs11Backend; events: HsmEvent[] }> {
  const hsm = await makeShimmedHsm()
  const events: HsmEvent[] = []
  const backend = await openPkcs11Backend(configOf(hsm, { onEvent: (event) => events.push(event), ...changes }))
  t.teardown(async () => {
    await hsm.unset('hang')
    await backend.close()
    await hsm.close()
  })
  return { hsm, backend, events }
}

t.test('a child killed under load', options, async (t) => {
  const { hsm, backend } = await shimmed(t)
  const key = await makeKey(backend)
  for (let round = 0; round < 2; round += 1) {
    await hsm.set('hang')
    const calls = Array.from({ length: 20 }, () => refusal(sign(backend, key)))
    await sleep(30)
    const { pid } = backend.client
    if (pid === undefined) throw new Error('no child')
    process.kill(pid, 'SIGKILL')
    await hsm.unset('hang')
    const outcomes = await Promise.all(calls)
    t.ok(outcomes.includes('backend_unavailable'), 'what the child had fails')
    t.same(
      outcomes.filter((code) => code !== 'none' && code !== 'backend_unavailable'),
      [],
      'and by nothing else',
    )
    // A second death so soon is not restarted at once.
    await recovered(backend)
    await worksAgain(t, backend, key)
    t.not(backend.client.pid, pid, 'another child')
  }
})

t.test('a call that hangs', options, async (t) => {
  const { hsm, backend } = await shimmed(t, { deadlineMs: 2000 })
  const key = await makeKey(backend)
  await hsm.set('hang')
  t.equal(await refusal(sign(backend, key)), 'backend_timeout', 'fails when its time is up')
  await hsm.unset('hang')
  await recovered(backend)
  await worksAgain(t, backend, key)
})

t.test('a slow token', options, async (t) => {
  const { hsm, backend } = await shimmed(t)
  const key = await makeKey(backend)
  await hsm.set('slow')
  const outcomes = await Promise.all(Array.from({ length: 40 }, () => refusal(sign(backend, key))))
  t.same(new Set(outcomes), new Set(['none']))
  t.ok((await hsm.overlaps()) > 0, 'has its sessions used at once')
  await hsm.unset('slow')
  await worksAgain(t, backend, key)
})

t.test('a full queue, and callers who go away', options, async (t) => {
  const { hsm, backend } = await shimmed(t, { sessions: 1 })
  const key = await makeKey(backend)
  await hsm.set('hang')
  const abort = new AbortController()
  const call = () =>
    backend.sign(key.handle, 'ecdsa_sha256', { message: MESSAGE }, { signal: abort.signal, requestId: 'r' })
  const calls = Array.from({ length: 100 }, () => refusal(call()))
  t.equal(await refusal(sign(backend, key)), 'throttled', 'one too many')
  abort.abort()
  const outcomes = await Promise.all(calls)
  t.same(new Set(outcomes), new Set(['backend_timeout', 'throttled']), 'nobody waits for the hanging token')
  await hsm.unset('hang')
  await worksAgain(t, backend, key)
})

t.test('an abandoned creation leaves no key behind', options, async (t) => {
  const { hsm, backend } = await shimmed(t)
  const abort = new AbortController()
  await hsm.set('hang')
  const making = refusal(backend.generateKey('rsa_2048', newHome(), { signal: abort.signal, requestId: 'r' }))
  await sleep(50)
  abort.abort()
  t.equal(await making, 'backend_timeout', 'given up')
  await hsm.unset('hang')
  // Closing waits for what is under way.
  await backend.close()
  t.same(await listLabels(hsm), [], 'no object in the token')
})

t.test('a child that dies with a key made leaves none behind', options, async (t) => {
  const { hsm, backend } = await shimmed(t)
  const key = await makeKey(backend)
  await hsm.set('crash-made')
  t.equal(await refusal(makeKey(backend)), 'backend_unavailable', 'the caller hears of a failure')
  await recovered(backend)
  await worksAgain(t, backend, key)
  await backend.close()
  t.same(await listLabels(hsm), [`trefoil:${key.handle.versionId.replaceAll('-', '')}`], 'and the token of nothing')
})

t.test('a wrong PIN', options, async (t) => {
  const hsm = await makeShimmedHsm()
  t.teardown(() => hsm.close())
  const backend = await openPkcs11Backend(configOf(hsm, { pin: 'not the PIN' }))
  t.equal(await hsm.logins(), 1, 'is tried once')
  const key = { handle: { ...newHome(), spec: 'ec_p256', ref: new Uint8Array() }, spki: new Uint8Array() } as const
  t.equal(await refusal(backend.random(1, callContext())), 'backend_unavailable', 'calls fail')
  t.equal(await refusal(sign(backend, key)), 'internal', 'garbage is garbage, token or not')
  const error = await backend.health(callContext()).catch((caught: unknown) => caught)
  t.match(error instanceof KmsError && String(error.params.reason), /refused the PIN/, 'health says why')
  t.notMatch(JSON.stringify([error, String(error), String((error as Error).cause)]), /not the PIN/, 'without the PIN')
  await sleep(1500)
  t.equal(await hsm.logins(), 1, 'and never again')
  await backend.close()
})

t.test('a token that has its PIN and says that it has none', options, async (t) => {
  const hsm = await makeShimmedHsm()
  await hsm.set('forgets-pin')
  const backend = await openPkcs11Backend(configOf(hsm))
  t.teardown(async () => {
    await backend.close()
    await hsm.close()
  })
  t.equal(await refusal(backend.random(1, callContext())), 'backend_unavailable', 'is not to be used now')
  await hsm.unset('forgets-pin')
  await recovered(backend)
  await worksAgain(t, backend, await makeKey(backend))
})

t.test('a token without a PIN', options, async (t) => {
  const hsm = await makeShimmedHsm()
  await hsm.set('forgets-pin')
  await hsm.set('no-pin')
  const backend = await openPkcs11Backend(configOf(hsm))
  t.teardown(async () => {
    await backend.close()
    await hsm.close()
  })
  const error = await backend.health(callContext()).catch((caught: unknown) => caught)
  t.match(error instanceof KmsError && String(error.params.reason), /refused the PIN/, 'health says why')
  await sleep(1500)
  t.equal(await hsm.logins(), 1, 'is asked once')
})

t.test('a right PIN is one login a child', options, async (t) => {
  const { hsm, backend } = await shimmed(t)
  const key = await makeKey(backend)
  await Promise.all(Array.from({ length: 40 }, () => sign(backend, key)))
  t.equal(await hsm.logins(), 1, 'however many sessions')
})

const CODES = [
  { name: 'DEVICE_MEMORY', value: 0x31, code: 'backend_unavailable' },
  { name: 'FUNCTION_FAILED', value: 0x06, code: 'backend_unavailable' },
  { name: 'DEVICE_ERROR', value: 0x30, code: 'backend_unavailable' },
  { name: 'USER_NOT_LOGGED_IN', value: 0x101, code: 'backend_unavailable' },
  { name: 'SESSION_HANDLE_INVALID', value: 0xb3, code: 'none' },
  { name: 'OBJECT_HANDLE_INVALID', value: 0x82, code: 'none' },
  { name: 'a vendor code', value: 0x80000001, code: 'backend_unavailable' },
] as const

t.test('what the token answers', options, async (t) => {
  const { hsm, backend } = await shimmed(t)
  const key = await makeKey(backend)
  for (const { name, value, code } of CODES) {
    await hsm.set('sign', String(value))
    t.equal(await refusal(sign(backend, key)), code, name)
    await recovered(backend)
    await worksAgain(t, backend, key)
  }
})

t.test('a full table of sessions', options, async (t) => {
  const { hsm, backend } = await shimmed(t)
  const key = await makeKey(backend)
  await hsm.set('sessions')
  const outcomes = await Promise.all(Array.from({ length: 20 }, () => refusal(sign(backend, key))))
  t.same(new Set(outcomes), new Set(['none']), 'the sessions that are open serve everybody')
  // A vendor's code costs the session that it came in.
  await hsm.set('sign', String(0x80000001))
  while ((await refusal(sign(backend, key))) === 'none') await hsm.set('sign', String(0x80000001))
  t.equal(await refusal(sign(backend, key)), 'backend_unavailable', 'none is left, and none is given')
  await hsm.unset('sessions')
  await hsm.unset('sign')
  await recovered(backend)
  await worksAgain(t, backend, key)
})

t.test('an object deleted by another process', options, async (t) => {
  const { hsm, backend } = await shimmed(t)
  const [doomed, other] = [await makeKey(backend), await makeKey(backend)]
  await sign(backend, doomed)
  const label = `trefoil:${doomed.handle.versionId.replaceAll('-', '')}`
  await deleteLabelled(hsm, label)
  t.equal(await refusal(sign(backend, doomed)), 'backend_unavailable', 'is not there')
  await worksAgain(t, backend, other)
  t.equal(await refusal(backend.destroyKey(doomed.handle, callContext())), 'none', 'and is destroyed for all that')
})

t.test('a key that could leave the token is refused', options, async (t) => {
  const { hsm, backend } = await shimmed(t)
  await hsm.set('extractable')
  t.equal(await refusal(backend.generateKey('aes_256', newHome(), callContext())), 'unsupported_spec', 'refused')
  t.same(await listLabels(hsm), [], 'and destroyed')
})

t.test('a token without raw RSA', options, async (t) => {
  const hsm = await makeShimmedHsm()
  await hsm.set('no-raw-rsa')
  const backend = await openPkcs11Backend(configOf(hsm))
  t.teardown(async () => {
    await backend.close()
    await hsm.close()
  })
  t.equal(backend.supports('rsa_2048', 'rsa_oaep_sha1'), true, 'has OAEP as far as its own goes')
  t.equal(backend.supports('rsa_2048', 'rsa_oaep_sha256'), false, 'and no further')
  t.equal(backend.supports('rsa_2048', 'rsa_encrypt_pkcs1'), false, 'and no unpadding that an attacker could ask')
  const home = newHome()
  const { ref } = await backend.generateKey('rsa_2048', home, callContext())
  const none = { nonce: new Uint8Array(), iv: new Uint8Array(), aad: new Uint8Array() }
  const handle = { ...home, spec: 'rsa_2048', ref } as const
  const sealed = await backend.encrypt(handle, 'rsa_oaep_sha1', MESSAGE, none, callContext())
  t.same(
    Buffer.from(await backend.decrypt(handle, 'rsa_oaep_sha1', sealed, none, callContext())),
    MESSAGE,
    'OAEP SHA-1 works',
  )
})

t.test('a token that is not there at the start comes later', options, async (t) => {
  const hsm = await makeSoftHsm()
  const [here, away] = [join(hsm.directory, 'tokens'), join(hsm.directory, 'away')]
  await rename(here, away)
  const backend = await openPkcs11Backend(configOf(hsm))
  t.teardown(async () => {
    await backend.close()
    await hsm.close()
  })
  t.equal(await refusal(backend.health(callContext())), 'backend_unavailable', 'says so')
  t.equal(await refusal(makeKey(backend)), 'backend_unavailable', 'and calls fail at once')
  await rename(away, here)
  await recovered(backend)
  await worksAgain(t, backend, await makeKey(backend))
})

t.test('probing for doctor', options, async (t) => {
  const hsm = await makeShimmedHsm()
  t.teardown(() => hsm.close())
  const good = await probeToken(configOf(hsm))
  t.match(good, { ok: true, token: { label: hsm.tokenLabel, manufacturer: 'SoftHSM project' } }, 'a good token')
  t.ok(good.ok && good.profile.mechanisms.length > 40, 'with its mechanisms')
  const missing = await probeToken(configOf(hsm, { library: join(hsm.directory, 'nothing.so') }))
  t.match(missing, { ok: false, problem: { kind: 'library' } }, 'no library')
  const stranger = await probeToken(configOf(hsm, { tokenLabel: 'another' }))
  t.match(stranger, { ok: false, problem: { kind: 'token', tokens: [{ label: hsm.tokenLabel }] } }, 'no such token')
  const serial = good.ok ? good.token.serial : ''
  const { tokenLabel: _, ...bare } = configOf(hsm)
  t.match(await probeToken({ ...bare, serial }), { ok: true, token: { serial } }, 'by serial')
  const slot = good.ok ? good.token.slot : -1
  t.match(await probeToken({ ...bare, slot }), { ok: true, token: { serial } }, 'by slot')
  const before = await hsm.logins()
  const refused = await probeToken(configOf(hsm, { pin: 'not the PIN' }))
  t.match(refused, { ok: false, problem: { kind: 'pin' } }, 'PIN refused')
  t.equal((await hsm.logins()) - before, 1, 'after one attempt')
  const { ok } = await probeToken(configOf(hsm, { library: '/bin/true' }))
  t.equal(ok, false, 'a library that is none')
})
