/** External key stores and proxies that misbehave. */
import t from 'tap'
import { CREDENTIAL, ENDPOINT, type Fault, PATH } from '../support/xks-proxy.ts'
import { ask, external, name, PRIVATE_ENDPOINT, SERVICE, setUp } from './key-stores-support.ts'

t.test('what goes wrong with a proxy is told as the specification says', async (t) => {
  const { proxy, aws, connected, describe, externalKey } = await setUp(t)
  for (const id of ['used', 'free']) proxy.addKey(id)
  const store = await connected(external)
  const KeyId = await externalKey(store, 'used')
  const Plaintext = Buffer.from('x').toString('base64')
  const { CiphertextBlob } = await ask(aws, 'Encrypt', { KeyId, Plaintext })
  const error = (status: number, name: string): Fault => ({ kind: 'error', status, name })
  const change = (change: Extract<Fault, { kind: 'change' }>['change']): Fault => ({ kind: 'change', change })
  const other = { ...external, CustomKeyStoreName: 'other', XksProxyUriPath: '/tenant-2/kms/xks/v1' }
  const rows: readonly (readonly [Fault, stores: string, keys: string, message: RegExp, connection?: string])[] = [
    [
      error(400, 'ValidationException'),
      'XksProxyInvalidResponseException',
      'CustomKeyStoreInvalidStateException',
      /cannot interpret/,
    ],
    [
      error(400, 'InvalidStateException'),
      'XksProxyInvalidResponseException',
      'XksKeyInvalidConfigurationException',
      /not enabled in the external/,
    ],
    [
      error(400, 'InvalidKeyUsageException'),
      'XksProxyInvalidResponseException',
      'XksKeyInvalidConfigurationException',
      /does not support the requested/,
    ],
    [
      error(401, 'AuthenticationFailedException'),
      'XksProxyIncorrectAuthenticationCredentialException',
      'CustomKeyStoreInvalidStateException',
      /could not authenticate/,
      'INVALID_CREDENTIALS',
    ],
    [
      error(403, 'AccessDeniedException'),
      'XksProxyInvalidResponseException',
      'KMSInvalidStateException',
      /denied access/,
      'XKS_PROXY_ACCESS_DENIED',
    ],
    [
      error(404, 'KeyNotFoundException'),
      'XksProxyInvalidResponseException',
      'XksKeyNotFoundException',
      /was not found in its external/,
    ],
    [
      error(404, 'InvalidUriPathException'),
      'XksProxyInvalidConfigurationException',
      'CustomKeyStoreInvalidStateException',
      /invalid URI path/,
      'XKS_PROXY_INVALID_CONFIGURATION',
    ],
    [
      error(501, 'UnsupportedOperationException'),
      'XksProxyInvalidResponseException',
      'CustomKeyStoreInvalidStateException',
      /does not support the requested operation/,
    ],
    [
      error(503, 'DependencyTimeoutException'),
      'XksProxyUriUnreachableException',
      'CustomKeyStoreInvalidStateException',
      /time allotted/,
      'XKS_PROXY_TIMED_OUT',
    ],
    [
      error(429, 'ThrottlingException'),
      'XksProxyUriUnreachableException',
      'CustomKeyStoreInvalidStateException',
      /very high request rate/,
    ],
    [
      error(500, 'InternalException'),
      'XksProxyInvalidResponseException',
      'CustomKeyStoreInvalidStateException',
      /cannot communicate with the external key manager/,
    ],
    [
      error(418, 'constructor'),
      'XksProxyInvalidResponseException',
      'CustomKeyStoreInvalidStateException',
      /cannot interpret/,
    ],
    [
      { kind: 'answer', text: 'no JSON' },
      'XksProxyInvalidResponseException',
      'CustomKeyStoreInvalidStateException',
      /cannot interpret/,
      'XKS_PROXY_INVALID_RESPONSE',
    ],
    [
      { kind: 'answer', text: '[]' },
      'XksProxyInvalidResponseException',
      'CustomKeyStoreInvalidStateException',
      /cannot interpret/,
    ],
    [
      { kind: 'answer', text: '{}' },
      'XksProxyInvalidResponseException',
      'CustomKeyStoreInvalidStateException',
      /cannot interpret/,
    ],
    [
      { kind: 'answer', text: `"${'x'.repeat(100_000)}"` },
      'XksProxyUriUnreachableException',
      'CustomKeyStoreInvalidStateException',
      /cannot communicate/,
    ],
    [
      { kind: 'answer', status: 502, text: '<html>bad gateway</html>' },
      'XksProxyInvalidResponseException',
      'CustomKeyStoreInvalidStateException',
      /cannot interpret/,
    ],
    [
      { kind: 'redirect', to: 'https://127.0.0.1/' },
      'XksProxyInvalidResponseException',
      'CustomKeyStoreInvalidStateException',
      /cannot interpret/,
    ],
    [
      { kind: 'slow', ms: 20_000 },
      'XksProxyUriUnreachableException',
      'CustomKeyStoreInvalidStateException',
      /did not respond in time/,
      'XKS_PROXY_TIMED_OUT',
    ],
    [
      { kind: 'cut' },
      'XksProxyUriUnreachableException',
      'CustomKeyStoreInvalidStateException',
      /cannot communicate with the external key store/,
      'XKS_PROXY_NOT_REACHABLE',
    ],
  ]
  for (const [fault, stores, keys, message, connection] of rows) {
    proxy.state.fault = fault
    const label = JSON.stringify(fault).slice(0, 60)
    t.equal(await name(aws, 'CreateCustomKeyStore', other), stores, `${label}: a store`)
    const key = { Origin: 'EXTERNAL_KEY_STORE', CustomKeyStoreId: store, XksKeyId: 'free' }
    t.equal(await name(aws, 'CreateKey', key), keys, `${label}: a key`)
    for (const [operation, input] of [
      ['Encrypt', { KeyId, Plaintext }],
      ['Decrypt', { CiphertextBlob }],
    ] as const) {
      const refusal = await aws.refusal(operation, input)
      t.match(refusal, /^KMSInvalidStateException: /, `${label}: ${operation}`)
      t.match(refusal, message)
    }
    if (connection === undefined) continue
    await ask(aws, 'DisconnectCustomKeyStore', { CustomKeyStoreId: store })
    t.equal(await aws.refusal('ConnectCustomKeyStore', { CustomKeyStoreId: store }), 'ok')
    t.match(await describe(store), { ConnectionState: 'FAILED', ConnectionErrorCode: connection })
    t.equal(
      await name(aws, 'ConnectCustomKeyStore', { CustomKeyStoreId: store }),
      'CustomKeyStoreInvalidStateException',
    )
    proxy.state.fault = undefined
    await ask(aws, 'DisconnectCustomKeyStore', { CustomKeyStoreId: store })
    await ask(aws, 'ConnectCustomKeyStore', { CustomKeyStoreId: store })
    t.notOk('ConnectionErrorCode' in (await describe(store)), 'recovered')
  }

  const wrongEncryptions: readonly Fault[] = [
    change((answer) => ({ ...answer, ciphertextDataIntegrityValue: Buffer.alloc(32).toString('base64') })),
    change(({ ciphertextDataIntegrityValue: _, ...rest }) => rest),
    change((answer) => ({ ...answer, ciphertextMetadata: Buffer.alloc(21).toString('base64') })),
    change((answer) => ({ ...answer, initializationVector: Buffer.alloc(13).toString('base64') })),
    change((answer) => ({ ...answer, authenticationTag: Buffer.alloc(12).toString('base64') })),
    change((answer) => ({ ...answer, ciphertext: Buffer.alloc(3).toString('base64') })),
    change((answer) => ({ ...answer, ciphertext: 'not base64!' })),
    change((answer) => ({ ...answer, ciphertext: 7 })),
  ]
  for (const fault of wrongEncryptions) {
    proxy.state.fault = fault
    t.match(await aws.refusal('Encrypt', { KeyId, Plaintext }), /^KMSInvalidStateException: AWS KMS cannot interpret/)
  }
  proxy.state.fault = change(() => ({ plaintext: 'AAAA' }))
  t.match(await aws.refusal('Decrypt', { CiphertextBlob }), /^KMSInvalidStateException: AWS KMS cannot interpret/)
  proxy.state.fault = change((answer) => {
    const wrong = Buffer.from(String(answer.plaintext), 'base64')
    wrong.writeUInt8(wrong.readUInt8(0) ^ 1)
    return { plaintext: wrong.toString('base64') }
  })
  t.equal(await name(aws, 'Decrypt', { CiphertextBlob }), 'InvalidCiphertextException', 'the inner layer notices')
  proxy.state.fault = undefined
  t.equal((await ask(aws, 'Decrypt', { CiphertextBlob })).Plaintext, Plaintext)
})

