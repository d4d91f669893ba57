/** What Google Cloud KMS does, over both transports; status codes are those Google's contract tests assert. */
import { constants, createHash, createPublicKey, publicEncrypt, randomBytes, verify } from 'node:crypto'
import {
  CryptoKeyVersion_CryptoKeyVersionAlgorithm as Algorithm,
  PublicKey_PublicKeyFormat as Format,
  ProtectionLevel,
  CryptoKey_CryptoKeyPurpose as Purpose,
  CryptoKeyVersion_CryptoKeyVersionState as State,
} from '../../src/api/gcp/gen/google/cloud/kms/v1/resources_pb.js'
import { Locations } from '../../src/api/gcp/gen/google/cloud/location/locations_pb.js'
import { createKey } from '../../src/core/ops/create-key.ts'
import { createRing } from '../../src/core/ops/rings.ts'
import { disableKey } from '../../src/core/ops/set-key-enabled.ts'
import { both, checksum, kms, newKey, RING, symmetric, TEXT } from './fixture.ts'
import { LOCATION } from './support.ts'

both('locations', async (t, client) => {
  t.match(await client.get(Locations.method.getLocation, { name: LOCATION }), { name: LOCATION, locationId: 'global' })
  await client.get(kms.createKeyRing, { parent: 'projects/local/locations/europe-west1', keyRingId: 'r' })
  const { locations } = await client.get(Locations.method.listLocations, { name: 'projects/local' })
  t.same(locations.map(({ locationId }) => locationId).sort(), ['europe-west1', 'global'])
})

both('key rings', async (t, client) => {
  t.match(await client.get(kms.getKeyRing, { name: RING }), { name: RING, createTime: { seconds: 1767225600n } })
  t.equal(await client.status(kms.createKeyRing, { parent: LOCATION, keyRingId: 'r' }), 'ALREADY_EXISTS')
  t.equal(await client.status(kms.getKeyRing, { name: `${LOCATION}/keyRings/none` }), 'NOT_FOUND')
  for (const keyRingId of ['', 'a b', 'x'.repeat(64), 'é', 'a/b']) {
    t.equal(await client.status(kms.createKeyRing, { parent: LOCATION, keyRingId }), 'INVALID_ARGUMENT', keyRingId)
  }
})

both('pages', async (t, client) => {
  for (let index = 0; index < 7; index++)
    await client.get(kms.createKeyRing, { parent: LOCATION, keyRingId: `p${index}` })
  const seen: string[] = []
  let pageToken = ''
  do {
    const page = await client.get(kms.listKeyRings, { parent: LOCATION, pageSize: 3, pageToken })
    t.ok(page.keyRings.length <= 3)
    t.equal(page.totalSize, 9)
    seen.push(...page.keyRings.map(({ name }) => name.split('/').at(-1) ?? ''))
    pageToken = page.nextPageToken
    if (pageToken !== '') {
      t.equal(
        await client.status(kms.listCryptoKeys, { parent: RING, pageToken }),
        'INVALID_ARGUMENT',
        "another list's token",
      )
    }
  } while (pageToken !== '')
  t.same(seen, ['default', 'p0', 'p1', 'p2', 'p3', 'p4', 'p5', 'p6', 'r'])
  for (const request of [{ pageSize: -1 }, { pageToken: 'nonsense' }, { pageToken: 'AAAAAAAA' }]) {
    t.equal(await client.status(kms.listKeyRings, { parent: LOCATION, ...request }), 'INVALID_ARGUMENT')
  }
})

