/** Operations that use a key. */
import {
  EncapsulateCommand,
  EncryptCommand,
  GenerateMacCommand,
  GetPublicKeyCommand,
  SignCommand,
} from '@aws-sdk/client-kms'
import { bytes, fails, type Request, succeeds, type Table, UNKNOWN, unavailable, usesKey } from './table.ts'
import { type Kind, type World, wrap } from './world.ts'

const Plaintext = bytes(16)
const Message = bytes(20)
const OAEP = 'RSAES_OAEP_SHA_256'
const ECDSA = 'ECDSA_SHA_256'
const HMAC = 'HMAC_SHA_256'

const sealed = (world: World, kind: Kind): Promise<Uint8Array> =>
  world.once(`sealed by ${kind}`, async () => {
    const KeyId = await world.key(kind)
    const { CiphertextBlob = bytes(1) } = await world.client.send(new EncryptCommand({ KeyId, Plaintext }))
    return CiphertextBlob
  })

const publicKey = (world: World, kind: Kind): Promise<Uint8Array> =>
  world.once(`public key of ${kind}`, async () => {
    const { PublicKey = bytes(1) } = await world.client.send(new GetPublicKeyCommand({ KeyId: await world.key(kind) }))
    return PublicKey
  })

/** Made without the service, as anyone who has the public key can. */
const sealedOffline = (world: World): Promise<Uint8Array> =>
  world.once('sealed offline', async () => wrap({ PublicKey: await publicKey(world, 'rsa') }, Plaintext))

const signature = (world: World): Promise<Uint8Array> =>
  world.once('signature', async () => {
    const command = new SignCommand({ KeyId: await world.key('signer'), Message, SigningAlgorithm: ECDSA })
    return (await world.client.send(command)).Signature ?? bytes(1)
  })

const mac = (world: World): Promise<Uint8Array> =>
  world.once('mac', async () => {
    const command = new GenerateMacCommand({ KeyId: await world.key('mac'), Message, MacAlgorithm: HMAC })
    return (await world.client.send(command)).Mac ?? bytes(1)
  })

const encapsulated = (world: World): Promise<Uint8Array> =>
  world.once('encapsulated', async () => {
    const command = new EncapsulateCommand({ KeyId: await world.key('kem'), EncapsulationAlgorithm: 'ML_KEM' })
    return (await world.client.send(command)).SharedSecretCiphertextBlob ?? bytes(1)
  })

const flipped = (value: Uint8Array): Uint8Array => value.map((byte, index) => (index === 0 ? byte ^ 1 : byte))

const encrypt = (_world: World, KeyId: string): Request => ({ KeyId, Plaintext })
const decrypt = async (world: World, KeyId: string): Promise<Request> => ({
  KeyId,
  CiphertextBlob: await sealedOffline(world),
  EncryptionAlgorithm: OAEP,
})
const reEncrypt = async (world: World, DestinationKeyId: string): Promise<Request> => ({
  CiphertextBlob: await sealed(world, 'symmetric'),
  DestinationKeyId,
})
const dataKey = (_world: World, KeyId: string): Request => ({ KeyId, KeySpec: 'AES_256' })
const dataKeyPair = (_world: World, KeyId: string): Request => ({ KeyId, KeyPairSpec: 'ECC_NIST_P256' })
const sign = (_world: World, KeyId: string): Request => ({ KeyId, Message, SigningAlgorithm: ECDSA })
const verify = async (world: World, KeyId: string): Promise<Request> => ({
  ...sign(world, KeyId),
  Signature: await signature(world),
})
const generateMac = (_world: World, KeyId: string): Request => ({ KeyId, Message, MacAlgorithm: HMAC })
const verifyMac = async (world: World, KeyId: string): Promise<Request> => ({
  ...generateMac(world, KeyId),
  Mac: await mac(world),
})
const agree = async (world: World, KeyId: string): Promise<Request> => ({
  KeyId,
  KeyAgreementAlgorithm: 'ECDH',
  PublicKey: await publicKey(world, 'agreement'),
})
const encapsulate = (_world: World, KeyId: string): Request => ({ KeyId, EncapsulationAlgorithm: 'ML_KEM' })
const decapsulate = async (world: World, KeyId: string): Promise<Request> => ({
  ...encapsulate(world, KeyId),
  SharedSecretCiphertextBlob: await encapsulated(world),
})
const named = (_world: World, KeyId: string): Request => ({ KeyId })