t.test('proxies: where a store may call, and what is unique', async (t) => {
  const { proxy, aws, create, connected, describe } = await setUp(t)
  const at = (XksProxyUriEndpoint: string, more: object = {}) => ({
    ...external,
    CustomKeyStoreName: 'n',
    XksProxyUriEndpoint,
    ...more,
  })
  t.match(
    await aws.refusal('CreateCustomKeyStore', at('https://elsewhere.example')),
    /^XksProxyUriUnreachableException: /,
    'not in the configuration',
  )
  t.match(
    await aws.refusal('CreateCustomKeyStore', at('https://untrusted.test.example')),
    /^XksProxyUriUnreachableException: .*TLS/,
  )
  t.match(
    await aws.refusal('CreateCustomKeyStore', at('https://closed.test.example')),
    /^XksProxyUriUnreachableException: AWS KMS cannot communicate/,
  )
  const credential = { ...CREDENTIAL, RawSecretAccessKey: 'w'.repeat(43) }
  t.equal(
    await name(aws, 'CreateCustomKeyStore', at(ENDPOINT, { XksProxyAuthenticationCredential: credential })),
    'XksProxyIncorrectAuthenticationCredentialException',
  )
  t.equal(
    await name(aws, 'CreateCustomKeyStore', at(ENDPOINT, { XksProxyUriPath: '/wrong/kms/xks/v1' })),
    'XksProxyInvalidConfigurationException',
  )
  proxy.state.fault = {
    kind: 'change',
    change: (answer) => ({ ...answer, ekmFleetDetails: [{ id: '1', model: 'm', healthStatus: 'UNAVAILABLE' }] }),
  }
  t.equal(
    await name(aws, 'CreateCustomKeyStore', external),
    'XksProxyUriUnreachableException',
    'every instance is unavailable',
  )
  proxy.state.fault = undefined
  const first = await create(external)
  t.equal(
    await name(aws, 'CreateCustomKeyStore', { ...external, XksProxyUriPath: '/other/kms/xks/v1' }),
    'CustomKeyStoreNameInUseException',
  )
  t.equal(await name(aws, 'CreateCustomKeyStore', at(ENDPOINT)), 'XksProxyUriInUseException')

  const service = { XksProxyConnectivity: 'VPC_ENDPOINT_SERVICE', XksProxyVpcEndpointServiceName: SERVICE }
  t.equal(await name(aws, 'CreateCustomKeyStore', at(ENDPOINT, service)), 'XksProxyUriInUseException')
  t.equal(
    await name(aws, 'CreateCustomKeyStore', at(ENDPOINT, { ...service, XksProxyUriPath: '/o/kms/xks/v1' })),
    'XksProxyUriEndpointInUseException',
  )
  const unknown = { ...service, XksProxyVpcEndpointServiceName: 'com.amazonaws.vpce.us-east-1.vpce-svc-1111' }
  t.equal(
    await name(aws, 'CreateCustomKeyStore', at(PRIVATE_ENDPOINT, unknown)),
    'XksProxyVpcEndpointServiceNotFoundException',
  )
  const priv = await create(at(PRIVATE_ENDPOINT, service))
  t.match(await describe(priv), {
    XksProxyConfiguration: {
      Connectivity: 'VPC_ENDPOINT_SERVICE',
      VpcEndpointServiceName: SERVICE,
      VpcEndpointServiceOwner: '000000000000',
    },
  })
  t.equal(
    await name(aws, 'CreateCustomKeyStore', {
      ...at(ENDPOINT, { ...service, XksProxyUriPath: '/p/kms/xks/v1' }),
      CustomKeyStoreName: 'm',
    }),
    'XksProxyVpcEndpointServiceInUseException',
  )
  for (const missing of [
    'XksProxyUriEndpoint',
    'XksProxyUriPath',
    'XksProxyAuthenticationCredential',
    'XksProxyConnectivity',
  ]) {
    const { [missing as 'XksProxyUriPath']: _, ...rest } = external
    t.match(await aws.refusal('CreateCustomKeyStore', rest), new RegExp(`^ValidationException: ${missing}`))
  }
  t.equal(await name(aws, 'CreateCustomKeyStore', { ...external, KeyStorePassword: 'password' }), 'ValidationException')
  t.equal(
    await name(aws, 'CreateCustomKeyStore', { ...external, XksProxyConnectivity: 'VPC_ENDPOINT_SERVICE' }),
    'ValidationException',
  )

  const update = (CustomKeyStoreId: string, change: object) =>
    name(aws, 'UpdateCustomKeyStore', { CustomKeyStoreId, ...change })
  t.equal(await update(first, { NewCustomKeyStoreName: 'n' }), 'CustomKeyStoreNameInUseException')
  t.equal(await update(first, { KeyStorePassword: 'password' }), 'ValidationException')
  t.equal(
    await update(first, { XksProxyAuthenticationCredential: credential }),
    'XksProxyIncorrectAuthenticationCredentialException',
  )
  await ask(aws, 'ConnectCustomKeyStore', { CustomKeyStoreId: first })
  t.equal(
    await update(first, { XksProxyUriEndpoint: 'https://elsewhere.example' }),
    'CustomKeyStoreInvalidStateException',
  )
  t.equal(
    await update(first, { NewCustomKeyStoreName: 'renamed', XksProxyAuthenticationCredential: CREDENTIAL }),
    'ok',
    'while it is connected',
  )
  t.match(await describe(first), { CustomKeyStoreName: 'renamed', ConnectionState: 'CONNECTED' })
  t.equal(await update('cks-0', { NewCustomKeyStoreName: 'x' }), 'CustomKeyStoreNotFoundException')
  const page = await ask(aws, 'DescribeCustomKeyStores', { Limit: 1 })
  t.equal(page.Truncated, true)
  const rest = await ask(aws, 'DescribeCustomKeyStores', { Limit: 1, Marker: page.NextMarker })
  t.same(
    [...page.CustomKeyStores, ...rest.CustomKeyStores].map((row) => row.CustomKeyStoreId).sort(),
    [first, priv].sort(),
  )
  t.equal(await name(aws, 'DescribeCustomKeyStores', { Marker: 'wrong' }), 'InvalidMarkerException')
  t.equal(
    await name(aws, 'DescribeCustomKeyStores', { CustomKeyStoreName: 'nobody' }),
    'CustomKeyStoreNotFoundException',
  )
  t.equal(
    (await ask(aws, 'DescribeCustomKeyStores', { CustomKeyStoreName: 'n' })).CustomKeyStores[0].CustomKeyStoreId,
    priv,
  )
  t.equal(
    await name(aws, 'CreateKey', {
      Origin: 'AWS_CLOUDHSM',
      CustomKeyStoreId: await connected(at(ENDPOINT, { CustomKeyStoreName: 'z', XksProxyUriPath: PATH })).catch(
        () => first,
      ),
    }),
    'ValidationException',
  )
})
