/**
 * Recognisable plaintexts, secret values, private keys, tokens and a passphrase go through every dialect, in requests that
 * succeed, fail and are malformed; then they are looked for in every log, audit record, checkpoint, database file and
 * error body, in clear, hex and base64.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { KeyManagementServiceClient } from '@google-cloud/kms'
import { grpc } from 'google-gax'
import t from 'tap'
import { startTrefoil } from '../support/process.ts'

const plant = (kind: string): Buffer => Buffer.from(`planted-${kind}-${randomBytes(12).toString('hex')}`)
const PLAINTEXT = plant('plaintext')
const VALUE = plant('value')
const TOKEN = plant('token')
const CLIENT_SECRET = plant('client-secret')
const PASSPHRASE = plant('passphrase')
const URL_PART = plant('url')
const HEADER = plant('header')
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const JWK = privateKey.export({ format: 'jwk' })
const PRIVATE = Buffer.from(JWK.d ?? '', 'base64url')
const SYMMETRIC = randomBytes(32)

/** Base64 of the bytes wherever they begin in what is encoded: without the characters that depend on their neighbours. */
const base64Cores = (bytes: Buffer): readonly string[] =>
  [0, 1, 2].map((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .replace(/=+$/, '')
    return text.slice(shift === 0 ? 0 : shift + 1, -2)
  })

function formsOf(bytes: Buffer): readonly Buffer[] {
  const cores = base64Cores(bytes)
  const urls = cores.map((core) => core.replaceAll('+', '-').replaceAll('/', '_'))
  const hex = bytes.toString('hex')
  return [bytes, ...[hex, hex.toUpperCase(), ...cores, ...urls].map((text) => Buffer.from(text))]
}

const PLANTED = { PLAINTEXT, VALUE, TOKEN, CLIENT_SECRET, PASSPHRASE, PRIVATE, SYMMETRIC, URL_PART, HEADER }
const FORMS = Object.entries(PLANTED).map(([name, bytes]) => [name, formsOf(bytes)] as const)
const foundIn = (text: Buffer): readonly string[] =>
  FORMS.filter(([, forms]) => forms.some((form) => text.includes(form))).map(([name]) => name)

type Sent = { readonly what: string; readonly status: number; readonly text: string }

async function send(url: string, what: string, init: RequestInit): Promise<Sent> {
  const response = await fetch(url, init)
  return { what, status: response.status, text: await response.text() }
}

const body = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))

/** Bodies that no operation takes, with the plant where it can be. */
const oddBodies = (planted: string): readonly string[] => [
  planted,
  `"${planted}"`,
  `{"${planted}":1}`,
  `{"unknown":"${planted}"}`,
  `{"value":{"${planted}":"${planted}"}}`,
  `{"value":"${planted}","value":"${planted}"}`,
  `{"value":"${planted}","attributes":{"exp":"${planted}"}}`,
  `{"value":"${planted}","tags":{"${planted}":7}}`,
  `{"value":"${planted}","contentType":["${planted}"]}`,
  `{"alg":"${planted}","value":"${planted}"}`,
  `{"KeyId":"${planted}","Plaintext":"${planted}!"}`,
  `{"plaintext":"${planted}!","additionalAuthenticatedData":"${planted}!"}`,
  `{"plaintextCrc32c":"${planted}"}`,
  `{"plaintextCrc32c":{"deep":"${planted}"}}`,
  `{"value":"${planted}`,
]