const DATA_KEY = ['CiphertextBlob', 'KeyId', 'KeyMaterialId']
const PAIR = ['KeyId', 'KeyMaterialId', 'KeyPairSpec', 'PrivateKeyCiphertextBlob', 'PublicKey']
const SHOWN = ['KeyId', 'KeySpec', 'CustomerMasterKeySpec', 'KeyUsage', 'PublicKey']

const ENCRYPTING: Table = {
  Encrypt: [
    ...usesKey({
      kind: 'symmetric',
      other: 'signer',
      request: encrypt,
      answers: ['CiphertextBlob', 'EncryptionAlgorithm', 'KeyId'],
    }),
    unavailable('symmetric', encrypt),
  ],
  Decrypt: [
    ...usesKey({
      kind: 'rsa',
      other: 'signer',
      request: decrypt,
      answers: ['EncryptionAlgorithm', 'KeyId', 'Plaintext'],
    }),
    unavailable('rsa', decrypt),
    succeeds(
      ['EncryptionAlgorithm', 'KeyId', 'KeyMaterialId', 'Plaintext'],
      async (world) => ({ CiphertextBlob: await sealed(world, 'symmetric') }),
      'success without a key id',
    ),
    fails('InvalidCiphertextException', async (world) => ({
      CiphertextBlob: flipped(await sealed(world, 'symmetric')),
    })),
    fails('IncorrectKeyException', async (world) => ({
      CiphertextBlob: await sealed(world, 'symmetric'),
      KeyId: await world.once('another', () => world.fresh('symmetric')),
    })),
    fails(
      'DryRunOperationException',
      async (world) => ({ KeyId: await world.key('symmetric'), DryRun: true, DryRunModifiers: ['IGNORE_CIPHERTEXT'] }),
      'a dry run without a ciphertext',
    ),
  ],
  ReEncrypt: [
    ...usesKey({
      kind: 'symmetric',
      other: 'signer',
      request: reEncrypt,
      answers: [
        'CiphertextBlob',
        'DestinationEncryptionAlgorithm',
        'DestinationKeyMaterialId',
        'KeyId',
        'SourceEncryptionAlgorithm',
        'SourceKeyId',
        'SourceKeyMaterialId',
      ],
    }),
    unavailable('symmetric', reEncrypt),
    fails('InvalidCiphertextException', async (world) => ({
      ...(await reEncrypt(world, await world.key('symmetric'))),
      CiphertextBlob: flipped(await sealed(world, 'symmetric')),
    })),
    fails('IncorrectKeyException', async (world) => ({
      ...(await reEncrypt(world, await world.key('symmetric'))),
      SourceKeyId: await world.once('another', () => world.fresh('symmetric')),
    })),
  ],
}

const DATA_KEYS: Table = {
  GenerateDataKey: [
    ...usesKey({ kind: 'symmetric', other: 'signer', request: dataKey, answers: [...DATA_KEY, 'Plaintext'] }),
    unavailable('symmetric', dataKey),
  ],
  GenerateDataKeyWithoutPlaintext: [
    ...usesKey({ kind: 'symmetric', other: 'signer', request: dataKey, answers: DATA_KEY }),
    unavailable('symmetric', dataKey),
  ],
  GenerateDataKeyPair: [
    ...usesKey({ kind: 'symmetric', other: 'signer', request: dataKeyPair, answers: [...PAIR, 'PrivateKeyPlaintext'] }),
    unavailable('symmetric', dataKeyPair),
    fails('UnsupportedOperationException', async (world) => ({
      KeyId: await world.key('symmetric'),
      KeyPairSpec: 'SM2',
    })),
  ],
  GenerateDataKeyPairWithoutPlaintext: [
    ...usesKey({ kind: 'symmetric', other: 'signer', request: dataKeyPair, answers: PAIR }),
    unavailable('symmetric', dataKeyPair),
    fails('UnsupportedOperationException', async (world) => ({
      KeyId: await world.key('symmetric'),
      KeyPairSpec: 'SM2',
    })),
  ],
  GenerateRandom: [
    succeeds(['Plaintext'], () => ({ NumberOfBytes: 16 })),
    fails('CustomKeyStoreNotFoundException', () => ({ NumberOfBytes: 16, CustomKeyStoreId: `cks-${'0'.repeat(17)}` })),
    fails('UnsupportedOperationException', () => ({
      NumberOfBytes: 16,
      Recipient: { KeyEncryptionAlgorithm: 'RSAES_OAEP_SHA_256', AttestationDocument: bytes(64) },
    })),
  ],
}