both('creating keys', async (t, client) => {
  const key = await client.get(kms.createCryptoKey, {
    parent: RING,
    cryptoKeyId: 'k',
    cryptoKey: {
      purpose: Purpose.ENCRYPT_DECRYPT,
      labels: { team: 'alpha' },
      destroyScheduledDuration: { seconds: 172_800n },
    },
  })
  t.match(key, {
    name: `${RING}/cryptoKeys/k`,
    purpose: Purpose.ENCRYPT_DECRYPT,
    labels: { team: 'alpha' },
    destroyScheduledDuration: { seconds: 172_800n, nanos: 0 },
    versionTemplate: { algorithm: Algorithm.GOOGLE_SYMMETRIC_ENCRYPTION, protectionLevel: ProtectionLevel.SOFTWARE },
    primary: { name: `${RING}/cryptoKeys/k/cryptoKeyVersions/1`, state: State.ENABLED },
  })
  t.same(await client.get(kms.getCryptoKey, { name: key.name }), key)
  const signing = await newKey(client, 's', Algorithm.RSA_SIGN_PSS_2048_SHA256)
  t.match(await client.get(kms.getCryptoKey, { name: signing.key }), {
    primary: undefined,
    purpose: Purpose.ASYMMETRIC_SIGN,
  })
  t.match(await client.get(kms.getCryptoKeyVersion, { name: signing.version }), {
    state: State.ENABLED,
    algorithm: Algorithm.RSA_SIGN_PSS_2048_SHA256,
  })
  const { cryptoKeys, totalSize } = await client.get(kms.listCryptoKeys, { parent: RING })
  t.same([cryptoKeys.map(({ name }) => name), totalSize], [[key.name, signing.key], 2])
})

both('totals are of what is shown', async (t, client, gcp) => {
  const rings = async () => {
    const { keyRings, totalSize } = await client.get(kms.listKeyRings, { parent: LOCATION })
    t.equal(totalSize, keyRings.length)
    return totalSize
  }
  const before = await rings()
  await gcp.run('azure', createRing, { name: 'hidden', shared: false })
  t.equal(await rings(), before, "another cloud's ring")
  await gcp.run('gcp', createRing, { name: 'shared', shared: true })
  t.equal(await rings(), before + 1)
  await symmetric(client, 'a')
  await symmetric(client, 'b')
  await gcp.run('azure', createKey, { ring: { by: 'name', name: 'r' }, name: 'p521', spec: 'ec_p521' })
  for (const request of [{}, { pageSize: 1 }, { pageSize: 1, orderBy: 'name desc' }]) {
    t.equal((await client.get(kms.listCryptoKeys, { parent: RING, ...request })).totalSize, 2, JSON.stringify(request))
  }
  t.equal((await client.get(kms.listCryptoKeys, { parent: RING, filter: 'name:a' })).totalSize, 0, 'of a filtered list')
})

both('a key without a first version', async (t, client) => {
  const create = { parent: RING, skipInitialVersionCreation: true }
  const algorithm = Algorithm.RSA_SIGN_PSS_3072_SHA256
  await client.get(kms.createCryptoKey, {
    ...create,
    cryptoKeyId: 'k',
    cryptoKey: { purpose: Purpose.ENCRYPT_DECRYPT },
  })
  await client.get(kms.createCryptoKey, {
    ...create,
    cryptoKeyId: 's',
    cryptoKey: { purpose: Purpose.ASYMMETRIC_SIGN, versionTemplate: { algorithm } },
  })
  t.match(await client.get(kms.getCryptoKey, { name: `${RING}/cryptoKeys/s` }), { versionTemplate: { algorithm } })
  t.equal(await client.status(kms.encrypt, { name: `${RING}/cryptoKeys/k`, plaintext: TEXT }), 'FAILED_PRECONDITION')
  t.match(await client.get(kms.createCryptoKeyVersion, { parent: `${RING}/cryptoKeys/s`, cryptoKeyVersion: {} }), {
    name: `${RING}/cryptoKeys/s/cryptoKeyVersions/1`,
    algorithm,
  })
})

