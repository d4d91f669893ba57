/**
 * Messages between the service and its child as bytes, each behind its length. What thousands of times a second is asked
 * and answered is packed by hand; everything else is a structured clone. Both ends are of the same sources.
 */
import { deserialize, serialize } from 'node:v8'
import { ALGORITHM_NAMES, type Algorithm, KEY_SPEC_NAMES, type KeySpec } from '../core/algorithm.ts'
import type { EncryptParams, SignInput } from '../core/ports.ts'
import { isWrapped, type KeyAddress } from './key-ref.ts'
import type { ObjectClass } from './mechanisms.ts'
import type { FromWorker, ToWorker } from './protocol.ts'

export type Message = ToWorker | FromWorker
type UseOfKey = Extract<ToWorker, { name: 'sign' | 'mac' | 'encrypt' | 'decrypt' }>

const LENGTH_BYTES = 4
/** Far beyond any message: a list of a million keys. */
const MAX_FRAME_BYTES = 2 ** 27
const BUFFER_BYTES = 16_384
const SPARE_BUFFERS = 4

const CLONE = 0
const BYTES = 1
const SIGN = 2
const MAC = 3
const ENCRYPT = 4
const DECRYPT = 5
const FORMS = ['message', 'digest', 'mu'] as const

const SPEC_NUMBERS: ReadonlyMap<string, number> = new Map(KEY_SPEC_NAMES.map((name, index) => [name, index]))
const ALGORITHM_NUMBERS: ReadonlyMap<string, number> = new Map(ALGORITHM_NAMES.map((name, index) => [name, index]))
const NOTHING = new Uint8Array(0)

/** Frames one behind the other in a buffer that grows. */
export class FrameWriter {
  #buffer: Buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES)
  #length = 0
  /** Used before, and wiped. */
  readonly #spare: Buffer[] = []

  get length(): number {
    return this.#length
  }

  add(message: Message): void {
    const start = this.#length
    this.#reserve(LENGTH_BYTES)
    this.#length += LENGTH_BYTES
    if (message.kind === 'call' && isUseOfKey(message)) this.#useOfKey(message)
    else if (message.kind === 'result' && message.value instanceof Uint8Array) {
      this.#byte(BYTES)
      this.#number(message.id)
      this.#raw(message.value)
    } else {
      this.#byte(CLONE)
      this.#raw(serialize(message))
    }
    this.#buffer.writeUInt32LE(this.#length - start - LENGTH_BYTES, start)
  }

  /** The frames so far, which are given back when they have been written. */
  take(): Buffer {
    const taken = this.#buffer.subarray(0, this.#length)
    this.#buffer = this.#spare.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES)
    this.#length = 0
    return taken
  }

  /** Wiped, since there may have been secrets in them. */
  giveBack(taken: Buffer): void {
    taken.fill(0)
    const { buffer } = taken
    if (buffer.byteLength === BUFFER_BYTES && this.#spare.length < SPARE_BUFFERS) this.#spare.push(Buffer.from(buffer))
  }

  #useOfKey({ id, name, args }: UseOfKey): void {
    this.#byte(name === 'sign' ? SIGN : name === 'mac' ? MAC : name === 'encrypt' ? ENCRYPT : DECRYPT)
    this.#number(id)
    this.#byte(SPEC_NUMBERS.get(args.spec) ?? 0)
    this.#byte(ALGORITHM_NUMBERS.get(args.algorithm) ?? 0)
    this.#key(args.key)
    if ('input' in args) this.#signInput(args.input)
    else if ('message' in args) this.#field(args.message)
    else {
      this.#field('plaintext' in args ? args.plaintext : args.ciphertext)
      this.#params(args.params)
    }
  }

  #key(key: KeyAddress): void {
    this.#byte(key.objectClass)
    this.#field(key.id)
    this.#text(key.label)
    this.#byte(isWrapped(key) ? 1 : 0)
    if (!isWrapped(key)) return
    const { mechanism, wrappingKey, blob, tag } = key.wrapped
    this.#number(mechanism)
    this.#field(wrappingKey)
    this.#field(blob)
    this.#field(tag)
  }

  #signInput(input: SignInput): void {
    if ('mu' in input) {
      this.#byte(FORMS.indexOf('mu'))
      this.#field(input.mu)
      return
    }
    this.#byte(FORMS.indexOf('message' in input ? 'message' : 'digest'))
    this.#field('message' in input ? input.message : input.digest)
    this.#field(input.context ?? NOTHING)
  }

  #params({ nonce, iv, aad, tagBytes = 0 }: EncryptParams): void {
    this.#field(nonce)
    this.#field(iv)
    this.#field(aad)
    this.#byte(tagBytes)
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes
    if (needed <= this.#buffer.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#buffer.length))
    this.#buffer.copy(larger, 0, 0, this.#length)
    this.#buffer.fill(0, 0, this.#length)
    this.#buffer = larger
  }

  #byte(value: number): void {
    this.#reserve(1)
    this.#buffer[this.#length] = value
    this.#length += 1
  }

  #number(value: number): void {
    this.#reserve(4)
    this.#buffer.writeUInt32LE(value, this.#length)
    this.#length += 4
  }

  #raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#buffer.set(bytes, this.#length)
    this.#length += bytes.length
  }

  #field(bytes: Uint8Array): void {
    this.#number(bytes.length)
    this.#raw(bytes)
  }

  #text(text: string): void {
    const bytes = Buffer.byteLength(text)
    this.#number(bytes)
    this.#reserve(bytes)
    this.#length += this.#buffer.write(text, this.#length)
  }
}

