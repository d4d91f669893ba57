/** A content type parser of Fastify's that calls back: a promise would cost what reading a small body does. */
import type { FastifyRequest } from 'fastify'

type Done = (error: Error | null, value?: unknown) => void
type Parser = (request: FastifyRequest, body: Buffer, done: Done) => void

/** @param read of the whole body; may throw, and may take its time */
export const bodyParser =
  (read: (body: Buffer, request: FastifyRequest) => unknown): Parser =>
  (request, body, done) => {
    let value: unknown
    try {
      value = read(body, request)
    } catch (error) {
      done(error as Error)
      return
    }
    if (value instanceof Promise) value.then((later) => done(null, later), done)
    else done(null, value)
  }
