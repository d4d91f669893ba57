/** Two tokens with the same keys: one serves, the other takes over, and keeps it. */
import { cp, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { KeyHandle } from '../../src/core/ports.ts'
import { verify } from '../../src/core/verify.ts'
import type { HsmEvent } from '../../src/hsm/client.ts'
import { TokenPair } from '../../src/hsm/pair.ts'
import { openPkcs11Backend, type Pkcs11Backend } from '../../src/hsm/pkcs11.ts'
import { callContext, newHome, refusal } from '../conformance/backend.ts'
import { backendOn, makeSoftHsm, type SoftHsm, softHsmMissing } from '../support/softhsm.ts'
import { until } from '../support/until.ts'

const MESSAGE = Buffer.from('signed by whichever token serves')
const options = softHsmMissing === undefined ? {} : { skip: softHsmMissing }

const TOKENS = 'tokens'
const AWAY = 'tokens.away'

async function tokenFile({ directory }: Pick<SoftHsm, 'directory'>): Promise<string> {
  const [name = ''] = await readdir(join(directory, TOKENS))
  return join(directory, TOKENS, name, 'token.object')
}

/** A token with the same keys and another serial number, as a vendor clones. */
async function cloneOf(original: SoftHsm, serial: string): Promise<SoftHsm> {
  const directory = await mkdtemp(join(tmpdir(), 'trefoil-clone-'))
  await cp(original.directory, directory, { recursive: true })
  const config = join(directory, 'softhsm2.conf')
  const text = await readFile(config, 'utf8')
  await writeFile(config, text.replaceAll(original.directory, directory))
  const file = await tokenFile({ directory })
  const content = await readFile(file)
  const at = content.indexOf(serial)
  if (at < 0) throw new Error('the serial number is not in the token file')
  content[at] = (content[at] ?? 0) ^ 1
  await writeFile(file, content)
  const { close: _, ...rest } = original
  const close = () => rm(directory, { recursive: true, force: true })
  return { ...rest, directory, env: { SOFTHSM2_CONF: config }, close }
}

const settings = (hsm: SoftHsm, name = 'pair') => backendOn(hsm, { name, sessions: 2, deadlineMs: 10_000 })

async function takeAway({ directory }: SoftHsm, pid: number | undefined): Promise<void> {
  await rename(join(directory, TOKENS), join(directory, AWAY))
  if (pid !== undefined) process.kill(pid, 'SIGKILL')
}
const bringBack = ({ directory }: SoftHsm): Promise<void> => rename(join(directory, AWAY), join(directory, TOKENS))

type Key = { readonly handle: KeyHandle; readonly spki: Uint8Array }

async function makeKey(backend: Pkcs11Backend): Promise<Key> {
  const home = newHome()
  const { ref, spki = new Uint8Array() } = await backend.generateKey('ec_p256', home, callContext())
  return { handle: { ...home, spec: 'ec_p256', ref }, spki }
}

async function signs(backend: Pkcs11Backend, { handle, spki }: Key): Promise<boolean> {
  const signature = await backend.sign(handle, 'ecdsa_sha256', { message: MESSAGE }, callContext())
  return verify(spki, 'ec_p256', 'ecdsa_sha256', { message: MESSAGE }, signature)
}

/** A pair over clones that hold the keys. */
async function makePair(t: Test) {
  const original = await makeSoftHsm()
  t.teardown(() => original.close())
  const alone = await openPkcs11Backend(settings(original))
  const keys = [await makeKey(alone), await makeKey(alone)] as const
  const serial = alone.client.token?.serial ?? ''
  await alone.close()
  const clone = await cloneOf(original, serial)
  t.teardown(() => clone.close())
  const events: HsmEvent[] = []
  const onEvent = (event: HsmEvent): void => void events.push(event)
  const standby = { ...settings(clone, 'standby'), onEvent }
  const pair = await openPkcs11Backend({ ...settings(original), standby, onEvent })
  t.teardown(() => pair.close())
  const { client } = pair
  if (!(client instanceof TokenPair)) throw new Error('not a pair')
  const moves = () => events.filter(({ kind }) => kind === 'moved').length
  const bothServe = () =>
    until(
      'the other one stands by',
      () => client.standsBy,
      () => events.slice(-5),
    )
  return { original, clone, pair, client, keys, serial, moves, bothServe }
}

t.test('the other takes over and keeps it', options, async (t) => {
  const { original, clone, pair, client, keys, serial, moves, bothServe } = await makePair(t)
  const [key] = keys
  const served = () => client.token?.serial
  t.ok(await signs(pair, key))
  t.equal(served(), serial, 'the first one serves')
  t.ok(pair.supports('ec_p256', 'ecdsa_sha256'))
  t.notOk(pair.supports('ml_dsa_65', 'ml_dsa'), 'what neither can')
  await bothServe()

  const results = new Set<boolean>()
  const busy = Array.from({ length: 8 }, () =>
    until('the other takes over', async () => {
      results.add(await signs(pair, key))
      return moves() > 0
    }),
  )
  await takeAway(original, client.pid)
  await Promise.all(busy)
  t.same([...results], [true], 'calls in flight are done by the other')
  t.not(served(), serial)
  t.equal(moves(), 1)
  await pair.health(callContext())

  await bringBack(original)
  await bothServe()
  t.ok(await signs(pair, key))
  t.not(served(), serial, 'the first one is back, the other one keeps serving')
  t.equal(moves(), 1)

  await takeAway(clone, client.pid)
  t.ok(await signs(pair, key), 'until it can’t')
  t.equal(served(), serial)
  t.equal(moves(), 2)

  await takeAway(original, client.pid)
  await until('neither serves', async () => (await refusal(signs(pair, key))) === 'backend_unavailable')
  t.equal(await refusal(pair.health(callContext())), 'backend_unavailable', 'neither')
  await bringBack(clone)
  await until('one serves again', async () => (await refusal(signs(pair, key))) === 'none')
  t.ok(await signs(pair, key), 'recovers with either')
})

/** Key objects in the token's directory. */
async function objectsIn(token: SoftHsm): Promise<number> {
  const names = await readdir(join(await tokenFile(token), '..'))
  return names.filter((name) => name.endsWith('.object') && name !== 'token.object').length
}

t.test('destroyed in both or in neither', options, async (t) => {
  const { original, clone, pair, client, keys, bothServe } = await makePair(t)
  const [kept, destroyed] = keys
  const count = async () => [await objectsIn(original), await objectsIn(clone)]
  t.same(await count(), [2, 2])
  await pair.destroyKey(destroyed.handle, callContext())
  t.same(await count(), [1, 1])
  await takeAway(original, client.pid)
  t.ok(await signs(pair, kept))
  const refused = await refusal(pair.destroyKey(kept.handle, callContext()))
  t.equal(refused, 'backend_unavailable', 'not while one is out of reach')
  t.ok(await signs(pair, kept), 'and the other still has it')
  await bringBack(original)
  await bothServe()
  await pair.destroyKey(kept.handle, callContext())
  t.same(await count(), [0, 0])
})
