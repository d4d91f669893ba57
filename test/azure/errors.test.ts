/** The errors that the live service was seen to answer with, word by word. */
import t from 'tap'
import { createKey } from '../../src/core/ops/create-key.ts'
import { b64, makeAzure } from './support.ts'

const HELP = 'For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182'
const notFound = (kind: 'key' | 'secret', name: string) =>
  `A ${kind} with (name/id) ${name} was not found in this key vault. If you recently deleted this ${kind} you may be able to recover it using the correct recovery command. ${HELP}`
const deleted = (kind: 'Key' | 'Secret', name: string) =>
  `${kind} ${name} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the ${kind.toLowerCase()} can only be recovered or purged.`
const error = (code: string, message: string, inner?: string) => ({
  error: { code, message, ...(inner !== undefined && { innererror: { code: inner } }) },
})
const bad = (message: string, inner?: string) => error('BadParameter', message, inner)
const forbidden = (inner: string, message: string) => error('Forbidden', message, inner)
const NO_VERSION = 'f'.repeat(32)
const DIGEST = b64(Buffer.alloc(32))

async function prepared() {
  const azure = await makeAzure()
  const { ask, create } = azure
  await create('k', { kty: 'RSA' })
  await create('verifies', { kty: 'EC', key_ops: ['verify'] })
  await create('p256k', { kty: 'EC', crv: 'P-256K' })
  await create('off', { kty: 'RSA', attributes: { enabled: false } })
  await create('early', { kty: 'EC', attributes: { nbf: 4_000_000_000 } })
  await create('late', { kty: 'EC', attributes: { exp: 1000 } })
  await create('gone')
  await ask('DELETE', '/keys/gone')
  await ask('PUT', '/secrets/s', { value: 'v' })
  await ask('PUT', '/secrets/off', { value: 'v', attributes: { enabled: false } })
  await ask('PUT', '/secrets/gone', { value: 'v' })
  await ask('DELETE', '/secrets/gone')
  return azure
}