async function azure(base: string): Promise<readonly Sent[]> {
  const sent: Sent[] = []
  const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json', 'x-planted': `${HEADER}` }
  const ask = async (method: string, path: string, content?: unknown) => {
    const init = { method, headers, ...(content !== undefined && { body: body(content) }) }
    const answer = await send(`${base}${path}?api-version=2026-04-01`, `${method} ${path.slice(0, 30)}`, init)
    sent.push(answer)
    return answer
  }
  const value = `${VALUE}`
  await ask('PUT', '/secrets/planted', { value })
  await ask('GET', '/secrets/planted')
  await ask('PATCH', '/secrets/planted', { value, contentType: 'x' })
  const { text } = await ask('POST', '/secrets/planted/backup')
  await ask('POST', '/secrets/restore', text)
  await ask('POST', '/secrets/restore', { value: VALUE.toString('base64url') })
  await ask('DELETE', '/secrets/planted')
  await ask('PUT', '/secrets/planted', { value })
  await ask('PUT', '/secrets/kept', { value })
  await ask('PUT', '/secrets/long', { value: value.repeat(2000) })
  const key = { kty: 'RSA', ...JWK, key_ops: ['sign', 'verify'] }
  await ask('PUT', '/keys/imported', { key })
  await ask('PUT', '/keys/bad', { key: { ...key, n: JWK.d, kty: 'EC' } })
  await ask('PUT', '/keys/bad', { key: { ...key, d: `${JWK.d}!` } })
  await ask('POST', '/keys/imported/backup')
  const k = SYMMETRIC.toString('base64url')
  await ask('PUT', '/keys/aes', { key: { kty: 'oct', k } })
  await ask('PUT', '/keys/bad', { key: { kty: 'oct', k: `${k}!` } })
  await ask('PUT', '/keys/bad', { key: { kty: 'oct', k: `${k}AAAA` } })
  await ask('PUT', '/keys/bad', { key: { kty: 'oct', k }, Hsm: true })
  await ask('POST', '/keys/aes/backup')
  await ask('POST', '/keys/aes/encrypt', { alg: 'A256GCM', value: PLAINTEXT.toString('base64url') })
  await ask('POST', '/keys/aes/wrapkey', { alg: 'A256KW', value: PLAINTEXT.toString('base64url') })
  await ask('POST', '/keys/aes/decrypt', { alg: 'A256GCM', value: PLAINTEXT.toString('base64url'), iv: k, tag: k })
  await ask('POST', '/keys/rsa/create', { kty: 'RSA' })
  await ask('POST', '/keys/rsa/encrypt', { alg: 'RSA-OAEP-256', value: PLAINTEXT.toString('base64url') })
  await ask('POST', '/keys/rsa/decrypt', { alg: 'RSA-OAEP-256', value: PLAINTEXT.toString('base64url') })
  await ask('POST', '/keys/nope/encrypt', { alg: 'RSA-OAEP-256', value: PLAINTEXT.toString('base64url') })
  for (const odd of oddBodies(value)) {
    await ask('PUT', '/secrets/odd', odd)
    await ask('PATCH', '/secrets/kept', odd)
    await ask('POST', '/keys/odd/create', odd)
    await ask('POST', '/keys/rsa/sign', odd)
  }
  return sent
}

async function aws(base: string): Promise<readonly Sent[]> {
  const sent: Sent[] = []
  const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-planted': `${HEADER}` }
  const ask = async (operation: string, content: unknown) => {
    const target = { 'x-amz-target': `TrentService.${operation}` }
    const init = { method: 'POST', headers: { ...headers, ...target }, body: body(content) }
    const answer = await send(base, operation, init)
    sent.push(answer)
    return answer
  }
  const Plaintext = PLAINTEXT.toString('base64')
  const { KeyId } = JSON.parse((await ask('CreateKey', {})).text).KeyMetadata
  const EncryptionContext = { [`${PLAINTEXT}`]: `${PLAINTEXT}` }
  const { CiphertextBlob } = JSON.parse((await ask('Encrypt', { KeyId, Plaintext, EncryptionContext })).text)
  await ask('Decrypt', { CiphertextBlob, EncryptionContext })
  await ask('Decrypt', { CiphertextBlob, EncryptionContext: { [`${PLAINTEXT}`]: 'other' } })
  await ask('Decrypt', { CiphertextBlob: Plaintext })
  await ask('Encrypt', { KeyId: 'alias/nope', Plaintext })
  await ask('Encrypt', { KeyId, Plaintext: Buffer.concat(Array(200).fill(PLAINTEXT)).toString('base64') })
  await ask('Encrypt', { KeyId, Plaintext, Unknown: `${PLAINTEXT}` })
  await ask('Sign', { KeyId, Message: Plaintext, SigningAlgorithm: 'ECDSA_SHA_256' })
  for (const odd of oddBodies(`${PLAINTEXT}`)) {
    await ask('Encrypt', odd)
    await ask('CreateKey', odd)
  }
  return sent
}