both('keys that can not be', async (t, client) => {
  const create = (cryptoKey: object, more: object = {}) =>
    client.status(kms.createCryptoKey, { parent: RING, cryptoKeyId: 'bad', cryptoKey, ...more })
  const sign = { purpose: Purpose.ASYMMETRIC_SIGN }
  const encrypt = { purpose: Purpose.ENCRYPT_DECRYPT }
  t.equal(await create({}), 'INVALID_ARGUMENT', 'no purpose')
  t.equal(await create(sign), 'INVALID_ARGUMENT', 'no algorithm')
  t.equal(
    await create({ ...sign, versionTemplate: { algorithm: 8 } }),
    'INVALID_ARGUMENT',
    'an algorithm of another purpose',
  )
  t.equal(await create({ ...sign, versionTemplate: { algorithm: 9999 } }), 'INVALID_ARGUMENT', 'an unknown algorithm')
  t.equal(
    await create({ ...sign, versionTemplate: { algorithm: Algorithm.EC_SIGN_SECP256K1_SHA256 } }),
    'INVALID_ARGUMENT',
    'HSM only',
  )
  t.equal(
    await create({ ...encrypt, versionTemplate: { protectionLevel: ProtectionLevel.HSM } }),
    'INVALID_ARGUMENT',
    'no HSM',
  )
  t.equal(await create({ ...encrypt, versionTemplate: { protectionLevel: ProtectionLevel.EXTERNAL } }), 'UNIMPLEMENTED')
  t.equal(
    await create({ purpose: Purpose.AES_WRAPPING, versionTemplate: { algorithm: Algorithm.AES_256_KWP } }),
    'UNIMPLEMENTED',
  )
  t.equal(await create({ ...encrypt, importOnly: true }), 'UNIMPLEMENTED')
  t.equal(await create({ ...encrypt, labels: { 'Not A Label': 'x' } }), 'INVALID_ARGUMENT')
  t.equal(await create({ ...encrypt, destroyScheduledDuration: { seconds: 60n } }), 'INVALID_ARGUMENT')
  t.equal(await create(encrypt, { cryptoKeyId: 'a b' }), 'INVALID_ARGUMENT')
  t.equal(await create(encrypt, { cryptoKeyId: '01234567-89ab-cdef-0123-456789abcdef' }), 'INVALID_ARGUMENT', 'a UUID')
  t.equal(await create(encrypt, { parent: `${LOCATION}/keyRings/none` }), 'NOT_FOUND')
  t.equal((await client.get(kms.listCryptoKeys, { parent: RING })).totalSize, 0, 'and nothing was made')
})

both('encrypt and decrypt', async (t, client) => {
  const { key, version } = await symmetric(client)
  for (const plaintext of [Buffer.alloc(0), TEXT, randomBytes(65_536)]) {
    const aad = randomBytes(plaintext.length % 7)
    const sealed = await client.get(kms.encrypt, {
      name: key,
      plaintext,
      plaintextCrc32c: checksum(plaintext),
      additionalAuthenticatedData: aad,
      additionalAuthenticatedDataCrc32c: checksum(aad),
    })
    t.match(sealed, {
      name: version,
      verifiedPlaintextCrc32c: true,
      verifiedAdditionalAuthenticatedDataCrc32c: true,
      ciphertextCrc32c: checksum(sealed.ciphertext),
      protectionLevel: ProtectionLevel.SOFTWARE,
    })
    const { ciphertext, ciphertextCrc32c } = sealed
    const opened = await client.get(kms.decrypt, {
      name: key,
      ciphertext,
      ...(ciphertextCrc32c !== undefined && { ciphertextCrc32c }),
      additionalAuthenticatedData: aad,
    })
    t.same(Buffer.from(opened.plaintext), plaintext)
    t.match(opened, { plaintextCrc32c: checksum(plaintext), usedPrimary: true })
  }
  const unchecked = await client.get(kms.encrypt, { name: version, plaintext: TEXT })
  t.match(unchecked, {
    name: version,
    verifiedPlaintextCrc32c: false,
    verifiedAdditionalAuthenticatedDataCrc32c: false,
  })
})