const es256 = (value = DIGEST) => ({ alg: 'ES256', value })
const TABLE: readonly (readonly [number, string, string, unknown, object])[] = [
  [404, 'GET', '/keys/none', undefined, error('KeyNotFound', notFound('key', 'none'))],
  [404, 'GET', `/keys/k/${NO_VERSION}`, undefined, error('KeyNotFound', notFound('key', `k/${NO_VERSION}`))],
  [404, 'GET', '/keys/gone', undefined, error('KeyNotFound', notFound('key', 'gone'))],
  [404, 'POST', '/keys/none//sign', es256(), error('KeyNotFound', notFound('key', 'none'))],
  [404, 'GET', '/deletedkeys/k', undefined, error('KeyNotFound', 'Deleted Key not found: k')],
  [404, 'DELETE', '/deletedkeys/none', undefined, error('KeyNotFound', 'Deleted Key not found: none')],
  [404, 'GET', '/secrets/none', undefined, error('SecretNotFound', notFound('secret', 'none'))],
  [404, 'GET', `/secrets/s/${NO_VERSION}`, undefined, error('SecretNotFound', notFound('secret', `s/${NO_VERSION}`))],
  [404, 'GET', '/deletedsecrets/none', undefined, error('SecretNotFound', 'Deleted Secret not found: none')],
  [400, 'POST', '/rng', { count: 129 }, bad('GetRandomBytesRequest: count cannot be greater than 128 or less than 1')],
  [
    400,
    'POST',
    '/keys/x/create',
    { kty: 'RSA', release_policy: {} },
    bad('Non-exportable keys must not have release policy'),
  ],
  [
    400,
    'POST',
    '/keys/x/create',
    { kty: 'RSA', attributes: { exportable: true } },
    bad('Exportable keys must have release policy'),
  ],
  [404, 'GET', '/deletedsecrets/s', undefined, error('SecretNotFound', 'Deleted Secret not found: s')],
  [
    409,
    'POST',
    '/keys/gone/create',
    { kty: 'EC' },
    error('Conflict', deleted('Key', 'gone'), 'ObjectIsDeletedButRecoverable'),
  ],
  [
    409,
    'PUT',
    '/secrets/gone',
    { value: 'v' },
    error('Conflict', deleted('Secret', 'gone'), 'ObjectIsDeletedButRecoverable'),
  ],
  [
    403,
    'POST',
    '/keys/verifies//sign',
    es256(),
    forbidden('KeyOperationForbidden', 'Operation sign is not permitted on this key.'),
  ],
  [
    403,
    'POST',
    '/keys/verifies//decrypt',
    { alg: 'RSA-OAEP', value: 'AAAA' },
    forbidden('KeyOperationForbidden', 'Operation decrypt is not permitted on this key.'),
  ],
  ...['sign', 'decrypt', 'unwrapkey'].map((operation) => {
    const body = { alg: operation === 'sign' ? 'RS256' : 'RSA-OAEP', value: DIGEST }
    const message = `Operation ${operation} is not allowed on a disabled key.`
    return [403, 'POST', `/keys/off//${operation}`, body, forbidden('KeyDisabled', message)] as const
  }),
  [
    403,
    'POST',
    '/keys/early//sign',
    es256(),
    forbidden('KeyNotYetValid', 'Operation sign is not allowed on a key that is not yet valid.'),
  ],
  [
    403,
    'POST',
    '/keys/late//sign',
    es256(),
    forbidden('KeyExpired', 'Operation sign is not allowed on an expired key.'),
  ],
  [
    403,
    'GET',
    '/secrets/off',
    undefined,
    forbidden('SecretDisabled', 'Operation get is not allowed on a disabled secret.'),
  ],
  [
    400,
    'POST',
    '/keys/p256k//sign',
    { alg: 'ES256K', value: b64(Buffer.alloc(44)) },
    bad("Invalid length of 'value': 44 bytes. ES256K requires 32 bytes, encoded with base64url."),
  ],
  [
    400,
    'POST',
    '/keys/p256k//verify',
    { alg: 'ES256K', digest: 'AA', value: 'AA' },
    bad("Invalid length of 'digest': 1 bytes. ES256K requires 32 bytes, encoded with base64url."),
  ],
  [
    400,
    'POST',
    '/keys/p256k//sign',
    es256(),
    bad(
      "Key and signing algorithm are incompatible. Key p256k uses curve 'P-256K', and algorithm 'ES256' can only be used with curve 'P-256'.",
    ),
  ],
  [
    400,
    'GET',
    '/keys?api-version=7.',
    undefined,
    bad('The specified version (7.) is not recognized. Consider using the latest supported version (2026-04-01).'),
  ],
  [400, 'GET', '/keys?api-version=', undefined, bad('api-version must be specified')],
  [400, 'GET', '/keys/k/sign', undefined, bad("Method GET does not allow operation 'sign'")],
  [400, 'POST', '/keys/k//release', {}, bad("Method POST does not allow operation 'release'")],
  [400, 'POST', '/keys/x/create', { kty: 'RSA-4' }, bad('Invalid kty value: RSA-4', 'KeyTypeNotSupported')],
  [400, 'POST', '/keys/k//decrypt', { alg: 'RSA-OAEP', value: DIGEST }, bad('The parameter is incorrect.')],
  [400, 'POST', '/keys/restore', { value: 'AAAA' }, bad('Backup blob contains invalid or corrupt version.')],
  [400, 'POST', '/secrets/restore', { value: 'AAAA' }, bad('Backup blob contains invalid or corrupt version.')],
]

t.test('every recorded error', async (t) => {
  const { ask } = await prepared()
  for (const [status, method, path, body, expected] of TABLE) {
    const answer = await ask(method, path, body)
    t.same([answer.status, answer.body], [status, expected], `${method} ${path}`)
    t.match(answer.headers['content-type'], /^application\/json; charset=utf-8$/)
    t.ok(answer.headers['x-ms-request-id'], 'also among the service’s headers')
  }
})

t.test('paging: limits, and a link that is followed as it is', async (t) => {
  const { ask, create } = await makeAzure()
  for (const name of ['a', 'b']) {
    await create(name)
    await ask('PUT', `/secrets/${name}`, { value: 'v' })
    await create('many')
    await ask('PUT', '/secrets/many', { value: 'v' })
  }
  for (const kind of ['keys', 'secrets']) {
    for (const path of [`/${kind}`, `/${kind}/many/versions`, `/deleted${kind}`]) {
      if (path.startsWith('/deleted')) for (const name of ['a', 'b']) await ask('DELETE', `/${kind}/${name}`)
      for (const count of ['0', '26', '-1', '1.5', 'x', '']) {
        t.match(await ask('GET', `${path}?maxresults=${count}`), {
          status: 400,
          body: { error: { code: 'BadParameter', message: /^Property maxresults / } },
        })
      }
      const first = await ask('GET', `${path}?maxresults=1&api-version=7.4`)
      const link = new URL(first.body.nextLink)
      t.match(link.origin + link.pathname, new RegExp(`^https?://default\\.vault\\.localhost:7443${path}$`))
      t.equal(link.searchParams.get('api-version'), '7.4', 'the version it was asked in')
      t.ok(link.searchParams.get('$skiptoken'))
      let listed = first.body.value.length
      for (let next = first.body.nextLink; next !== null; ) {
        const { pathname, search } = new URL(next)
        const { body } = await ask('GET', pathname + search)
        t.ok(body.value.length <= 1, path)
        listed += body.value.length
        next = body.nextLink
      }
      t.equal(listed, (await ask('GET', path)).body.value.length, `${path}, one by one`)
      t.equal((await ask('GET', `${path}?maxresults=25`)).body.nextLink, null)
      for (const token of ['!', 'A'.repeat(3000)]) {
        t.match(await ask('GET', `${path}?$skiptoken=${token}`), {
          status: 400,
          body: { error: { code: 'BadParameter' } },
        })
      }
    }
  }
})

