/** `auth: enforce`: who gets in, who does not, and in whose words; then what attackers do to a request they saw. */
import { once } from 'node:events'
import net from 'node:net'
import { KMSClient, ListKeysCommand } from '@aws-sdk/client-kms'
import pino from 'pino'
import t, { type Test } from 'tap'
import { createServer } from '../../src/api/server.ts'
import { resolve } from '../../src/config/resolve.ts'
import { openHttp2 } from '../http/support.ts'
import { amzDate, type Credentials, sign } from '../sigv4/sign.ts'
import { ACCOUNT, makeAws, makeSurface, USER } from './support.ts'

const MINUTE = 60_000
const MISMATCH =
  'InvalidSignatureException: The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.'
const UNKNOWN = 'UnrecognizedClientException: The security token included in the request is invalid.'

t.test('enforce', async (t) => {
  const aws = await makeAws('enforce')
  t.teardown(() => aws.close())
  t.equal(await aws.refusal('ListKeys'), 'ok')
  t.match(aws.audit.records.at(-1), {
    principal: `sigv4:${USER.accessKeyId}`,
    method: 'sigv4',
    identity: `arn:aws:iam::${ACCOUNT}:user/test`,
    outcome: 'ok',
  })
  t.match(await aws.directory.uses.of(USER.accessKeyId), { at: aws.clock.now(), service: 'kms', region: 'us-east-1' })
  const unsigned = { authorization: '' }
  t.equal(
    await aws.refusal('ListKeys', {}, { headers: unsigned }),
    'MissingAuthenticationTokenException: Missing Authentication Token',
  )
  t.equal(
    await aws.refusal('RevokeGrant', {}, { headers: unsigned }),
    'MissingAuthenticationTokenException: Missing Authentication Token',
  )
  t.equal(await aws.refusal('ListKeys', {}, { as: { ...USER, accessKeyId: 'AKIANOBODY0000000000' } }), UNKNOWN)
  t.equal(await aws.refusal('ListKeys', {}, { as: { ...USER, secretAccessKey: 'guessed' } }), MISMATCH)
  t.equal(await aws.refusal('ListKeys', {}, { as: { ...USER, sessionToken: 'none' } }), UNKNOWN)
  const told = aws.audit.records.filter(({ operation }) => operation === 'Authenticate')
  t.equal(aws.audit.records.length, told.length + 1, 'none of them got as far as the kernel')
  t.match(told, [
    { wire: 'ListKeys', principal: 'anonymous:' },
    { wire: 'RevokeGrant', principal: 'anonymous:' },
    { principal: 'sigv4:AKIANOBODY0000000000' },
    { principal: `sigv4:${USER.accessKeyId}`, dialect: 'aws', decision: 'deny', outcome: 'unauthenticated' },
    { principal: `sigv4:${USER.accessKeyId}`, identity: undefined },
  ])
})

t.test('the region of the scope is the realm, the account is the caller’s', async (t) => {
  const aws = await makeAws('enforce')
  t.teardown(() => aws.close())
  const { body } = await aws.ask('CreateKey', {}, { region: 'eu-west-1' })
  t.match(body.KeyMetadata.Arn, `arn:aws:kms:eu-west-1:${ACCOUNT}:key/`)
  t.same((await aws.ask('ListKeys')).body.Keys, [])
})

t.test('permissive lets in, and says whom it would not', async (t) => {
  const aws = await makeAws('permissive')
  t.teardown(() => aws.close())
  t.equal(await aws.refusal('ListKeys'), 'ok')
  t.match(aws.audit.records.at(-1), { identity: `arn:aws:iam::${ACCOUNT}:user/test` })
  t.same(aws.warnings, [])
  t.equal(await aws.refusal('ListKeys', {}, { as: { ...USER, secretAccessKey: 'guessed' } }), 'ok')
  t.match(aws.audit.records.at(-1), { principal: `sigv4:${USER.accessKeyId}` })
  t.notOk(aws.audit.records.at(-1)?.identity, 'taken at his word for the name only')
  t.equal(await aws.refusal('ListKeys', {}, { headers: { authorization: '' } }), 'ok')
  t.same(
    aws.warnings.map((line) => JSON.parse(line).fault),
    ['invalid', 'missing'],
  )
})