both('what encrypt and decrypt refuse', async (t, client) => {
  const { key } = await symmetric(client)
  const other = await symmetric(client, 'other')
  const signing = await newKey(client, 's', Algorithm.EC_SIGN_P256_SHA256)
  const decrypting = await newKey(client, 'd', Algorithm.RSA_DECRYPT_OAEP_2048_SHA256, Purpose.ASYMMETRIC_DECRYPT)
  const { ciphertext } = await client.get(kms.encrypt, {
    name: key,
    plaintext: TEXT,
    additionalAuthenticatedData: Buffer.of(1),
  })
  const flipped = Uint8Array.from(ciphertext)
  flipped[flipped.length - 1] = (flipped.at(-1) ?? 0) ^ 1
  const aad = { additionalAuthenticatedData: Buffer.of(1) }
  const encrypts = async (expected: string, request: object) =>
    t.equal(await client.status(kms.encrypt, { name: key, plaintext: TEXT, ...request }), expected)
  const decrypts = async (expected: string, request: object) =>
    t.equal(await client.status(kms.decrypt, { name: key, ciphertext, ...aad, ...request }), expected)
  await encrypts('INVALID_ARGUMENT', { plaintextCrc32c: checksum(TEXT) + 1n })
  await encrypts('INVALID_ARGUMENT', { additionalAuthenticatedDataCrc32c: 1n })
  await encrypts('INVALID_ARGUMENT', { plaintextCrc32c: -1n })
  await encrypts('INVALID_ARGUMENT', { plaintext: Buffer.alloc(65_537) })
  await encrypts('INVALID_ARGUMENT', { additionalAuthenticatedData: Buffer.alloc(65_537) })
  await encrypts('NOT_FOUND', { name: `${RING}/cryptoKeys/none` })
  await encrypts('NOT_FOUND', { name: `${key}/cryptoKeyVersions/2` })
  await encrypts('FAILED_PRECONDITION', { name: signing.key })
  await encrypts('FAILED_PRECONDITION', { name: decrypting.key })
  await decrypts('OK', {})
  await decrypts('INVALID_ARGUMENT', { ciphertext: flipped })
  await decrypts('INVALID_ARGUMENT', { ciphertext: Buffer.alloc(0) })
  await decrypts('INVALID_ARGUMENT', { ciphertext: randomBytes(200) })
  await decrypts('INVALID_ARGUMENT', { ciphertext: randomBytes(70_000) })
  await decrypts('INVALID_ARGUMENT', { additionalAuthenticatedData: Buffer.of(2) })
  await decrypts('INVALID_ARGUMENT', { ciphertextCrc32c: 1n })
  await decrypts('INVALID_ARGUMENT', { name: other.key })
  await decrypts('NOT_FOUND', { name: `${RING}/cryptoKeys/none` })
  await decrypts('NOT_FOUND', { name: `${RING}/cryptoKeys/none`, ciphertext: randomBytes(20) })
  await decrypts('FAILED_PRECONDITION', { name: decrypting.key, ciphertext: randomBytes(20) })
  const mismatch = await client.call(kms.encrypt, { name: key, plaintext: TEXT, plaintextCrc32c: 7n })
  t.match(
    mismatch,
    { text: /The checksum in field .* did not match the data in field .*\./ },
    'as gcloud recognises it',
  )
})

both('versions: states', async (t, client, gcp) => {
  const { key, version } = await symmetric(client)
  const { ciphertext } = await client.get(kms.encrypt, { name: key, plaintext: TEXT })
  const second = await client.get(kms.createCryptoKeyVersion, { parent: key, cryptoKeyVersion: {} })
  t.match(second, { name: `${key}/cryptoKeyVersions/2`, state: State.ENABLED })
  t.equal((await client.get(kms.getCryptoKey, { name: key })).primary?.name, version, 'the primary stays')
  const set = (state: State, paths = ['state'], name = version) =>
    client.call(kms.updateCryptoKeyVersion, { cryptoKeyVersion: { name, state }, updateMask: { paths } })
  t.match(await set(State.DISABLED), { ok: true, message: { state: State.DISABLED } })
  t.equal(await client.status(kms.encrypt, { name: key, plaintext: TEXT }), 'FAILED_PRECONDITION')
  t.equal(await client.status(kms.decrypt, { name: key, ciphertext }), 'FAILED_PRECONDITION')
  t.match(await set(State.ENABLED), { ok: true, message: { state: State.ENABLED } })
  t.match(await set(State.DESTROYED), { status: 'INVALID_ARGUMENT' })
  t.match(await set(State.ENABLED, []), { status: 'INVALID_ARGUMENT' })
  t.match(await set(State.ENABLED, ['algorithm']), { status: 'INVALID_ARGUMENT' })
  t.match(await set(State.ENABLED, ['state'], `${key}/cryptoKeyVersions/9`), { status: 'NOT_FOUND' })
  const due = BigInt(gcp.clock.now() / 1000 + 30 * 86_400)
  t.match(await client.get(kms.destroyCryptoKeyVersion, { name: version }), {
    state: State.DESTROY_SCHEDULED,
    destroyTime: { seconds: due },
    destroyEventTime: undefined,
  })
  t.equal(await client.status(kms.destroyCryptoKeyVersion, { name: version }), 'FAILED_PRECONDITION')
  t.match(await set(State.ENABLED), { status: 'FAILED_PRECONDITION' })
  t.match(await client.get(kms.restoreCryptoKeyVersion, { name: version }), {
    state: State.DISABLED,
    destroyTime: undefined,
  })
  t.equal(await client.status(kms.restoreCryptoKeyVersion, { name: version }), 'FAILED_PRECONDITION')
  t.match(await set(State.ENABLED), { ok: true })
  t.match(await client.get(kms.decrypt, { name: key, ciphertext }), { plaintext: TEXT })
  await client.get(kms.destroyCryptoKeyVersion, { name: second.name })
  await gcp.advance(30 * 86_400_000)
  t.match(await client.get(kms.getCryptoKeyVersion, { name: second.name }), {
    state: State.DESTROYED,
    destroyEventTime: { seconds: due },
  })
  t.equal(await client.status(kms.restoreCryptoKeyVersion, { name: second.name }), 'FAILED_PRECONDITION')
  const { cryptoKeyVersions } = await client.get(kms.listCryptoKeyVersions, { parent: key })
  t.same(
    cryptoKeyVersions.map(({ state }) => state),
    [State.ENABLED, State.DESTROYED],
  )
  t.same(gcp.failures, [])
})

