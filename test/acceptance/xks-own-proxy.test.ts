/** Trefoil as AWS KMS against Trefoil as its external key store: two real processes over TLS, and what goes wrong between. */
import {
  ConnectCustomKeyStoreCommand,
  CreateCustomKeyStoreCommand,
  type CreateCustomKeyStoreCommandInput,
  CreateKeyCommand,
  DecryptCommand,
  DescribeCustomKeyStoresCommand,
  DescribeKeyCommand,
  DisconnectCustomKeyStoreCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  ReEncryptCommand,
  UpdateCustomKeyStoreCommand,
} from '@aws-sdk/client-kms'
import t from 'tap'
import { startTrefoil } from '../support/process.ts'
import { makeKeys, startXks } from '../support/xks-server.ts'
import { clientOf, connectionOf } from './aws-client.ts'
import { enforcing } from './aws-tools.ts'

/** Far from what a busy machine needs; a proxy that is stopped is waited for as long. */
const DEADLINE_MS = 5000
const ENDPOINT = 'https://localhost'
const Plaintext = Buffer.from('twice encrypted')
const EncryptionContext = { purpose: 'two processes' }

const proxy = await startXks()
t.teardown(() => proxy.stop())
await makeKeys(proxy)
const address = `127.0.0.1:${new URL(proxy.trefoil.tlsUrl).port}`
const link = { endpoint: ENDPOINT, address, ca: proxy.trefoil.caFile, deadlineMs: DEADLINE_MS }
const kms = await startTrefoil(enforcing({ config: { keyStores: { proxies: [link] } } }))
t.teardown(() => kms.stop())
const client = clientOf(kms.plainUrl)
t.teardown(() => client.destroy())

const wanted = (more: object = {}): CreateCustomKeyStoreCommandInput => ({
  CustomKeyStoreName: 'own',
  CustomKeyStoreType: 'EXTERNAL_KEY_STORE',
  XksProxyConnectivity: 'PUBLIC_ENDPOINT',
  XksProxyUriEndpoint: ENDPOINT,
  XksProxyUriPath: '/a/kms/xks/v1',
  XksProxyAuthenticationCredential: {
    AccessKeyId: proxy.first.accessKeyId,
    RawSecretAccessKey: proxy.first.secret,
  },
  ...more,
})
const refused = (name: string, message: RegExp) => ({ name, message })

t.test('a store that the proxy does not want', async (t) => {
  const create = (more: object) => client.send(new CreateCustomKeyStoreCommand(wanted(more)))
  const { accessKeyId: AccessKeyId } = proxy.first
  const { accessKeyId: ofOther, secret: RawSecretAccessKey } = proxy.second
  for (const XksProxyAuthenticationCredential of [
    { AccessKeyId, RawSecretAccessKey },
    { AccessKeyId: ofOther, RawSecretAccessKey },
  ]) {
    await t.rejects(
      create({ XksProxyAuthenticationCredential }),
      refused('XksProxyIncorrectAuthenticationCredentialException', /could not authenticate/),
    )
  }
  await t.rejects(
    create({ XksProxyUriPath: '/nowhere/kms/xks/v1' }),
    refused('XksProxyInvalidConfigurationException', /invalid URI path/),
  )
})