t.test('a disabled key, a deleted user, an expired session', async (t) => {
  const aws = await makeAws('enforce')
  t.teardown(() => aws.close())
  const user = aws.directory.byArn(`arn:aws:iam::${ACCOUNT}:user/test`)
  if (user === undefined) throw new Error('no user')
  const { accessKeyId, secret, token } = aws.sessions.create({ principal: user, seconds: 900, tags: { a: 'b' } })
  const as = { accessKeyId, secretAccessKey: secret, sessionToken: token }
  t.equal(await aws.refusal('ListKeys', {}, { as }), 'ok')
  t.match(aws.audit.records.at(-1), {
    principal: `sigv4:${accessKeyId}`,
    identity: `arn:aws:iam::${ACCOUNT}:user/test`,
  })
  const refused = (change: Partial<Credentials>) => aws.refusal('ListKeys', {}, { as: { ...as, ...change } })
  t.equal(await refused({ sessionToken: undefined }), UNKNOWN)
  t.equal(await refused({ secretAccessKey: 'guessed' }), MISMATCH)
  t.equal(
    await refused({ accessKeyId: USER.accessKeyId, secretAccessKey: USER.secretAccessKey }),
    UNKNOWN,
    'for another key',
  )
  const other = aws.sessions.create({ principal: user, seconds: 900 })
  t.equal(await refused({ sessionToken: other.token }), UNKNOWN, 'of another session')
  const bytes = Buffer.from(token, 'base64')
  for (const place of [0, 1, 20, bytes.length - 1]) {
    const flipped = Buffer.from(bytes)
    flipped[place] = (flipped[place] ?? 0) ^ 1
    t.equal(await refused({ sessionToken: flipped.toString('base64') }), UNKNOWN, `byte ${place}`)
  }
  t.equal(await refused({ sessionToken: `${token}AAAA` }), UNKNOWN)
  t.equal(await refused({ sessionToken: 'A'.repeat(14_000) }), UNKNOWN)
  aws.clock.time += 900_000
  t.equal(await refused({}), 'ExpiredTokenException: The security token included in the request is expired')
  aws.directory.committed([{ kind: 'delete', collection: 'principals', id: user.id, revision: 1 }])
  t.equal(await refused({}), UNKNOWN, 'a session ends with its user')
  t.equal(await aws.refusal('ListKeys'), UNKNOWN)
})

/** Over a socket, because what matters here is how Node reads a head. */
async function listen(t: Test) {
  const surface = await makeSurface()
  const server = await createServer({
    config: resolve({ auth: { aws: 'enforce' }, listeners: [{ address: '127.0.0.1', port: 0 }] }),
    surfaces: [surface.awsSurface],
    services: { kernel: surface.kernel, clock: surface.clock, log: pino({ level: 'silent' }) },
    readiness: [],
  })
  t.teardown(() => server.stop())
  const [{ port, url } = { port: 0, url: '' }] = await server.start()
  const send = async (head: string, body = ''): Promise<string> => {
    const socket = net.connect(port, '127.0.0.1')
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk
    })
    socket.end(`${head}\r\nConnection: close\r\n\r\n${body}`)
    await once(socket, 'close')
    const { __type, message } = JSON.parse(/\r\n\r\n(?:[0-9a-f]+\r\n)?(\{.*\})/s.exec(text)?.[1] ?? '{}')
    return __type === undefined ? `ok ${text.slice(9, 12)}` : `${__type}: ${message}`
  }
  return { ...surface, port, url, send, host: `127.0.0.1:${port}` }
}

const BODY = '{"Limit":1}'
const TARGET = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'TrentService.ListKeys' }
const headOf = (headers: Readonly<Record<string, string>>, url = '/', method = 'POST'): string =>
  [`${method} ${url} HTTP/1.1`, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)].join('\r\n')

t.test('what may be done to a request that was seen on its way', async (t) => {
  const { send, host, clock } = await listen(t)
  const base = { host, 'content-length': String(BODY.length), ...TARGET }
  const headers = sign({ method: 'POST', path: '/', headers: base, body: BODY }, USER, { at: clock.now() })
  t.equal(await send(headOf(headers), BODY), 'ok 200')
  t.equal(await send(headOf(headers), BODY), 'ok 200', 'again within five minutes, as AWS allows')
  clock.time += 5 * MINUTE
  t.equal(await send(headOf(headers), BODY), 'ok 200')
  clock.time += 1
  t.match(await send(headOf(headers), BODY), /^InvalidSignatureException: Signature expired: .* - 5 min\.\)$/)
  clock.time -= 10 * MINUTE + 2
  t.match(await send(headOf(headers), BODY), /^InvalidSignatureException: Signature not yet current/)
  clock.time += 5 * MINUTE + 1

  const changed = (change: Readonly<Record<string, string>>) => send(headOf({ ...headers, ...change }), BODY)
  t.equal(await send(headOf(headers), '{"Limit":2}'), MISMATCH, 'another body')
  t.equal(await changed({ 'x-amz-target': 'TrentService.ListAliases' }), MISMATCH, 'another operation')
  t.equal(await changed({ 'x-amz-date': amzDate(clock.now() + 1000) }), MISMATCH, 'a fresh date')
  t.equal(await changed({ host: 'localhost' }), MISMATCH, 'another host')
  t.equal(await changed({ 'x-amz-security-token': 'x' }), UNKNOWN)
  t.equal(await send(headOf(headers, '/?a=b'), BODY), MISMATCH, 'a query')
  const second = (line: string) => send(`${headOf(headers)}\r\n${line}`, BODY)
  t.equal(await second('User-Agent: x'), 'ok 200', 'what is not signed may be added')
  t.match(await second('X-Amz-Target: TrentService.ListAliases'), /more than one|UnknownOperation/)
  t.match(await second('X-Amz-Date: 20260101T000000Z'), /^IncompleteSignatureException: .*more than one 'x-amz-date'/)
  t.match(await second('Content-Type: application/x-amz-json-1.0'), /more than one 'content-type'/)
  t.match(await second('X-Amz-Whatever: 1'), /'x-amz-whatever' must be a 'SignedHeader'/)
  t.match(await second(`Authorization: ${headers.authorization}`), /more than one 'authorization'/)
})

