/** What goes between the service and its child comes out as it went in, however the stream is cut. */
import { randomBytes } from 'node:crypto'
import t from 'tap'
import { ALGORITHM_NAMES, KEY_SPEC_NAMES } from '../../src/core/algorithm.ts'
import { FrameSplitter, FrameWriter, type Message } from '../../src/hsm/frames.ts'
import type { KeyAddress } from '../../src/hsm/key-ref.ts'
import { CKO } from '../../src/hsm/mechanisms.ts'

const bytes = (length: number): Buffer => randomBytes(length)
const object: KeyAddress = { objectClass: CKO.PRIVATE_KEY, id: bytes(16), label: 'trefoil:é€😀' }
const wrapped: KeyAddress = {
  ...object,
  objectClass: CKO.SECRET_KEY,
  wrapped: { mechanism: 0x8000_0001, wrappingKey: bytes(16), blob: bytes(5000), tag: bytes(32) },
}
const spec = KEY_SPEC_NAMES.at(-1) ?? 'aes_256'
const algorithm = ALGORITHM_NAMES.at(-1) ?? 'ed25519'
const params = { nonce: bytes(16), iv: bytes(12), aad: bytes(0) }
const MAX_ID = 2 ** 32 - 1

const MESSAGES: readonly Message[] = [
  {
    kind: 'call',
    id: 0,
    name: 'sign',
    args: { key: object, spec, algorithm, input: { message: bytes(7), context: bytes(3) } },
  },
  {
    kind: 'call',
    id: 1,
    name: 'sign',
    args: { key: wrapped, spec, algorithm, input: { digest: bytes(32), context: bytes(0) } },
  },
  { kind: 'call', id: 2, name: 'sign', args: { key: object, spec, algorithm, input: { mu: bytes(64) } } },
  { kind: 'call', id: MAX_ID, name: 'mac', args: { key: wrapped, spec, algorithm, message: bytes(70_000) } },
  { kind: 'call', id: 4, name: 'encrypt', args: { key: object, spec, algorithm, plaintext: bytes(0), params } },
  {
    kind: 'call',
    id: 5,
    name: 'decrypt',
    args: { key: object, spec, algorithm, ciphertext: bytes(40), params: { ...params, tagBytes: 12 } },
  },
  { kind: 'call', id: 6, name: 'random', args: { bytes: 3 } },
  { kind: 'call', id: 7, name: 'destroyKey', args: { key: wrapped } },
  { kind: 'result', id: MAX_ID, value: bytes(64) },
  { kind: 'result', id: 9, value: bytes(0) },
  { kind: 'result', id: 10, value: undefined },
  { kind: 'result', id: 11, value: { id: bytes(16), objectClass: CKO.PRIVATE_KEY, spki: bytes(91) } },
  { kind: 'error', id: 12, code: 'invalid_argument', params: { field: 'x' }, reason: 'é' },
  { kind: 'lost', reason: 'gone' },
]

/** Bytes as hex, so that views of one buffer and another compare. */
const plain = (message: unknown): unknown =>
  JSON.parse(
    JSON.stringify(message, (_name, value) => {
      if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
      return value?.type === 'Buffer' ? Buffer.from(value.data).toString('hex') : value
    }),
  )

function written(): Buffer {
  const writer = new FrameWriter()
  for (const message of MESSAGES) writer.add(message)
  return Buffer.from(writer.take())
}

t.test('whole, byte by byte and in chunks', async (t) => {
  const stream = written()
  for (const size of [stream.length, 1, 5, 4096]) {
    const splitter = new FrameSplitter()
    const got: unknown[] = []
    for (let at = 0; at < stream.length; at += size) {
      // A chunk's memory may be used again by whoever read it.
      for (const message of splitter.messages(Buffer.from(stream.subarray(at, at + size)))) got.push(plain(message))
    }
    t.same(got, MESSAGES.map(plain), `${size} bytes at once`)
  }
})

t.test('buffers are used again, and wiped', async (t) => {
  const writer = new FrameWriter()
  const [one] = MESSAGES
  if (one === undefined) throw new Error('no message')
  writer.add(one)
  const first = writer.take()
  writer.add(one)
  writer.giveBack(first)
  t.ok(first.every((byte) => byte === 0))
  const second = writer.take()
  t.not(second.buffer, first.buffer)
  writer.add(one)
  t.equal(writer.take().buffer, first.buffer)
})

t.test('what is no frame', async (t) => {
  const refused = [
    Buffer.from('ffffffff00', 'hex'),
    Buffer.from('0100000009', 'hex'),
    Buffer.from('00000000', 'hex'),
    Buffer.from('0700000002000000ff00ff', 'hex'),
    // A field that is longer than its frame.
    Buffer.from('1000000002010000000000030000ffff00000000', 'hex'),
  ]
  for (const frame of refused) t.throws(() => [...new FrameSplitter().messages(frame)], frame.toString('hex'))
})
