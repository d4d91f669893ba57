import { createCipheriv, createPrivateKey, generateKeyPairSync, randomBytes, sign as signElsewhere } from 'node:crypto'
import t from 'tap'
import { isAsymmetric, KEY_SPEC_NAMES, type KeySpec, specRow } from '../../src/core/algorithm.ts'
import { Secret } from '../../src/core/secret.ts'
import { openPkcs11Backend } from '../../src/hsm/pkcs11.ts'
import { findTokenSealer, makeTokenSealer, TokenSealer } from '../../src/hsm/token-sealer.ts'
import { callContext, newHome, refusal } from '../conformance/backend.ts'
import { backendOn, makeSoftHsm, type SoftHsm, softHsmMissing } from '../support/softhsm.ts'
import { ATTRIBUTE, dump, exposure } from '../support/token-objects.ts'

const options = softHsmMissing === undefined ? {} : { skip: softHsmMissing }

const open = (hsm: SoftHsm, keyStorage: 'token' | 'wrapped' = 'token') =>
  openPkcs11Backend(backendOn(hsm, { keyStorage, sessions: 2 }))

function materialOf(spec: KeySpec): Buffer {
  const row = specRow(spec)
  if (row.type === 'aes' || row.type === 'hmac') return randomBytes(row.bytes)
  const type = { format: 'der', type: 'pkcs8' } as const
  if (row.type === 'rsa') return generateKeyPairSync('rsa', { modulusLength: row.bits }).privateKey.export(type)
  if (row.type === 'ec') return generateKeyPairSync('ec', { namedCurve: row.curve }).privateKey.export(type)
  return generateKeyPairSync(row.type as 'ed25519').privateKey.export(type)
}

/** The values that must not come out, in hex. */
function secretsIn(spec: KeySpec, material: Buffer): readonly string[] {
  if (!isAsymmetric(spec)) return [material.toString('hex')]
  const jwk = createPrivateKey({ key: material, format: 'der', type: 'pkcs8' }).export({ format: 'jwk' })
  const numbers = [jwk.d, jwk.p, jwk.q, jwk.dp, jwk.dq, jwk.qi].filter((number) => number !== undefined)
  return numbers.map((number) => Buffer.from(number, 'base64url').toString('hex'))
}

t.test('what the token holds', options, async (t) => {
  const hsm = await makeSoftHsm()
  const backend = await open(hsm)
  t.teardown(async () => {
    await backend.close()
    await hsm.close()
  })
  const specs = KEY_SPEC_NAMES.filter((spec) =>
    specRow(spec).algorithms.some((algorithm) => backend.supports(spec, algorithm)),
  )
  t.same(
    KEY_SPEC_NAMES.filter((spec) => !specs.includes(spec)),
    ['ml_dsa_44', 'ml_dsa_65', 'ml_dsa_87', 'slh_dsa_sha2_128s', 'ml_kem_512', 'ml_kem_768', 'ml_kem_1024', 'x_wing'],
    'SoftHSM 2.6 lacks ML-DSA, and no token has what PKCS#11 v2.40 has no call for',
  )
  const homes = new Map<string, string>()
  const secrets: string[] = []
  for (const spec of specs.filter((name) => name !== 'rsa_4096' && name !== 'rsa_3072')) {
    for (const how of ['generated', 'imported'] as const) {
      const home = newHome()
      const material = materialOf(spec)
      if (how === 'generated') await backend.generateKey(spec, home, callContext())
      else await backend.importKey(spec, new Secret(Uint8Array.from(material)), home, callContext())
      homes.set(`trefoil:${home.versionId.replaceAll('-', '')}`, `${how} ${spec}`)
      secrets.push(...secretsIn(spec, material))
    }
  }
  const objects = await dump(hsm)
  t.equal(objects.length, homes.size, 'one object a key, no public halves, no probes')
  t.equal(new Set(objects.map(({ attributes }) => attributes[ATTRIBUTE.id])).size, objects.length, 'no CKA_ID twice')
  for (const object of objects) {
    const { attributes } = object
    const name = homes.get(Buffer.from(attributes[ATTRIBUTE.label] ?? '', 'hex').toString()) ?? 'a stranger'
    t.not(name, 'a stranger', `${name}: its label names the version`)
    t.equal(attributes[ATTRIBUTE.id]?.length, 32, `${name}: 16 bytes of CKA_ID`)
    t.equal(exposure(object, secrets), undefined, `${name}: can't be had out of the token`)
  }
})

