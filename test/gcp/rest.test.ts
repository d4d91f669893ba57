/** REST's transcoding on real connections. */
import http2 from 'node:http2'
import t, { type Test } from 'tap'
import { LOCATION, makeGcp } from './support.ts'

const RING = `${LOCATION}/keyRings/r`
const KEY = `${RING}/cryptoKeys/k`

async function withKey(t: Test) {
  const gcp = await makeGcp()
  t.teardown(gcp.close)
  t.equal((await gcp.rest('POST', `${LOCATION}/keyRings?keyRingId=r`, {})).status, 200)
  t.equal((await gcp.rest('POST', `${RING}/cryptoKeys?cryptoKeyId=k`, { purpose: 'ENCRYPT_DECRYPT' })).status, 200)
  return gcp
}

t.test('answers are JSON as Google writes it', async (t) => {
  const gcp = await withKey(t)
  const answer = await gcp.rest('GET', KEY)
  t.equal(answer.headers.get('content-type'), 'application/json; charset=UTF-8')
  t.match(answer.body, {
    name: KEY,
    purpose: 'ENCRYPT_DECRYPT',
    primary: { state: 'ENABLED' },
    destroyScheduledDuration: '2592000s',
  })
  t.notOk('importOnly' in answer.body, 'default values are left out')
})

t.test('numeric enums, both spellings of names, and system parameters', async (t) => {
  const gcp = await withKey(t)
  const numeric = await gcp.rest('GET', `${KEY}?%24alt=json%3Benum-encoding=int`)
  t.match(numeric.body, { purpose: 1, primary: { state: 1, algorithm: 1, protectionLevel: 1 } })
  for (const query of [
    'alt=json',
    '$alt=json',
    'prettyPrint=false&quotaUser=q&key=k&fields=name&$.xgafv=2',
    'access_token=t',
  ]) {
    t.match(await gcp.rest('GET', `${KEY}?${query}`), { status: 200, body: { purpose: 'ENCRYPT_DECRYPT' } }, query)
  }
  t.equal(
    (await gcp.rest('POST', `${RING}/cryptoKeys?crypto_key_id=k2&skip_initial_version_creation=true`, { purpose: 1 }))
      .body.primary,
    undefined,
  )
  t.match(await gcp.rest('GET', `${KEY}?alt=media`), { status: 400, body: { error: { status: 'INVALID_ARGUMENT' } } })
})

t.test('masks in snake_case and camelCase', async (t) => {
  const gcp = await withKey(t)
  const version = `${KEY}/cryptoKeyVersions/1`
  t.match(await gcp.rest('PATCH', `${version}?updateMask=state`, { state: 'DISABLED' }), {
    status: 200,
    body: { state: 'DISABLED' },
  })
  t.match(await gcp.rest('PATCH', `${version}?update_mask=state`, { state: 1 }), {
    status: 200,
    body: { state: 'ENABLED' },
  })
  t.match(await gcp.rest('PATCH', `${version}?updateMask=nextRotationTime`, {}), { status: 400 })
})

t.test('bodies: empty, the text "", unpadded URL-safe base64', async (t) => {
  const gcp = await withKey(t)
  t.equal((await gcp.rest('POST', `${LOCATION}/keyRings?keyRingId=r2`, '""')).status, 200)
  t.equal((await gcp.rest('POST', `${LOCATION}/keyRings?keyRingId=r3`, '')).status, 200)
  t.equal((await gcp.rest('POST', `${LOCATION}/keyRings?keyRingId=r4`)).status, 200)
  t.equal((await gcp.rest('POST', `${KEY}/cryptoKeyVersions/1:destroy`, '')).status, 200)
  t.equal((await gcp.rest('POST', `${KEY}/cryptoKeyVersions/1:restore`, '""')).status, 200)
  t.equal((await gcp.rest('PATCH', `${KEY}/cryptoKeyVersions/1?updateMask=state`, { state: 'ENABLED' })).status, 200)
  const plaintext = Buffer.from([0xfb, 0xff, 0xfe, 0x3f])
  const { body } = await gcp.rest('POST', `${KEY}:encrypt`, { plaintext: plaintext.toString('base64url') })
  const urlSafe = Buffer.from(body.ciphertext, 'base64').toString('base64url')
  t.equal(
    (await gcp.rest('POST', `${KEY}:decrypt`, { ciphertext: urlSafe })).body.plaintext,
    plaintext.toString('base64'),
  )
})

