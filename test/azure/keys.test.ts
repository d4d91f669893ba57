import t from 'tap'
import { createKey } from '../../src/core/ops/create-key.ts'
import { getKey } from '../../src/core/ops/get-key.ts'
import { scheduleDeletion } from '../../src/core/ops/schedule-deletion.ts'
import { type Ask, HOST, makeAzure } from './support.ts'

const DAY = 86_400

t.test('create answers with a bundle: identifier, public half, operations, attributes', async (t) => {
  const { create, clock } = await makeAzure()
  const now = Math.floor(clock.now() / 1000)
  const ec = await create('ec', { kty: 'EC' })
  t.equal(ec.status, 200)
  t.match(ec.body, {
    key: {
      kid: new RegExp(`^https?://${HOST}/keys/ec/[0-9a-f]{32}$`),
      kty: 'EC',
      crv: 'P-256',
      key_ops: ['sign', 'verify'],
      x: /^[\w-]{43}$/,
      y: /^[\w-]{43}$/,
    },
    attributes: {
      enabled: true,
      created: now,
      updated: now,
      recoveryLevel: 'Recoverable+Purgeable',
      recoverableDays: 90,
    },
  })
  t.same(Object.keys(ec.body), ['key', 'attributes'], 'no tags, no nulls')
  const rsa = await create('rsa', { kty: 'RSA' })
  t.match(rsa.body.key, { kty: 'RSA', n: /^[\w-]{342}$/, e: 'AQAB' })
  t.same(rsa.body.key.key_ops, ['encrypt', 'decrypt', 'sign', 'verify', 'wrapKey', 'unwrapKey'], 'never empty')
  const curves = { 'P-384': 64, 'P-521': 88, 'P-256K': 43 }
  for (const [crv, length] of Object.entries(curves)) {
    const { body } = await create(`c-${crv}`, { kty: 'EC', crv })
    t.equal(body.key.crv, crv)
    t.equal(body.key.x.length, length, crv)
  }
})

t.test('attributes, operations and tags are kept; nulls and unknown members mean nothing', async (t) => {
  const { create, ask } = await makeAzure()
  const made = await create('k', {
    kty: 'RSA',
    key_size: 3072,
    crv: null,
    release_policy: null,
    key_ops: ['verify', 'sign'],
    attributes: { enabled: false, nbf: 1000, exp: 2000, exportable: null, surprise: 1 },
    tags: { team: 'a', Ünï: '' },
    surprise: { deep: true },
  })
  t.equal(made.status, 200)
  t.equal(made.body.key.n.length, 512)
  t.same(made.body.key.key_ops, ['sign', 'verify'])
  t.match(made.body.attributes, { enabled: false, nbf: 1000, exp: 2000 })
  t.same(made.body.tags, { team: 'a', Ünï: '' })
  t.same((await ask('GET', '/keys/k')).body, made.body)
})

