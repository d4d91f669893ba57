/** Custom key stores: those of a token that stands in for a CloudHSM cluster, and those of an external key manager. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  ConnectCustomKeyStoreCommand,
  CreateCustomKeyStoreCommand,
  type CreateCustomKeyStoreCommandInput,
  CreateKeyCommand,
  DeleteCustomKeyStoreCommand,
  DescribeCustomKeyStoresCommand,
  DisconnectCustomKeyStoreCommand,
} from '@aws-sdk/client-kms'
import type { startSoftHsm } from '../../support/softhsm.ts'
import { CREDENTIAL, ENDPOINT, type Fault, pathOf, selfSigned, type TestProxy } from '../../support/xks-proxy.ts'
import { connectionOf } from '../aws-client.ts'
import { fails, type Request, type Row, succeeds, type Table } from './table.ts'
import { ELSEWHERE, type World } from './world.ts'

const PASSWORD = 'planted-kmsuser-password'
const SERVICE = 'com.amazonaws.vpce.us-east-1.vpce-svc-0123456789abcdef0'
const OTHER_SERVICE = 'com.amazonaws.vpce.us-east-1.vpce-svc-fedcba98765432100'
const PRIVATE = 'https://private.test.example'
const OTHER_PRIVATE = 'https://other-private.test.example'
const CLOSED = 'https://closed.test.example'
/** Three of one certificate, and one of another. */
const [CLUSTER, BACKUP, SPARE] = ['cluster-234567abcde', 'cluster-234567abcdf', 'cluster-234567abcdi'] as const
const STRANGE = 'cluster-234567abcdg'
const UNKNOWN_CLUSTER = 'cluster-234567abcdh'
const UNKNOWN_STORE = { CustomKeyStoreId: `cks-${'0'.repeat(17)}` }

export type Places = {
  readonly config: object
  readonly env: Readonly<Record<string, string>>
  readonly anchor: string
}

/** The configuration of a server that knows a token and a key manager, and what its clients have to show. */
export async function placesOf(hsm: Awaited<ReturnType<typeof startSoftHsm>>, proxy: TestProxy): Promise<Places> {
  const [anchor, strange] = [await selfSigned('cluster.example'), await selfSigned('strange.example')]
  const file = (name: string, text: string): string => {
    writeFileSync(join(hsm.directory, name), text)
    return join(hsm.directory, name)
  }
  const cluster = (id: string, trustAnchor: string) => ({
    ...{ id, hsm: 'soft', trustAnchor },
    password: { env: 'CLUSTER_PASSWORD' },
  })
  const trusted = file('anchor.pem', anchor.cert)
  const link = { address: `127.0.0.1:${proxy.port}`, ca: file('xks-ca.pem', proxy.ca), deadlineMs: 5000 }
  const config = {
    hsm: hsm.config.hsm,
    keyStores: {
      clusters: [
        cluster(CLUSTER, trusted),
        cluster(BACKUP, trusted),
        cluster(SPARE, trusted),
        cluster(STRANGE, file('strange.pem', strange.cert)),
      ],
      proxies: [
        { endpoint: ENDPOINT, ...link },
        { endpoint: PRIVATE, ...link, service: SERVICE },
        { endpoint: OTHER_PRIVATE, ...link, service: OTHER_SERVICE },
        { endpoint: CLOSED, address: '127.0.0.1:1' },
      ],
    },
  }
  return { config, env: { ...hsm.env, CLUSTER_PASSWORD: PASSWORD }, anchor: anchor.cert }
}

const token =
  (anchor: string) =>
  (_world: World, more: Request = {}) => ({
    CustomKeyStoreName: 'token',
    CloudHsmClusterId: CLUSTER,
    TrustAnchorCertificate: anchor,
    KeyStorePassword: PASSWORD,
    ...more,
  })
const external = (world: World, tenant: number, more: Request = {}) => ({
  CustomKeyStoreName: world.name('external'),
  CustomKeyStoreType: 'EXTERNAL_KEY_STORE' as const,
  XksProxyConnectivity: 'PUBLIC_ENDPOINT' as const,
  XksProxyUriEndpoint: ENDPOINT,
  XksProxyUriPath: pathOf(tenant),
  XksProxyAuthenticationCredential: CREDENTIAL,
  ...more,
})
const atService = (world: World, name: string, endpoint: string) =>
  external(world, 1, {
    XksProxyConnectivity: 'VPC_ENDPOINT_SERVICE',
    XksProxyVpcEndpointServiceName: name,
    XksProxyUriEndpoint: endpoint,
  })
const WRONG = { ...CREDENTIAL, RawSecretAccessKey: 'w'.repeat(43) }

