/** Lists: pages of at most 25, each naming the next by an absolute URL that clients follow as it is. */
import type { AzureRequest } from './binding.ts'
import { skipToken } from './http.ts'

export type Listing<T> = { readonly value: readonly T[]; readonly nextLink: string | null }

export function listing<T>(
  request: AzureRequest,
  path: string,
  value: readonly T[],
  next: string | undefined,
): Listing<T> {
  if (next === undefined) return { value, nextLink: null }
  const query = new URLSearchParams({
    'api-version': request.apiVersion,
    $skiptoken: skipToken(next),
    maxresults: String(request.limit),
  })
  return { value, nextLink: `${request.base}${path}?${query}` }
}
