/**
 * What custom key stores answer. Which exception an external key manager's failure becomes depends on what was asked
 * (table of the XKS proxy API specification v1.0.3, section "Error handling", texts included).
 */
import type { ExternalFailure, KeyStoreRefusal } from '../../core/key-store.ts'
import type { AwsErrorType } from './aws-error.ts'
import type { ConnectionErrorCodeType } from './gen/types.ts'

/** In the model's own words. */
const NO_HSM = 'The CloudHSM cluster must contain at least two active HSMs.'

type Answer = { readonly type: AwsErrorType; readonly message: string }

const UNREADABLE =
  'AWS KMS cannot interpret the response from the external key store proxy. If you see this error repeatedly, report it to your external key store proxy administrator.'

/** `stores`: creating and updating key stores. `keys`: CreateKey; where it has none of its own, the store's state is to blame. */
const EXTERNAL: Readonly<
  Record<
    ExternalFailure,
    {
      readonly stores?: AwsErrorType
      readonly keys?: AwsErrorType
      readonly message: string
      readonly connection: ConnectionErrorCodeType
    }
  >
> = {
  invalid_request: {
    stores: 'XksProxyInvalidResponseException',
    message: UNREADABLE,
    connection: 'XKS_PROXY_INVALID_RESPONSE',
  },
  key_state: {
    keys: 'XksKeyInvalidConfigurationException',
    message:
      'The external key associated with this KMS key in an external key store is not enabled in the external key manager. Enable the external key in the external key manager and retry the request.',
    connection: 'XKS_PROXY_INVALID_RESPONSE',
  },
  ciphertext: {
    message:
      'The external key store proxy rejected the request because the specified ciphertext or encryption context is corrupted, missing, or otherwise invalid.',
    connection: 'XKS_PROXY_INVALID_RESPONSE',
  },
  key_usage: {
    keys: 'XksKeyInvalidConfigurationException',
    message:
      'The external key associated with this KMS key in an external key store does not support the requested operation. Enable the operation on the key in your external key manager, and try the request again.',
    connection: 'XKS_PROXY_INVALID_RESPONSE',
  },
  authentication: {
    stores: 'XksProxyIncorrectAuthenticationCredentialException',
    message:
      'The external key store proxy rejected the request because it could not authenticate AWS KMS. Verify the XKS proxy authentication credentials for your external key store and update if necessary.',
    connection: 'INVALID_CREDENTIALS',
  },
  access: {
    keys: 'KMSInvalidStateException',
    message:
      'The external key store proxy denied access to the operation. Verify that the user and the external key are both authorized for this operation, and try the request again.',
    connection: 'XKS_PROXY_ACCESS_DENIED',
  },
  key_not_found: {
    keys: 'XksKeyNotFoundException',
    message:
      'The external key associated with this KMS key in an external key store was not found in its external key manager. If the external key ID associated with this KMS key is incorrect, create a new KMS key with the correct external key ID.',
    connection: 'XKS_PROXY_INVALID_RESPONSE',
  },
  uri_path: {
    stores: 'XksProxyInvalidConfigurationException',
    message:
      'The external key store proxy rejected the request because of an invalid URI path. Verify the URI path for your external key store and update if necessary.',
    connection: 'XKS_PROXY_INVALID_CONFIGURATION',
  },
  unsupported: {
    stores: 'XksProxyInvalidResponseException',
    message:
      'The external key store proxy rejected the request because it does not support the requested operation. If you see this error repeatedly, report it to your external key store proxy administrator.',
    connection: 'XKS_PROXY_INVALID_RESPONSE',
  },
  dependency_timeout: {
    stores: 'XksProxyUriUnreachableException',
    message:
      'The external key store proxy did not respond to the request in the time allotted. Retry the request. If you see this error repeatedly, report it to your external key store proxy administrator.',
    connection: 'XKS_PROXY_TIMED_OUT',
  },
  throttled: {
    stores: 'XksProxyUriUnreachableException',
    message:
      'The external key store proxy rejected the request due to a very high request rate. Reduce the frequency of your calls using KMS keys in this external key store.',
    connection: 'XKS_PROXY_NOT_REACHABLE',
  },
  internal: {
    stores: 'XksProxyInvalidResponseException',
    message:
      'The external key store proxy rejected the request because it cannot communicate with the external key manager. Verify that the external key store proxy configuration is correct and that the external key manager is available.',
    connection: 'XKS_PROXY_INVALID_RESPONSE',
  },
  unreachable: {
    stores: 'XksProxyUriUnreachableException',
    message:
      'AWS KMS cannot communicate with the external key store proxy. This might be a transient network issue. If you see this error repeatedly, verify that your external key store proxy is active and is connected to the network, and that its endpoint URI is correct in your external keystore.',
    connection: 'XKS_PROXY_NOT_REACHABLE',
  },
  tls: {
    stores: 'XksProxyUriUnreachableException',
    message:
      'AWS KMS cannot establish a TLS connection to the external key store proxy. Verify the TLS configuration, including its certificate.',
    connection: 'XKS_PROXY_INVALID_TLS_CONFIGURATION',
  },
  timeout: {
    stores: 'XksProxyUriUnreachableException',
    message:
      'AWS KMS rejected the request because the external key store proxy did not respond in time. Retry the request. If you see this error repeatedly, report it to your external key store proxy administrator.',
    connection: 'XKS_PROXY_TIMED_OUT',
  },
  malformed: {
    stores: 'XksProxyInvalidResponseException',
    message: UNREADABLE,
    connection: 'XKS_PROXY_INVALID_RESPONSE',
  },
  // The model's own words for the exception: every instance of the external key manager is unavailable.
  unavailable: {
    stores: 'XksProxyUriUnreachableException',
    message:
      'The external key store proxy reports that all external key manager instances are unavailable. Verify that the external key manager is available.',
    connection: 'XKS_PROXY_NOT_REACHABLE',
  },
}