const SIGNING: Table = {
  Sign: [
    ...usesKey({
      kind: 'signer',
      other: 'mac',
      request: sign,
      answers: ['KeyId', 'Signature', 'SigningAlgorithm'],
    }),
    unavailable('signer', sign),
  ],
  Verify: [
    ...usesKey({
      kind: 'signer',
      other: 'mac',
      request: verify,
      answers: ['KeyId', 'SignatureValid', 'SigningAlgorithm'],
    }),
    unavailable('signer', verify),
    fails('KMSInvalidSignatureException', async (world) => ({
      ...(await verify(world, await world.key('signer'))),
      Message: bytes(21),
    })),
  ],
  GenerateMac: [
    ...usesKey({ kind: 'mac', other: 'symmetric', request: generateMac, answers: ['KeyId', 'Mac', 'MacAlgorithm'] }),
    unavailable('mac', generateMac),
  ],
  VerifyMac: [
    ...usesKey({ kind: 'mac', other: 'symmetric', request: verifyMac, answers: ['KeyId', 'MacAlgorithm', 'MacValid'] }),
    unavailable('mac', verifyMac),
    fails('KMSInvalidMacException', async (world) => ({
      ...(await verifyMac(world, await world.key('mac'))),
      Message: bytes(21),
    })),
  ],
}

const AGREEING: Table = {
  DeriveSharedSecret: usesKey({
    kind: 'agreement',
    other: 'signer',
    request: agree,
    answers: ['KeyAgreementAlgorithm', 'KeyId', 'KeyOrigin', 'SharedSecret'],
  }),
  Encapsulate: [
    ...usesKey({
      kind: 'kem',
      other: 'signer',
      request: encapsulate,
      answers: ['EncapsulationAlgorithm', 'KeyId', 'SharedSecret', 'SharedSecretCiphertextBlob'],
    }),
    unavailable('kem', encapsulate),
  ],
  Decapsulate: [
    ...usesKey({
      kind: 'kem',
      other: 'signer',
      request: decapsulate,
      answers: ['EncapsulationAlgorithm', 'KeyId', 'SharedSecret'],
    }),
    unavailable('kem', decapsulate),
    fails('InvalidCiphertextException', async (world) => ({
      ...(await decapsulate(world, await world.key('kem'))),
      SharedSecretCiphertextBlob: bytes(17),
    })),
  ],
  GetPublicKey: [
    succeeds([...SHOWN, 'SigningAlgorithms'], async (world) => ({ KeyId: await world.key('signer') })),
    fails('NotFoundException', () => ({ KeyId: UNKNOWN })),
    fails('DisabledException', async (world) => ({ KeyId: await world.key('signer', 'disabled') })),
    fails('KMSInvalidStateException', async (world) => ({ KeyId: await world.key('signer', 'deleted') })),
    unavailable('signer', named),
    fails('UnsupportedOperationException', async (world) => ({ KeyId: await world.key('symmetric') })),
    fails('InvalidKeyUsageException', async (world) => ({ KeyId: await world.key('mac') })),
    fails('InvalidGrantTokenException', async (world) => ({
      KeyId: await world.key('signer'),
      GrantTokens: ['no token'],
    })),
  ],
}

export const USES: Table = { ...ENCRYPTING, ...DATA_KEYS, ...SIGNING, ...AGREEING }

/** For tables of keys in a token: what each kind of use asks. */
export const requests = {
  encrypt,
  decrypt,
  reEncrypt,
  dataKey,
  dataKeyPair,
  sign,
  generateMac,
  verifyMac,
  agree,
  decapsulate,
} as const
