/** The methods of Cloud EKM, and which of them are bound here. */
import type { Coverage } from '../../surface.ts'
import { BINDINGS } from './bindings/index.ts'

/** `record`: how much of the method's form is known. */
export const CLOUD_METHODS = [
  { wire: 'wrap', http: 'POST {key}:wrap', record: 'seen' },
  { wire: 'unwrap', http: 'POST {key}:unwrap', record: 'seen' },
  { wire: 'getPublicKey', http: 'POST {key}:getPublicKey', record: 'path' },
  { wire: 'asymmetricSign', http: 'POST {key}:asymmetricSign', record: 'path' },
  { wire: 'getInfo', http: 'GET /{prefix}/info, /.well-known/external-key-manager', record: 'path' },
  { wire: 'createKey', http: 'POST /{prefix}/cryptospaces/{name}:createKey', record: 'path' },
  { wire: 'destroyKey', http: 'POST {key}:destroyKey', record: 'path' },
  {
    wire: 'checkCryptoSpacePermissions',
    http: 'POST /{prefix}/cryptospaces/{name}:checkCryptoSpacePermissions',
    record: 'path',
  },
  { wire: 'confidentialwrap', http: 'POST {key}:confidentialwrap', record: 'path' },
  { wire: 'confidentialunwrap', http: 'POST {key}:confidentialunwrap', record: 'path' },
] as const

const BOUND: ReadonlyMap<string, string> = new Map([
  ...BINDINGS.map(({ wire, operation }) => [wire, operation] as const),
  ['getInfo', 'none: facts of the service itself'],
])

export const COVERAGE: readonly Coverage[] = CLOUD_METHODS.map(({ wire }) => ({ wire, operation: BOUND.get(wire) }))