function isUseOfKey(message: Extract<ToWorker, { kind: 'call' }>): message is UseOfKey {
  const { name } = message
  return name === 'sign' || name === 'mac' || name === 'encrypt' || name === 'decrypt'
}

/** One frame's content. Fields are views of its bytes. */
class FrameReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  message(): Message {
    const kind = this.#byte()
    if (kind === CLONE) return deserialize(this.#rest()) as Message
    const id = this.#number()
    if (kind === BYTES) return { kind: 'result', id, value: this.#rest() }
    const spec = KEY_SPEC_NAMES[this.#byte()]
    const algorithm = ALGORITHM_NAMES[this.#byte()]
    if (spec === undefined || algorithm === undefined) throw new Error('not a frame')
    return this.#useOfKey(kind, id, spec, algorithm)
  }

  #useOfKey(kind: number, id: number, spec: KeySpec, algorithm: Algorithm): ToWorker {
    const key = this.#key()
    switch (kind) {
      case SIGN:
        return { kind: 'call', id, name: 'sign', args: { key, spec, algorithm, input: this.#signInput() } }
      case MAC:
        return { kind: 'call', id, name: 'mac', args: { key, spec, algorithm, message: this.#field() } }
      case ENCRYPT: {
        const plaintext = this.#field()
        return { kind: 'call', id, name: 'encrypt', args: { key, spec, algorithm, plaintext, params: this.#params() } }
      }
      case DECRYPT: {
        const ciphertext = this.#field()
        return { kind: 'call', id, name: 'decrypt', args: { key, spec, algorithm, ciphertext, params: this.#params() } }
      }
    }
    throw new Error('not a frame')
  }

  #key(): KeyAddress {
    const objectClass = this.#byte() as ObjectClass
    const key = { objectClass, id: this.#field(), label: this.#field().toString() }
    if (this.#byte() === 0) return key
    const mechanism = this.#number()
    return { ...key, wrapped: { mechanism, wrappingKey: this.#field(), blob: this.#field(), tag: this.#field() } }
  }

  #signInput(): SignInput {
    const form = FORMS[this.#byte()]
    const bytes = this.#field()
    if (form === 'mu') return { mu: bytes }
    const context = this.#field()
    return form === 'message' ? { message: bytes, context } : { digest: bytes, context }
  }

  #params(): EncryptParams {
    const params = { nonce: this.#field(), iv: this.#field(), aad: this.#field() }
    const tagBytes = this.#byte()
    return tagBytes === 0 ? params : { ...params, tagBytes }
  }

  #byte(): number {
    return this.#bytes.readUInt8(this.#at++)
  }

  #number(): number {
    const value = this.#bytes.readUInt32LE(this.#at)
    this.#at += 4
    return value
  }

  #field(): Buffer {
    const length = this.#number()
    const end = this.#at + length
    if (end > this.#bytes.length) throw new Error('not a frame')
    const field = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return field
  }

  #rest(): Buffer {
    return this.#bytes.subarray(this.#at)
  }
}

/** Cuts a stream of bytes into its messages. */
export class FrameSplitter {
  #partial: Buffer | undefined;

  /** @throws Error for what is no frame: the other end is out of its mind */
  *messages(chunk: Buffer): Generator<Message> {
    let bytes = this.#partial === undefined ? chunk : Buffer.concat([this.#partial, chunk])
    this.#partial = undefined
    while (bytes.length >= LENGTH_BYTES) {
      const length = bytes.readUInt32LE(0)
      if (length > MAX_FRAME_BYTES) throw new Error('not a frame')
      if (bytes.length < LENGTH_BYTES + length) break
      yield new FrameReader(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length)).message()
      bytes = bytes.subarray(LENGTH_BYTES + length)
    }
    if (bytes.length > 0) this.#partial = bytes
  }
}