t.test('the life of a store and its key', async (t) => {
  const { CustomKeyStoreId = '' } = await client.send(new CreateCustomKeyStoreCommand(wanted()))
  await client.send(new ConnectCustomKeyStoreCommand({ CustomKeyStoreId }))
  t.equal(await connectionOf(client, CustomKeyStoreId), 'CONNECTED')
  const newKey = (XksKeyId: string) =>
    client.send(new CreateKeyCommand({ Origin: 'EXTERNAL_KEY_STORE', CustomKeyStoreId, XksKeyId }))
  await t.rejects(newKey('not-there'), refused('XksKeyNotFoundException', /was not found/))
  await t.rejects(newKey('encrypt_only_key'), refused('XksKeyInvalidConfigurationException', /AES-256/))
  await t.rejects(newKey('signer'), { name: /^XksKey/ })
  const { KeyMetadata } = await newKey('raw')
  const KeyId = KeyMetadata?.KeyId ?? ''
  t.match(KeyMetadata, { KeyState: 'Enabled', XksKeyConfiguration: { Id: 'raw' } })
  await t.rejects(newKey('raw'), refused('XksKeyAlreadyInUseException', /already associated/))

  const encrypt = () => client.send(new EncryptCommand({ KeyId, Plaintext, EncryptionContext }))
  const { CiphertextBlob } = await encrypt()
  const decrypt = (context: Record<string, string> = EncryptionContext) =>
    client.send(new DecryptCommand({ CiphertextBlob, EncryptionContext: context }))
  const opens = async () => t.same(Buffer.from((await decrypt()).Plaintext ?? []), Plaintext)
  await opens()
  await t.rejects(
    decrypt({ purpose: 'another' }),
    refused('KMSInvalidStateException', /ciphertext or encryption context/),
  )
  const { KeyMetadata: plain } = await client.send(new CreateKeyCommand({}))
  const moved = await client.send(
    new ReEncryptCommand({
      CiphertextBlob,
      SourceEncryptionContext: EncryptionContext,
      DestinationKeyId: plain?.KeyId,
    }),
  )
  t.same(Buffer.from((await client.send(new DecryptCommand(moved))).Plaintext ?? []), Plaintext)
  const dataKey = await client.send(new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256' }))
  const unsealed = await client.send(new DecryptCommand({ CiphertextBlob: dataKey.CiphertextBlob }))
  t.same(Buffer.from(unsealed.Plaintext ?? []), Buffer.from(dataKey.Plaintext ?? []))
  const many = await Promise.all(Array.from({ length: 20 }, encrypt))
  t.equal(new Set(many.map((one) => Buffer.from(one.CiphertextBlob ?? []).toString('hex'))).size, 20)

  await t.test('the key is disabled at the proxy', async (t) => {
    const setState = (state: string) => proxy.patch('cryptoKeys/raw/cryptoKeyVersions/1?updateMask=state', { state })
    await setState('DISABLED')
    for (const use of [encrypt, decrypt]) {
      await t.rejects(use(), refused('KMSInvalidStateException', /is not enabled in the external key manager/))
    }
    t.equal((await client.send(new DescribeKeyCommand({ KeyId }))).KeyMetadata?.KeyState, 'Enabled', 'as AWS shows it')
    await setState('ENABLED')
    await opens()
  })

  await t.test('a credential that is replaced', async (t) => {
    const update = (AccessKeyId: string, RawSecretAccessKey: string) =>
      client.send(
        new UpdateCustomKeyStoreCommand({
          CustomKeyStoreId,
          XksProxyAuthenticationCredential: { AccessKeyId, RawSecretAccessKey },
        }),
      )
    await t.rejects(
      update(proxy.second.accessKeyId, proxy.second.secret),
      refused('XksProxyIncorrectAuthenticationCredentialException', /could not authenticate/),
    )
    await opens()
    await update(proxy.first.accessKeyId, proxy.first.secret)
    await opens()
  })

  await t.test('the proxy stands still', async (t) => {
    process.kill(proxy.trefoil.pid, 'SIGSTOP')
    t.teardown(() => process.kill(proxy.trefoil.pid, 'SIGCONT'))
    const late = refused('KMSInvalidStateException', /did not respond in time/)
    await Promise.all([t.rejects(encrypt(), late), t.rejects(decrypt(), late)])
  })
  await opens()

  await t.test('the proxy is gone', async (t) => {
    await proxy.trefoil.kill()
    const gone = refused('KMSInvalidStateException', /cannot communicate with the external key store proxy/)
    for (const use of [encrypt, decrypt]) await t.rejects(use(), gone)
    await client.send(new DisconnectCustomKeyStoreCommand({ CustomKeyStoreId }))
    await t.rejects(decrypt(), refused('KMSInvalidStateException', /not connected to its external key store proxy/))
    await client.send(new ConnectCustomKeyStoreCommand({ CustomKeyStoreId }))
    t.equal(await connectionOf(client, CustomKeyStoreId), 'FAILED')
    const { CustomKeyStores } = await client.send(new DescribeCustomKeyStoresCommand({ CustomKeyStoreId }))
    t.equal(CustomKeyStores?.[0]?.ConnectionErrorCode, 'XKS_PROXY_NOT_REACHABLE')
  })
})