const DIGESTS = { sha256: 'sha256', sha384: 'sha384', sha512: 'sha512' } as const
const SIGNING: readonly (readonly [Algorithm, keyof typeof DIGESTS | undefined, object])[] = [
  [Algorithm.EC_SIGN_P256_SHA256, 'sha256', {}],
  [Algorithm.EC_SIGN_P384_SHA384, 'sha384', {}],
  [Algorithm.EC_SIGN_ED25519, undefined, {}],
  [Algorithm.RSA_SIGN_PKCS1_2048_SHA256, 'sha256', {}],
  [Algorithm.RSA_SIGN_PSS_2048_SHA256, 'sha256', { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }],
  [Algorithm.RSA_SIGN_PSS_4096_SHA512, 'sha512', { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 }],
  [Algorithm.PQ_SIGN_ML_DSA_65, undefined, {}],
]

both('sign', async (t, client) => {
  for (const [algorithm, hash, options] of SIGNING) {
    const name = Algorithm[algorithm] ?? ''
    const { version } = await newKey(client, name, algorithm)
    const postQuantum = name.startsWith('PQ_')
    const format = postQuantum ? Format.NIST_PQC : Format.PUBLIC_KEY_FORMAT_UNSPECIFIED
    const exported = await client.get(kms.getPublicKey, { name: version, publicKeyFormat: format })
    const raw = Buffer.from(exported.publicKey?.data ?? [])
    const key = postQuantum
      ? createPublicKey({ key: { kty: 'AKP', alg: 'ML-DSA-65', pub: raw.toString('base64url') }, format: 'jwk' })
      : createPublicKey(exported.pem)
    const inputs: { digest?: Uint8Array; data?: Uint8Array }[] = [{ data: TEXT }]
    if (hash !== undefined) inputs.push({ digest: createHash(hash).update(TEXT).digest() })
    for (const { digest, data } of inputs) {
      const request = {
        name: version,
        ...(digest && hash && { digest: { digest: { case: hash, value: digest } }, digestCrc32c: checksum(digest) }),
        ...(data && { data, dataCrc32c: checksum(data) }),
      }
      const signed = await client.get(kms.asymmetricSign, request)
      t.ok(verify(hash, TEXT, { key, ...options }, signed.signature), `${name} over ${digest ? 'a digest' : 'data'}`)
      t.match(signed, {
        name: version,
        signatureCrc32c: checksum(signed.signature),
        verifiedDigestCrc32c: digest !== undefined,
        verifiedDataCrc32c: data !== undefined,
      })
    }
  }
})

