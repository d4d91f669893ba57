/** Material from outside: every way in, and what is no way. */
import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, verify } from 'node:crypto'
import t from 'tap'
import { arnOf, makeAws } from './support.ts'
import {
  bring,
  encrypts,
  external,
  FOREVER,
  metadata,
  parametersOf,
  pendingImport,
  SHA_256,
  WRAPPING_ALGORITHMS,
  wrapMaterial,
  wrapped,
} from './wrapping.ts'

const DAY = 86_400_000
const flipped = (base64: string, at: number): string => {
  const bytes = Buffer.from(base64, 'base64')
  bytes[at < 0 ? bytes.length + at : at] = (bytes.at(at) ?? 0) ^ 1
  return bytes.toString('base64')
}

t.test('a key without material, and every way in', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const material = randomBytes(32)
  for (const WrappingAlgorithm of WRAPPING_ALGORITHMS) {
    const KeyId = await external(aws)
    const made = await metadata(aws, KeyId)
    t.match(made, { Origin: 'EXTERNAL', KeyState: 'PendingImport', Enabled: false })
    t.same([made.ExpirationModel, made.ValidTo, made.CurrentKeyMaterialId], [undefined, undefined, undefined])
    t.equal(await encrypts(aws, KeyId), pendingImport(KeyId), 'as recorded')
    const wrapping = { WrappingAlgorithm, WrappingKeySpec: 'RSA_2048' } as const
    const parameters = (await aws.ask('GetParametersForImport', { KeyId, ...wrapping })).body
    t.equal(parameters.KeyId, arnOf(KeyId))
    t.equal(parameters.ParametersValidTo, (aws.clock.now() + DAY) / 1000)
    const answer = await aws.ask('ImportKeyMaterial', {
      ...(await wrapped(aws, KeyId, material, wrapping)),
      ...FOREVER,
    })
    t.equal(answer.body.KeyId, arnOf(KeyId))
    t.match(await metadata(aws, KeyId), {
      KeyState: 'Enabled',
      Enabled: true,
      ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
      CurrentKeyMaterialId: answer.body.KeyMaterialId,
    })
    const { CiphertextBlob } = (await aws.ask('Encrypt', { KeyId, Plaintext: 'aGk=' })).body
    t.match((await aws.ask('Decrypt', { CiphertextBlob })).body, {
      Plaintext: 'aGk=',
      KeyMaterialId: answer.body.KeyMaterialId,
    })
  }
})

t.test('larger wrapping keys, and AES keys of every size', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const material = randomBytes(32)
  for (const WrappingKeySpec of ['RSA_3072', 'RSA_4096']) {
    const KeyId = await external(aws)
    t.equal(await bring(aws, KeyId, material, FOREVER, { ...SHA_256, WrappingKeySpec }), 'ok', WrappingKeySpec)
  }
  for (const bytes of [16, 24, 32] as const) {
    const KeyId = await external(aws)
    const WrappingAlgorithm = 'RSA_AES_KEY_WRAP_SHA_256'
    const asked = { KeyId, WrappingAlgorithm, WrappingKeySpec: 'RSA_2048' }
    const { PublicKey, ImportToken } = (await aws.ask('GetParametersForImport', asked)).body
    const EncryptedKeyMaterial = wrapMaterial(WrappingAlgorithm, Buffer.from(PublicKey, 'base64'), material, bytes)
    const input = { KeyId, ImportToken, EncryptedKeyMaterial: EncryptedKeyMaterial.toString('base64'), ...FOREVER }
    t.equal(await aws.refusal('ImportKeyMaterial', input), 'ok', `AES-${bytes * 8}`)
  }
})

const pkcs8 = (key: KeyObject): Buffer => key.export({ format: 'der', type: 'pkcs8' })