t.test('signatures that leave something out', async (t) => {
  const { send, host, clock } = await listen(t)
  const base = { host, 'content-length': String(BODY.length), ...TARGET }
  const with_ = (signed: readonly string[]) =>
    send(
      headOf(sign({ method: 'POST', path: '/', headers: base, body: BODY }, USER, { at: clock.now(), signed })),
      BODY,
    )
  t.equal(await with_(['host', 'x-amz-date', 'x-amz-target']), 'ok 200')
  t.match(await with_(['host', 'x-amz-date']), /'x-amz-target' must be a 'SignedHeader'/)
  t.match(await with_(['x-amz-date', 'x-amz-target']), /'Host' or ':authority' must be a 'SignedHeader'/)
  t.match(await with_(['host', 'x-amz-target']), /'x-amz-date' must be a 'SignedHeader'/)
  t.equal(
    await with_(['host', 'not-there', 'x-amz-date', 'x-amz-target']),
    'ok 200',
    'a header that is not there is empty',
  )
  const sts = sign({ method: 'POST', path: '/', headers: base, body: BODY }, USER, { at: clock.now(), service: 'sts' })
  t.match(
    await send(headOf(sts), BODY),
    /^InvalidSignatureException: Credential should be scoped to correct service: 'kms'/,
  )
})

t.test('text beyond ASCII is signed byte by byte', async (t) => {
  const { send, host, clock } = await listen(t)
  const headers = { host, 'content-length': String(BODY.length), ...TARGET, 'x-amz-note': 'ключ  値 ' }
  const query = 'a=%D0%BA&b=%C3%A9'
  const signed = (path: { readonly query?: string }) =>
    sign({ method: 'POST', path: '/', headers, body: BODY, ...path }, USER, { at: clock.now() })
  t.equal(await send(headOf(signed({})), BODY), 'ok 200')
  t.equal(await send(headOf(signed({ query }), `/?${query}`), BODY), 'ok 200')
  t.equal(await send(headOf(signed({ query }), '/?b=%c3%a9&a=%d0%ba'), BODY), 'ok 200', 'in another order and case')
  t.equal(await send(headOf({ ...signed({}), 'x-amz-note': 'ключ 値' }), BODY), 'ok 200', 'white space is one space')
  t.equal(await send(headOf({ ...signed({}), 'x-amz-note': 'ключ値' }), BODY), MISMATCH)
  t.equal(await send(headOf({ ...signed({}), 'x-amz-note': 'клюЧ 値' }), BODY), MISMATCH)
})

t.test('paths that lead to the same place', async (t) => {
  const { send, host, clock } = await listen(t)
  const base = { host, 'content-length': String(BODY.length), ...TARGET }
  const headers = sign({ method: 'POST', path: '/', headers: base, body: BODY }, USER, { at: clock.now() })
  for (const url of [
    '//',
    '/./',
    '/a/..',
    '/%2f',
    '/@aws/ListKeys',
    '/%40aws/ListKeys',
    '/@aws-sts',
    `http://${host}/`,
    '/;a',
  ]) {
    const answer = await send(headOf(headers, url), BODY)
    t.match(answer, /^(UnknownOperationException|InvalidSignatureException|ok 4)/, `${url}: ${answer}`)
  }
})

