/** What a token that does not answer, or is away, is to those whose keys it has. */
import { ImportKeyMaterialCommand, type ImportKeyMaterialCommandInput } from '@aws-sdk/client-kms'
import { bytes, fails, type Request, type Row, type Table } from './table.ts'
import { requests } from './uses.ts'
import { type Kind, type World, wrap } from './world.ts'

type OfKey = (world: World, KeyId: string) => Request | Promise<Request>
const of = (kind: Kind, request: OfKey) => async (world: World) => request(world, await world.key(kind))

/** Of a key that has other material: for a rotation, or the same again. */
const importing = (world: World): Promise<Request> =>
  world.once('to be imported', async () => {
    const KeyId = await world.key('imported')
    const parameters = await world.importParameters(KeyId)
    const input = (material: number) => ({
      KeyId,
      ImportToken: parameters.ImportToken,
      EncryptedKeyMaterial: wrap(parameters, bytes(32).fill(material)),
      ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' as const,
    })
    await world.client.send(new ImportKeyMaterialCommand(input(1) satisfies ImportKeyMaterialCommandInput))
    return { ...input(2), ImportType: 'NEW_KEY_MATERIAL' }
  })

/** What needs the token, and what it asks. */
const ASKING = {
  Encrypt: of('symmetric', requests.encrypt),
  Decrypt: of('rsa', requests.decrypt),
  ReEncrypt: of('symmetric', requests.reEncrypt),
  GenerateDataKey: of('symmetric', requests.dataKey),
  GenerateDataKeyWithoutPlaintext: of('symmetric', requests.dataKey),
  GenerateDataKeyPair: of('symmetric', requests.dataKeyPair),
  GenerateDataKeyPairWithoutPlaintext: of('symmetric', requests.dataKeyPair),
  Sign: of('signer', requests.sign),
  DeriveSharedSecret: of('agreement', requests.agree),
  GenerateMac: of('mac', requests.generateMac),
  VerifyMac: of('mac', requests.verifyMac),
  CreateKey: (): Request => ({}),
  GenerateRandom: (): Request => ({ NumberOfBytes: 16 }),
  RotateKeyOnDemand: of('symmetric', (_world, KeyId) => ({ KeyId })),
  ImportKeyMaterial: importing,
} as const

type Name = keyof typeof ASKING
const rows = (error: Parameters<typeof fails>[0], names: readonly Name[]): Table =>
  Object.fromEntries(names.map((name): [Name, readonly Row[]] => [name, [fails(error, ASKING[name])]]))

const NAMES = Object.keys(ASKING) as readonly Name[]
/** The model of these has no other word for a token that does not answer. */
const WITHOUT_TIMEOUT: ReadonlySet<Name> = new Set<Name>(['GenerateMac', 'VerifyMac'])
const WITHOUT_UNAVAILABLE: ReadonlySet<Name> = new Set<Name>([
  'CreateKey',
  'GenerateRandom',
  'RotateKeyOnDemand',
  'ImportKeyMaterial',
])

export const SILENT: Table = {
  ...rows(
    'DependencyTimeoutException',
    NAMES.filter((name) => !WITHOUT_TIMEOUT.has(name)),
  ),
  ...rows('KeyUnavailableException', [...WITHOUT_TIMEOUT]),
}
export const AWAY: Table = {
  ...rows(
    'KeyUnavailableException',
    NAMES.filter((name) => !WITHOUT_UNAVAILABLE.has(name)),
  ),
  ...rows('DependencyTimeoutException', [...WITHOUT_UNAVAILABLE]),
}
