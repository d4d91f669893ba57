/**
 * gRPC over HTTP/2, the wire format alone: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md. Statuses are
 * those of doc/statuscodes.md, save that what a client garbled is INVALID_ARGUMENT here and never INTERNAL.
 */
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { badArgument, RpcError } from './status.ts'

const inflate = promisify(gunzip)

/** Largest message, compressed or not, bytes. */
export const MAX_MESSAGE = 4 * 1024 * 1024
const PREFIX_BYTES = 5
export const MAX_BODY = MAX_MESSAGE + PREFIX_BYTES

const tooLarge = (size: string): RpcError =>
  new RpcError('RESOURCE_EXHAUSTED', `Received message larger than max (${size} vs. ${MAX_MESSAGE}).`)

async function decompress(message: Uint8Array, encoding: string): Promise<Uint8Array> {
  if (encoding === 'identity') throw badArgument('The compressed flag is set without a message encoding.')
  try {
    return await inflate(message, { maxOutputLength: MAX_MESSAGE })
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge('compressed')
    throw badArgument('The compressed message is malformed.')
  }
}

/**
 * The one message of a unary request's body.
 * @param encoding of the header `grpc-encoding`
 * @throws RpcError
 */
export async function readFrame(body: Uint8Array, encoding: string): Promise<Uint8Array> {
  if (encoding !== 'identity' && encoding !== 'gzip') {
    throw new RpcError('UNIMPLEMENTED', 'The message encoding is not supported: only gzip and identity are.')
  }
  if (body.length === 0)
    throw new RpcError('UNIMPLEMENTED', 'A unary request has exactly one message; this one has none.')
  if (body.length < PREFIX_BYTES) throw badArgument('The message is shorter than its prefix.')
  const flag = body[0] as number
  const length = new DataView(body.buffer, body.byteOffset, body.byteLength).getUint32(1)
  if (flag > 1) throw badArgument('The compressed flag of the message is neither 0 nor 1.')
  if (length > MAX_MESSAGE) throw tooLarge(String(length))
  const end = PREFIX_BYTES + length
  if (body.length < end) throw badArgument('The message is shorter than its prefix says.')
  if (body.length > end) {
    throw new RpcError('UNIMPLEMENTED', 'A unary request has exactly one message; this one has more.')
  }
  const message = body.subarray(PREFIX_BYTES)
  return flag === 1 ? decompress(message, encoding) : message
}

/** One uncompressed message with its prefix. */
export function writeFrame(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + message.length)
  frame[0] = 0
  frame.writeUInt32BE(message.length, 1)
  frame.set(message, PREFIX_BYTES)
  return frame
}

const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 }

/**
 * The header `grpc-timeout` in ms, rounded up; undefined where there is none.
 * @throws RpcError INVALID_ARGUMENT
 */
export function readTimeout(header: unknown): number | undefined {
  if (header === undefined) return undefined
  const [, digits, unit] = (typeof header === 'string' && /^(\d{1,8})([HMSmun])$/.exec(header)) || []
  const factor = UNIT_MS[unit ?? '']
  if (factor === undefined) throw badArgument('The grpc-timeout header is malformed.')
  return Math.ceil(Number(digits) * factor)
}

/** Percent-encodes what may not be in a header: all but printable ASCII, and the percent sign. */
export const encodeMessage = (message: string): string =>
  message
    .toWellFormed()
    .replace(/[^\x20-\x24\x26-\x7e]+/gu, (text) =>
      Buffer.from(text).reduce((encoded, byte) => `${encoded}%${byte.toString(16).toUpperCase().padStart(2, '0')}`, ''),
    )
