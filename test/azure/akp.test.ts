import { createPublicKey, verify } from 'node:crypto'
import t from 'tap'
import { b64, makeAzure } from './support.ts'

const NEW = 'api-version=2026-05-01-preview'
const message = Buffer.from('the message itself, not its digest')

t.test('AKP keys sign messages, with their algorithm named or not', async (t) => {
  const { ask } = await makeAzure()
  for (const [alg, other] of [
    ['ML-DSA-44', 'ML-DSA-65'],
    ['ML-DSA-65', 'ML-DSA-87'],
    ['ML-DSA-87', 'ML-DSA-44'],
  ] as const) {
    const path = `/keys/k-${alg}`
    const made = await ask('POST', `${path}/create?${NEW}`, { kty: 'AKP', alg })
    t.equal(made.status, 200, alg)
    t.match(made.body.key, { kty: 'AKP', alg, key_ops: ['sign', 'verify'], pub: /^[\w-]+$/ })
    const signed = await ask('POST', `${path}//sign?${NEW}`, { alg, value: b64(message) })
    const publicKey = createPublicKey({ key: { kty: 'AKP', alg, pub: made.body.key.pub }, format: 'jwk' })
    t.ok(verify(null, message, publicKey, Buffer.from(signed.body.value, 'base64url')), 'by OpenSSL')
    const check = async (body: object) => ask('POST', `${path}//verify?${NEW}`, { value: signed.body.value, ...body })
    t.equal((await check({ digest: b64(message) })).body.value, true)
    t.equal((await check({ alg, digest: b64(Buffer.from('another')) })).body.value, false)
    for (const wrong of [other, 'ES256', 'ML-DSA-1']) {
      t.equal((await check({ alg: wrong, digest: b64(Buffer.alloc(32)) })).status, 400, wrong)
    }
    const context = b64(Buffer.from('where it belongs'))
    const bound = await ask('POST', `${path}//sign?${NEW}`, { value: b64(message), context })
    const recheck = (body: object) => ask('POST', `${path}//verify?${NEW}`, { value: bound.body.value, ...body })
    t.equal((await recheck({ digest: b64(message), context })).body.value, true)
    t.equal((await recheck({ digest: b64(message) })).body.value, false, 'the context is part of it')
    const mu = { external_mu: b64(Buffer.alloc(64, 9)) }
    const { body } = await ask('POST', `${path}//sign?${NEW}`, mu)
    const ofMu = (more: object) => ask('POST', `${path}//verify?${NEW}`, { ...mu, value: body.value, ...more })
    t.equal((await ofMu({})).body.value, true)
    t.equal((await ofMu({ external_mu: b64(Buffer.alloc(64, 8)) })).body.value, false)
    for (const wrong of [{ alg }, { digest: 'AA' }, { context }, { external_mu: 'AA' }]) {
      t.equal((await ofMu(wrong)).status, 400, JSON.stringify(wrong))
    }
    t.equal((await recheck({ digest: b64(message), context: b64(Buffer.alloc(256)) })).status, 400)
    t.equal((await ask('POST', `${path}//sign?${NEW}`, {})).status, 400)
    t.equal((await ask('POST', `${path}/rotate?${NEW}`)).body.key.alg, alg)
  }
})

t.test('older versions of the API have no such keys', async (t) => {
  const { ask } = await makeAzure()
  await ask('POST', `/keys/k/create?${NEW}`, { kty: 'AKP', alg: 'ML-DSA-44' })
  t.equal((await ask('GET', `/keys?${NEW}`)).body.value.length, 1)
  for (const version of ['7.6', '2025-07-01', '2026-04-01']) {
    const old = `api-version=${version}`
    t.same((await ask('GET', `/keys?${old}`)).body.value, [], version)
    t.equal((await ask('GET', `/keys/k?${old}`)).status, 404)
    t.match(await ask('POST', `/keys/l/create?${old}`, { kty: 'AKP', alg: 'ML-DSA-44' }), { status: 400 })
  }
})

t.test('what does not fit', async (t) => {
  const { ask } = await makeAzure()
  for (const alg of [undefined, 'ES256', 'ML-DSA-1']) {
    const { status, body } = await ask('POST', `/keys/k/create?${NEW}`, { kty: 'AKP', alg })
    t.match([status, body.error.message], [400, /alg/])
  }
  await ask('POST', `/keys/ec/create?${NEW}`, { kty: 'EC' })
  for (const alg of [undefined, 'ML-DSA-44']) {
    t.equal((await ask('POST', `/keys/ec//sign?${NEW}`, { alg, value: b64(Buffer.alloc(32)) })).status, 400)
  }
  t.equal((await ask('PUT', `/keys/k?${NEW}`, { key: { kty: 'AKP', alg: 'ML-DSA-44' } })).status, 400)
})