async function gcp(base: string): Promise<readonly Sent[]> {
  const sent: Sent[] = []
  const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json', 'x-planted': `${HEADER}` }
  const ask = async (path: string, content: unknown) => {
    const answer = await send(`${base}/v1/${path}`, path, { method: 'POST', headers, body: body(content) })
    sent.push(answer)
    return answer
  }
  const ring = 'projects/local/locations/global/keyRings/planted'
  await ask('projects/local/locations/global/keyRings?keyRingId=planted', {})
  await ask(`${ring}/cryptoKeys?cryptoKeyId=k`, { purpose: 'ENCRYPT_DECRYPT' })
  const plaintext = PLAINTEXT.toString('base64')
  const key = `${ring}/cryptoKeys/k`
  const { ciphertext } = JSON.parse((await ask(`${key}:encrypt`, { plaintext })).text)
  await ask(`${key}:decrypt`, { ciphertext })
  await ask(`${key}:decrypt`, { ciphertext: plaintext })
  await ask(`${key}:encrypt`, { plaintext, plaintextCrc32c: '1' })
  await ask(`${ring}/cryptoKeys/nope:encrypt`, { plaintext })
  for (const odd of oddBodies(`${PLAINTEXT}`)) await ask(`${key}:encrypt`, odd)
  return sent
}

/** By gRPC with Google's client; refusals are told with all that the client shows of them. */
async function gcpByGrpc(base: string): Promise<readonly Sent[]> {
  const sent: Sent[] = []
  const { hostname, port } = new URL(base)
  const client = new KeyManagementServiceClient({
    apiEndpoint: hostname,
    port: Number(port),
    sslCreds: grpc.credentials.createInsecure(),
    fallback: false,
  })
  const otherArgs = { headers: { 'x-planted': `${HEADER}`, authorization: `Bearer ${TOKEN}` } }
  const options = { otherArgs, retry: null }
  const ask = async <T>(what: string, call: Promise<[T, ...unknown[]]>): Promise<T | undefined> => {
    try {
      const [answer] = await call
      sent.push({ what: `gRPC ${what}`, status: 200, text: '' })
      return answer
    } catch (error) {
      const { message, metadata, details, statusDetails } = error as Record<string, unknown>
      const told = [message, details, statusDetails, (metadata as grpc.Metadata | undefined)?.toJSON()]
      sent.push({ what: `gRPC ${what}`, status: 400, text: inspect(told, { depth: 9, maxStringLength: null }) })
      return undefined
    }
  }
  const ring = 'projects/local/locations/global/keyRings/planted'
  const name = `${ring}/cryptoKeys/k`
  const [plaintext, aad] = [PLAINTEXT, { additionalAuthenticatedData: PLAINTEXT }]
  const sealed = await ask('encrypt', client.encrypt({ name, plaintext, ...aad }, options))
  const ciphertext = sealed?.ciphertext ?? ''
  await ask('decrypt', client.decrypt({ name, ciphertext, ...aad }, options))
  await ask('decrypt', client.decrypt({ name, ciphertext, additionalAuthenticatedData: VALUE }, options))
  await ask('decrypt', client.decrypt({ name, ciphertext: plaintext }, options))
  await ask('encrypt', client.encrypt({ name, plaintext, plaintextCrc32c: { value: 1 } }, options))
  await ask('encrypt', client.encrypt({ name: `${ring}/cryptoKeys/nope`, plaintext }, options))
  await ask('encrypt', client.encrypt({ name, plaintext: Buffer.concat(Array(2000).fill(PLAINTEXT)) }, options))
  await ask('raw decrypt', client.rawDecrypt({ name, ciphertext: plaintext, ...aad }, options))
  await ask('sign', client.asymmetricSign({ name: `${name}/cryptoKeyVersions/1`, data: plaintext }, options))
  await ask('MAC', client.macVerify({ name: `${name}/cryptoKeyVersions/1`, data: plaintext, mac: plaintext }, options))
  await ask('get', client.getCryptoKey({ name: `${ring}/cryptoKeys/${'k'.repeat(70)}` }, options))
  await client.close()
  return sent
}

