/** Gmail's private keys: wrapped by an administrator, then signing and decrypting for the user whom Google names. */
import { constants, createHash, generateKeyPairSync, publicEncrypt, sign, verify } from 'node:crypto'
import t, { type Test } from 'tap'
import type { Json } from '../oidc/support.ts'
import { makeCse } from './cse-support.ts'

const KEY = generateKeyPairSync('rsa', { modulusLength: 2048 })
const OTHER = generateKeyPairSync('rsa', { modulusLength: 2048 })
const PEM = KEY.privateKey.export({ format: 'pem', type: 'pkcs8' }) as string
const hashOf = (key: typeof KEY): string =>
  createHash('sha256')
    .update(key.publicKey.export({ format: 'der', type: 'spki' }))
    .digest('base64')
const SPKI = { spki_hash: hashOf(KEY), spki_hash_algorithm: 'SHA-256' }
const DATA = Buffer.from('SignedAttributes')
const DEK = Buffer.from('a content encryption key of mail').subarray(0, 32)

async function make(t: Test) {
  const made = await makeCse(t)
  const { post, admin, authorization, authentication } = made
  const wrapKey = async (private_key: unknown, perimeter_id?: string) =>
    post('wrapprivatekey', {
      authentication: admin(),
      private_key,
      ...(perimeter_id !== undefined && { perimeter_id }),
    })
  const { wrapped_private_key } = (await wrapKey(PEM)).body
  const tokens = (role: string, z: Json = {}) => ({
    authorization: authorization({ role, resource_name: undefined, message_id: '<1@mail>', ...SPKI, ...z }),
    authentication: authentication(),
  })
  const signing = (body: Json = {}, z: Json = {}) =>
    post('privatekeysign', {
      ...tokens('signer', z),
      algorithm: 'SHA256withRSA',
      digest: createHash('sha256').update(DATA).digest('base64'),
      wrapped_private_key,
      reason: 'sign',
      ...body,
    })
  const decryption = (body: Json, z: Json = {}) =>
    post('privatekeydecrypt', { ...tokens('decrypter', z), wrapped_private_key, reason: 'read', ...body })
  return { ...made, wrapKey, wrapped_private_key, signing, decryption, tokens }
}

t.test('keys that are wrapped, and what is none', async (t) => {
  const { wrapKey, audit, logged, wrapped_private_key } = await make(t)
  t.ok(wrapped_private_key.length > 1000 && wrapped_private_key.length <= 8192)
  const der = KEY.privateKey.export({ format: 'der', type: 'pkcs8' })
  for (const text of [der.toString('base64'), KEY.privateKey.export({ format: 'pem', type: 'pkcs1' })]) {
    t.equal((await wrapKey(text)).status, 200)
  }
  const elliptic = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey
  const locked = KEY.privateKey.export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'x' })
  for (const [name, text] of [
    ['none', undefined],
    ['no key', 'AAAA'],
    ['a public key', KEY.publicKey.export({ format: 'pem', type: 'spki' })],
    ['an elliptic key', elliptic.export({ format: 'pem', type: 'pkcs8' })],
    ['1024 bits', weak.export({ format: 'pem', type: 'pkcs8' })],
    ['behind a passphrase', locked],
    ['too long', 'A'.repeat(9000)],
  ] as const) {
    t.equal((await wrapKey(text)).status, 400, name)
  }
  const kept = logged() + JSON.stringify(audit.records)
  t.notOk(kept.includes(PEM.slice(40, 80)) || kept.includes(wrapped_private_key.slice(0, 40)))
})