/** What the proxy does from here on: this row's fault, or nothing wrong. */
function fault(world: World, wanted?: Fault): void {
  if (world.proxy !== undefined) world.proxy.state.fault = wanted
}
/** With a proxy that behaves. */
const calm = (row: Row): Row => ({
  ...row,
  request(world) {
    fault(world)
    return row.request(world)
  },
})
const faulty = (wanted: Fault, row: Row): Row => ({
  ...row,
  async request(world) {
    fault(world)
    const request = await row.request(world)
    fault(world, wanted)
    return request
  },
})

async function create(world: World, input: object, client = world.client): Promise<string> {
  const command = new CreateCustomKeyStoreCommand(input as CreateCustomKeyStoreCommandInput)
  return (await client.send(command)).CustomKeyStoreId ?? ''
}

async function connect(world: World, CustomKeyStoreId: string): Promise<void> {
  await world.client.send(new ConnectCustomKeyStoreCommand({ CustomKeyStoreId }))
  await connectionOf(world.client, CustomKeyStoreId)
}

/** Kept by every row: tenants 2 and up. */
const kept = (world: World): Promise<string> =>
  world.once('kept store', () => create(world, external(world, 2, { CustomKeyStoreName: 'kept' })))
const connected = (world: World): Promise<string> =>
  world.once('connected store', async () => {
    const id = await create(world, external(world, 3))
    await connect(world, id)
    return id
  })
const failed = (world: World): Promise<string> =>
  world.once('failed store', async () => {
    const id = await create(world, external(world, 4))
    fault(world, { kind: 'error', status: 500, name: 'InternalException' })
    await connect(world, id)
    fault(world)
    return id
  })
const atPrivate = (world: World): Promise<string> =>
  world.once('private store', () => create(world, atService(world, SERVICE, PRIVATE)))

let tenant = 100
/** Of no other row; the realm has room for ten. */
async function fleeting(world: World): Promise<string> {
  const last = await world.once('fleeting', async () => ({ id: '' }))
  if (last.id !== '') {
    await world.client.send(new DeleteCustomKeyStoreCommand({ CustomKeyStoreId: last.id })).catch(() => {})
  }
  tenant += 1
  last.id = await create(world, external(world, tenant))
  return last.id
}

async function removeNamed(world: World, CustomKeyStoreName: string): Promise<void> {
  const { CustomKeyStores = [] } = await world.client.send(new DescribeCustomKeyStoresCommand({}))
  const named = CustomKeyStores.find((one) => one.CustomKeyStoreName === CustomKeyStoreName)
  if (named === undefined) return
  await world.client.send(new DeleteCustomKeyStoreCommand({ CustomKeyStoreId: named.CustomKeyStoreId }))
}

/** A Region in which there are as many stores as there may be. */
const crowded = (world: World): Promise<unknown> =>
  world.once('a crowded region', async () => {
    const client = await world.clientIn(ELSEWHERE)
    for (let index = 0; index < 10; index++) await create(world, external(world, 200 + index), client)
  })

function externalKey(world: World, CustomKeyStoreId: string, XksKeyId: string, change: object = {}) {
  Object.assign(world.proxy?.addKey(XksKeyId) ?? {}, change)
  return { Origin: 'EXTERNAL_KEY_STORE' as const, CustomKeyStoreId, XksKeyId }
}
const withKey = (world: World): Promise<string> =>
  world.once('external key', async () => {
    const command = new CreateKeyCommand(externalKey(world, await connected(world), 'known'))
    return (await world.client.send(command)).KeyMetadata?.KeyId ?? ''
  })
/** Disconnected, and there is a key in it. */
const occupied = (world: World): Promise<string> =>
  world.once('occupied store', async () => {
    const CustomKeyStoreId = await create(world, external(world, 5))
    await connect(world, CustomKeyStoreId)
    await world.client.send(new CreateKeyCommand(externalKey(world, CustomKeyStoreId, 'held')))
    await world.client.send(new DisconnectCustomKeyStoreCommand({ CustomKeyStoreId }))
    return CustomKeyStoreId
  })

const NONSENSE: Fault = { kind: 'answer', text: 'nonsense' }