t.test('what is restored is named as it is in the backup', async (t) => {
  const { ask, create } = await makeAzure()
  await create('k')
  await ask('PUT', '/secrets/s', { value: 'v' })
  for (const [kind, name, word] of [
    ['keys', 'k', 'Key'],
    ['secrets', 's', 'Secret'],
  ] as const) {
    const { value } = (await ask('POST', `/${kind}/${name}/backup`)).body
    const taken = await ask('POST', `/${kind}/restore`, { value })
    const version = (await ask('GET', `/${kind}/${name}`)).body
    const id = new URL(version.id ?? version.key.kid)
    const lower = word.toLowerCase()
    t.equal(taken.status, 409)
    t.same(Object.keys(taken.body.error), ['code', 'message'])
    t.match(
      taken.body.error.message,
      `There was a conflict restoring the ${lower} 'https://${id.host}${id.pathname}'. This can happen if either: a second ${lower} with`,
    )
    await ask('DELETE', `/${kind}/${name}`)
    const recoverable = await ask('POST', `/${kind}/restore`, { value })
    t.same(recoverable.body, error('Conflict', deleted(word, name), 'ObjectIsDeletedButRecoverable'))
    const elsewhere = await ask('POST', `/${kind}/restore`, { value }, { host: 'else.vault.localhost' })
    t.equal(elsewhere.status, 200, 'another vault of the same installation takes it')
  }
})

t.test('a refused operation is named as Azure names it', async (t) => {
  const { ask } = await makeAzure()
  const jwk = { kty: 'oct', k: b64(Buffer.alloc(16, 7)) }
  await ask('PUT', '/keys/imported', { key: jwk })
  const unsupported = (operation: string) => bad(`Operation ${operation} is not supported for this key.`)
  const lifetimeActions = [{ trigger: { timeAfterCreate: 'P30D' }, action: { type: 'Rotate' } }]
  t.same((await ask('POST', '/keys/imported/rotate')).body, unsupported('rotate'))
  t.same(
    (await ask('PUT', '/keys/imported/rotationpolicy', { lifetimeActions })).body,
    unsupported('setrotationpolicy'),
  )
  t.same(
    (await ask('POST', '/keys/imported/create', { kty: 'oct', key_size: 128 })).body,
    forbidden('KeyOperationForbidden', 'Operation create is not permitted on this key.'),
  )
  t.equal((await ask('PUT', '/keys/imported', { key: jwk })).status, 200, 'importing goes on')
})

t.test('a Managed HSM says which request it was', async (t) => {
  const { ask } = await makeAzure({}, { token: true })
  const missing = await ask('GET', '/keys/none', undefined, { host: 'pool.managedhsm.azure.net' })
  t.equal(missing.body.error.message, `${notFound('key', 'none')} (Activity ID: ${missing.headers['x-ms-request-id']})`)
  const unknown = await ask('GET', '/keys/none', undefined, { host: 'pool.managedhsm.azure.net', token: null })
  t.match(unknown.body.error.message, /^AKV10000: .* \(Activity ID: [0-9a-f-]{36}\)$/)
})

t.test('what other clouds disable says the same', async (t) => {
  const { ask, run } = await makeAzure()
  const version = { enabled: false }
  const { key } = await run('gcp', createKey, { ring: { by: 'default' }, name: 'g', spec: 'ec_p256', version })
  t.same(
    (await ask('POST', `/keys/${key.name}//sign`, es256())).body,
    forbidden('KeyDisabled', 'Operation sign is not allowed on a disabled key.'),
  )
})
