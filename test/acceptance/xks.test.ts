/** AWS KMS calls a real server over TLS: the assertions of AWS's published test client, with their statuses, and more. */
import { randomBytes, randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import {
  type Answer,
  b64,
  damaged,
  decryptBody,
  encryptBody,
  integrityValue,
  type Json,
  type Kms,
  newCredential,
  type Request,
  requestMetadata,
} from '../support/xks-kms.ts'
import { makeKeys, startXks } from '../support/xks-server.ts'

const PLAINTEXT = b64('Hello World!')
const AAD = b64('project=nile,department=marketing')
const AAD2 = b64('project=blue,department=finance')
const aad = { additionalAuthenticatedData: AAD }
const cdiv = { ciphertextDataIntegrityValueAlgorithm: 'SHA_256' }
const health = (): Json => ({ requestMetadata: { kmsOperation: 'KmsHealthCheck', kmsRequestId: randomUUID() } })
const describe = (operation = 'DescribeKey'): Json => ({ requestMetadata: requestMetadata(operation) })

const server = await startXks()
t.teardown(() => server.stop())
await makeKeys(server)
const kms = server.caller('a', server.first)
const other = server.caller('b', server.second)
const wrongPrefix = server.caller('a/invalid', server.first)
const wrongId = { credential: { ...server.first, accessKeyId: `Invalid${server.first.accessKeyId}` } }
const wrongSecret = { credential: { ...server.first, secret: `Invalid${server.first.secret}` } }

function refused(t: Test, answer: Answer, status: number, errorName: string, message: string): void {
  t.match({ status: answer.status, json: answer.json }, { status, json: { errorName } }, message)
  t.match(answer.json.errorMessage, /^[ -~]{1,511}$/, `${message}: a message of printable ASCII`)
  t.equal(answer.type, 'application/json')
}
async function encrypted(t: Test, key: string, more: Json = {}, plaintext = PLAINTEXT): Promise<Json> {
  const answer = await kms.ask(`keys/${key}/encrypt`, encryptBody(plaintext, more))
  t.equal(answer.status, 200, answer.text)
  return answer.json
}
async function decrypted(t: Test, key: string, parts: Json, more: Json = {}, plaintext = PLAINTEXT): Promise<void> {
  const answer = await kms.ask(`keys/${key}/decrypt`, decryptBody(parts, more))
  t.same([answer.status, answer.json], [200, { plaintext }])
}

t.test('GetHealthStatus', async (t) => {
  const answer = await kms.ask('health', health())
  t.equal(answer.status, 200)
  t.equal(answer.type, 'application/json')
  t.notMatch(answer.text, /\n/, 'in one line')
  t.match(answer.json, {
    xksProxyFleetSize: 1,
    xksProxyVendor: String,
    xksProxyModel: /Trefoil \d/,
    ekmVendor: String,
    ekmFleetDetails: [{ id: 'software', model: String, healthStatus: 'ACTIVE' }],
  })
  refused(t, await kms.ask('health', {}), 400, 'ValidationException', 'without requestMetadata')
  refused(t, await kms.ask('health', { requestMetadata: {} }), 400, 'ValidationException', 'with an empty one')
  refused(t, await kms.ask('health', health(), wrongId), 401, 'AuthenticationFailedException', 'access key id')
  refused(t, await kms.ask('health', health(), wrongSecret), 401, 'AuthenticationFailedException', 'secret')
  refused(t, await wrongPrefix.ask('health', health()), 404, 'InvalidUriPathException', 'prefix')
})

t.test('GetKeyMetadata', async (t) => {
  const enabled = { keySpec: 'AES_256', keyUsage: ['ENCRYPT', 'DECRYPT'], keyStatus: 'ENABLED' }
  for (const operation of ['DescribeKey', 'CreateKey', 'BulkDescribeKeyOfTheFuture']) {
    const { status, json } = await kms.ask('keys/raw/metadata', describe(operation))
    t.same([status, json], [200, enabled], operation)
  }
  const { kmsKeyArn: _, ...creating } = requestMetadata('CreateKey')
  t.equal((await kms.ask('keys/raw/metadata', { requestMetadata: creating })).status, 200, 'there is no ARN yet')
  t.same((await kms.ask('keys/envelope/metadata', describe())).json, enabled)
  const usageOf = async (key: string) => (await kms.ask(`keys/${key}/metadata`, describe())).json.keyUsage
  t.same(await usageOf('encrypt_only_key'), ['ENCRYPT'])
  t.same(await usageOf('decrypt_only_key'), ['DECRYPT'])
  t.same(await usageOf('impotent_key'), [])
  t.match((await kms.ask('keys/signer/metadata', describe())).json, { keySpec: 'EC_P256', keyUsage: [] })
  refused(t, await kms.ask('keys/raw/metadata', {}), 400, 'ValidationException', 'without requestMetadata')
  refused(t, await kms.ask('keys/raw/metadata', { requestMetadata: {} }), 400, 'ValidationException', 'an empty one')
  const missing = await kms.ask('keys/non_existing_key/metadata', describe())
  refused(t, missing, 404, 'KeyNotFoundException', 'a key that is not there')
  const ask = (more: Partial<Request>) => kms.ask('keys/raw/metadata', describe(), more)
  refused(t, await ask(wrongId), 401, 'AuthenticationFailedException', 'access key id')
  refused(t, await ask(wrongSecret), 401, 'AuthenticationFailedException', 'secret')
  refused(t, await wrongPrefix.ask('keys/raw/metadata', describe()), 404, 'InvalidUriPathException', 'prefix')
})

for (const key of ['raw', 'envelope']) {
  t.test(`Encrypt and Decrypt: ${key}`, async (t) => {
    const url = `keys/${key}/encrypt`
    const missing = await kms.ask('keys/non_existing_key/encrypt', encryptBody(PLAINTEXT))
    refused(t, missing, 404, 'KeyNotFoundException', 'a key that is not there')
    const { plaintext: _, ...bare } = encryptBody(PLAINTEXT)
    refused(t, await kms.ask(url, bare), 400, 'ValidationException', 'no plaintext')
    refused(t, await kms.ask(url, encryptBody(PLAINTEXT), wrongId), 401, 'AuthenticationFailedException', 'id')
    refused(t, await kms.ask(url, encryptBody(PLAINTEXT), wrongSecret), 401, 'AuthenticationFailedException', 'secret')
    refused(t, await wrongPrefix.ask(url, encryptBody(PLAINTEXT)), 404, 'InvalidUriPathException', 'prefix')
    const decrypting = async (parts: Json, more: Json = {}) => kms.ask(`keys/${key}/decrypt`, decryptBody(parts, more))
    const bound = await encrypted(t, key, aad)
    refused(t, await decrypting(bound), 400, 'InvalidCiphertextException', 'without the AAD')
    const with2 = await decrypting(bound, { additionalAuthenticatedData: AAD2 })
    refused(t, with2, 400, 'InvalidCiphertextException', 'another AAD')
    await decrypted(t, key, bound, aad)
    await decrypted(t, key, await encrypted(t, key))
    await decrypted(t, key, await encrypted(t, key, { additionalAuthenticatedData: '' }))
    for (const more of [aad, {}]) {
      const parts = await encrypted(t, key, { ...more, ...cdiv })
      t.equal(
        parts.ciphertextDataIntegrityValue,
        integrityValue('additionalAuthenticatedData' in more ? AAD : '', parts),
      )
      await decrypted(t, key, parts, more)
    }
    t.notOk('ciphertextDataIntegrityValue' in bound, 'only where it is asked for')
  })

  t.test(`sizes: ${key}`, async (t) => {
    for (const [size, bytes] of [
      [1, 0],
      [4096, 8192],
      [4300, 8192],
    ] as const) {
      const plaintext = b64(randomBytes(size))
      const large = { additionalAuthenticatedData: b64(randomBytes(bytes)) }
      const parts = await encrypted(t, key, { ...large, ...cdiv }, plaintext)
      t.equal(Buffer.from(String(parts.ciphertext), 'base64').length, size, 'as long as the plaintext')
      t.ok(Buffer.from(String(parts.ciphertextMetadata), 'base64').length <= 20)
      t.equal(Buffer.from(String(parts.initializationVector), 'base64').length, 12)
      t.equal(Buffer.from(String(parts.authenticationTag), 'base64').length, 16)
      await decrypted(t, key, parts, large, plaintext)
    }
  })

  t.test(`damage is noticed, bit by bit: ${key}`, async (t) => {
    const parts = await encrypted(t, key, aad)
    for (const field of ['ciphertext', 'initializationVector', 'authenticationTag', 'ciphertextMetadata']) {
      const bits = Buffer.from(String(parts[field]), 'base64').length * 8
      for (const bit of [0, Math.floor(Math.random() * bits), bits - 1]) {
        const changed = { ...parts, [field]: damaged(parts[field], bit) }
        const answer = await kms.ask(`keys/${key}/decrypt`, decryptBody(changed, aad))
        refused(t, answer, 400, 'InvalidCiphertextException', `${field}, bit ${bit}`)
      }
    }
    const { ciphertextMetadata: metadata, ...bare } = parts
    const moved = {
      additionalAuthenticatedData: b64(
        Buffer.concat([Buffer.from(AAD, 'base64'), Buffer.from(String(metadata), 'base64')]),
      ),
    }
    const answer = await kms.ask(`keys/${key}/decrypt`, decryptBody(bare, moved))
    refused(t, answer, 400, 'InvalidCiphertextException', 'metadata as the end of the AAD')
    for (const strange of ['AQ==', b64(randomBytes(20)), b64(randomBytes(21)), 'AQAAAAI=', 'AQAAAAA=']) {
      const foreign = await kms.ask(`keys/${key}/decrypt`, decryptBody({ ...parts, ciphertextMetadata: strange }, aad))
      refused(t, foreign, 400, 'InvalidCiphertextException', `metadata ${strange}`)
    }
    const crossed = await kms.ask(`keys/${key === 'raw' ? 'envelope' : 'raw'}/decrypt`, decryptBody(parts, aad))
    refused(t, crossed, 400, 'InvalidCiphertextException', 'another key')
  })
}

t.test('keys whose use is restricted', async (t) => {
  for (const more of [{}, aad]) {
    const parts = await encrypted(t, 'encrypt_only_key', more)
    const opening = await kms.ask('keys/encrypt_only_key/decrypt', decryptBody(parts, more))
    refused(t, opening, 400, 'InvalidKeyUsageException', 'Decrypt with an encrypt-only key')
    await decrypted(t, 'decrypt_only_key', parts, more)
    const proving = await kms.ask('keys/encrypt_only_key/encrypt', encryptBody(PLAINTEXT, { ...more, ...cdiv }))
    refused(t, proving, 400, 'InvalidKeyUsageException', 'CDIV with an encrypt-only key')
    for (const key of ['decrypt_only_key', 'impotent_key', 'signer']) {
      for (const asked of [more, { ...more, ...cdiv }]) {
        const answer = await kms.ask(`keys/${key}/encrypt`, encryptBody(PLAINTEXT, asked))
        refused(t, answer, 400, 'InvalidKeyUsageException', `Encrypt with ${key}`)
      }
    }
    const impotent = await kms.ask('keys/impotent_key/decrypt', decryptBody(parts, more))
    refused(t, impotent, 400, 'InvalidKeyUsageException', 'Decrypt with an impotent key')
  }
})

const FIVE_MINUTES = 300_000
type Refusal = readonly [message: string, status: number, errorName: string, send: (kms: Kms) => Promise<Answer>]
const encrypting =
  (more: Json, how: Partial<Request> = {}) =>
  (kms: Kms) =>
    kms.ask('keys/raw/encrypt', encryptBody(PLAINTEXT, more), how)
const asking = (how: Partial<Request>) => (kms: Kms) => kms.ask('health', health(), how)
const at =
  (path: string, how: Partial<Request> = {}) =>
  (kms: Kms) =>
    kms.send({ path, body: JSON.stringify(health()), ...how })
const decrypting = (change: Json) => async (kms: Kms) => {
  const { json } = await kms.ask('keys/raw/encrypt', encryptBody(PLAINTEXT))
  return kms.ask('keys/raw/decrypt', { ...decryptBody(json), ...change })
}
const saying = (more: Json) => encrypting({ requestMetadata: requestMetadata('Encrypt', more) })
const [V, A, U] = ['ValidationException', 'AuthenticationFailedException', 'InvalidUriPathException']

const REFUSALS: readonly Refusal[] = [
  ['another service in the scope', 401, A, asking({ service: 'kms' })],
  ['six minutes ago', 401, A, asking({ at: Date.now() - FIVE_MINUTES - 60_000 })],
  ['in six minutes', 401, A, asking({ at: Date.now() + FIVE_MINUTES + 60_000 })],
  ['a scope of another day', 401, A, asking({ day: '20200101' })],
  ['host not signed', 401, A, asking({ leave: ['host'] })],
  ['x-amz-date not signed', 401, A, asking({ leave: ['x-amz-date'] })],
  ['no signature', 401, A, asking({ change: { authorization: undefined } })],
  ['no date', 401, A, asking({ change: { 'x-amz-date': undefined } })],
  ['another scheme', 401, A, asking({ change: { authorization: 'Bearer any' } })],
  ['another body than was signed', 401, A, asking({ sent: JSON.stringify(health()) })],
  ['a signed header that is changed', 401, A, asking({ signed: { 'x-extra': 'a' }, change: { 'x-extra': 'b' } })],
  ['another path than was signed', 401, A, (kms) => signedFor(kms, 'keys/raw/metadata', 'keys/envelope/metadata')],
  ['the secret of another prefix', 401, A, asking({ credential: server.second })],
  ['unknown credentials', 401, A, asking({ credential: newCredential() })],
  ['a session token', 401, A, asking({ signed: { 'x-amz-security-token': 'token' } })],
  ['GET', 405, 'UnsupportedOperationException', asking({ method: 'GET' })],
  ['PUT of a key', 405, 'UnsupportedOperationException', at('/a/kms/xks/v1/keys/raw/encrypt', { method: 'PUT' })],
  ['another prefix', 404, U, at('/c/kms/xks/v1/health')],
  ['no prefix', 404, U, at('/kms/xks/v1/health')],
  ['another version', 404, U, at('/a/kms/xks/v2/health')],
  ['another operation', 404, U, at('/a/kms/xks/v1/keys/raw/sign')],
  ['a slash too many', 404, U, at('/a//kms/xks/v1/health')],
  ['a slash at the end', 404, U, at('/a/kms/xks/v1/health/')],
  ['a query', 404, U, at('/a/kms/xks/v1/health?a=b')],
  ['an escaped path', 404, U, at('/%61/kms/xks/v1/health')],
  ['a key id that is too long', 404, U, at(`/a/kms/xks/v1/keys/${'k'.repeat(129)}/metadata`)],
  ['a path of management', 404, U, at('/v1/projects/local/locations/global/keyRings')],
  ['AWS KMS itself', 404, U, at('/')],
  ['not JSON', 400, V, (kms) => kms.send({ path: kms.path('health'), body: '{' })],
  ['no body', 400, V, (kms) => kms.send({ path: kms.path('health'), body: '' })],
  ['a list', 400, V, (kms) => kms.send({ path: kms.path('health'), body: '[]' })],
  ['a member twice', 400, V, (kms) => kms.send({ path: kms.path('health'), body: '{"a":1,"a":1}' })],
  ['no AES-GCM', 400, V, encrypting({ encryptionAlgorithm: 'AES_CBC' })],
  ['another hash', 400, V, encrypting({ ciphertextDataIntegrityValueAlgorithm: 'MD5' })],
  ['a plaintext that is not Base64', 400, V, encrypting({ plaintext: 'a$b=' })],
  ['Base64 for URLs', 400, V, encrypting({ plaintext: '-_-_' })],
  ['Base64 without padding', 400, V, encrypting({ plaintext: 'SGVsbG8' })],
  ['bits that say nothing', 400, V, encrypting({ plaintext: 'SGVsbG9=' })],
  ['an empty plaintext', 400, V, encrypting({ plaintext: '' })],
  ['a number for a plaintext', 400, V, encrypting({ plaintext: 7 })],
  ['AAD that is null', 400, V, encrypting({ additionalAuthenticatedData: null })],
  ['a principal that is a list', 400, V, saying({ awsPrincipalArn: [] })],
  ['no principal', 400, V, saying({ awsPrincipalArn: undefined })],
  ['no key ARN', 400, V, saying({ kmsKeyArn: undefined })],
  ['no operation', 400, V, saying({ kmsOperation: undefined })],
  ['no request id', 400, V, saying({ kmsRequestId: undefined })],
  ['an ARN that is too long', 400, V, saying({ awsPrincipalArn: 'a'.repeat(2049) })],
  ['4,301 bytes', 501, 'UnsupportedOperationException', encrypting({ plaintext: b64(randomBytes(4301)) })],
  [
    'AAD of 8,193',
    501,
    'UnsupportedOperationException',
    encrypting({ additionalAuthenticatedData: b64(randomBytes(8193)) }),
  ],
  ['a large body', 501, 'UnsupportedOperationException', encrypting({ more: 'x'.repeat(70_000) })],
  ['no ciphertext', 400, V, decrypting({ ciphertext: undefined })],
  ['no IV', 400, V, decrypting({ initializationVector: undefined })],
  ['no tag', 400, V, decrypting({ authenticationTag: undefined })],
  ['an IV of 13 bytes', 400, 'InvalidCiphertextException', decrypting({ initializationVector: b64(randomBytes(13)) })],
  ['an IV of 16 bytes', 400, 'InvalidCiphertextException', decrypting({ initializationVector: b64(randomBytes(16)) })],
  ['a tag of 12 bytes', 400, 'InvalidCiphertextException', decrypting({ authenticationTag: b64(randomBytes(12)) })],
  ['no metadata', 400, 'InvalidCiphertextException', decrypting({ ciphertextMetadata: undefined })],
  [
    'an exposed key that is not there',
    404,
    'KeyNotFoundException',
    (kms) => kms.ask('keys/not-there/metadata', describe()),
  ],
  ['a key by its own name', 404, 'KeyNotFoundException', (kms) => kms.ask('keys/of-b/metadata', describe())],
]

/** Signed for one path and sent to another. */
async function signedFor(kms: Kms, signed: string, sent: string): Promise<Answer> {
  const body = JSON.stringify(describe())
  return kms.send({ path: kms.path(signed), body, to: kms.path(sent) })
}

t.test('refusals', async (t) => {
  for (const [message, status, errorName, send] of REFUSALS) refused(t, await send(kms), status, errorName, message)
  t.ok(REFUSALS.length >= 25)
})

t.test('what AWS and curl may sign besides', async (t) => {
  const more = [
    { signed: { 'content-type': 'application/json' } },
    { signed: { 'content-type': 'application/json', 'x-amz-content-sha256': 'any', 'x-custom': 'a  b' } },
    { region: 'eu-west-1' },
    { at: Date.now() - FIVE_MINUTES + 60_000 },
    { unsigned: { 'x-other': 'not signed' } },
  ]
  for (const how of more) t.equal((await kms.ask('health', health(), how)).status, 200, JSON.stringify(how))
  const future = {
    requestMetadata: { ...requestMetadata('Encrypt'), sourceIdentity: 'a', tags: { b: ['c'] } },
    more: 1,
  }
  await decrypted(t, 'raw', await encrypted(t, 'raw', future), future)
})

t.test('a prefix knows nothing of the keys of another', async (t) => {
  const theirs = (await other.ask('keys/of-b/encrypt', encryptBody(PLAINTEXT))).json
  t.ok(theirs.ciphertext)
  const shape = ({ status, text, type }: Answer) => ({ status, text, type })
  for (const [route, body] of [
    ['metadata', describe()],
    ['encrypt', encryptBody(PLAINTEXT)],
    ['decrypt', decryptBody(theirs)],
  ] as const) {
    const [another, none] = [await kms.ask(`keys/of-b/${route}`, body), await kms.ask(`keys/nothing/${route}`, body)]
    t.same(shape(another), shape(none), route)
    t.equal(another.status, 404)
  }
})

t.test('states of a key are those of every dialect', async (t) => {
  const parts = await encrypted(t, 'envelope')
  const { KeyMetadata } = await server.aws('CreateKey', {})
  t.ok(KeyMetadata)
  await server.patch('cryptoKeys/envelope/cryptoKeyVersions/1?updateMask=state', { state: 'DISABLED' })
  t.match((await kms.ask('keys/envelope/metadata', describe())).json, { keyStatus: 'DISABLED' })
  for (const [route, body] of [
    ['encrypt', encryptBody(PLAINTEXT)],
    ['decrypt', decryptBody(parts)],
  ] as const) {
    refused(t, await kms.ask(`keys/envelope/${route}`, body), 400, 'InvalidStateException', route)
  }
  await server.patch('cryptoKeys/envelope/cryptoKeyVersions/1?updateMask=state', { state: 'ENABLED' })
  await decrypted(t, 'envelope', parts)
})

t.test('an older version decrypts what it encrypted', async (t) => {
  const before = await encrypted(t, 'envelope', aad)
  await server.gcp('cryptoKeys/envelope/cryptoKeyVersions')
  await server.gcp('cryptoKeys/envelope:updatePrimaryVersion', { cryptoKeyVersionId: '2' })
  const after = await encrypted(t, 'envelope', aad)
  t.not(String(before.ciphertextMetadata).slice(0, 6), String(after.ciphertextMetadata).slice(0, 6), 'it says which')
  for (const parts of [before, after]) await decrypted(t, 'envelope', parts, aad)
  const swapped = { ...before, ciphertextMetadata: after.ciphertextMetadata }
  const answer = await kms.ask('keys/envelope/decrypt', decryptBody(swapped, aad))
  refused(t, answer, 400, 'InvalidCiphertextException', "the other version's metadata")
})

t.test('load balancers ask by GET', async (t) => {
  const answer = await kms.send({ path: '/_/health/ready', body: '', method: 'GET' })
  t.equal(answer.status, 200)
})