/** What creating and updating are refused for alike; `ask` makes of members of a proxy's place the whole request. */
const proxyFaults = (ask: (world: World, more: Request) => Promise<Request> | Request): readonly Row[] => [
  fails('XksProxyUriInUseException', async (world) => {
    await kept(world)
    return ask(world, { XksProxyUriPath: pathOf(2) })
  }),
  fails('XksProxyUriEndpointInUseException', async (world) => {
    await atPrivate(world)
    return ask(world, {
      XksProxyConnectivity: 'PUBLIC_ENDPOINT',
      XksProxyUriEndpoint: PRIVATE,
      XksProxyUriPath: pathOf(9),
    })
  }),
  fails('XksProxyUriUnreachableException', (world) => ask(world, { XksProxyUriEndpoint: CLOSED })),
  fails('XksProxyIncorrectAuthenticationCredentialException', (world) =>
    ask(world, { XksProxyAuthenticationCredential: WRONG }),
  ),
  fails('XksProxyVpcEndpointServiceInUseException', async (world) => {
    await atPrivate(world)
    return ask(world, {
      XksProxyConnectivity: 'VPC_ENDPOINT_SERVICE',
      XksProxyUriEndpoint: OTHER_PRIVATE,
      XksProxyVpcEndpointServiceName: SERVICE,
    })
  }),
  fails('XksProxyVpcEndpointServiceNotFoundException', (world) =>
    ask(world, {
      XksProxyConnectivity: 'VPC_ENDPOINT_SERVICE',
      XksProxyUriEndpoint: OTHER_PRIVATE,
      XksProxyVpcEndpointServiceName: `${SERVICE.slice(0, -1)}1`,
    }),
  ),
  fails('XksProxyInvalidConfigurationException', (world) => ask(world, { XksProxyUriPath: '/none/kms/xks/v1' })),
]

/** A store of a token that is connected, and one that is not. */
function tokenStores({ anchor }: Places) {
  const newToken = token(anchor)
  return {
    newToken,
    inToken: (world: World): Promise<string> =>
      world.once('token store', async () => {
        const id = await create(world, newToken(world))
        await connect(world, id)
        return id
      }),
    idleToken: (world: World): Promise<string> =>
      world.once('idle token store', () =>
        create(world, newToken(world, { CustomKeyStoreName: 'idle', CloudHsmClusterId: BACKUP })),
      ),
  }
}

/** While the token is away; the stores were made before. */
export function awayTable(places: Places): Table {
  const { newToken, inToken, idleToken } = tokenStores(places)
  return {
    CreateCustomKeyStore: [
      fails('CloudHsmClusterNotActiveException', (world) =>
        newToken(world, { CustomKeyStoreName: 'spare', CloudHsmClusterId: SPARE }),
      ),
    ],
    UpdateCustomKeyStore: [
      fails('CloudHsmClusterNotActiveException', async (world) => ({
        CustomKeyStoreId: await idleToken(world),
        CloudHsmClusterId: SPARE,
      })),
    ],
    ConnectCustomKeyStore: [
      fails('CloudHsmClusterNotActiveException', async (world) => ({ CustomKeyStoreId: await idleToken(world) })),
    ],
    CreateKey: [
      fails('CloudHsmClusterInvalidConfigurationException', async (world) => ({
        Origin: 'AWS_CLOUDHSM',
        CustomKeyStoreId: await inToken(world),
      })),
    ],
  }
}

