/**
 * An answer in one piece. Node writes a string together with the head, but a Buffer apart from it; and of a JSON content type
 * Fastify makes one of its own, with a charset, so that the head is written here.
 */
import type { FastifyReply } from 'fastify'

/** @param headers names and values by turns, all but the length */
export function answerText(reply: FastifyReply, headers: readonly string[], body: string, status = 200): FastifyReply {
  reply.hijack()
  reply.raw.writeHead(status, [...headers, 'content-length', String(Buffer.byteLength(body))])
  reply.raw.end(body)
  return reply
}
