import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import t from 'tap'
import { createKey } from '../../src/core/ops/create-key.ts'
import { b64, makeAzure, type TestAzure } from './support.ts'

const SIZES = [128, 192, 256] as const
const bytes = (text: string) => Buffer.from(text, 'base64url')
const importOct = (ask: TestAzure['ask'], name: string, k: Buffer) =>
  ask('PUT', `/keys/${name}`, { key: { kty: 'oct', k: b64(k) } })

t.test('AES keys of each size are made, shown without their bytes, rotated and listed', async (t) => {
  const { ask, create } = await makeAzure()
  for (const size of SIZES) {
    const made = await create(`k${size}`, { kty: 'oct', key_size: size })
    t.equal(made.status, 200)
    t.match(made.body.key, { kty: 'oct', key_ops: ['encrypt', 'decrypt', 'wrapKey', 'unwrapKey'] })
    t.notOk('k' in made.body.key)
    t.same((await ask('GET', `/keys/k${size}`)).body, made.body)
    t.not((await ask('POST', `/keys/k${size}/rotate`)).body.key.kid, made.body.key.kid)
    t.equal((await ask('GET', `/keys/k${size}/versions`)).body.value.length, 2)
  }
  t.equal((await ask('GET', '/keys')).body.value.length, SIZES.length)
  await create('k', { kty: 'oct' })
  const value = b64(Buffer.from('as long as asked'))
  t.equal((await ask('POST', '/keys/k//encrypt', { alg: 'A256GCM', value })).status, 200, '256 bits by default')
})

t.test('GCM: the service draws the IV, and keeps the tag apart', async (t) => {
  const { ask } = await makeAzure()
  const [plaintext, aad] = [Buffer.from('a message of any length'), Buffer.from('what it belongs to')]
  for (const size of SIZES) {
    const k = randomBytes(size / 8)
    const alg = `A${size}GCM`
    t.notOk('k' in (await importOct(ask, `k${size}`, k)).body.key)
    const ask_ = (op: string, body: object) => ask('POST', `/keys/k${size}//${op}`, { alg, ...body })
    const { status, body } = await ask_('encrypt', { value: b64(plaintext), aad: b64(aad) })
    t.match([status, body.aad, bytes(body.iv).length, bytes(body.tag).length], [200, b64(aad), 12, 16])
    const decipher = createDecipheriv(`aes-${size as 256}-gcm`, k, bytes(body.iv))
    decipher.setAAD(aad).setAuthTag(bytes(body.tag))
    t.same(Buffer.concat([decipher.update(bytes(body.value)), decipher.final()]), plaintext, 'as OpenSSL has it')
    const again = await ask_('encrypt', { value: b64(plaintext) })
    t.not(again.body.iv, body.iv)
    t.notOk('aad' in again.body)
    const { value, iv, tag } = body
    t.same(await ask_('decrypt', { value, iv, tag, aad: b64(aad) }).then((one) => bytes(one.body.value)), plaintext)
    const wrong = [{}, { aad: b64(Buffer.from('else')) }, { aad: b64(aad), tag: b64(Buffer.alloc(16)) }]
    for (const more of [...wrong, { aad: b64(aad), value: b64(Buffer.alloc(5)) }]) {
      const refused = await ask_('decrypt', { value, iv, tag, ...more })
      t.match([refused.status, refused.body.error.message], [400, 'The parameter is incorrect.'], 'the same for all')
    }
    for (const [field, more] of [
      ['tag', { tag: undefined }],
      ['tag', { tag: b64(bytes(tag).subarray(0, 12)) }],
      ['iv', { iv: undefined }],
      ['iv', { iv: b64(Buffer.alloc(16)) }],
      ['iv', { iv: '!' }],
    ] as const) {
      const refused = await ask_('decrypt', { value, iv, tag, aad: b64(aad), ...more })
      t.match([refused.status, refused.body.error.code], [400, 'BadParameter'])
      t.match(refused.body.error.message, new RegExp(`^Property ${field} has invalid value`))
    }
    const chosen = await ask_('encrypt', { value: b64(plaintext), iv: b64(Buffer.alloc(12)) })
    t.match([chosen.status, chosen.body.error.message], [400, /^Property iv /], 'no IV of the caller')
  }
})