t.test('signatures', async (t) => {
  const { signing } = await make(t)
  for (const hash of ['sha1', 'sha256', 'sha512']) {
    const name = `${hash.toUpperCase()}withRSA`
    const digest = createHash(hash).update(DATA).digest('base64')
    const pkcs1 = await signing({ algorithm: name, digest })
    t.equal(pkcs1.body.signature, sign(hash, DATA, KEY.privateKey).toString('base64'), name)
    for (const saltLength of [undefined, 0, 11]) {
      const { signature } = (await signing({ algorithm: `${name}/PSS`, digest, rsa_pss_salt_length: saltLength })).body
      const key = {
        key: KEY.publicKey,
        padding: constants.RSA_PKCS1_PSS_PADDING,
        saltLength: saltLength ?? constants.RSA_PSS_SALTLEN_DIGEST,
      }
      t.ok(verify(hash, DATA, key, Buffer.from(signature, 'base64')), `${name}/PSS with a salt of ${saltLength}`)
    }
  }
  const refused: readonly (readonly [string, Json, Json, number, RegExp])[] = [
    ['an unknown algorithm', { algorithm: 'MD5withRSA' }, {}, 400, /algorithm is none of/],
    ['a digest of another length', { digest: 'AAAA' }, {}, 400, /digest has 32 bytes/],
    ['a salt that does not fit', { algorithm: 'SHA256withRSA/PSS', rsa_pss_salt_length: 250 }, {}, 400, /at most 222/],
    ['a salt that is no number', { rsa_pss_salt_length: '32' }, {}, 400, /is no whole number/],
    ['a salt below nothing', { rsa_pss_salt_length: -1 }, {}, 400, /is no whole number/],
    ['another key', {}, { spki_hash: hashOf(OTHER) }, 403, /not the one that the token is for/],
    ['a hash that is cut', {}, { spki_hash: 'AAAA' }, 403, /not the one that the token is for/],
    ['no key named', {}, { spki_hash: undefined }, 401, /lacks the claims spki_hash/],
    ['a hash of an unknown kind', {}, { spki_hash_algorithm: 'MD5' }, 400, /spki_hash_algorithm is none of/],
    ['a decrypter', {}, { role: 'decrypter' }, 403, /for signer/],
    ['a reader', {}, { role: 'reader' }, 403, /for signer/],
    ['another perimeter', {}, { perimeter_id: 'eu' }, 400, /^$/],
    ['no wrapped key', { wrapped_private_key: 'AAAA' }, {}, 400, /^$/],
  ]
  for (const [name, body, z, status, details] of refused) {
    const answer = await signing(body, z)
    t.equal(answer.status, status, name)
    t.match(answer.body.details, details, name)
  }
})

t.test('a wrapped data key is no private key, nor the other way', async (t) => {
  const { wrap, unwrap, signing, wrapped_private_key } = await make(t)
  const { wrapped_key } = (await wrap()).body
  t.equal((await signing({ wrapped_private_key: wrapped_key })).status, 400)
  t.equal((await unwrap(wrapped_private_key)).status, 400)
})

t.test('decryption', async (t) => {
  const { decryption, post, admin, wrapped_private_key, tokens } = await make(t)
  const label = Buffer.from('label')
  const encrypt = (padding: number, oaepHash?: string, oaepLabel?: Buffer) =>
    publicEncrypt(
      { key: KEY.publicKey, padding, ...(oaepHash && { oaepHash }), ...(oaepLabel && { oaepLabel }) },
      DEK,
    ).toString('base64')
  const opened = { data_encryption_key: DEK.toString('base64') }
  const pkcs1 = encrypt(constants.RSA_PKCS1_PADDING)
  const plain = { algorithm: 'RSA/ECB/PKCS1Padding', encrypted_data_encryption_key: pkcs1 }
  t.same((await decryption(plain)).body, opened)
  for (const [name, hash] of [
    ['1', 'sha1'],
    ['256', 'sha256'],
    ['512', 'sha512'],
  ] as const) {
    const algorithm = `RSA/ECB/OAEPwithSHA-${name}andMGF1Padding`
    const asked = { algorithm, encrypted_data_encryption_key: encrypt(constants.RSA_PKCS1_OAEP_PADDING, hash) }
    t.same((await decryption(asked)).body, opened, algorithm)
    const labelled = {
      algorithm,
      encrypted_data_encryption_key: encrypt(constants.RSA_PKCS1_OAEP_PADDING, hash, label),
    }
    const rsa_oaep_label = label.toString('base64')
    t.same((await decryption({ ...labelled, rsa_oaep_label })).body, opened, `${algorithm} with a label`)
    t.equal((await decryption(labelled)).status, 400, 'without its label')
  }
  t.equal((await decryption({ ...plain, rsa_oaep_label: 'AAAA' })).status, 400)
  t.equal((await decryption({ ...plain, algorithm: 'RSA' })).status, 400)
  t.equal((await decryption({ ...plain, encrypted_data_encryption_key: 'AAAA' })).status, 400)
  t.equal((await decryption(plain, { role: 'signer' })).status, 403)
  const bytes = Buffer.from(pkcs1, 'base64')
  bytes[9] = (bytes[9] ?? 0) ^ 1
  const wrong = await decryption({ ...plain, encrypted_data_encryption_key: bytes.toString('base64') })
  t.not(wrong.body.data_encryption_key, opened.data_encryption_key, 'implicit rejection')
  const privileged = (body: Json, token = admin()) =>
    post('privilegedprivatekeydecrypt', { authentication: token, wrapped_private_key, ...plain, ...body })
  t.same((await privileged(SPKI)).body, opened)
  t.equal((await privileged({})).status, 400)
  t.equal((await privileged({ ...SPKI, spki_hash: hashOf(OTHER) })).status, 403)
  t.equal((await privileged(SPKI, String(tokens('decrypter').authentication))).status, 403)
})