const REFUSED: Readonly<
  Record<
    KeyStoreRefusal,
    {
      readonly type: AwsErrorType
      readonly message: string
      readonly connection: ConnectionErrorCodeType
    }
  >
> = {
  cluster_not_found: {
    type: 'CloudHsmClusterNotFoundException',
    message: 'Cannot find the CloudHSM cluster with the specified cluster ID.',
    connection: 'CLUSTER_NOT_FOUND',
  },
  cluster_in_use: {
    type: 'CloudHsmClusterInUseException',
    message: 'The CloudHSM cluster is already associated with a custom key store in this account.',
    connection: 'INTERNAL_ERROR',
  },
  cluster_not_active: {
    type: 'CloudHsmClusterNotActiveException',
    message: 'The CloudHSM cluster is not active.',
    connection: 'INSUFFICIENT_CLOUDHSM_HSMS',
  },
  cluster_not_related: {
    type: 'CloudHsmClusterNotRelatedException',
    message: 'The CloudHSM cluster has another cluster certificate than the original cluster.',
    connection: 'INTERNAL_ERROR',
  },
  trust_anchor: {
    type: 'IncorrectTrustAnchorException',
    message: 'The trust anchor certificate does not match that of the CloudHSM cluster.',
    connection: 'INTERNAL_ERROR',
  },
  password: {
    type: 'CloudHsmClusterInvalidConfigurationException',
    message: 'The kmsuser password is not correct.',
    connection: 'INVALID_CREDENTIALS',
  },
  uri_in_use: {
    type: 'XksProxyUriInUseException',
    message: 'The XksProxyUriEndpoint and XksProxyUriPath are already associated with an external key store.',
    connection: 'INTERNAL_ERROR',
  },
  endpoint_in_use: {
    type: 'XksProxyUriEndpointInUseException',
    message: 'The XksProxyUriEndpoint is already associated with an external key store.',
    connection: 'INTERNAL_ERROR',
  },
  service_in_use: {
    type: 'XksProxyVpcEndpointServiceInUseException',
    message: 'The Amazon VPC endpoint service is already associated with an external key store.',
    connection: 'INTERNAL_ERROR',
  },
  service_not_found: {
    type: 'XksProxyVpcEndpointServiceNotFoundException',
    message: 'The specified VPC endpoint service could not be found.',
    connection: 'XKS_VPC_ENDPOINT_SERVICE_NOT_FOUND',
  },
  external_key_in_use: {
    type: 'XksKeyAlreadyInUseException',
    message: 'The XksKeyId is already associated with another KMS key in this external key store.',
    connection: 'INTERNAL_ERROR',
  },
  external_key_spec: {
    type: 'XksKeyInvalidConfigurationException',
    message:
      'The external key must be an AES-256 symmetric key that is enabled and performs encryption and decryption.',
    connection: 'XKS_PROXY_INVALID_RESPONSE',
  },
}

const isExternal = (reason: string): reason is ExternalFailure => reason in EXTERNAL

/** `wire`: the operation that failed. */
export function externalAnswer(reason: ExternalFailure, wire: string): Answer {
  const { stores, keys, message } = EXTERNAL[reason]
  if (wire.endsWith('CustomKeyStore')) return { type: stores ?? 'XksProxyInvalidResponseException', message }
  if (wire === 'CreateKey') return { type: keys ?? 'CustomKeyStoreInvalidStateException', message }
  return { type: 'KMSInvalidStateException', message }
}

/** `wire`: the operation that failed. A new key wants more of its cluster than a store does. */
export function refusalAnswer(reason: KeyStoreRefusal, wire: string): Answer {
  const { type, message } = REFUSED[reason]
  const forKey = reason === 'cluster_not_active' && wire === 'CreateKey'
  return forKey ? { type: 'CloudHsmClusterInvalidConfigurationException', message: NO_HSM } : { type, message }
}

export const connectionError = (failure: KeyStoreRefusal | ExternalFailure): ConnectionErrorCodeType =>
  isExternal(failure) ? EXTERNAL[failure].connection : REFUSED[failure].connection