t.test('CBC and CBCPAD: the IV is the caller’s', async (t) => {
  const { ask } = await makeAzure()
  const iv = randomBytes(16)
  for (const size of SIZES) {
    const k = randomBytes(size / 8)
    await importOct(ask, `k${size}`, k)
    for (const [alg, padding, plaintext] of [
      [`A${size}CBC`, false, randomBytes(32)],
      [`A${size}CBCPAD`, true, randomBytes(21)],
    ] as const) {
      const { body } = await ask('POST', `/keys/k${size}//encrypt`, { alg, value: b64(plaintext), iv: b64(iv) })
      const cipher = createCipheriv(`aes-${size}-cbc`, k, iv).setAutoPadding(padding)
      t.same(bytes(body.value), Buffer.concat([cipher.update(plaintext), cipher.final()]), alg)
      t.equal(body.iv, b64(iv))
      t.notOk('tag' in body)
      const back = await ask('POST', `/keys/k${size}//decrypt`, { alg, value: body.value, iv: b64(iv) })
      t.same(bytes(back.body.value), plaintext)
      for (const [field, op, more] of [
        ['iv', 'encrypt', {}],
        ['iv', 'encrypt', { iv: b64(Buffer.alloc(12)) }],
        ['iv', 'decrypt', {}],
        ['tag', 'decrypt', { iv: b64(iv), tag: b64(Buffer.alloc(16)) }],
        ['aad', 'encrypt', { iv: b64(iv), aad: 'AA' }],
      ] as const) {
        const refused = await ask('POST', `/keys/k${size}//${op}`, { alg, value: b64(Buffer.alloc(16)), ...more })
        t.match([refused.status, refused.body.error.message], [400, new RegExp(`^Property ${field} `)], `${alg} ${op}`)
      }
    }
    const odd = { alg: `A${size}CBC`, value: b64(Buffer.alloc(15)), iv: b64(iv) }
    const refused = await ask('POST', `/keys/k${size}//encrypt`, odd)
    t.match([refused.status, refused.body.error.message], [400, /^Property value .*16 bytes/])
    t.equal((await ask('POST', `/keys/k${size}//decrypt`, odd)).status, 400)
  }
})

t.test('key wrapping, with and without padding', async (t) => {
  const { ask } = await makeAzure()
  for (const size of SIZES) {
    const k = randomBytes(size / 8)
    await importOct(ask, `k${size}`, k)
    for (const [alg, cipher, iv, secret] of [
      [`A${size}KW`, `id-aes${size}-wrap`, Buffer.alloc(8, 0xa6), randomBytes(32)],
      ['CKM_AES_KEY_WRAP', `id-aes${size}-wrap`, Buffer.alloc(8, 0xa6), randomBytes(24)],
      ['CKM_AES_KEY_WRAP_PAD', `id-aes${size}-wrap-pad`, Buffer.from('a65959a6', 'hex'), randomBytes(13)],
    ] as const) {
      const { body } = await ask('POST', `/keys/k${size}//wrapkey`, { alg, value: b64(secret) })
      const wrap = createCipheriv(cipher, k, iv)
      t.same(bytes(body.value), Buffer.concat([wrap.update(secret), wrap.final()]), `${alg} ${size}`)
      t.notOk('iv' in body)
      const back = await ask('POST', `/keys/k${size}//unwrapkey`, { alg, value: body.value })
      t.same(bytes(back.body.value), secret)
      const changed = bytes(body.value)
      changed.writeUInt8(changed.readUInt8(3) ^ 1, 3)
      const refused = await ask('POST', `/keys/k${size}//unwrapkey`, { alg, value: b64(changed) })
      t.match([refused.status, refused.body.error.message], [400, 'The parameter is incorrect.'])
      t.equal((await ask('POST', `/keys/k${size}//encrypt`, { alg, value: b64(secret) })).status, 400, 'no data')
    }
    const short = await ask('POST', `/keys/k${size}//wrapkey`, { alg: `A${size}KW`, value: b64(Buffer.alloc(12)) })
    t.match([short.status, short.body.error.message], [400, /^Property value /])
    const gcm = await ask('POST', `/keys/k${size}//wrapkey`, { alg: `A${size}GCM`, value: b64(Buffer.alloc(16)) })
    t.match([gcm.status, gcm.body.error.message], [400, /^Property alg /], 'data is not wrapped')
  }
})

