/** The life of custom key stores and of their keys. */
import t from 'tap'
import { isAllowedAddress } from '../../src/crypto/external/endpoint.ts'
import { CREDENTIAL, ENDPOINT, PATH, selfSigned } from '../support/xks-proxy.ts'
import { ask, CLUSTER, external, name, PASSWORD, setUp } from './key-stores-support.ts'
import { arnOf } from './support.ts'

t.test('the life of an external key store and of its keys', async (t) => {
  const { proxy, aws, create, describe, externalKey } = await setUp(t)
  const CustomKeyStoreId = await create(external)
  t.match(CustomKeyStoreId, /^cks-[0-9a-f]{17}$/)
  t.strictSame(
    { ...(await describe(CustomKeyStoreId)), CreationDate: 0 },
    {
      CustomKeyStoreId,
      CustomKeyStoreName: 'external',
      CustomKeyStoreType: 'EXTERNAL_KEY_STORE',
      ConnectionState: 'DISCONNECTED',
      CreationDate: 0,
      XksProxyConfiguration: {
        Connectivity: 'PUBLIC_ENDPOINT',
        AccessKeyId: CREDENTIAL.AccessKeyId,
        UriEndpoint: ENDPOINT,
        UriPath: PATH,
      },
    },
    'without its secret',
  )
  const key = { Origin: 'EXTERNAL_KEY_STORE', CustomKeyStoreId, XksKeyId: 'k1' }
  t.equal(await name(aws, 'CreateKey', key), 'CustomKeyStoreInvalidStateException', 'not connected yet')
  t.equal(await aws.refusal('ConnectCustomKeyStore', { CustomKeyStoreId }), 'ok')
  t.equal((await describe(CustomKeyStoreId)).ConnectionState, 'CONNECTED')
  t.equal(await aws.refusal('ConnectCustomKeyStore', { CustomKeyStoreId }), 'ok', 'connected already')

  t.equal(await name(aws, 'CreateKey', key), 'XksKeyNotFoundException')
  const { material } = proxy.addKey('k1')
  const KeyId = await externalKey(CustomKeyStoreId, 'k1')
  t.match((await ask(aws, 'DescribeKey', { KeyId })).KeyMetadata, {
    Origin: 'EXTERNAL_KEY_STORE',
    CustomKeyStoreId,
    XksKeyConfiguration: { Id: 'k1' },
    KeyState: 'Enabled',
    KeySpec: 'SYMMETRIC_DEFAULT',
    MultiRegion: false,
  })
  t.equal(await name(aws, 'CreateKey', key), 'XksKeyAlreadyInUseException')

  const EncryptionContext = { project: 'nile' }
  const Plaintext = Buffer.from('twice encrypted').toString('base64')
  const { CiphertextBlob } = await ask(aws, 'Encrypt', { KeyId, Plaintext, EncryptionContext })
  t.match(await ask(aws, 'Decrypt', { CiphertextBlob, EncryptionContext }), { Plaintext, KeyId: arnOf(KeyId) })
  t.equal(await name(aws, 'Decrypt', { CiphertextBlob }), 'KMSInvalidStateException', 'another context')
  const data = await ask(aws, 'GenerateDataKey', { KeyId, KeySpec: 'AES_256' })
  t.equal((await ask(aws, 'Decrypt', { CiphertextBlob: data.CiphertextBlob })).Plaintext, data.Plaintext)
  const whole = Buffer.alloc(4096, 7).toString('base64')
  const large = await ask(aws, 'Encrypt', { KeyId, Plaintext: whole })
  t.equal((await ask(aws, 'Decrypt', { CiphertextBlob: large.CiphertextBlob })).Plaintext, whole)

  const sent = proxy.requests.filter(({ path }) => path.endsWith('/encrypt'))
  t.match(sent[0]?.body, {
    requestMetadata: {
      awsPrincipalArn: /./,
      kmsKeyArn: arnOf(KeyId),
      kmsOperation: 'Encrypt',
      kmsRequestId: /./,
    },
    encryptionAlgorithm: 'AES_GCM',
    ciphertextDataIntegrityValueAlgorithm: 'SHA_256',
  })
  t.match(sent[1]?.body, { requestMetadata: { kmsOperation: 'GenerateDataKey' } })
  const seen = JSON.stringify(proxy.requests)
  t.notOk(seen.includes(Plaintext) || seen.includes(data.Plaintext), 'the proxy sees no plaintext')
  t.equal(material.length, 32)

  t.equal(await name(aws, 'DeleteCustomKeyStore', { CustomKeyStoreId }), 'CustomKeyStoreInvalidStateException')
  t.equal(await aws.refusal('DisconnectCustomKeyStore', { CustomKeyStoreId }), 'ok')
  t.equal(
    await name(aws, 'DisconnectCustomKeyStore', { CustomKeyStoreId }),
    'CustomKeyStoreInvalidStateException',
    'disconnected already',
  )
  t.equal((await ask(aws, 'DescribeKey', { KeyId })).KeyMetadata.KeyState, 'Unavailable')
  for (const operation of ['Encrypt', 'GenerateDataKey', 'Decrypt'] as const) {
    const input = {
      Encrypt: { KeyId, Plaintext },
      GenerateDataKey: { KeyId, KeySpec: 'AES_256' },
      Decrypt: { CiphertextBlob },
    }
    t.match(
      await aws.refusal(operation, input[operation]),
      /^KMSInvalidStateException: This KMS key is in a custom key store that is not connected/,
    )
  }
  t.equal(await name(aws, 'DeleteCustomKeyStore', { CustomKeyStoreId }), 'CustomKeyStoreHasCMKsException')
  await ask(aws, 'ConnectCustomKeyStore', { CustomKeyStoreId })
  t.equal((await ask(aws, 'Decrypt', { CiphertextBlob, EncryptionContext })).Plaintext, Plaintext, 'connected again')
  await ask(aws, 'ScheduleKeyDeletion', { KeyId, PendingWindowInDays: 7 })
  await aws.advance(8 * 86_400_000)
  await ask(aws, 'DisconnectCustomKeyStore', { CustomKeyStoreId })
  t.equal(await aws.refusal('DeleteCustomKeyStore', { CustomKeyStoreId }), 'ok')
  t.equal(await name(aws, 'DescribeCustomKeyStores', { CustomKeyStoreId }), 'CustomKeyStoreNotFoundException')
  t.ok(proxy.keys.has('k1'), "the external key is nobody's to delete")
})

