/** Custom key stores in a server whose configuration knows a proxy that misbehaves on demand, and a token. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Secret } from '../../src/core/secret.ts'
import { CREDENTIAL, ENDPOINT, PATH, selfSigned, startProxy } from '../support/xks-proxy.ts'
import { makeAws, type TestAws } from './support.ts'

type Tap = { teardown(handler: () => unknown): void }
export const SERVICE = 'com.amazonaws.vpce.us-east-1.vpce-svc-0123456789abcdef0'
export const PRIVATE_ENDPOINT = 'https://private.test.example'
export const CLUSTER = 'cluster-234567abcde'
export const PASSWORD = 'kmsPswd-correct'

export const external = {
  CustomKeyStoreName: 'external',
  CustomKeyStoreType: 'EXTERNAL_KEY_STORE',
  XksProxyConnectivity: 'PUBLIC_ENDPOINT',
  XksProxyUriEndpoint: ENDPOINT,
  XksProxyUriPath: PATH,
  XksProxyAuthenticationCredential: CREDENTIAL,
}

export async function setUp(t: Tap) {
  const proxy = await startProxy(t)
  const anchor = await selfSigned('cluster.example')
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-key-stores-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const [ca, trustAnchor] = [join(directory, 'ca.pem'), join(directory, 'anchor.pem')]
  writeFileSync(ca, proxy.ca)
  writeFileSync(trustAnchor, anchor.cert)
  // Far from what a busy machine needs for a handshake.
  const link = { address: { host: '127.0.0.1', port: proxy.port }, deadlineMs: 1500 }
  const aws = await makeAws('off', {
    token: true,
    keyStores: {
      proxies: [
        { endpoint: ENDPOINT, ...link, ca },
        { endpoint: PRIVATE_ENDPOINT, ...link, ca, service: SERVICE },
        { endpoint: 'https://untrusted.test.example', ...link },
        { endpoint: 'https://closed.test.example', address: { host: '127.0.0.1', port: 1 } },
      ],
      clusters: [{ id: CLUSTER, trustAnchor, password: new Secret(Buffer.from(PASSWORD)) }],
    },
  })
  t.teardown(() => aws.close())
  const token = {
    CustomKeyStoreName: 'token',
    CloudHsmClusterId: CLUSTER,
    TrustAnchorCertificate: anchor.cert,
    KeyStorePassword: PASSWORD,
  }
  const create = async (input: object): Promise<string> =>
    (await ask(aws, 'CreateCustomKeyStore', input)).CustomKeyStoreId
  const connected = async (input: object): Promise<string> => {
    const CustomKeyStoreId = await create(input)
    await ask(aws, 'ConnectCustomKeyStore', { CustomKeyStoreId })
    return CustomKeyStoreId
  }
  const describe = async (CustomKeyStoreId: string) =>
    (await ask(aws, 'DescribeCustomKeyStores', { CustomKeyStoreId })).CustomKeyStores[0]
  const externalKey = (CustomKeyStoreId: string, XksKeyId: string) =>
    aws.createKey({ Origin: 'EXTERNAL_KEY_STORE', CustomKeyStoreId, XksKeyId })
  return { proxy, aws, token, anchor, create, connected, describe, externalKey }
}

export async function ask(aws: TestAws, operation: string, input: object) {
  const { status, body, text } = await aws.ask(operation, input)
  if (status !== 200) throw new Error(`${operation}: ${text}`)
  return body
}

/** The exception's name alone. */
export const name = async (aws: TestAws, operation: string, input: object): Promise<string> =>
  (await aws.refusal(operation, input)).split(':')[0] ?? ''
