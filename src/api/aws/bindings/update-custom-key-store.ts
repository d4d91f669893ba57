import { type KeyStoreChange, updateKeyStore } from '../../../core/ops/key-stores.ts'
import { validationError } from '../aws-error.ts'
import type { UpdateCustomKeyStoreRequest } from '../gen/types.ts'
import { readService } from '../key-stores.ts'
import { parseKeyStore } from '../names.ts'
import { bind } from '../route.ts'

type Wire = UpdateCustomKeyStoreRequest

function readToken(wire: Wire): KeyStoreChange['token'] {
  const { CloudHsmClusterId: cluster, KeyStorePassword: secret } = wire
  return cluster === undefined && secret === undefined ? undefined : { cluster, secret }
}

function readProxy(wire: Wire, account: string): KeyStoreChange['proxy'] {
  const { XksProxyAuthenticationCredential: credential, XksProxyConnectivity: connectivity } = wire
  const named = wire.XksProxyVpcEndpointServiceName !== undefined || wire.XksProxyVpcEndpointServiceOwner !== undefined
  if (connectivity !== undefined && wire.XksProxyUriEndpoint === undefined) {
    throw validationError('XksProxyUriEndpoint is required when XksProxyConnectivity changes.')
  }
  const service =
    connectivity === undefined && !named
      ? undefined
      : (readService({ XksProxyConnectivity: 'VPC_ENDPOINT_SERVICE', ...wire }, account) ?? null)
  const change = {
    endpoint: wire.XksProxyUriEndpoint,
    path: wire.XksProxyUriPath,
    service,
    accessKeyId: credential?.AccessKeyId,
    secret: credential?.RawSecretAccessKey,
  }
  return Object.values(change).every((value) => value === undefined) ? undefined : change
}

export const updateCustomKeyStoreBinding = bind({
  wire: 'UpdateCustomKeyStore',
  operation: updateKeyStore,
  toInput: (wire, ctx) => ({
    id: parseKeyStore(wire.CustomKeyStoreId),
    change: { name: wire.NewCustomKeyStoreName, token: readToken(wire), proxy: readProxy(wire, ctx.realm.account) },
  }),
  toOutput: () => ({}),
})