t.test('every kind of key', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const HYBRID = { WrappingAlgorithm: 'RSA_AES_KEY_WRAP_SHA_256', WrappingKeySpec: 'RSA_2048' } as const
  const Message = Buffer.from('message')
  const signers = [
    ['ECC_NIST_P256', 'ECDSA_SHA_256', generateKeyPairSync('ec', { namedCurve: 'prime256v1' }), SHA_256, 'sha256'],
    ['ECC_NIST_P384', 'ECDSA_SHA_384', generateKeyPairSync('ec', { namedCurve: 'secp384r1' }), SHA_256, 'sha384'],
    ['ECC_NIST_P521', 'ECDSA_SHA_512', generateKeyPairSync('ec', { namedCurve: 'secp521r1' }), HYBRID, 'sha512'],
    ['ECC_SECG_P256K1', 'ECDSA_SHA_256', generateKeyPairSync('ec', { namedCurve: 'secp256k1' }), SHA_256, 'sha256'],
    ['ECC_NIST_EDWARDS25519', 'ED25519_SHA_512', generateKeyPairSync('ed25519'), SHA_256, undefined],
    ['RSA_2048', 'RSASSA_PKCS1_V1_5_SHA_256', generateKeyPairSync('rsa', { modulusLength: 2048 }), HYBRID, 'sha256'],
    ['ML_DSA_44', 'ML_DSA_SHAKE_256', generateKeyPairSync('ml-dsa-44'), HYBRID, undefined],
  ] as const
  for (const [KeySpec, SigningAlgorithm, pair, wrapping, hash] of signers) {
    const KeyId = await external(aws, { KeySpec, KeyUsage: 'SIGN_VERIFY' })
    t.equal(await bring(aws, KeyId, pkcs8(pair.privateKey), FOREVER, wrapping), 'ok', KeySpec)
    const { PublicKey } = (await aws.ask('GetPublicKey', { KeyId })).body
    t.same(Buffer.from(PublicKey, 'base64'), pair.publicKey.export({ format: 'der', type: 'spki' }))
    const { Signature } = (await aws.ask('Sign', { KeyId, SigningAlgorithm, Message: Message.toString('base64') })).body
    t.ok(verify(hash, Message, createPublicKey(pair.privateKey), Buffer.from(Signature, 'base64')), KeySpec)
    const other = pkcs8(generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).privateKey)
    if (KeySpec !== 'ECC_NIST_P384') {
      t.equal(await bring(aws, KeyId, other, FOREVER, HYBRID), 'IncorrectKeyMaterialException', 'another kind')
    }
    t.equal(await bring(aws, KeyId, pkcs8(pair.privateKey), FOREVER, wrapping), 'ok', 'the same again')
  }
  for (const [KeySpec, bytes, MacAlgorithm] of [
    ['HMAC_224', 28, 'HMAC_SHA_224'],
    ['HMAC_256', 32, 'HMAC_SHA_256'],
    ['HMAC_384', 48, 'HMAC_SHA_384'],
    ['HMAC_512', 64, 'HMAC_SHA_512'],
  ] as const) {
    const KeyId = await external(aws, { KeySpec, KeyUsage: 'GENERATE_VERIFY_MAC' })
    const material = randomBytes(bytes)
    t.equal(await bring(aws, KeyId, material.subarray(1)), 'IncorrectKeyMaterialException', 'a byte short')
    t.equal(await bring(aws, KeyId, material), 'ok', KeySpec)
    const { Mac } = (await aws.ask('GenerateMac', { KeyId, MacAlgorithm, Message: Message.toString('base64') })).body
    const hash = MacAlgorithm.replace('HMAC_SHA_', 'sha')
    t.equal(Mac, createHmac(hash, material).update(Message).digest('base64'))
    t.equal(await bring(aws, KeyId, randomBytes(bytes)), 'IncorrectKeyMaterialException', 'no second material')
    for (const more of [{ ImportType: 'NEW_KEY_MATERIAL' }, { KeyMaterialDescription: 'x' }]) {
      t.equal(await bring(aws, KeyId, material, { ...FOREVER, ...more }), 'UnsupportedOperationException')
    }
  }
})