t.test('what does not fit is refused, and leaves nothing', async (t) => {
  const { ask, create, store } = await makeAzure()
  for (const [field, body] of [
    ['key_size', { kty: 'oct', key_size: 512 }],
    ['key_size', { kty: 'oct', key_size: 129 }],
    ['key_ops', { kty: 'oct', key_ops: ['sign', 'encrypt'] }],
    ['key_size', { kty: 'oct', key_size: 128, key_ops: ['sign'] }],
  ] as const) {
    const { status, body: answer } = await create('k', body)
    t.match([status, answer.error.message], [400, new RegExp(`^Property ${field} `)])
  }
  for (const k of [undefined, '', '!!', b64(Buffer.alloc(20, 1)), b64(Buffer.alloc(64, 1))]) {
    const { status, body } = await ask('PUT', '/keys/k', { key: { kty: 'oct', k } })
    t.match([status, body.error.message], [400, /^Property key.k /])
  }
  for (const { status, body } of [
    await create('k', { kty: 'oct-HSM', key_size: 256 }),
    await ask('PUT', '/keys/k', { key: { kty: 'oct-HSM', k: b64(randomBytes(32)) } }),
    await ask('PUT', '/keys/k', { key: { kty: 'oct', k: b64(randomBytes(32)) }, Hsm: true }),
  ]) {
    t.match([status, body.error.innererror.code], [400, 'KeyTypeNotSupported'], 'there is no HSM')
  }
  t.equal((await store.page('keys', 'name', [], undefined, 1)).rows.length, 0)
  await create('k', { kty: 'oct', key_size: 128 })
  const value = b64(Buffer.alloc(16))
  for (const alg of ['A256GCM', 'A192GCM']) {
    t.match(await ask('POST', '/keys/k//encrypt', { alg, value }), {
      status: 400,
      body: { error: { message: /incompatible/ } },
    })
  }
  t.equal((await ask('POST', '/keys/k//wrapkey', { alg: 'A256KW', value })).status, 400)
  t.equal((await ask('POST', '/keys/k//wrapkey', { alg: 'RSA-OAEP', value })).status, 400)
  t.equal((await ask('POST', '/keys/k//encrypt', { alg: 'A128CTR', value })).status, 400)
  t.match((await create('k', { kty: 'oct', key_size: 256 })).status, 400, 'a key has one size')
  const sealed = await ask('POST', '/keys/k//encrypt', { alg: 'RSA-OAEP', value })
  t.match([sealed.status, sealed.body.error.message], [400, /incompatible/])
  await create('rsa', { kty: 'RSA' })
  t.equal((await ask('POST', '/keys/rsa//wrapkey', { alg: 'A256KW', value })).status, 400)
})

t.test('operations are narrowed by name, disabled keys still encrypt and no longer decrypt', async (t) => {
  const { ask, create } = await makeAzure()
  await create('k', { kty: 'oct', key_ops: ['encrypt', 'decrypt'] })
  const value = b64(Buffer.alloc(16))
  t.match(await ask('POST', '/keys/k//wrapkey', { alg: 'A256KW', value }), {
    status: 403,
    body: { error: { innererror: { code: 'KeyOperationForbidden' } } },
  })
  t.same((await ask('PATCH', '/keys/k', { key_ops: ['encrypt', 'wrapKey'] })).body.key.key_ops, ['encrypt', 'wrapKey'])
  t.equal((await ask('PATCH', '/keys/k', { key_ops: ['sign'] })).status, 400)
  t.equal((await ask('POST', '/keys/k//wrapkey', { alg: 'A256KW', value })).status, 200)
  t.equal((await ask('POST', '/keys/k//decrypt', { alg: 'A256CBC', value, iv: value })).status, 403)
  await ask('PATCH', '/keys/k', { key_ops: ['encrypt', 'decrypt'], attributes: { enabled: false } })
  t.equal((await ask('POST', '/keys/k//encrypt', { alg: 'A256CBC', value, iv: value })).status, 200)
  t.equal((await ask('POST', '/keys/k//decrypt', { alg: 'A256CBC', value, iv: value })).status, 403)
})

t.test('raw keys of other dialects are here too; keys of envelopes are not, and can’t be given versions', async (t) => {
  const { ask, create, run } = await makeAzure()
  const ring = { by: 'name', name: 'default' } as const
  await run('gcp', createKey, {
    ring,
    name: 'raw',
    spec: 'aes_256',
    purpose: 'raw_encrypt_decrypt',
    version: { algorithms: ['aes_gcm'] },
  })
  await run('gcp', createKey, { ring, name: 'envelope', spec: 'aes_256', purpose: 'encrypt_decrypt' })
  t.match((await ask('GET', '/keys/raw')).body.key, { kty: 'oct' })
  t.equal((await ask('GET', '/keys/envelope')).status, 404)
  const value = b64(Buffer.alloc(16))
  t.equal((await ask('POST', '/keys/raw//encrypt', { alg: 'A256GCM', value })).status, 200)
  t.equal((await ask('POST', '/keys/raw//wrapkey', { alg: 'A256KW', value })).status, 400, 'one algorithm, as made')
  t.match(await create('envelope', { kty: 'oct' }), { status: 400, body: { error: { message: /^Property kty / } } })
})

t.test('a backup of an AES key decrypts what the key encrypted', async (t) => {
  const { ask, create } = await makeAzure()
  await create('k', { kty: 'oct' })
  const { value } = (await ask('POST', '/keys/k/backup')).body
  const { body } = await ask('POST', '/keys/k//encrypt', { alg: 'A256GCM', value: b64(Buffer.from('kept')) })
  await ask('DELETE', '/keys/k')
  await ask('DELETE', '/deletedkeys/k')
  t.match((await ask('POST', '/keys/restore', { value })).body.key, { kty: 'oct' })
  const back = await ask('POST', '/keys/k//decrypt', { alg: 'A256GCM', value: body.value, iv: body.iv, tag: body.tag })
  t.same(bytes(back.body.value), Buffer.from('kept'))
})
