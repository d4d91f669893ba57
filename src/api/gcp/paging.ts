/** page_size, page_token and what else lists may be asked for. */
import type { Paging } from '../../core/ops/list-keys.ts'
import { crc32c } from '../codec/crc32c.ts'
import { badField, RpcError } from './status.ts'

const DEFAULT_SIZE = 100
const MAX_SIZE = 1000
const TAG_BYTES = 4

export type PageRequest = {
  readonly pageSize: number
  readonly pageToken: string
  readonly filter?: string
  readonly orderBy?: string
}

/** Four bytes that tie a token to its list, so that a token of another one is refused and not misread. */
function tagOf(list: string, after: Buffer): Buffer {
  const tag = Buffer.alloc(TAG_BYTES)
  tag.writeUInt32BE(crc32c(Buffer.concat([Buffer.from(`${list}\n`), after])))
  return tag
}

function readToken(list: string, token: string): string {
  const bytes = Buffer.from(token, 'base64url')
  const after = bytes.subarray(TAG_BYTES)
  if (bytes.length <= TAG_BYTES || !tagOf(list, after).equals(bytes.subarray(0, TAG_BYTES))) {
    throw badField('page_token', 'Invalid value for field page_token: it is not a token of this list.')
  }
  return after.toString('utf8')
}

/**
 * @param list the list's own name, the parent's and the collection's
 * @throws RpcError INVALID_ARGUMENT; UNIMPLEMENTED for a filter or an order
 */
export function readPaging(list: string, request: PageRequest): Paging {
  const { pageSize, pageToken, filter = '', orderBy = '' } = request
  if (filter !== '') throw new RpcError('UNIMPLEMENTED', 'The filter field is not supported.')
  if (orderBy !== '') throw new RpcError('UNIMPLEMENTED', 'The order_by field is not supported.')
  if (pageSize < 0) throw badField('page_size', 'Invalid value for field page_size: it must not be negative.')
  const limit = Math.min(pageSize === 0 ? DEFAULT_SIZE : pageSize, MAX_SIZE)
  return pageToken === '' ? { limit } : { limit, after: readToken(list, pageToken) }
}

/** The field next_page_token: empty on the last page. */
export function writeToken(list: string, next: string | undefined): string {
  if (next === undefined) return ''
  const after = Buffer.from(next)
  return Buffer.concat([tagOf(list, after), after]).toString('base64url')
}