t.test('what is not wrapped so', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const refused = async (KeyId: string, WrappingAlgorithm: string, WrappingKeySpec: string) =>
    aws.refusal('GetParametersForImport', { KeyId, WrappingAlgorithm, WrappingKeySpec })
  const KeyId = await external(aws)
  t.equal(
    await refused(KeyId, 'RSAES_PKCS1_V1_5', 'RSA_2048'),
    'UnsupportedOperationException: WrappingAlgorithm RSAES_PKCS1_V1_5 is not supported.',
  )
  t.equal(
    await refused(KeyId, 'SM2PKE', 'SM2'),
    'UnsupportedOperationException: WrappingAlgorithm SM2PKE is not supported.',
  )
  t.equal(
    await refused(KeyId, 'RSAES_OAEP_SHA_256', 'SM2'),
    'UnsupportedOperationException: WrappingKeySpec SM2 is not supported.',
  )
  const rsa = await external(aws, { KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' })
  const p521 = await external(aws, { KeySpec: 'ECC_NIST_P521', KeyUsage: 'SIGN_VERIFY' })
  for (const hash of ['SHA_1', 'SHA_256']) {
    t.equal(
      await refused(rsa, `RSAES_OAEP_${hash}`, 'RSA_4096'),
      `UnsupportedOperationException: Algorithm RSAES_OAEP_${hash} is not supported for key spec RSA_2048.`,
    )
    t.match(await refused(p521, `RSAES_OAEP_${hash}`, 'RSA_2048'), /^UnsupportedOperationException/)
    t.equal(await refused(p521, `RSAES_OAEP_${hash}`, 'RSA_3072'), 'ok')
  }
  const own = await aws.createKey()
  const origin = `UnsupportedOperationException: ${arnOf(own)} origin is AWS_KMS which is not valid for this operation.`
  t.equal(await refused(own, 'RSAES_OAEP_SHA_256', 'RSA_2048'), origin, 'as recorded')
  t.equal(await aws.refusal('DeleteImportedKeyMaterial', { KeyId: own }), origin)
  const request = await wrapped(aws, KeyId, randomBytes(32))
  t.equal(await aws.refusal('ImportKeyMaterial', { ...request, ...FOREVER, KeyId: own }), origin)
})

t.test('tokens: one key, one day, one wrapping; and what is wrong with the material is not said', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const material = randomBytes(32)
  const [one, other] = [await external(aws), await external(aws)]
  const request = { ...(await wrapped(aws, one, material)), ...FOREVER }
  const put = (more: object) => aws.refusal('ImportKeyMaterial', { ...request, ...more })
  t.equal(await put({ KeyId: other }), 'InvalidImportTokenException')
  const bytes = Buffer.from(request.ImportToken, 'base64').length
  for (const at of [0, 2, 40, bytes >> 1, -1]) {
    t.equal(await put({ ImportToken: flipped(request.ImportToken, at) }), 'InvalidImportTokenException', `byte ${at}`)
  }
  t.equal(await put({ ImportToken: 'aGk=' }), 'InvalidImportTokenException')
  const cut = Buffer.from(request.ImportToken, 'base64').subarray(0, -1).toString('base64')
  t.equal(await put({ ImportToken: cut }), 'InvalidImportTokenException')
  for (const EncryptedKeyMaterial of [flipped(request.EncryptedKeyMaterial, 9), 'aGk=', material.toString('base64')]) {
    t.equal(await put({ EncryptedKeyMaterial }), 'InvalidCiphertextException')
  }
  const hybrid = { WrappingAlgorithm: 'RSA_AES_KEY_WRAP_SHA_256', WrappingKeySpec: 'RSA_2048' } as const
  const carried = { ...(await wrapped(aws, one, material, hybrid)), ...FOREVER }
  for (const at of [5, 256, -1]) {
    const input = { ...carried, EncryptedKeyMaterial: flipped(carried.EncryptedKeyMaterial, at) }
    t.equal(await aws.refusal('ImportKeyMaterial', input), 'InvalidCiphertextException', `hybrid byte ${at}`)
  }
  const short = Buffer.from(carried.EncryptedKeyMaterial, 'base64').subarray(0, 256).toString('base64')
  t.equal(
    await aws.refusal('ImportKeyMaterial', { ...carried, EncryptedKeyMaterial: short }),
    'InvalidCiphertextException',
  )
  t.equal(
    await put({ ImportToken: (await parametersOf(aws, one)).ImportToken }),
    'InvalidCiphertextException',
    'a token for another wrapping key',
  )
  for (const length of [31, 33, 16, 64]) {
    t.equal(await bring(aws, one, randomBytes(length)), 'IncorrectKeyMaterialException', `${length} bytes`)
  }
  t.match(await metadata(aws, one), { KeyState: 'PendingImport' }, 'nothing half-made')
  aws.clock.time += DAY - 1
  t.equal(await put({}), 'ok')
  aws.clock.time += 1
  t.equal(await put({}), 'ExpiredImportTokenException')
})