t.test("a body that does not fit, in Google's words", async (t) => {
  const gcp = await withKey(t)
  const { status, body } = await gcp.rest('POST', `${KEY}:encrypt`, { plaintxt: 'AA==' })
  const description = 'Invalid JSON payload received. Unknown name "plaintxt": Cannot find field.'
  t.equal(status, 400)
  t.same(body, {
    error: {
      code: 400,
      message: description,
      status: 'INVALID_ARGUMENT',
      details: [{ '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations: [{ description }] }],
    },
  })
  const refused = async (what: string, text: string, headers: Record<string, string> = {}) => {
    const answer = await gcp.rest('POST', `${KEY}:encrypt`, text, headers)
    t.match(answer, { status: 400, body: { error: { code: 400, status: 'INVALID_ARGUMENT' } } }, what)
    return String(answer.body.error.message)
  }
  t.match(await refused('no JSON', '{"plaintext":'), /^Invalid JSON payload received/)
  t.match(await refused('a name twice', '{"plaintext":"AA==","plaintext":"AQ=="}'), /^Invalid JSON payload received/)
  t.match(await refused('a name in both spellings', '{"plaintextCrc32c":"1","plaintext_crc32c":"2"}'), /given twice/)
  t.match(await refused('__proto__', '{"__proto__":{}}'), /^Invalid JSON payload received/)
  t.match(await refused('deep', `${'['.repeat(100)}${']'.repeat(100)}`), /^Invalid JSON payload received/)
  t.match(await refused('a list', '[]'), /Root element must be a message/)
  t.match(await refused('text', 'plaintext=AA', { 'content-type': 'text/plain' }), /content type/)
  t.match(
    await refused('a form', 'plaintext=AA', { 'content-type': 'application/x-www-form-urlencoded' }),
    /content type/,
  )
  t.notMatch(await refused('bad base64', '{"plaintext":"secret*"}'), /secret/)
  const large = await gcp.rest('POST', `${KEY}:encrypt`, { plaintext: 'A'.repeat(2 * 1024 * 1024) })
  t.match(large, {
    status: 400,
    body: { error: { message: 'Request payload size exceeds the limit: 1048576 bytes.' } },
  })
})

t.test('queries that do not fit', async (t) => {
  const gcp = await withKey(t)
  const refused = async (method: string, path: string, body?: unknown) => {
    const answer = await gcp.rest(method, path, body)
    t.match(answer, { status: 400, body: { error: { status: 'INVALID_ARGUMENT' } } }, path)
    return String(answer.body.error.message)
  }
  t.equal(
    await refused('GET', `${KEY}?nothing=1`),
    'Invalid JSON payload received. Unknown name "nothing": Cannot bind query parameter. Field \'nothing\' could not be found in request message.',
  )
  t.match(await refused('GET', `${RING}/cryptoKeys?pageSize=many`), /page_?[sS]ize.*TYPE_INT32/)
  t.match(await refused('GET', `${RING}/cryptoKeys?pageSize=1&pageSize=2`), /more than once/)
  t.match(await refused('POST', `${KEY}:encrypt?plaintext=AA`, {}), /Cannot bind query parameter/)
  t.match(await refused('POST', `${LOCATION}/keyRings?keyRingId=x&keyRing.name=y`, {}), /Cannot bind query parameter/)
  t.match(
    await refused('GET', `${KEY}?name=projects/p/locations/l/keyRings/r/cryptoKeys/other`),
    /Cannot bind query parameter/,
  )
})

t.test('paths that are no route', async (t) => {
  const gcp = await withKey(t)
  const paths = ['', 'projects', 'projects/local/keyRings', `${KEY}:unknown`, `${RING}/cryptoKeys/`, 'folders/f']
  for (const path of paths) {
    t.match(await gcp.rest('GET', path), { status: 404, body: /.*/ }, path)
  }
  t.match(await gcp.rest('GET', `${KEY}:unknown`), { body: { error: { code: 404, status: 'NOT_FOUND' } } })
  t.match(await gcp.rest('PUT', KEY, {}), { status: 404, body: { error: { status: 'NOT_FOUND' } } })
  t.match(await gcp.rest('GET', `${KEY}%2FcryptoKeyVersions`), { status: 400 })
  t.match(await gcp.rest('GET', `${RING}%00`), { status: 400 })
  t.match(await gcp.rest('GET', `${RING}%ff`), { status: 400 })
})

t.test('routes of the service configuration, and methods that are not there yet', async (t) => {
  const gcp = await withKey(t)
  const unimplemented = { status: 501, body: { error: { code: 501, status: 'UNIMPLEMENTED' } } }
  const none = { status: 200, body: { etag: 'ACAB' } }
  t.match(await gcp.rest('GET', `${KEY}:getIamPolicy?options.requestedPolicyVersion=3`), none)
  t.match(await gcp.rest('POST', `${KEY}:getIamPolicy`, {}), none, 'as Google’s Node client asks')
  t.match(await gcp.rest('GET', `${LOCATION}/retiredResources`), unimplemented)
  t.match(await gcp.rest('POST', `${LOCATION}:generateRandomBytes`, { lengthBytes: 8 }), unimplemented)
  t.match(await gcp.rest('GET', `${LOCATION}/operations/o`), { status: 404, body: { error: { status: 'NOT_FOUND' } } })
})

t.test('REST over HTTP/2 as well', async (t) => {
  const gcp = await withKey(t)
  const session = http2.connect(gcp.url)
  t.teardown(() => session.close())
  const text = await new Promise<string>((resolve, reject) => {
    const stream = session.request({ ':path': `/v1/${KEY}` })
    let body = ''
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      body += chunk
    })
    stream.on('end', () => resolve(body)).on('error', reject)
  })
  t.match(JSON.parse(text), { name: KEY })
})

t.test('credentials', async (t) => {
  const gcp = await withKey(t)
  for (const authorization of ['Bearer ya29.token', 'Basic dTpw', 'nonsense']) {
    t.equal((await gcp.rest('GET', KEY, undefined, { authorization })).status, 200, authorization)
  }
  const principals = gcp.audit.records.slice(-3).map(({ principal }) => principal)
  t.match(principals, [/^bearer:[0-9a-f]{16}$/, 'anonymous:', 'anonymous:'])
  t.notMatch(JSON.stringify(gcp.audit.records), 'ya29')
  const enforcing = await makeGcp({ auth: 'enforce' })
  t.teardown(enforcing.close)
  const missing = await enforcing.rest('GET', KEY)
  t.match(missing, {
    status: 401,
    body: { error: { code: 401, status: 'UNAUTHENTICATED', message: /missing required/ } },
  })
  t.match(await enforcing.rest('GET', KEY, undefined, { authorization: 'Bearer t' }), {
    status: 401,
    body: { error: { message: /invalid authentication/ } },
  })
})