t.test('bodies in chunks, and none', async (t) => {
  const { send, host, clock } = await listen(t)
  const chunked = { host, 'transfer-encoding': 'chunked', ...TARGET }
  const headers = sign({ method: 'POST', path: '/', headers: chunked, body: BODY }, USER, { at: clock.now() })
  t.equal(await send(headOf(headers), `5\r\n{"Lim\r\n6\r\nit":1}\r\n0\r\n\r\n`), 'ok 200')
  t.equal(await send(headOf(headers), `5\r\n{"Lim\r\n6\r\nit":2}\r\n0\r\n\r\n`), MISMATCH)
  const { 'content-type': _, ...bare } = { host, 'content-length': '0', ...TARGET }
  const none = sign({ method: 'POST', path: '/', headers: bare }, USER, { at: clock.now() })
  t.match(await send(headOf(none)), /^SerializationException/)
  t.equal(await send(headOf({ ...none, 'x-amz-target': 'TrentService.ListAliases' })), MISMATCH)
})

t.test('a signature in the query', async (t) => {
  const { send, host, clock } = await listen(t)
  const date = amzDate(clock.now())
  const presign = (expires: number, at = date): string => {
    const scope = `${USER.accessKeyId}%2F${at.slice(0, 8)}%2Fus-east-1%2Fkms%2Faws4_request`
    const names = 'content-type;host;x-amz-target'
    const query = `X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${scope}&X-Amz-Date=${at}&X-Amz-Expires=${expires}&X-Amz-SignedHeaders=${encodeURIComponent(names)}`
    const { authorization } = sign(
      { method: 'POST', path: '/', query, headers: { host, ...TARGET }, body: BODY },
      USER,
      {
        at: clock.now(),
        signed: names.split(';'),
      },
    )
    return `/?${query}&X-Amz-Signature=${/Signature=(\w+)/.exec(authorization ?? '')?.[1]}`
  }
  const headers = { host, 'content-length': String(BODY.length), ...TARGET }
  const url = presign(600)
  t.equal(await send(headOf(headers, url), BODY), 'ok 200')
  t.equal(await send(headOf(headers, url.replace('600', '601')), BODY), MISMATCH)
  t.match(await send(headOf(headers, presign(700_000)), BODY), /^IncompleteSignatureException: X-Amz-Expires/)
  t.match(await send(headOf({ ...headers, authorization: 'AWS4-HMAC-SHA256 x=y' }, url), BODY), /Found both/)
  clock.time += 600_001
  t.match(await send(headOf(headers, url), BODY), /Signature expired: .* - 10 min/)
})

t.test('HTTP/2, where the host is :authority', async (t) => {
  const { url, host, clock } = await listen(t)
  const { ask } = await openHttp2(t, url)
  const headers = sign({ method: 'POST', path: '/', headers: { host, ...TARGET }, body: BODY }, USER, {
    at: clock.now(),
  })
  const { host: _, ...rest } = headers
  t.equal((await ask('/', { ':authority': host, ...rest }, BODY)).status, 200)
  t.match((await ask('/', { ':authority': 'localhost', ...rest }, BODY)).body, /InvalidSignatureException/)
})

t.test('a refused head costs no body', async (t) => {
  const { port, host } = await listen(t)
  const socket = net.connect(port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  // A megabyte is announced and never sent: the answer comes all the same.
  socket.write(`${headOf({ host, 'content-length': String(1 << 20), ...TARGET })}\r\n\r\n{`)
  const [chunk] = (await once(socket, 'data')) as [Buffer]
  t.match(chunk.toString(), /MissingAuthenticationTokenException/)
})

t.test('huge heads', async (t) => {
  const { send, host } = await listen(t)
  const answer = await send(headOf({ host, ...TARGET, authorization: `AWS4-HMAC-SHA256 ${'x'.repeat(12_000)}` }))
  t.match(answer, /^IncompleteSignatureException/)
  t.ok(answer.length < 500, 'an answer does not hand it back')
})

t.test('an SDK that was never told of any of this', async (t) => {
  const { url, clock } = await listen(t)
  // Its clock is the machine's.
  clock.time = Date.now()
  const client = (secretAccessKey: string) =>
    new KMSClient({
      endpoint: url,
      region: 'us-east-1',
      credentials: { accessKeyId: USER.accessKeyId, secretAccessKey },
      maxAttempts: 1,
    })
  const [right, wrong] = [client(USER.secretAccessKey), client('wrong')]
  t.teardown(() => [right.destroy(), wrong.destroy()])
  t.same((await right.send(new ListKeysCommand({}))).Keys, [])
  await t.rejects(wrong.send(new ListKeysCommand({})), { name: 'InvalidSignatureException' })
  clock.time += 30 * 24 * 60 * MINUTE
  await t.rejects(right.send(new ListKeysCommand({})), /Signature expired/)
  t.same((await right.send(new ListKeysCommand({}))).Keys, [], 'the first answer told it the date')
})
