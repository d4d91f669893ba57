/** How many calls a backend takes at a time, and what it is told of them. */
import { randomBytes, randomUUID } from 'node:crypto'
import t from 'tap'
import { KmsError } from '../../src/core/error.ts'
import { LimitedBackend } from '../../src/core/limited-backend.ts'
import type { CryptoBackend } from '../../src/core/ports.ts'

const ctx = { signal: new AbortController().signal, requestId: randomUUID() }
const key = { ringId: 'r', versionId: 'v', spec: 'aes_256', ref: new Uint8Array() } as const
const BYTES = Buffer.from('done')
const codeOf = (work: () => unknown): Promise<string> =>
  Promise.resolve()
    .then(work)
    .then(
      () => 'ok',
      (error: unknown) => KmsError.from(error).code,
    )

/** Signs when it is told to; MACs at once. */
function slow() {
  const waiting: PromiseWithResolvers<Uint8Array>[] = []
  const inner = {
    name: 'slow',
    sign: () => {
      const next = Promise.withResolvers<Uint8Array>()
      waiting.push(next)
      return next.promise
    },
    mac: () => BYTES,
    destroyKey: async () => {},
  } as unknown as CryptoBackend
  return { inner, waiting }
}

t.test('takes so many calls at a time, and refuses more with a rejection', async (t) => {
  const { inner, waiting } = slow()
  const seen: unknown[] = []
  const backend = new LimitedBackend(inner, 2, ({ operation, ok }) => seen.push([operation, ok]))
  const sign = () => backend.sign(key, 'ecdsa_sha256', { message: randomBytes(1) }, ctx)
  const running = [codeOf(sign), codeOf(sign)]
  await Promise.resolve()
  t.equal(backend.inFlight, 2)
  const refused = sign()
  t.ok(refused instanceof Promise, 'not thrown')
  t.equal(await codeOf(() => refused), 'throttled')
  t.equal(await codeOf(() => backend.generateKey('aes_256', key, ctx)), 'throttled')
  t.equal(await codeOf(() => backend.destroyKey(key, ctx)), 'ok', 'what undoes is never refused')
  t.equal(backend.refused, 2)
  waiting[0]?.resolve(BYTES)
  waiting[1]?.reject(new KmsError('backend_timeout'))
  t.same(await Promise.all(running), ['ok', 'backend_timeout'])
  t.equal(backend.inFlight, 0, 'room again, however they ended')
  const third = codeOf(sign)
  await Promise.resolve()
  waiting[2]?.resolve(BYTES)
  t.equal(await third, 'ok')
  t.same(seen, [
    ['destroyKey', true],
    ['sign', true],
    ['sign', false],
    ['sign', true],
  ])
})

t.test('what is answered at once waits for nothing, and is not counted', (t) => {
  const seen: unknown[] = []
  const backend = new LimitedBackend(slow().inner, 1, (call) => seen.push(call))
  t.equal(backend.mac(key, 'hmac_sha256', randomBytes(1), ctx), BYTES)
  t.equal(backend.inFlight, 0)
  t.same(seen, [])
  t.end()
})