t.test('external keys that do not fit', async (t) => {
  const { proxy, aws, connected } = await setUp(t)
  const CustomKeyStoreId = await connected(external)
  const key = { Origin: 'EXTERNAL_KEY_STORE', CustomKeyStoreId, XksKeyId: 'k' }
  for (const change of [{ keySpec: 'AES_128' }, { keyUsage: ['ENCRYPT'] }, { keyStatus: 'DISABLED' }]) {
    Object.assign(proxy.addKey('k'), change)
    t.equal(await name(aws, 'CreateKey', key), 'XksKeyInvalidConfigurationException', JSON.stringify(change))
  }
  proxy.addKey('k')
  const refused = [
    { Origin: 'EXTERNAL_KEY_STORE', CustomKeyStoreId },
    { Origin: 'EXTERNAL_KEY_STORE', XksKeyId: 'k' },
    { Origin: 'AWS_KMS', CustomKeyStoreId },
    { Origin: 'AWS_KMS', XksKeyId: 'k' },
    { Origin: 'AWS_CLOUDHSM', CustomKeyStoreId, XksKeyId: 'k' },
    { Origin: 'AWS_CLOUDHSM', CustomKeyStoreId },
  ]
  for (const input of refused)
    t.equal(await name(aws, 'CreateKey', input), 'ValidationException', JSON.stringify(input))
  for (const more of [{ KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' }, { MultiRegion: true }]) {
    t.equal(await name(aws, 'CreateKey', { ...key, ...more }), 'UnsupportedOperationException', JSON.stringify(more))
  }
  const unknown = { ...key, CustomKeyStoreId: 'cks-00000000000000000' }
  t.equal(await name(aws, 'CreateKey', unknown), 'CustomKeyStoreNotFoundException')
  t.equal((await ask(aws, 'ListKeys', {})).Keys.length, 0, 'no half-made key')
  const KeyId = await aws.createKey(key)
  for (const operation of ['EnableKeyRotation', 'RotateKeyOnDemand']) {
    t.match(await aws.refusal(operation, { KeyId }), /^UnsupportedOperationException: .*EXTERNAL_KEY_STORE/)
  }
})

t.test('two keys ask for one external key at once', async (t) => {
  const { proxy, aws, connected } = await setUp(t)
  proxy.addKey('k')
  const CustomKeyStoreId = await connected(external)
  const key = { Origin: 'EXTERNAL_KEY_STORE', CustomKeyStoreId, XksKeyId: 'k' }
  const answers = await Promise.all(Array.from({ length: 8 }, () => name(aws, 'CreateKey', key)))
  t.equal(answers.filter((answer) => answer === 'ok').length, 1)
  t.equal(answers.filter((answer) => answer === 'XksKeyAlreadyInUseException').length, 7)
  t.equal((await ask(aws, 'ListKeys', {})).Keys.length, 1)
})

t.test('a key store of a token', async (t) => {
  const { aws, token, anchor, create, describe } = await setUp(t)
  t.equal(
    await name(aws, 'CreateCustomKeyStore', { ...token, CloudHsmClusterId: 'cluster-7777abcdefgh' }),
    'CloudHsmClusterNotFoundException',
  )
  const other = await selfSigned('other.example')
  t.equal(
    await name(aws, 'CreateCustomKeyStore', { ...token, TrustAnchorCertificate: other.cert }),
    'IncorrectTrustAnchorException',
  )
  t.equal(
    await name(aws, 'CreateCustomKeyStore', { ...token, TrustAnchorCertificate: 'nonsense' }),
    'IncorrectTrustAnchorException',
  )
  const CustomKeyStoreId = await create({ ...token, KeyStorePassword: 'not-the-password' })
  t.match(await describe(CustomKeyStoreId), {
    CustomKeyStoreType: 'AWS_CLOUDHSM',
    CloudHsmClusterId: CLUSTER,
    TrustAnchorCertificate: anchor.cert,
    ConnectionState: 'DISCONNECTED',
  })
  t.equal(
    await name(aws, 'CreateCustomKeyStore', { ...token, CustomKeyStoreName: 'second' }),
    'CloudHsmClusterInUseException',
  )
  await ask(aws, 'ConnectCustomKeyStore', { CustomKeyStoreId })
  t.match(await describe(CustomKeyStoreId), { ConnectionState: 'FAILED', ConnectionErrorCode: 'INVALID_CREDENTIALS' })
  t.equal(
    await name(aws, 'UpdateCustomKeyStore', { CustomKeyStoreId, KeyStorePassword: PASSWORD }),
    'CustomKeyStoreInvalidStateException',
  )
  await ask(aws, 'DisconnectCustomKeyStore', { CustomKeyStoreId })
  t.equal(
    await name(aws, 'UpdateCustomKeyStore', { CustomKeyStoreId, CloudHsmClusterId: 'cluster-7777abcdefgh' }),
    'CloudHsmClusterNotFoundException',
  )
  t.equal(await name(aws, 'UpdateCustomKeyStore', { CustomKeyStoreId, XksProxyUriPath: PATH }), 'ValidationException')
  await ask(aws, 'UpdateCustomKeyStore', { CustomKeyStoreId, KeyStorePassword: PASSWORD })
  await ask(aws, 'ConnectCustomKeyStore', { CustomKeyStoreId })
  t.equal((await describe(CustomKeyStoreId)).ConnectionState, 'CONNECTED')

  const KeyId = await aws.createKey({ Origin: 'AWS_CLOUDHSM', CustomKeyStoreId })
  t.match((await ask(aws, 'DescribeKey', { KeyId })).KeyMetadata, {
    Origin: 'AWS_CLOUDHSM',
    CustomKeyStoreId,
    CloudHsmClusterId: CLUSTER,
  })
  t.equal((await aws.store.get('keys', KeyId))?.backend, 'token', 'in the token')
  const Plaintext = Buffer.from('in the token').toString('base64')
  const { CiphertextBlob } = await ask(aws, 'Encrypt', { KeyId, Plaintext })
  t.equal((await ask(aws, 'Decrypt', { CiphertextBlob })).Plaintext, Plaintext)
  t.equal(
    Buffer.from((await ask(aws, 'GenerateRandom', { NumberOfBytes: 24, CustomKeyStoreId })).Plaintext, 'base64').length,
    24,
  )
  t.match(await aws.refusal('EnableKeyRotation', { KeyId }), /^UnsupportedOperationException: .*AWS_CLOUDHSM/)
  await ask(aws, 'DisconnectCustomKeyStore', { CustomKeyStoreId })
  t.equal(
    await name(aws, 'GenerateRandom', { NumberOfBytes: 1, CustomKeyStoreId }),
    'CustomKeyStoreInvalidStateException',
  )
  t.equal(await name(aws, 'Encrypt', { KeyId, Plaintext }), 'KMSInvalidStateException')
  t.equal(await name(aws, 'EnableKey', { KeyId }), 'KMSInvalidStateException')
  t.equal(await aws.refusal('ScheduleKeyDeletion', { KeyId }), 'ok', 'an unavailable key can be deleted')
})

t.test('addresses that a proxy may not have', async (t) => {
  for (const address of [
    '127.0.0.1',
    '127.8.8.8',
    '0.0.0.0',
    '169.254.169.254',
    '224.0.0.1',
    '255.255.255.255',
    '::1',
    '::',
    'fe80::1',
    'ff02::1',
    'fd00:ec2::254',
    '::ffff:169.254.169.254',
    'nonsense',
  ]) {
    t.notOk(isAllowedAddress(address), address)
  }
  for (const address of [
    '10.0.0.1',
    '192.168.1.1',
    '172.16.0.1',
    '203.0.113.7',
    '2001:db8::1',
    'fd12::1',
    '::ffff:10.0.0.1',
  ]) {
    t.ok(isAllowedAddress(address), address)
  }
})
