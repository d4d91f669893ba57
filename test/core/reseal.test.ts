/** Everything under the root key moves, or nothing does. */
import { createSecretKey, randomBytes } from 'node:crypto'
import t from 'tap'
import { ensureSecret } from '../../src/core/installation.ts'
import { createKey } from '../../src/core/ops/create-key.ts'
import { decrypt } from '../../src/core/ops/decrypt.ts'
import { encrypt } from '../../src/core/ops/encrypt.ts'
import type { Sealer, Store } from '../../src/core/ports.ts'
import { accessKeyContext } from '../../src/core/principals/directory.ts'
import { reseal } from '../../src/core/reseal.ts'
import { checkRootKey, isUnder } from '../../src/core/root-check.ts'
import { AesSealer } from '../../src/core/seal.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { makeKernel } from '../support/kernel.ts'

const newSealer = (): Sealer => new AesSealer(createSecretKey(randomBytes(32)))
const PLAINTEXT = Buffer.from('sealed before, opened after')
const SECRET = randomBytes(32)

/** A store with every kind of thing that is sealed, and a ciphertext under one of its keys. */
async function inhabited() {
  const store = new MemoryStore()
  const sealer = newSealer()
  await checkRootKey(store, sealer, 'none')
  await ensureSecret(store, sealer, 'a-secret', () => Uint8Array.from(SECRET))
  const sealedSecret = await sealer.seal(SECRET, accessKeyContext('AKIDTEST'))
  const accessKey = { id: 'AKIDTEST', principalId: 'p', sealedSecret, enabled: true, createdAt: 0 }
  await store.commit([{ kind: 'insert', collection: 'accessKeys', row: accessKey }])
  const { run } = await makeKernel({ store, sealer })
  const { key } = await run('aws', createKey, { ring: { by: 'default' }, spec: 'aes_256' })
  const input = { key: { by: 'id', id: key.id }, algorithm: 'envelope', plaintext: PLAINTEXT } as const
  const { ciphertext } = await run('aws', encrypt, input)
  return { store, sealer, ciphertext }
}
type Inhabited = Awaited<ReturnType<typeof inhabited>>

/** Whether all of it opens under that root key. */
async function opensUnder({ store, ciphertext }: Inhabited, sealer: Sealer): Promise<boolean> {
  try {
    const { run } = await makeKernel({ store, sealer })
    const opened = await run('aws', decrypt, { algorithm: 'envelope', ciphertext })
    const secret = await ensureSecret(store, sealer, 'a-secret', () => Buffer.alloc(32))
    const row = await store.get('accessKeys', 'AKIDTEST')
    const access = await sealer.unseal(row?.sealedSecret ?? PLAINTEXT, accessKeyContext('AKIDTEST'))
    return PLAINTEXT.equals(opened.plaintext) && SECRET.equals(secret) && SECRET.equals(access)
  } catch {
    return false
  }
}

t.test('everything moves', async (t) => {
  const all = await inhabited()
  const to = newSealer()
  t.equal(await opensUnder(all, all.sealer), true)
  t.equal(await isUnder(all.store, to), false)
  t.equal(await reseal(all.store, all.sealer, to), 4, 'a ring, an access key, a secret, the check value')
  t.equal(await isUnder(all.store, to), true)
  t.equal(await opensUnder(all, to), true)
  t.equal(await opensUnder(all, all.sealer), false, 'nothing is left under the old one')
})

t.test('cut short at any step, nothing has moved', async (t) => {
  const all = await inhabited()
  let left = 0
  /** The step that is one too many fails, and so do all after it. */
  const step = (): void => {
    left -= 1
    if (left < 0) throw new Error('cut short')
  }
  const stepping =
    <A extends unknown[], R>(work: (...args: A) => R) =>
    async (...args: A): Promise<Awaited<R>> => {
      step()
      return await work(...args)
    }
  const sealing = (sealer: Sealer): Sealer => ({
    seal: stepping(sealer.seal.bind(sealer)),
    unseal: stepping(sealer.unseal.bind(sealer)),
  })
  const to = newSealer()
  const store = new Proxy<Store>(all.store, {
    get: (target, name: keyof Store) => {
      const member = target[name].bind(target)
      return name === 'commit' ? stepping(member as Store['commit']) : member
    },
  })
  const attempt = (steps: number): Promise<number> => {
    left = steps
    return reseal(store, sealing(all.sealer), sealing(to))
  }
  // Three for each of the four seals, then the commit.
  for (let steps = 0; steps < 13; steps++) {
    await t.rejects(attempt(steps), { message: 'cut short' })
    t.equal(await isUnder(all.store, all.sealer), true, `after ${steps} steps it is under the old one`)
    t.equal(await opensUnder(all, all.sealer), true, `after ${steps} steps everything is`)
  }
  t.equal(await attempt(13), 4, 'then it is done at once')
  t.equal(await opensUnder(all, to), true)
})

t.test('a wrong root key moves nothing', async (t) => {
  const all = await inhabited()
  await t.rejects(reseal(all.store, newSealer(), newSealer()), { code: 'internal' })
  const forgetful: Sealer = { seal: async () => randomBytes(60), unseal: async () => randomBytes(32) }
  await t.rejects(
    reseal(all.store, all.sealer, forgetful),
    { code: 'internal' },
    'nor one that does not open its seals',
  )
  t.equal(await opensUnder(all, all.sealer), true)
})
