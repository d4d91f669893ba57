/** One end of the socket between the service and its child: many messages in one write, and in one read. */
import type { Socket } from 'node:net'
import { FrameSplitter, FrameWriter, type Message } from './frames.ts'

export type ChannelOptions<In extends Message> = {
  readonly socket: Socket
  receive(message: In): void
  /** What came from the other end is no message. */
  broken(): void
  /** Messages that are written without waiting for more; absent: what one turn of the event loop brings goes at once. */
  readonly batch?: number
}

export class Channel<In extends Message, Out extends Message> {
  readonly #socket: Socket
  readonly #batch: number
  readonly #writer = new FrameWriter()
  #waiting = 0
  #scheduled = false

  constructor({ socket, receive, broken, batch = Number.POSITIVE_INFINITY }: ChannelOptions<In>) {
    this.#socket = socket
    this.#batch = batch
    const splitter = new FrameSplitter()
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const message of splitter.messages(chunk)) receive(message as In)
      } catch {
        broken()
      }
      // What these made room for, or answered, is on its way before anything else is done.
      this.flush()
    })
    // An end that can't be written to is dead or dying, which is noticed by its exit, or here by the socket's close.
    socket.on('error', () => undefined)
  }

  send(message: Out): void {
    this.#writer.add(message)
    this.#waiting += 1
    if (this.#waiting >= this.#batch) this.flush()
    else if (!this.#scheduled) {
      this.#scheduled = true
      setImmediate(this.#flushScheduled)
    }
  }

  flush(): void {
    if (this.#waiting === 0) return
    this.#waiting = 0
    const bytes = this.#writer.take()
    if (this.#socket.writable) this.#socket.write(bytes, () => this.#writer.giveBack(bytes))
  }

  readonly #flushScheduled = (): void => {
    this.#scheduled = false
    this.flush()
  }
}
