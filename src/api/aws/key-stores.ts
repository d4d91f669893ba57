/** Custom key stores on the wire: what a request says of a place, and what is shown of one. */
import type { KeyStore, ProxyPlace } from '../../core/key-store.ts'
import type { NewPlace } from '../../core/ops/key-stores.ts'
import { validationError } from './aws-error.ts'
import type {
  ConnectionStateType,
  CreateCustomKeyStoreRequest,
  CustomKeyStoresListEntry,
  CustomKeyStoreType,
} from './gen/types.ts'
import { connectionError } from './key-store-errors.ts'
import { keyStoreName } from './names.ts'
import { seconds } from './render-key-metadata.ts'

const TYPES = { token: 'AWS_CLOUDHSM', proxy: 'EXTERNAL_KEY_STORE' } as const satisfies Record<
  KeyStore['place']['kind'],
  CustomKeyStoreType
>
const STATES = {
  connected: 'CONNECTED',
  connecting: 'CONNECTING',
  disconnected: 'DISCONNECTED',
  failed: 'FAILED',
} as const satisfies Record<KeyStore['state'], ConnectionStateType>

type Wire = CreateCustomKeyStoreRequest
const TOKEN_MEMBERS = ['CloudHsmClusterId', 'TrustAnchorCertificate', 'KeyStorePassword'] as const
const PROXY_MEMBERS = [
  'XksProxyUriEndpoint',
  'XksProxyUriPath',
  'XksProxyAuthenticationCredential',
  'XksProxyConnectivity',
] as const
const SERVICE_MEMBERS = ['XksProxyVpcEndpointServiceName', 'XksProxyVpcEndpointServiceOwner'] as const

/** @throws AwsError for a member that is missing, or that key stores of the type don't have */
function checkMembers(wire: Wire, type: CustomKeyStoreType): void {
  const [needed, foreign] =
    type === 'AWS_CLOUDHSM' ? [TOKEN_MEMBERS, [...PROXY_MEMBERS, ...SERVICE_MEMBERS]] : [PROXY_MEMBERS, TOKEN_MEMBERS]
  const missing = needed.find((name) => wire[name] === undefined)
  if (missing !== undefined) throw validationError(`${missing} is required when CustomKeyStoreType is ${type}.`)
  const extra = foreign.find((name) => wire[name] !== undefined)
  if (extra !== undefined) throw validationError(`${extra} is not valid when CustomKeyStoreType is ${type}.`)
}

type ServiceMembers = Pick<Wire, (typeof SERVICE_MEMBERS)[number] | 'XksProxyConnectivity'>
/** @throws AwsError where connectivity and endpoint service don't fit each other */
export function readService(wire: ServiceMembers, account: string): ProxyPlace['service'] {
  const { XksProxyConnectivity: connectivity, XksProxyVpcEndpointServiceName: name } = wire
  if (connectivity === 'VPC_ENDPOINT_SERVICE') {
    if (!name) {
      throw validationError(
        'XksProxyVpcEndpointServiceName is required when XksProxyConnectivity is VPC_ENDPOINT_SERVICE.',
      )
    }
    return { name, owner: wire.XksProxyVpcEndpointServiceOwner ?? account }
  }
  if (name) {
    throw validationError('XksProxyVpcEndpointServiceName is not valid when XksProxyConnectivity is PUBLIC_ENDPOINT.')
  }
  return undefined
}

export function readPlace(wire: Wire, account: string): NewPlace {
  const type = wire.CustomKeyStoreType ?? 'AWS_CLOUDHSM'
  checkMembers(wire, type)
  if (type === 'AWS_CLOUDHSM') {
    return {
      kind: 'token',
      cluster: wire.CloudHsmClusterId ?? '',
      trustAnchor: wire.TrustAnchorCertificate ?? '',
      secret: wire.KeyStorePassword ?? '',
    }
  }
  const service = readService(wire, account)
  return {
    kind: 'proxy',
    endpoint: wire.XksProxyUriEndpoint ?? '',
    path: wire.XksProxyUriPath ?? '',
    accessKeyId: wire.XksProxyAuthenticationCredential?.AccessKeyId ?? '',
    secret: wire.XksProxyAuthenticationCredential?.RawSecretAccessKey ?? '',
    ...(service && { service }),
  }
}

function renderPlace({ place }: KeyStore) {
  if (place.kind === 'token') return { CloudHsmClusterId: place.cluster, TrustAnchorCertificate: place.trustAnchor }
  return {
    XksProxyConfiguration: {
      Connectivity: place.service === undefined ? 'PUBLIC_ENDPOINT' : 'VPC_ENDPOINT_SERVICE',
      AccessKeyId: place.accessKeyId,
      UriEndpoint: place.endpoint,
      UriPath: place.path,
      ...(place.service && {
        VpcEndpointServiceName: place.service.name,
        VpcEndpointServiceOwner: place.service.owner,
      }),
    },
  } as const
}

export const renderKeyStoreEntry = (keyStore: KeyStore): CustomKeyStoresListEntry => ({
  CustomKeyStoreId: keyStoreName(keyStore.id),
  CustomKeyStoreName: keyStore.name,
  CustomKeyStoreType: TYPES[keyStore.place.kind],
  ConnectionState: STATES[keyStore.state],
  ...(keyStore.failure !== undefined && { ConnectionErrorCode: connectionError(keyStore.failure) }),
  CreationDate: seconds(keyStore.createdAt),
  ...renderPlace(keyStore),
})