both('what sign refuses', async (t, client) => {
  const { version } = await newKey(client, 'ec', Algorithm.EC_SIGN_P256_SHA256)
  const edwards = await newKey(client, 'ed', Algorithm.EC_SIGN_ED25519)
  const { key } = await symmetric(client)
  const digest = (kind: 'sha256' | 'sha384' | 'externalMu', length: number) => ({
    digest: { digest: { case: kind, value: Buffer.alloc(length) } },
  })
  const signs = async (expected: string, what: string, request: object) =>
    t.equal(await client.status(kms.asymmetricSign, { name: version, ...request }), expected, what)
  await signs('OK', 'a digest', digest('sha256', 32))
  await signs('INVALID_ARGUMENT', 'nothing', {})
  await signs('INVALID_ARGUMENT', 'a short digest', digest('sha256', 31))
  await signs('INVALID_ARGUMENT', 'another digest', digest('sha384', 48))
  await signs('INVALID_ARGUMENT', 'digest and data', { ...digest('sha256', 32), data: TEXT })
  await signs('INVALID_ARGUMENT', 'an empty digest message', { digest: {} })
  await signs('INVALID_ARGUMENT', 'a wrong checksum', { ...digest('sha256', 32), digestCrc32c: 1n })
  await signs('INVALID_ARGUMENT', 'a wrong data checksum', { data: TEXT, dataCrc32c: 1n })
  await signs('INVALID_ARGUMENT', 'too much data', { data: Buffer.alloc(65_537) })
  await signs('INVALID_ARGUMENT', 'a digest for Ed25519', { ...digest('sha256', 32), name: edwards.version })
  await signs('INVALID_ARGUMENT', 'external mu', digest('externalMu', 64))
  await signs('FAILED_PRECONDITION', 'a symmetric key', { ...digest('sha256', 32), name: `${key}/cryptoKeyVersions/1` })
  await signs('NOT_FOUND', 'no such version', { ...digest('sha256', 32), name: version.replace(/1$/, '2') })
})

both('asymmetric decrypt', async (t, client) => {
  for (const [algorithm, oaepHash] of [
    [Algorithm.RSA_DECRYPT_OAEP_2048_SHA256, 'sha256'],
    [Algorithm.RSA_DECRYPT_OAEP_2048_SHA1, 'sha1'],
  ] as const) {
    const { version } = await newKey(client, oaepHash, algorithm, Purpose.ASYMMETRIC_DECRYPT)
    const { pem } = await client.get(kms.getPublicKey, { name: version })
    const ciphertext = publicEncrypt({ key: pem, oaepHash, padding: constants.RSA_PKCS1_OAEP_PADDING }, TEXT)
    const request = { name: version, ciphertext, ciphertextCrc32c: checksum(ciphertext) }
    t.match(await client.get(kms.asymmetricDecrypt, request), {
      plaintext: TEXT,
      plaintextCrc32c: checksum(TEXT),
      verifiedCiphertextCrc32c: true,
    })
    t.equal(await client.status(kms.asymmetricDecrypt, { ...request, ciphertextCrc32c: 0n }), 'INVALID_ARGUMENT')
    t.equal(
      await client.status(kms.asymmetricDecrypt, { name: version, ciphertext: randomBytes(256) }),
      'INVALID_ARGUMENT',
    )
    t.equal(await client.status(kms.asymmetricDecrypt, { name: version, ciphertext: TEXT }), 'INVALID_ARGUMENT')
  }
  const signing = await newKey(client, 's', Algorithm.RSA_SIGN_PSS_2048_SHA256)
  t.equal(
    await client.status(kms.asymmetricDecrypt, { name: signing.version, ciphertext: randomBytes(256) }),
    'FAILED_PRECONDITION',
  )
})