export function storeTable(places: Places): Table {
  const { newToken, inToken, idleToken } = tokenStores(places)
  const update = async (world: World, more: Request): Promise<Request> => ({
    CustomKeyStoreId: await fleeting(world),
    ...more,
  })
  const updateToken = async (world: World, more: Request): Promise<Request> => ({
    CustomKeyStoreId: await idleToken(world),
    ...more,
  })
  const table: Table = {
    CreateCustomKeyStore: [
      succeeds(['CustomKeyStoreId'], async (world) => {
        await removeNamed(world, 'new')
        return external(world, 7, { CustomKeyStoreName: 'new' })
      }),
      fails('CustomKeyStoreNameInUseException', async (world) => {
        await kept(world)
        return external(world, 8, { CustomKeyStoreName: 'kept' })
      }),
      {
        ...fails('LimitExceededException', async (world) => {
          await crowded(world)
          return external(world, 8)
        }),
        region: ELSEWHERE,
      },
      fails('CloudHsmClusterNotFoundException', (world) =>
        newToken(world, { CustomKeyStoreName: 'b', CloudHsmClusterId: UNKNOWN_CLUSTER }),
      ),
      fails('CloudHsmClusterInUseException', async (world) => {
        await inToken(world)
        return newToken(world, { CustomKeyStoreName: 'b' })
      }),
      fails('IncorrectTrustAnchorException', (world) =>
        newToken(world, { CustomKeyStoreName: 'b', CloudHsmClusterId: STRANGE }),
      ),
      ...proxyFaults((world, more) => external(world, 8, more)),
      faulty(
        NONSENSE,
        fails('XksProxyInvalidResponseException', (world) => external(world, 8)),
      ),
    ],
    UpdateCustomKeyStore: [
      succeeds([], async (world) => update(world, { NewCustomKeyStoreName: world.name('renamed') })),
      fails('CustomKeyStoreNotFoundException', () => ({ ...UNKNOWN_STORE, NewCustomKeyStoreName: 'x' })),
      fails('CustomKeyStoreNameInUseException', async (world) => {
        await kept(world)
        return update(world, { NewCustomKeyStoreName: 'kept' })
      }),
      fails('CustomKeyStoreInvalidStateException', async (world) => ({
        CustomKeyStoreId: await inToken(world),
        CloudHsmClusterId: BACKUP,
      })),
      fails('CloudHsmClusterNotFoundException', (world) => updateToken(world, { CloudHsmClusterId: UNKNOWN_CLUSTER })),
      fails('CloudHsmClusterNotRelatedException', (world) => updateToken(world, { CloudHsmClusterId: STRANGE })),
      ...proxyFaults(update),
      faulty(
        NONSENSE,
        fails('XksProxyInvalidResponseException', (world) => update(world, { XksProxyUriPath: pathOf(8) })),
      ),
    ],
    ConnectCustomKeyStore: [
      succeeds([], async (world) => ({ CustomKeyStoreId: await kept(world) })),
      fails('CustomKeyStoreNotFoundException', () => UNKNOWN_STORE),
      fails('CustomKeyStoreInvalidStateException', async (world) => ({ CustomKeyStoreId: await failed(world) })),
    ],
    DisconnectCustomKeyStore: [
      succeeds([], async (world) => {
        const CustomKeyStoreId = await fleeting(world)
        await connect(world, CustomKeyStoreId)
        return { CustomKeyStoreId }
      }),
      fails('CustomKeyStoreNotFoundException', () => UNKNOWN_STORE),
      fails('CustomKeyStoreInvalidStateException', async (world) => ({ CustomKeyStoreId: await atPrivate(world) })),
    ],
    DeleteCustomKeyStore: [
      succeeds([], async (world) => ({ CustomKeyStoreId: await fleeting(world) })),
      fails('CustomKeyStoreNotFoundException', () => UNKNOWN_STORE),
      fails('CustomKeyStoreInvalidStateException', async (world) => ({ CustomKeyStoreId: await connected(world) })),
      fails('CustomKeyStoreHasCMKsException', async (world) => ({ CustomKeyStoreId: await occupied(world) })),
    ],
    DescribeCustomKeyStores: [
      succeeds(['CustomKeyStores', 'Truncated'], () => ({})),
      succeeds(['CustomKeyStores', 'NextMarker', 'Truncated'], () => ({ Limit: 1 }), 'a page'),
      fails('CustomKeyStoreNotFoundException', () => UNKNOWN_STORE),
      fails('InvalidMarkerException', () => ({ Marker: 'no marker' })),
    ],
    CreateKey: [
      succeeds(
        ['KeyMetadata'],
        async (world) => ({ Origin: 'AWS_CLOUDHSM', CustomKeyStoreId: await inToken(world) }),
        'success in a token',
      ),
      succeeds(
        ['KeyMetadata'],
        async (world) => externalKey(world, await connected(world), world.name('key')),
        'success in a key manager',
      ),
      fails('CustomKeyStoreInvalidStateException', async (world) => ({
        Origin: 'AWS_CLOUDHSM',
        CustomKeyStoreId: await idleToken(world),
      })),
      fails('XksKeyInvalidConfigurationException', async (world) =>
        externalKey(world, await connected(world), 'off', { keyStatus: 'DISABLED' }),
      ),
      fails('XksKeyAlreadyInUseException', async (world) => {
        await withKey(world)
        return { Origin: 'EXTERNAL_KEY_STORE', CustomKeyStoreId: await connected(world), XksKeyId: 'known' }
      }),
      fails('XksKeyNotFoundException', async (world) => ({
        Origin: 'EXTERNAL_KEY_STORE',
        CustomKeyStoreId: await connected(world),
        XksKeyId: 'nowhere',
      })),
    ],
    GenerateRandom: [
      succeeds(['Plaintext'], async (world) => ({ NumberOfBytes: 16, CustomKeyStoreId: await inToken(world) })),
      fails('CustomKeyStoreInvalidStateException', async (world) => ({
        NumberOfBytes: 16,
        CustomKeyStoreId: await idleToken(world),
      })),
    ],
    Encrypt: [
      faulty(
        { kind: 'error', status: 400, name: 'InvalidStateException' },
        fails('KMSInvalidStateException', async (world) => ({
          KeyId: await withKey(world),
          Plaintext: new Uint8Array(1),
        })),
      ),
    ],
  }
  return Object.fromEntries(Object.entries(table).map(([operation, rows]) => [operation, rows.map(calm)]))
}