/** Plants in URLs, where the answer to the same request may repeat a name. */
async function inUrls(base: string): Promise<void> {
  const headers = { authorization: `Bearer ${TOKEN}` }
  for (const path of [
    `/secrets/${URL_PART}?api-version=7.4`,
    `/secrets/kept/${URL_PART}?api-version=7.4`,
    `/secrets?api-version=${URL_PART}`,
    `/secrets?api-version=7.4&$skiptoken=${URL_PART}&value=${URL_PART}`,
    `/v1/projects/local/locations/global/keyRings/${URL_PART}`,
    `/v1/${URL_PART}`,
    `/${URL_PART}`,
    `/_/${URL_PART}`,
    `/%${URL_PART}`,
    `/metadata/identity/oauth2/token?resource=${URL_PART}`,
  ]) {
    await send(`${base}${path}`, path, { headers })
  }
}

function filesBelow(directory: string): readonly string[] {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

t.test('nothing that was planted is found', { timeout: 120_000 }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-planted-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const dataDir = join(directory, 'data')
  const server = await startTrefoil({
    dataDir,
    config: {
      log: { level: 'trace', format: 'json' },
      rootKey: { type: 'passphrase', passphrase: { env: 'PLANTED' } },
    },
    env: { PLANTED: `${PASSPHRASE}` },
  })
  const { plainUrl } = server
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: 'c',
    client_secret: `${CLIENT_SECRET}`,
    scope: 'https://vault.localhost/.default',
  })
  const login = `${plainUrl}/00000000-0000-0000-0000-000000000001/oauth2/v2.0/token`
  const sent = [
    ...(await azure(plainUrl)),
    ...(await aws(plainUrl)),
    ...(await gcp(plainUrl)),
    ...(await gcpByGrpc(plainUrl)),
    await send(login, 'login', { method: 'POST', body: form }),
    await send(login, 'login', { method: 'POST', body: new URLSearchParams({ client_secret: `${CLIENT_SECRET}` }) }),
  ]
  await inUrls(plainUrl)
  const succeeded = sent.filter(({ status }) => status < 300)
  const failed = sent.filter(({ status }) => status >= 400)
  t.ok(succeeded.length >= 15, `${succeeded.length} succeeded`)
  t.ok(failed.length >= 60, `${failed.length} failed`)
  t.same(
    sent.filter(({ status }) => status >= 500).map(({ what }) => what),
    [],
    'none by a fault',
  )
  for (const { what, text } of failed) t.same(foundIn(Buffer.from(text)), [], `the refusal of ${what}`)
  const look = (when: string): void => {
    for (const name of filesBelow(dataDir)) t.same(foundIn(readFileSync(name)), [], `${name} ${when}`)
  }
  t.ok(
    filesBelow(dataDir).some((name) => name.endsWith('-wal')),
    'the write-ahead log is among the files',
  )
  look('while it runs')
  t.equal(await server.stop(), 0)
  look('after it stopped')
  t.match(server.log(), /"route":"\/secrets\/:name"/, 'requests were logged')
  t.same(foundIn(Buffer.from(server.log())), [], 'stderr')
  t.same(foundIn(Buffer.from(server.readyLine)), [], 'stdout')
  t.equal(foundIn(Buffer.from(`x${VALUE.toString('base64')}`)).join(), 'VALUE', 'it would be found')
})