t.test('the envelope is the documented one', options, async (t) => {
  const hsm = await makeSoftHsm()
  const backend = await open(hsm)
  t.teardown(async () => {
    await backend.close()
    await hsm.close()
  })
  const key = randomBytes(32)
  const home = newHome()
  const { ref } = await backend.importKey('aes_256', new Secret(Uint8Array.from(key)), home, callContext())
  const params = { nonce: randomBytes(16), iv: randomBytes(12), aad: randomBytes(30) }
  const plaintext = randomBytes(100)
  const sealed = await backend.encrypt(
    { ...home, spec: 'aes_256', ref },
    'envelope_cbc_kdf',
    plaintext,
    params,
    callContext(),
  )
  const derivation = createCipheriv('aes-256-cbc', key, params.nonce).setAutoPadding(false)
  const messageKey = derivation.update('trefoil envelope aes-cbc-kdf 256')
  const gcm = createCipheriv('aes-256-gcm', messageKey, params.iv).setAAD(params.aad)
  const expected = Buffer.concat([gcm.update(plaintext), gcm.final(), gcm.getAuthTag()])
  t.equal(Buffer.compare(sealed, expected), 0, 'computed by node:crypto')
})

t.test('imports that are not what they claim', options, async (t) => {
  const hsm = await makeSoftHsm()
  const backend = await open(hsm)
  t.teardown(async () => {
    await backend.close()
    await hsm.close()
  })
  const attempt = (spec: KeySpec, der: Uint8Array) =>
    refusal(backend.importKey(spec, new Secret(Uint8Array.from(der)), newHome(), callContext()))
  const der = materialOf('ec_p256')
  const other = createPrivateKey({ key: materialOf('ec_p256'), format: 'der', type: 'pkcs8' })
  t.ok(signElsewhere('sha256', Buffer.alloc(1), other).length > 0)
  const swapped = Buffer.concat([der.subarray(0, -64), other.export({ format: 'der', type: 'pkcs8' }).subarray(-64)])
  t.equal(await attempt('ec_p256', swapped), 'invalid_argument', 'a public half of another key')
  const small = generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }).privateKey
  t.equal(await attempt('rsa_2048', small.export({ format: 'der', type: 'pkcs8' })), 'invalid_argument', 'exponent 3')
  t.same(await dump(hsm), [], 'nothing stays in the token')
})

const ROOT = 'trefoil-root'

t.test('the root key in the token', options, async (t) => {
  const hsm = await makeSoftHsm()
  const backend = await open(hsm)
  t.teardown(() => hsm.close())
  t.equal(await findTokenSealer(backend.client, ROOT), undefined, 'none is made unasked')
  t.equal(
    await refusal(new TokenSealer(backend.client, ROOT, { madeInside: true }).seal(randomBytes(32), 'a')),
    'internal',
    'nor by use',
  )
  t.same(await dump(hsm), [])
  const sealer = await makeTokenSealer(backend.client, ROOT)
  t.equal(sealer.madeInside, true)
  t.equal(await refusal(makeTokenSealer(backend.client, ROOT)), 'internal', 'no second one')
  const ringKey = randomBytes(32)
  const sealed = await sealer.seal(ringKey, 'ring a')
  t.notSame(await sealer.seal(ringKey, 'ring a'), sealed, 'no two alike')
  t.equal(Buffer.compare(await sealer.unseal(sealed, 'ring a'), ringKey), 0, 'opens')
  t.equal(await refusal(sealer.unseal(sealed, 'ring b')), 'internal', 'not in another context')
  for (const at of [0, 1, 13, sealed.length - 1]) {
    const damaged = Uint8Array.from(sealed, (byte, i) => (i === at ? byte ^ 1 : byte))
    t.equal(await refusal(sealer.unseal(damaged, 'ring a')), 'internal', `not with byte ${at} changed`)
  }
  for (const length of [0, 1, 12, 28])
    t.equal(await refusal(sealer.unseal(sealed.subarray(0, length), 'ring a')), 'internal', `not ${length} bytes of it`)
  await backend.close()

  const again = await open(hsm)
  t.teardown(() => again.close())
  const reopened = await findTokenSealer(again.client, ROOT)
  if (reopened === undefined) throw new Error('the root key is gone')
  t.equal(Buffer.compare(await reopened.unseal(sealed, 'ring a'), ringKey), 0, 'a later process finds the same key')
  const { pid } = again.client
  if (pid !== undefined) process.kill(pid, 'SIGKILL')
  while (again.client.pid === pid) await new Promise((resolve) => setTimeout(resolve, 10))
  t.equal(Buffer.compare(await reopened.unseal(sealed, 'ring a'), ringKey), 0, 'so does a new child')
  const objects = await dump(hsm)
  t.equal(objects.length, 1, 'one root key')
  t.match(objects[0]?.attributes, {
    [ATTRIBUTE.sensitive]: '01',
    [ATTRIBUTE.extractable]: '00',
    [ATTRIBUTE.token]: '01',
  })
})
