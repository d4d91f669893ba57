/** Azure's EKM proxy API by a simulated Managed HSM with real client certificates against the real process. */
import { constants, createPublicKey, publicEncrypt, randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { auditRecords, auditText } from '../support/audit.ts'
import { softHsmMissing, startSoftHsm } from '../support/softhsm.ts'
import { NAME, startEkm } from './azure-ekm-server.ts'
import { type Answer, bytesOf, type ManagedHsm } from './managed-hsm.ts'

const hex = (text: string): Buffer => Buffer.from(text, 'hex')
/** RFC 3394 sections 4.3, 4.5 and 4.6. */
const KEK = hex('000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F')
const RFC3394 = [
  ['00112233445566778899AABBCCDDEEFF', '64E8C3F9CE0F5BA263E9777905818A2A93C8191E7D6E8AE7'],
  [
    '00112233445566778899AABBCCDDEEFF0001020304050607',
    'A8F9BC1612C68B3FF6E6F4FBE30E71E4769C8B80A32CB8958CD5D17D6B254DA1',
  ],
  [
    '00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F',
    '28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21',
  ],
] as const

type Vector = {
  readonly tcId: number
  readonly key: string
  readonly msg: string
  readonly ct: string
  readonly result: string
}
type Group = { readonly keySize: number; readonly tests: readonly Vector[] }
const LONGEST = 4096
function vectors(file: string): readonly Vector[] {
  const path = new URL(`../vectors/data/${file}`, import.meta.url)
  const { testGroups } = JSON.parse(readFileSync(path, 'utf8')) as { readonly testGroups: readonly Group[] }
  return testGroups.filter(({ keySize }) => keySize === 256).flatMap(({ tests }) => tests)
}
const sets = [
  { alg: 'A256KW', vectors: vectors('aes_wrap_test.json') },
  { alg: 'A256KWP', vectors: vectors('aes_kwp_test.json') },
] as const
const named = (alg: string, { tcId }: Vector): string => `${alg}-${tcId}`.toLowerCase()
const RSA_SIZES = [2048, 3072, 4096] as const
const HASHES = { 'RSA-OAEP': 'sha1', 'RSA-OAEP-256': 'sha256' } as const

const keys = {
  a: [
    ...['kek', 'kwp', 'off', 'gone', 'late', 'rotated', 'ec', 'missing'].map((id) => ({ id, key: `default/${id}` })),
    { id: 'first', key: 'default/rotated', version: 1 },
    { id: 'Kek', key: 'default/kwp' },
    { id: 'rsa-rotated', key: 'default/rsa-rotated' },
    { id: 'envelope', key: 'default/envelope' },
    ...RSA_SIZES.map((size) => ({ id: `rsa-${size}`, key: `default/rsa-${size}` })),
    ...sets.flatMap((set) =>
      set.vectors.map((one) => ({ id: named(set.alg, one), key: `default/${named(set.alg, one)}` })),
    ),
  ],
  b: [
    { id: 'kek', key: 'default/kwp' },
    { id: 'b-only', key: 'default/kwp' },
  ],
  bare: [{ id: 'kek', key: 'default/kek' }],
}

const refused = (status: number, code: string) => ({ status, body: { code, message: /./ } })
const tell = ({ status, body, headers }: Answer) => ({ status, body, type: headers['content-type'] })
const publicKeyOf = ({ body }: Answer) => createPublicKey({ key: { kty: 'RSA', n: body.n, e: body.e }, format: 'jwk' })

t.test('the EKM proxy API', { timeout: 120_000 }, async (t) => {
  const { trefoil, a, b, bare, client, one, two, manage, config } = await startEkm(t, keys)
  const envelope = (await manage.aws('CreateKey', {})).KeyMetadata as { readonly KeyId: string }
  const exposures = config.exposures.map((exposure) => ({
    ...exposure,
    keys: exposure.keys.map((key) => (key.id === 'envelope' ? { ...key, key: `default/${envelope.KeyId}` } : key)),
  }))
  const reload = async (changed: object, said: RegExp): Promise<void> => {
    writeFileSync(trefoil.configFile, JSON.stringify({ ...config, exposures, ...changed }))
    process.kill(trefoil.pid, 'SIGHUP')
    await trefoil.logged(said)
  }
  await reload({}, /"changed":\["exposures"\]/)
  await manage.importAes('kek', KEK)
  for (const name of ['kwp', 'off', 'gone', 'late', 'rotated']) await manage.importAes(name, randomBytes(32))
  for (const size of RSA_SIZES) await manage.create(`rsa-${size}`, 'RSA', { key_size: size })
  await manage.create('rsa-rotated', 'RSA', { key_size: 2048 })
  await manage.create('ec', 'EC', { crv: 'P-256', key_ops: ['sign', 'verify'] })
  for (const set of sets)
    for (const vector of set.vectors) await manage.importAes(named(set.alg, vector), hex(vector.key))
  const planted = randomBytes(40)

  await t.test('info and metadata', async (t) => {
    const info = await a.info('/pool-a')
    t.match(info, { status: 200, headers: { 'content-type': /^application\/json/ } })
    t.match(info.body, {
      api_version: '0.1-preview',
      proxy_vendor: 'Trefoil',
      proxy_name: 'Trefoil',
      ekm_vendor: 'Trefoil',
      ekm_product: /^Trefoil \d/,
    })
    t.same((await b.info('/pools/B/2')).body, info.body)
    t.same((await bare.info('')).body, info.body)
    t.match(await a.send('/pool-a/info', undefined), { status: 200 }, 'with no body')
    t.same((await a.metadata('/pool-a/kek')).body, {
      key_type: 'oct',
      key_size: 256,
      key_ops: ['wrapKey', 'unwrapKey'],
    })
    for (const size of RSA_SIZES) {
      const answer = await a.metadata(`/pool-a/rsa-${size}`)
      t.match(answer.body, { key_type: 'RSA', key_size: size, key_ops: ['wrapKey', 'unwrapKey'] })
      t.equal(publicKeyOf(answer).asymmetricKeyDetails?.modulusLength, size)
    }
  })

  await t.test('RFC 3394, and Wycheproof for both', async (t) => {
    for (const [plaintext, wrapped] of RFC3394) {
      t.equal(bytesOf(await a.wrap('/pool-a/kek', 'A256KW', hex(plaintext))).toString('hex'), wrapped.toLowerCase())
      t.equal(bytesOf(await bare.unwrap('/kek', 'A256KW', hex(wrapped))).toString('hex'), plaintext.toLowerCase())
    }
    for (const set of sets) {
      for (const vector of set.vectors) {
        const key = `/pool-a/${named(set.alg, vector)}`
        const [message, ciphertext] = [hex(vector.msg), hex(vector.ct)]
        if (vector.result === 'valid' && message.length <= LONGEST) {
          t.same(bytesOf(await a.wrap(key, set.alg, message)), ciphertext, key)
          t.same(bytesOf(await a.unwrap(key, set.alg, ciphertext)), message, key)
        } else t.match(await a.unwrap(key, set.alg, ciphertext), refused(400, 'BadRequest'), key)
      }
    }
  })

  await t.test('every length that KWP has, and KW', async (t) => {
    for (const length of [1, 7, 8, 9, 16, 31, 32, 33, 1000, 4096]) {
      const plaintext = randomBytes(length)
      const wrapped = await a.wrap('/pool-a/kwp', 'A256KWP', plaintext)
      t.equal(bytesOf(wrapped).length, 8 * Math.ceil(length / 8) + 8)
      t.same(bytesOf(await a.unwrap('/pool-a/kwp', 'A256KWP', bytesOf(wrapped))), plaintext, `${length} bytes`)
    }
    const wrapped = bytesOf(await a.wrap('/pool-a/kek', 'A256KW', planted))
    t.same(bytesOf(await a.unwrap('/pool-a/kek', 'A256KW', wrapped)), planted)
  })

  await t.test('RSA-OAEP with both hashes and all sizes, the cloud’s own encryption too', async (t) => {
    for (const size of RSA_SIZES) {
      const key = `/pool-a/rsa-${size}`
      const publicKey = publicKeyOf(await a.metadata(key))
      for (const [alg, oaepHash] of Object.entries(HASHES)) {
        const plaintext = randomBytes(32)
        const wrapped = await a.wrap(key, alg, plaintext)
        t.equal(bytesOf(wrapped).length, size / 8)
        t.same(bytesOf(await a.unwrap(key, alg, bytesOf(wrapped))), plaintext)
        const outside = publicEncrypt(
          { key: publicKey, oaepHash, padding: constants.RSA_PKCS1_OAEP_PADDING },
          plaintext,
        )
        t.same(bytesOf(await a.unwrap(key, alg, outside)), plaintext, `${size} ${alg}`)
      }
    }
    const crossed = bytesOf(await a.wrap('/pool-a/rsa-2048', 'RSA-OAEP', randomBytes(16)))
    t.match(await a.unwrap('/pool-a/rsa-2048', 'RSA-OAEP-256', crossed), refused(400, 'BadRequest'))
  })

  await t.test('a rotated key unwraps what is older, a version that is pinned only its own', async (t) => {
    const plaintext = randomBytes(32)
    const older = bytesOf(await a.wrap('/pool-a/rotated', 'A256KW', plaintext))
    const olderRsa = bytesOf(await a.wrap('/pool-a/rsa-rotated', 'RSA-OAEP-256', plaintext))
    await manage.importAes('rotated', randomBytes(32))
    await manage.rotate('rsa-rotated')
    const newer = bytesOf(await a.wrap('/pool-a/rotated', 'A256KW', plaintext))
    t.notSame(newer, older)
    for (const wrapped of [older, newer]) {
      t.same(bytesOf(await a.unwrap('/pool-a/rotated', 'A256KW', wrapped)), plaintext)
    }
    t.same(bytesOf(await a.unwrap('/pool-a/rsa-rotated', 'RSA-OAEP-256', olderRsa)), plaintext)
    t.same(bytesOf(await a.wrap('/pool-a/first', 'A256KW', plaintext)), older)
    t.match(await a.unwrap('/pool-a/first', 'A256KW', newer), refused(400, 'BadRequest'))
  })

  await t.test('who calls', async (t) => {
    const foreign = await (await import('../support/pki.ts')).Authority.root(join(trefoil.dataDir, '..'), 'root three')
    const nobody = refused(401, 'Unauthorized')
    const ofA = { commonName: NAME('a') }
    const noHandshake = {
      'no certificate': {},
      'of an authority that nobody named': await foreign.issue('foreign', ofA),
      expired: await one.issue('expired', { ...ofA, from: -2, until: -1 }),
      'not yet valid': await one.issue('early', { ...ofA, from: 1 }),
      'of a server': await one.issue('server-use', { ...ofA, use: 'server' }),
    }
    for (const [name, identity] of Object.entries(noHandshake)) await t.rejects(client(identity).info('/pool-a'), name)
    const strangers = {
      'another name': await one.issue('other-name', { commonName: NAME('c') }),
      'the name under the other authority': await two.issue('other-root', ofA),
      'two names': await one.issue('two-names', { commonName: [NAME('a'), NAME('c')] }),
      'the name as an alternative one': await one.issue('alternative', { commonName: 'x', names: [NAME('a')] }),
      'the name in capitals': await one.issue('capitals', { commonName: NAME('A') }),
    }
    const answers = new Set<string>()
    for (const [name, identity] of Object.entries(strangers)) {
      const stranger = client(identity)
      for (const path of ['/pool-a/info', '/pool-a/kek/metadata', '/nowhere/info', '/pool-a/missing/metadata']) {
        const answer = await stranger.ask(path)
        t.match(answer, nobody, `${name} ${path}`)
        answers.add(JSON.stringify(tell(answer)))
      }
    }
    for (const [who, path] of [
      [a, '/pools/B/2/info'],
      [b, '/pool-a/kek/metadata'],
      [a, '/kek/metadata'],
      [b, '/info'],
    ] as const) {
      const answer = await who.ask(path)
      t.match(answer, nobody, path)
      answers.add(JSON.stringify(tell(answer)))
    }
    t.equal(answers.size, 1, 'one answer, whatever is there')
    t.match(await a.ask('/pool-a/info', {}, { maxVersion: 'TLSv1.2' }), nobody, 'TLS 1.2')
    const later = client(await one.issue('successor', ofA))
    t.match(await later.info('/pool-a'), { status: 200 }, 'a new certificate of the same name')
  })

  await t.test('another’s key is as little there as none', async (t) => {
    const answers = await Promise.all([
      a.metadata('/pool-a/b-only'),
      a.metadata('/pool-a/nothing'),
      a.metadata('/pool-a/KEK'),
      a.metadata('/pool-a/missing'),
      a.wrap('/pool-a/b-only', 'A256KW', randomBytes(16)),
      a.unwrap('/pool-a/nothing', 'A256KW', randomBytes(24)),
    ])
    for (const answer of answers) t.match(answer, refused(404, 'KeyNotFound'))
    t.equal(new Set(answers.map((answer) => JSON.stringify(tell(answer)))).size, 1)
    t.notSame(
      bytesOf(await a.wrap('/pool-a/kek', 'A256KW', planted)),
      bytesOf(await b.wrap('/pools/B/2/kek', 'A256KW', planted)),
      'one name, two keys',
    )
    t.match(await a.metadata('/pool-a/Kek'), { status: 200 }, 'names differ by case')
  })

  await t.test('requests that are not right', async (t) => {
    const wrap = '/pool-a/kek/wrapkey'
    const value = randomBytes(16).toString('base64url')
    const body = JSON.stringify({ alg: 'A256KW', value })
    const version = refused(400, 'UnsupportedApiVersion')
    for (const query of [
      '',
      '?api-version=',
      '?api-version=1.0',
      '?api-version=0.1-preview&api-version=0.1-preview',
      '?API-VERSION=0.1-preview',
    ])
      t.match(await a.send(wrap, body, { query }), version, query)
    for (const method of ['GET', 'PUT', 'DELETE', 'PATCH']) {
      t.match(
        await a.send(wrap, undefined, { method }),
        { ...refused(405, 'MethodNotAllowed'), headers: { allow: 'POST' } },
        method,
      )
    }
    for (const path of [
      '/pool-a',
      '/pool-a/',
      '/pool-a/kek',
      '/pool-a/kek/encrypt',
      '/pool-a/kek/wrapkey/',
      '/pool-a/k_k/metadata',
      `/pool-a/${'k'.repeat(65)}/metadata`,
      '/pool-a/%6bek/metadata',
      '/pool-a//metadata',
    ])
      t.match(await a.ask(path), refused(404, 'NotFound'), path)
    const bad = refused(400, 'BadRequest')
    for (const text of [
      '',
      '[]',
      'null',
      '"x"',
      '{',
      '{"alg":"A256KW"',
      '{"alg":"A256KW","alg":"A256KW"}',
      '{"__proto__":{}}',
      `${'['.repeat(40)}${']'.repeat(40)}`,
      '\u{feff}{}',
      'alg=A256KW',
    ])
      t.match(await a.send(wrap, text), bad, text)
    const members: readonly object[] = [
      {},
      { alg: 'A256KW' },
      { value },
      { alg: 1, value },
      { alg: 'A256KW', value: 1 },
      { alg: 'A256KW', value: null },
      { alg: 'A256KW', value: '' },
      { alg: 'A256KW', value: `${randomBytes(17).toString('base64url')}` },
      { alg: 'A256KW', value: randomBytes(8).toString('base64url') },
      { alg: 'A256KW', value: `${value}==` },
      { alg: 'A256KW', value: `${value.slice(0, -2)}+/` },
      { alg: 'A256KW', value: `${value.slice(0, -1)}\n` },
      { alg: 'A256KWP', value: randomBytes(4097).toString('base64url') },
      { alg: 'A256KW', value, request_context: 'x' },
      { alg: 'A256KW', value, request_context: { correlation_id: 1 } },
      { alg: 'A256KW', value, request_context: { pool_name: 'x'.repeat(257) } },
    ]
    for (const one of members) t.match(await a.ask(wrap, one), bad, JSON.stringify(one).slice(0, 60))
    t.match(
      await a.ask('/pool-a/rsa-2048/wrapkey', { alg: 'RSA-OAEP-256', value: randomBytes(191).toString('base64url') }),
      bad,
    )
    t.match(await a.send(wrap, body.padEnd(20_000)), bad, 'a body that is too long')
    for (const alg of ['A256KWPAD', 'A128KW', 'a256kw', 'RSA-OAEP', 'RSA-OAEP-512', 'RSA1_5', '__proto__', 'toString'])
      t.match(await a.ask(wrap, { alg, value }), refused(400, 'UnsupportedAlgorithm'), alg)
    t.match(await a.ask('/pool-a/rsa-2048/wrapkey', { alg: 'A256KW', value }), refused(400, 'UnsupportedAlgorithm'))
    t.match(
      await a.ask(wrap, { alg: 'A256KW', value, later: { more: 1 } }),
      { status: 200 },
      'what is not known is left alone',
    )
    t.match(await a.send(wrap, body, { type: 'text/plain' }), { status: 200 }, 'whatever it is called')
  })

  await t.test('what does not open', async (t) => {
    const wrapped = bytesOf(await a.wrap('/pool-a/kek', 'A256KW', planted))
    const rsa = bytesOf(await a.wrap('/pool-a/rsa-2048', 'RSA-OAEP', planted))
    const flipped = (bytes: Buffer, at: number): Buffer => {
      const copy = Buffer.from(bytes)
      copy.writeUInt8(copy.readUInt8(at) ^ 1, at)
      return copy
    }
    const answers = [
      await a.unwrap('/pool-a/kek', 'A256KW', flipped(wrapped, 0)),
      await a.unwrap('/pool-a/kek', 'A256KW', flipped(wrapped, wrapped.length - 1)),
      await a.unwrap('/pool-a/kek', 'A256KWP', wrapped),
      await a.unwrap('/pool-a/kwp', 'A256KW', wrapped),
      await a.unwrap('/pool-a/kek', 'A256KW', wrapped.subarray(8)),
      await a.unwrap('/pool-a/kek', 'A256KW', wrapped.subarray(0, 16)),
      await a.unwrap('/pool-a/kek', 'A256KW', Buffer.concat([wrapped, Buffer.alloc(8)])),
      await a.unwrap('/pool-a/rsa-2048', 'RSA-OAEP', flipped(rsa, 100)),
      await a.unwrap('/pool-a/rsa-2048', 'RSA-OAEP', rsa.subarray(1)),
      await a.unwrap('/pool-a/rsa-2048', 'RSA-OAEP', Buffer.concat([Buffer.alloc(1), rsa])),
      await a.unwrap('/pool-a/rsa-3072', 'RSA-OAEP', rsa),
    ]
    for (const answer of answers) t.match(answer, refused(400, 'BadRequest'))
    t.equal(new Set(answers.map(({ text }) => text)).size, 1, 'one answer, whatever was wrong')
  })

  await t.test('states of keys', async (t) => {
    const wrapped = async (key: string) => bytesOf(await a.wrap(`/pool-a/${key}`, 'A256KW', planted))
    const [off, gone, late] = [await wrapped('off'), await wrapped('gone'), await wrapped('late')]
    await manage.update('off', { enabled: false })
    await manage.delete('gone')
    await manage.update('late', { exp: Math.floor(Date.now() / 1000) - 60 })
    const disabled = refused(403, 'KeyDisabled')
    for (const [key, value] of [
      ['off', off],
      ['gone', gone],
    ] as const) {
      t.match(await a.metadata(`/pool-a/${key}`), disabled, key)
      t.match(await a.wrap(`/pool-a/${key}`, 'A256KW', planted), disabled)
      t.match(await a.unwrap(`/pool-a/${key}`, 'A256KW', value), disabled)
    }
    t.match(await a.wrap('/pool-a/late', 'A256KW', planted), disabled, 'expired')
    t.same(bytesOf(await a.unwrap('/pool-a/late', 'A256KW', late)), planted, 'what is wrapped can be had back')
    await manage.update('off', { enabled: true })
    t.same(bytesOf(await a.unwrap('/pool-a/off', 'A256KW', off)), planted, 'enabled again')
    const other = refused(403, 'Forbidden')
    for (const key of ['ec', 'envelope']) {
      t.match(await a.metadata(`/pool-a/${key}`), other, key)
      t.match(await a.wrap(`/pool-a/${key}`, 'A256KW', planted), other, key)
    }
  })

  await t.test('exposures change under load, and no request fails', async (t) => {
    let going = true
    const seen: number[] = []
    const worker = async (caller: ManagedHsm, key: string): Promise<void> => {
      while (going) seen.push((await caller.wrap(key, 'A256KW', planted)).status)
    }
    const workers = [worker(a, '/pool-a/kek'), worker(b, '/pools/B/2/kek'), worker(a, '/pool-a/kek')]
    const [first, second, third] = exposures
    const extra = { ...third, name: 'extra', prefix: 'extra', clients: first?.clients }
    for (let round = 1; round <= 4; round++) {
      await reload(
        { exposures: [first, second, third, extra] },
        new RegExp(String.raw`("changed":\["exposures"\][\s\S]*){${2 * round}}`),
      )
      t.match(await a.metadata('/extra/kek'), { status: 200 })
      await reload(
        { exposures: [first, second, third] },
        new RegExp(String.raw`("changed":\["exposures"\][\s\S]*){${2 * round + 1}}`),
      )
      t.match(await a.metadata('/extra/kek'), refused(401, 'Unauthorized'))
    }
    going = false
    await Promise.all(workers)
    t.same([...new Set(seen)], [200], `${seen.length} requests`)
    const limited = { ...first, quota: { requestsPerSecond: 0.01 } }
    await reload({ exposures: [limited, second, third] }, /("changed":\["exposures"\][\s\S]*){10}/)
    t.match(await a.info('/pool-a'), { status: 200 })
    t.match(await a.info('/pool-a'), { ...refused(429, 'Throttled'), headers: { 'retry-after': /^\d+$/ } })
    t.match(await b.info('/pools/B/2'), { status: 200 }, 'the others have their own')
    const broken = { ...first, clients: [{ commonName: NAME('a'), ca: trefoil.configFile }] }
    await reload({ exposures: [broken] }, /other things than certificates of authorities/)
    t.match(await b.info('/pools/B/2'), { status: 200 })
  })

  await t.test('the audit log knows whom and what for, and nothing secret is anywhere', (t) => {
    const records = auditRecords(trefoil.dataDir)
    const last = records.findLast(({ wire, outcome }) => wire === 'azure/wrapkey' && outcome === 'ok')
    t.match(last, {
      dialect: 'ekm',
      method: 'mtls',
      principal: /^mtls:pool-[ab]\/[ab]\.managedhsmclient\.azure\.net$/,
      exposure: /^pool-[ab]$/,
      exposedKey: 'kek',
      behalfPrincipal: 'contoso-pool',
      behalfCorrelation: /^[0-9a-f-]{36}$/,
      clientRequestId: /^[0-9a-f-]{36}$/,
      address: '127.0.0.1',
      algorithm: 'aes_kw',
      decision: 'allow',
    })
    t.ok(records.some(({ exposedKey, outcome }) => exposedKey === 'b-only' && outcome === 'key_not_found'))
    for (const encoding of ['base64url', 'base64', 'hex'] as const) {
      t.notOk(
        `${auditText(trefoil.dataDir)}${trefoil.log()}`.includes(planted.toString(encoding).slice(0, 40)),
        encoding,
      )
    }
    t.end()
  })
})

t.test('keys in an HSM', { skip: softHsmMissing ?? false, timeout: 60_000 }, async (t) => {
  const hsm = await startSoftHsm()
  t.teardown(() => hsm.close())
  const shown = ['kek', 'rsa'].map((id) => ({ id, key: `default/${id}` }))
  const { a, manage } = await startEkm(t, { a: shown, b: [], bare: [] }, { config: hsm.config, env: hsm.env })
  await manage.create('kek', 'oct-HSM', { key_size: 256 }).catch(() => manage.create('kek', 'oct', { key_size: 256 }))
  await manage.create('rsa', 'RSA-HSM', { key_size: 2048 }).catch(() => manage.create('rsa', 'RSA', { key_size: 2048 }))
  const plaintext = randomBytes(32)
  for (const alg of ['A256KW', 'A256KWP']) {
    const wrapped = bytesOf(await a.wrap('/pool-a/kek', alg, plaintext))
    t.equal(wrapped.length, 40)
    t.same(bytesOf(await a.wrap('/pool-a/kek', alg, plaintext)), wrapped, 'both have no randomness')
    t.same(bytesOf(await a.unwrap('/pool-a/kek', alg, wrapped)), plaintext)
  }
  const key = publicKeyOf(await a.metadata('/pool-a/rsa'))
  const padding = constants.RSA_PKCS1_OAEP_PADDING
  for (const [alg, oaepHash] of Object.entries(HASHES)) {
    t.same(
      bytesOf(await a.unwrap('/pool-a/rsa', alg, publicEncrypt({ key, oaepHash, padding }, plaintext))),
      plaintext,
      alg,
    )
    t.same(bytesOf(await a.unwrap('/pool-a/rsa', alg, bytesOf(await a.wrap('/pool-a/rsa', alg, plaintext)))), plaintext)
  }
})