t.test('what Azure refuses is refused', async (t) => {
  const { create, ask } = await makeAzure()
  const tags = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`t${i}`, '']))
  const refused: Record<string, Record<string, unknown>> = {
    'no kty': {},
    'kty no string': { kty: 7 },
    size: { kty: 'RSA', key_size: 2047 },
    'size no number': { kty: 'RSA', key_size: '2048' },
    exponent: { kty: 'RSA', public_exponent: 3 },
    curve: { kty: 'EC', crv: 'P-192' },
    'an operation of other types': { kty: 'EC', key_ops: ['encrypt'] },
    'an operation of none': { kty: 'RSA', key_ops: ['fly'] },
    'an operation twice': { kty: 'RSA', key_ops: ['sign', 'sign'] },
    'too many tags': { kty: 'EC', tags },
    'a tag too long': { kty: 'EC', tags: { a: 'x'.repeat(257) } },
    'a tag name too long': { kty: 'EC', tags: { ['x'.repeat(257)]: '' } },
    'a tag no string': { kty: 'EC', tags: { a: 1 } },
    'exp before nbf': { kty: 'EC', attributes: { nbf: 2000, exp: 1000 } },
    'a negative date': { kty: 'EC', attributes: { exp: -1 } },
    'a date in parts': { kty: 'EC', attributes: { exp: 1.5 } },
    'enabled no boolean': { kty: 'EC', attributes: { enabled: 'true' } },
    exportable: { kty: 'EC', attributes: { exportable: true } },
    'release policy': { kty: 'EC', release_policy: { data: 'e30' } },
  }
  for (const [why, body] of Object.entries(refused)) {
    const answer = await create('k', body)
    t.equal(answer.status, 400, why)
    t.equal(answer.body.error.code, 'BadParameter', why)
  }
  const okp = await create('k', { kty: 'OKP' })
  t.match(okp, {
    status: 400,
    body: { error: { message: 'Invalid kty value: OKP', innererror: { code: 'KeyTypeNotSupported' } } },
  })
  const hsm = await create('k', { kty: 'RSA-HSM' })
  t.match(
    hsm,
    { status: 400, body: { error: { innererror: { code: 'KeyTypeNotSupported' } } } },
    'no token is configured',
  )
  t.same((await ask('GET', '/keys')).body.value, [], 'and nothing was made')
})

t.test('bodies that are no JSON object are refused', async (t) => {
  const { ask } = await makeAzure()
  const bodies = ['', '{', '[]', '"x"', 'null', '{"kty":"EC","kty":"RSA"}', '{"kty":"EC","__proto__":{}}', '\ufffe']
  for (const body of bodies) {
    const { status, body: answer } = await ask('POST', '/keys/k/create', body)
    t.equal(status, 400, JSON.stringify(body))
    t.equal(answer.error.code, 'BadParameter')
  }
  const typed: Ask = { headers: { 'content-type': 'text/plain' } }
  t.equal((await ask('POST', '/keys/k/create', '{"kty":"EC"}', typed)).status, 400)
})

