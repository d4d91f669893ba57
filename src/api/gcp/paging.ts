/** page_size, page_token, filter and order_by of lists. */
import { createHash } from 'node:crypto'
import type { DescMessage } from '@bufbuild/protobuf'
import type { Paging } from '../../core/ops/list-keys.ts'
import { type Matches, readFilter } from './filter.ts'
import { badField } from './status.ts'

const DEFAULT_SIZE = 100
const MAX_SIZE = 1000
const TAG_BYTES = 8

export type PageRequest = {
  readonly pageSize: number
  readonly pageToken: string
  readonly filter?: string
  readonly orderBy?: string
}

/** Ties a token to its list, filter and order: one of another request is refused and not misread. */
function tagOf(list: string, { filter = '', orderBy = '' }: PageRequest, after: string): Buffer {
  const bound = JSON.stringify([list, filter, orderBy, after])
  return createHash('sha256').update(bound).digest().subarray(0, TAG_BYTES)
}

function readToken(list: string, request: PageRequest): string {
  const bytes = Buffer.from(request.pageToken, 'base64url')
  const after = bytes.subarray(TAG_BYTES).toString('utf8')
  if (after === '' || !tagOf(list, request, after).equals(bytes.subarray(0, TAG_BYTES))) {
    throw badField('page_token', 'Invalid value for field page_token: it is not a token of this list and filter.')
  }
  return after
}

function readOrder(orderBy: string): Paging['order'] {
  const [field = '', direction = 'asc', ...rest] = orderBy.trim().split(/\s+/, 4)
  if (field === '') return 'ascending'
  const known = direction === 'asc' || direction === 'desc'
  if (field === 'name' && known && rest.length === 0) return direction === 'asc' ? 'ascending' : 'descending'
  throw badField('order_by', 'Invalid value for field order_by: it must be "name" or "name desc".')
}

/**
 * @param list the list's own name, the parent's and the collection's
 * @throws RpcError INVALID_ARGUMENT
 */
export function readPaging(list: string, request: PageRequest): Paging {
  const { pageSize, pageToken, filter = '', orderBy = '' } = request
  if (pageSize < 0) throw badField('page_size', 'Invalid value for field page_size: it must not be negative.')
  const paging = {
    limit: Math.min(pageSize === 0 ? DEFAULT_SIZE : pageSize, MAX_SIZE),
    order: readOrder(orderBy),
    // The total is of the whole list, and not said of a filtered one.
    counted: filter.trim() === '',
  }
  return pageToken === '' ? paging : { ...paging, after: readToken(list, request) }
}

/** A list's filter over what its rows are shown as. @throws RpcError INVALID_ARGUMENT */
export function readMatches<T>(
  { filter = '' }: PageRequest,
  desc: DescMessage,
  render: (row: T) => Parameters<Matches>[0],
): { readonly matches?: (row: T) => boolean } {
  const matches = readFilter(filter, desc)
  return matches === undefined ? {} : { matches: (row) => matches(render(row)) }
}

/** The fields that end every page. */
export function pageEnd(list: string, request: PageRequest, { next, total = 0 }: { next?: string; total?: number }) {
  return { nextPageToken: writeToken(list, request, next), totalSize: total }
}

/** The field next_page_token: empty on the last page. */
export function writeToken(list: string, request: PageRequest, next: string | undefined): string {
  if (next === undefined) return ''
  return Buffer.concat([tagOf(list, request, next), Buffer.from(next)]).toString('base64url')
}