both('public keys', async (t, client) => {
  const { version } = await newKey(client, 'ec', Algorithm.EC_SIGN_P256_SHA256)
  const plain = await client.get(kms.getPublicKey, { name: version })
  t.match(plain, {
    name: version,
    algorithm: Algorithm.EC_SIGN_P256_SHA256,
    pemCrc32c: checksum(Buffer.from(plain.pem)),
    publicKey: undefined,
  })
  const pem = await client.get(kms.getPublicKey, { name: version, publicKeyFormat: Format.PEM })
  t.match(pem, {
    pem: '',
    publicKeyFormat: Format.PEM,
    publicKey: { data: Buffer.from(plain.pem), crc32cChecksum: plain.pemCrc32c },
  })
  const der = await client.get(kms.getPublicKey, { name: version, publicKeyFormat: Format.DER })
  t.same(Buffer.from(der.publicKey?.data ?? []), createPublicKey(plain.pem).export({ type: 'spki', format: 'der' }))
  t.equal(
    await client.status(kms.getPublicKey, { name: version, publicKeyFormat: Format.NIST_PQC }),
    'INVALID_ARGUMENT',
  )
  const lattice = await newKey(client, 'ml', Algorithm.PQ_SIGN_ML_DSA_44)
  t.equal(await client.status(kms.getPublicKey, { name: lattice.version }), 'INVALID_ARGUMENT')
  t.equal(
    (await client.get(kms.getPublicKey, { name: lattice.version, publicKeyFormat: Format.NIST_PQC })).publicKey?.data
      .length,
    1312,
  )
  const { key } = await symmetric(client)
  t.equal(await client.status(kms.getPublicKey, { name: `${key}/cryptoKeyVersions/1` }), 'FAILED_PRECONDITION')
})

both('malformed names', async (t, client) => {
  // Over REST a name that fits no route is not found before it could be invalid.
  const malformed = client.transport === 'grpc' ? 'INVALID_ARGUMENT' : 'NOT_FOUND'
  t.equal(await client.status(kms.getKeyRing, { name: 'nonsense' }), malformed)
  t.equal(await client.status(kms.getCryptoKey, { name: RING.replace('local', '') }), malformed)
  t.equal(await client.status(kms.getCryptoKey, { name: `${RING}/cryptoKeys/a b` }), 'INVALID_ARGUMENT')
  t.equal(
    await client.status(kms.getCryptoKeyVersion, { name: `${RING}/cryptoKeys/k/cryptoKeyVersions/one` }),
    'INVALID_ARGUMENT',
  )
  t.equal(
    await client.status(kms.getCryptoKeyVersion, { name: `${RING}/cryptoKeys/k/cryptoKeyVersions/0` }),
    'INVALID_ARGUMENT',
  )
})

both("other clouds' keys", async (t, client, gcp) => {
  const ring = { by: 'name', name: 'r' } as const
  const made = await gcp.run('aws', createKey, { ring: { by: 'default' }, spec: 'rsa_2048', purpose: 'sign_verify' })
  const name = `${LOCATION}/keyRings/default/cryptoKeys/${made.key.id}`
  t.match(await client.get(kms.getCryptoKey, { name }), {
    name,
    purpose: Purpose.ASYMMETRIC_SIGN,
    versionTemplate: { algorithm: Algorithm.RSA_SIGN_PKCS1_2048_SHA256 },
  })
  const signed = await client.get(kms.asymmetricSign, { name: `${name}/cryptoKeyVersions/1`, data: TEXT })
  const { pem } = await client.get(kms.getPublicKey, { name: `${name}/cryptoKeyVersions/1` })
  t.ok(verify('sha256', TEXT, pem, signed.signature))
  await gcp.run('aws', disableKey, { key: { by: 'id', id: made.key.id } })
  t.match(await client.get(kms.getCryptoKeyVersion, { name: `${name}/cryptoKeyVersions/1` }), { state: State.DISABLED })
  t.equal(
    await client.status(kms.asymmetricSign, { name: `${name}/cryptoKeyVersions/1`, data: TEXT }),
    'FAILED_PRECONDITION',
  )
  const inexpressible = await gcp.run('azure', createKey, { ring: { by: 'default' }, name: 'p521', spec: 'ec_p521' })
  t.equal(inexpressible.key.name, 'p521')
  t.equal(await client.status(kms.getCryptoKey, { name: `${LOCATION}/keyRings/default/cryptoKeys/p521` }), 'NOT_FOUND')
  const listed = await client.get(kms.listCryptoKeys, { parent: `${LOCATION}/keyRings/default` })
  t.same(
    listed.cryptoKeys.map((key) => key.name),
    [name],
  )
  t.equal((await gcp.run('gcp', createKey, { ring, name: 'ours', spec: 'aes_256' })).key.name, 'ours')
})