t.test('names: Azure’s grammar, without regard to case, never a UUID', async (t) => {
  const { create, ask } = await makeAzure()
  for (const name of ['a_b', 'a.b', 'a%20b', '%C3%A9', 'a'.repeat(128)]) {
    t.equal((await create(name)).status, 400, name)
  }
  t.equal((await create('a'.repeat(127))).status, 200)
  t.match(await create('11111111-2222-3333-4444-555555555555'), { status: 409, body: { error: { code: 'Conflict' } } })
  const made = await create('MyKey')
  t.match(made.body.key.kid, /\/keys\/MyKey\//)
  t.same((await ask('GET', '/keys/mykey')).body, made.body)
  t.equal((await ask('GET', '/keys/')).body.value.length, 2)
})

t.test('create on a name that is there makes a new version', async (t) => {
  const { create, ask } = await makeAzure()
  const first = await create('k', { kty: 'RSA', key_ops: ['sign', 'verify'] })
  const second = await create('k', { kty: 'RSA', tags: { b: '2' } })
  t.equal(second.status, 200)
  t.not(second.body.key.kid, first.body.key.kid)
  t.equal(second.body.key.key_ops.length, 6, 'a version’s own operations: all where none are named')
  t.equal((await ask('GET', '/keys/k')).body.key.kid, second.body.key.kid)
  const old = new URL(first.body.key.kid).pathname
  t.equal((await ask('GET', old)).body.key.n, first.body.key.n)
  t.equal((await ask('GET', old.toUpperCase().replace('/KEYS/K', '/keys/k'))).body.key.n, first.body.key.n)
  const { body } = await ask('GET', '/keys/k/versions')
  t.same(
    body.value.map(({ kid }: { kid: string }) => kid),
    [first.body.key.kid, second.body.key.kid],
  )
  t.match(
    await create('k', { kty: 'EC' }),
    { status: 400, body: { error: { code: 'BadParameter' } } },
    'one type per key',
  )
  t.match(await create('k', { kty: 'RSA', key_size: 4096 }), { status: 400 })
})

t.test('get: all the forms of the path, and what is not there', async (t) => {
  const { create, ask } = await makeAzure()
  const { kid } = (await create('k')).body.key
  const version = kid.slice(-32)
  for (const path of ['/keys/k', '/keys/k/', `/keys/k/${version}`])
    t.equal((await ask('GET', path)).body.key.kid, kid, path)
  const missing = await ask('GET', '/keys/nope')
  t.match(missing, { status: 404, body: { error: { code: 'KeyNotFound' } } })
  t.match(missing.body.error.message, /^A key with \(name\/id\) nope was not found in this key vault\./)
  t.equal((await ask('GET', `/keys/k/${'0'.repeat(32)}`)).status, 404)
  const odd = await ask('GET', '/keys/k/xyz')
  t.match(odd, { status: 400, body: { error: { message: "Method GET does not allow operation 'xyz'" } } })
  t.equal(
    (await ask('GET', '/keys/k', undefined, { host: 'other.vault.localhost:7443' })).status,
    404,
    'vaults are apart',
  )
})

t.test('api-version is mandatory, and any the service may yet have is accepted', async (t) => {
  const { ask } = await makeAzure()
  const good = ['7.0', '7.4', '7.6-preview.2', '2025-07-01', '2026-04-01', '2026-05-01-preview', '2031-12-31']
  for (const version of good) t.equal((await ask('GET', `/keys?api-version=${version}`)).status, 200, version)
  t.equal((await ask('GET', '/keys?api%2Dversion=2025-07-01')).status, 200, 'JavaScript encodes the hyphen')
  const bad = ['', '6.9', '8.0', '7', '2016-10-01', '2025-13-01', '2025-07-01-beta', 'x', '7.4&api-version=7.4']
  for (const version of bad) {
    const { status, body } = await ask('GET', `/keys?api-version=${version}`)
    t.equal(status, 400, version)
    t.equal(body.error.code, 'BadParameter')
  }
  t.match(
    (await ask('GET', '/keys?api-version=1.0')).body.error.message,
    /^The specified version \(1\.0\) is not recognized\./,
  )
})

t.test('lists come in pages that link to the next', async (t) => {
  const { create, ask } = await makeAzure()
  for (let i = 0; i < 28; i++) await create(`k${String(i).padStart(2, '0')}`)
  const walk = async (path: string) => {
    const sizes: number[] = []
    const kids: string[] = []
    for (let next: string | null = path; next !== null; ) {
      const { status, body } = await ask('GET', next)
      t.equal(status, 200)
      sizes.push(body.value.length)
      kids.push(...body.value.map(({ kid }: { kid: string }) => kid))
      if (body.nextLink !== null) t.match(body.nextLink, new RegExp(`^http://${HOST}/keys\\?api-version=2025-07-01&`))
      next = body.nextLink?.slice(`http://${HOST}`.length) ?? null
    }
    return { sizes, kids }
  }
  const { sizes, kids } = await walk('/keys')
  t.same(sizes, [25, 3])
  t.equal(new Set(kids).size, 28)
  t.equal(kids[0], `http://${HOST}/keys/k00`, 'items go by the name alone')
  t.same((await walk('/keys?maxresults=10')).sizes, [10, 10, 8])
  t.same((await walk('/keys?maxresults=14')).sizes.slice(0, 2), [14, 14])
  for (const query of [
    'maxresults=0',
    'maxresults=26',
    'maxresults=x',
    'maxresults=-1',
    '$skiptoken=!',
    '$skiptoken=',
  ]) {
    t.equal((await ask('GET', `/keys?${query}`)).status, 400, query)
  }
  for (const token of ['AAAA', 'eyJhIjoxfQ', '_____w']) {
    const { status } = await ask('GET', `/keys?$skiptoken=${token}`)
    t.ok(status === 200 || status === 400, `a made-up continuation is no failure of the service: ${status}`)
  }
})

t.test('delete, recover, purge', async (t) => {
  const { create, ask, clock } = await makeAzure()
  const made = await create('k', { kty: 'EC', tags: { a: '1' } })
  const now = Math.floor(clock.now() / 1000)
  const deleted = await ask('DELETE', '/keys/k')
  t.equal(deleted.status, 200)
  t.match(deleted.body, {
    ...made.body,
    attributes: { enabled: true },
    recoveryId: `http://${HOST}/deletedkeys/k`,
    deletedDate: now,
    scheduledPurgeDate: now + 90 * DAY,
  })
  t.equal((await ask('GET', '/keys/k')).status, 404)
  t.equal((await ask('GET', '/keys/k/versions')).status, 404)
  t.equal((await ask('DELETE', '/keys/k')).status, 404)
  t.same((await ask('GET', '/keys')).body.value, [])
  t.match(await create('k'), {
    status: 409,
    body: {
      error: {
        code: 'Conflict',
        message: /^Key k is currently in a deleted but recoverable state/,
        innererror: { code: 'ObjectIsDeletedButRecoverable' },
      },
    },
  })
  t.same((await ask('GET', '/deletedkeys/k')).body, deleted.body)
  const [item] = (await ask('GET', '/deletedkeys')).body.value
  t.match(item, { kid: `http://${HOST}/keys/k`, recoveryId: `http://${HOST}/deletedkeys/k`, deletedDate: now })

  const recovered = await ask('POST', '/deletedkeys/k/recover')
  t.equal(recovered.status, 200)
  t.equal(recovered.body.key.kid, made.body.key.kid)
  t.equal(recovered.body.recoveryId, undefined)
  t.equal((await ask('GET', '/keys/k')).status, 200)
  for (const [method, path] of [
    ['GET', '/deletedkeys/k'],
    ['DELETE', '/deletedkeys/k'],
    ['POST', '/deletedkeys/k/recover'],
  ] as const) {
    t.match(await ask(method, path), { status: 404, body: { error: { code: 'KeyNotFound' } } }, `${method} ${path}`)
  }

  await ask('DELETE', '/keys/k')
  const purged = await ask('DELETE', '/deletedkeys/k')
  t.match(purged, { status: 204, body: '' })
  t.equal((await ask('GET', '/deletedkeys/k')).status, 404)
  const again = await create('k')
  t.equal(again.status, 200, 'the name is free')
  t.not(again.body.key.kid, made.body.key.kid)
})

t.test('a deleted key is gone when its days are over', async (t) => {
  const { create, ask, advance } = await makeAzure()
  await create('k')
  await ask('DELETE', '/keys/k')
  await advance(90 * DAY * 1000 - 1)
  t.equal((await ask('GET', '/deletedkeys/k')).status, 200)
  await advance(1)
  t.equal((await ask('GET', '/deletedkeys/k')).status, 404)
})

t.test(
  'keys of other dialects: named where Azure can, by UUID where it cannot, unseen where it has no type',
  async (t) => {
    const { ask, run } = await makeAzure()
    const ring = { by: 'default' } as const
    const aws = await run('aws', createKey, { ring, spec: 'rsa_2048', purpose: 'sign_verify' })
    const gcp = await run('gcp', createKey, {
      ring: { by: 'name', name: 'default' },
      name: 'with_underscore',
      spec: 'ec_p384',
    })
    const unseen = await Promise.all([
      run('aws', createKey, { ring, spec: 'aes_256' }),
      run('aws', createKey, { ring, spec: 'hmac_224' }),
      run('aws', createKey, { ring, spec: 'ec_p256', purpose: 'key_agreement' }),
      run('aws', createKey, { ring, spec: 'ed25519' }),
      run('aws', createKey, { ring, spec: 'ml_dsa_44' }),
    ])
    const { body } = await ask('GET', '/keys')
    t.same(body.value.map(({ kid }: { kid: string }) => kid.split('/').at(-1)).sort(), [aws.key.id, gcp.key.id].sort())
    const shown = await ask('GET', `/keys/${gcp.key.id}`)
    t.match(shown.body.key, { crv: 'P-384', kid: new RegExp(`/keys/${gcp.key.id}/[0-9a-f]{32}$`) })
    t.same((await ask('GET', `/keys/${aws.key.id}`)).body.key.key_ops, ['sign', 'verify'])
    for (const { key } of unseen) {
      const path = `/keys/${key.id}`
      t.equal((await ask('GET', path)).status, 404, key.spec)
      t.equal((await ask('GET', `${path}/versions`)).status, 404)
      t.equal((await ask('DELETE', path)).status, 404, 'what is not there can’t be deleted')
      t.equal((await ask('POST', `${path}/sign`, { alg: 'ES256', value: 'A'.repeat(43) })).status, 404)
      t.equal((await run('aws', getKey, { key: { by: 'id', id: key.id } })).key.state, 'enabled')
    }
  },
)

t.test('a purge waits for the deletion that another dialect asked for', async (t) => {
  const { ask, run, advance } = await makeAzure()
  const { key } = await run('aws', createKey, { ring: { by: 'default' }, spec: 'ec_p256', purpose: 'sign_verify' })
  await run('aws', scheduleDeletion, { key: { by: 'id', id: key.id }, delay: 30 * DAY * 1000 })
  t.equal((await ask('GET', `/deletedkeys/${key.id}`)).status, 200)
  t.equal((await ask('DELETE', `/deletedkeys/${key.id}`)).status, 204)
  t.equal((await ask('GET', `/deletedkeys/${key.id}`)).status, 200, 'still there')
  await advance(30 * DAY * 1000)
  t.equal((await ask('GET', `/deletedkeys/${key.id}`)).status, 404)
})

t.test('the audit knows who did what to which key', async (t) => {
  const { create, ask, audit } = await makeAzure()
  await create('k')
  await ask('GET', '/keys/nope')
  const [made, missed] = audit.records.slice(-2)
  t.match(made, {
    dialect: 'azure',
    wire: 'createKey',
    operation: 'PutKey',
    method: 'bearer',
    outcome: 'ok',
    key: String,
  })
  t.match(missed, { wire: 'getKey', outcome: 'key_not_found' })
})

t.test('identifiers say the host as requested, behind a proxy with its scheme', async (t) => {
  const azure = await makeAzure({ publicUrl: 'https://kms.example' })
  await azure.create('k')
  const kid = async (host: string) => (await azure.ask('GET', '/keys', undefined, { host })).body.value[0].kid
  t.equal(await kid('default.vault.localhost'), 'https://default.vault.localhost/keys/k')
  t.equal(await kid('default.vault.azure.net'), 'https://default.vault.azure.net/keys/k')
  t.equal(await kid('127.0.0.1:7400'), 'https://kms.example/keys/k', 'the public URL stands in for bare hosts')
})

t.test('when the audit log cannot be written nothing is done', async (t) => {
  const { create, ask, audit } = await makeAzure()
  await create('k')
  audit.available = false
  const answer = await ask('DELETE', '/keys/k')
  t.match(answer, { status: 503, body: { error: { code: 'ServiceUnavailable' } } })
  t.match(answer.headers, { 'retry-after': '1' })
  audit.available = true
  t.equal((await ask('GET', '/keys/k')).status, 200)
})

t.test('where vaults are not made on demand, an unknown one is not there', async (t) => {
  const { ask } = await makeAzure({}, { provision: false })
  const answer = await ask('GET', '/keys', undefined, { host: 'other.vault.localhost:7443' })
  t.match(answer, { status: 404, body: { error: { code: 'VaultNotFound' } } })
  t.equal((await ask('GET', '/keys')).status, 200)
})
