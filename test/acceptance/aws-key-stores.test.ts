/** Custom key stores by the JavaScript SDK: a SoftHSM token as a CloudHSM cluster, and an external key manager. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  ConnectCustomKeyStoreCommand,
  CreateCustomKeyStoreCommand,
  CreateKeyCommand,
  CustomKeyStoreHasCMKsException,
  CustomKeyStoreInvalidStateException,
  DecryptCommand,
  DeleteCustomKeyStoreCommand,
  DescribeCustomKeyStoresCommand,
  DescribeKeyCommand,
  DisconnectCustomKeyStoreCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  KMSClient,
  KMSInvalidStateException,
  UpdateCustomKeyStoreCommand,
  XksKeyNotFoundException,
  XksProxyIncorrectAuthenticationCredentialException,
} from '@aws-sdk/client-kms'
import t from 'tap'
import { startTrefoil } from '../support/process.ts'
import { softHsmMissing, startSoftHsm } from '../support/softhsm.ts'
import { CREDENTIAL, ENDPOINT, PATH, selfSigned, startProxy } from '../support/xks-proxy.ts'
import { connectionOf } from './aws-client.ts'
import { CREDENTIALS, enforcing } from './aws-tools.ts'

const CLUSTER = 'cluster-234567abcde'
const PASSWORD = 'planted-kmsuser-password'

t.test('custom key stores, over a restart', { skip: softHsmMissing ?? false }, async (t) => {
  const proxy = await startProxy(t)
  const hsm = await startSoftHsm()
  t.teardown(() => hsm.close())
  const anchor = await selfSigned('cluster.example')
  const file = (name: string, text: string): string => {
    writeFileSync(join(hsm.directory, name), text)
    return join(hsm.directory, name)
  }
  const config = {
    hsm: hsm.config.hsm,
    keyStores: {
      clusters: [
        {
          id: CLUSTER,
          hsm: 'soft',
          trustAnchor: file('anchor.pem', anchor.cert),
          password: { env: 'CLUSTER_PASSWORD' },
        },
      ],
      proxies: [
        {
          endpoint: ENDPOINT,
          address: `127.0.0.1:${proxy.port}`,
          ca: file('xks-ca.pem', proxy.ca),
          deadlineMs: 10_000,
        },
      ],
    },
  }
  const env = { ...hsm.env, CLUSTER_PASSWORD: PASSWORD }
  const dataDir = join(hsm.directory, 'data')
  let trefoil = await startTrefoil(enforcing({ config, env, dataDir }))
  t.teardown(() => trefoil.stop())
  const connect = () =>
    new KMSClient({
      endpoint: trefoil.plainUrl,
      region: 'us-east-1',
      credentials: CREDENTIALS,
      maxAttempts: 1,
    })
  let client = connect()
  t.teardown(() => client.destroy())

  const external = {
    CustomKeyStoreName: 'external',
    CustomKeyStoreType: 'EXTERNAL_KEY_STORE',
    XksProxyConnectivity: 'PUBLIC_ENDPOINT',
    XksProxyUriEndpoint: ENDPOINT,
    XksProxyUriPath: PATH,
    XksProxyAuthenticationCredential: CREDENTIAL,
  } as const
  const wrong = { ...CREDENTIAL, RawSecretAccessKey: 'w'.repeat(43) }
  await t.rejects(
    client.send(new CreateCustomKeyStoreCommand({ ...external, XksProxyAuthenticationCredential: wrong })),
    XksProxyIncorrectAuthenticationCredentialException,
  )
  const cluster = {
    CustomKeyStoreName: 'cluster',
    CloudHsmClusterId: CLUSTER,
    TrustAnchorCertificate: anchor.cert,
    KeyStorePassword: PASSWORD,
  }
  const stores: string[] = []
  for (const input of [external, cluster]) {
    const { CustomKeyStoreId = '' } = await client.send(new CreateCustomKeyStoreCommand(input))
    await client.send(new ConnectCustomKeyStoreCommand({ CustomKeyStoreId }))
    t.equal(await connectionOf(client, CustomKeyStoreId), 'CONNECTED')
    stores.push(CustomKeyStoreId)
  }
  const [externalId = '', clusterId = ''] = stores
  const listed = await client.send(new DescribeCustomKeyStoresCommand({}))
  t.same(
    listed.CustomKeyStores?.map(({ ConnectionState }) => ConnectionState),
    ['CONNECTED', 'CONNECTED'],
  )

  const newExternal = {
    Origin: 'EXTERNAL_KEY_STORE',
    CustomKeyStoreId: externalId,
    XksKeyId: 'bb8562717f809024',
  } as const
  await t.rejects(client.send(new CreateKeyCommand(newExternal)), XksKeyNotFoundException)
  proxy.addKey(newExternal.XksKeyId)
  const sealed: { readonly KeyId: string; readonly CiphertextBlob: Uint8Array | undefined }[] = []
  const Plaintext = Buffer.from('kept in a custom key store')
  const EncryptionContext = { purpose: 'acceptance' }
  for (const input of [newExternal, { Origin: 'AWS_CLOUDHSM', CustomKeyStoreId: clusterId } as const]) {
    const { KeyMetadata } = await client.send(new CreateKeyCommand(input))
    t.match(KeyMetadata, { Origin: input.Origin, CustomKeyStoreId: input.CustomKeyStoreId, KeyState: 'Enabled' })
    const KeyId = KeyMetadata?.KeyId ?? ''
    const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId, Plaintext, EncryptionContext }))
    t.ok((await client.send(new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256' }))).Plaintext?.length === 32)
    sealed.push({ KeyId, CiphertextBlob })
  }

  await trefoil.kill()
  client.destroy()
  trefoil = await startTrefoil(enforcing({ config, env, dataDir }))
  client = connect()
  for (const { KeyId, CiphertextBlob } of sealed) {
    const opened = await client.send(new DecryptCommand({ CiphertextBlob, EncryptionContext }))
    t.same(Buffer.from(opened.Plaintext ?? []), Plaintext, 'after a kill')
    const { KeyMetadata } = await client.send(new DescribeKeyCommand({ KeyId }))
    const CustomKeyStoreId = KeyMetadata?.CustomKeyStoreId
    await client.send(new DisconnectCustomKeyStoreCommand({ CustomKeyStoreId }))
    await client.send(
      new UpdateCustomKeyStoreCommand({ CustomKeyStoreId, NewCustomKeyStoreName: `new-${CustomKeyStoreId}` }),
    )
    await t.rejects(client.send(new DecryptCommand({ CiphertextBlob, EncryptionContext })), KMSInvalidStateException)
    await t.rejects(client.send(new DeleteCustomKeyStoreCommand({ CustomKeyStoreId })), CustomKeyStoreHasCMKsException)
  }
  await t.test('what is being connected when the process is killed is connected by the next', async (t) => {
    const CustomKeyStoreId = externalId
    proxy.state.fault = { kind: 'slow', ms: 60_000 }
    await client.send(new ConnectCustomKeyStoreCommand({ CustomKeyStoreId }))
    const { CustomKeyStores } = await client.send(new DescribeCustomKeyStoresCommand({ CustomKeyStoreId }))
    t.match(CustomKeyStores, [{ ConnectionState: 'CONNECTING' }])
    await t.rejects(client.send(new CreateKeyCommand(newExternal)), CustomKeyStoreInvalidStateException)
    await trefoil.kill()
    client.destroy()
    proxy.state.fault = undefined
    trefoil = await startTrefoil(enforcing({ config, env, dataDir }))
    client = connect()
    t.equal(await connectionOf(client, CustomKeyStoreId), 'CONNECTED')
  })
  for (const secret of [PASSWORD, CREDENTIAL.RawSecretAccessKey, Plaintext.toString()]) {
    t.notOk(trefoil.log().includes(secret), 'no secret in the log')
  }
})
