import t from 'tap'
import { Random, REPEAT } from '../support/random.ts'
import { makeAzure } from './support.ts'

t.test(`bodies of every shape are refused or served, never a 500 (${REPEAT})`, async (t) => {
  const azure = await makeAzure()
  const random = new Random()
  await azure.create('k')
  const scalars = [
    null,
    true,
    -1,
    0,
    1e308,
    '',
    'A',
    '\u0000',
    'é'.repeat(300),
    [],
    {},
    [null],
    { a: [] },
    'P1D',
    'RSA',
    'EC',
  ]
  const members = [
    'key',
    'kty',
    'crv',
    'n',
    'e',
    'd',
    'x',
    'y',
    'p',
    'attributes',
    'exp',
    'nbf',
    'tags',
    'key_ops',
    'value',
  ]
  const more = [
    'count',
    'alg',
    'digest',
    'lifetimeActions',
    'trigger',
    'action',
    'type',
    'expiryTime',
    'Hsm',
    'enabled',
  ]
  const names = [...members, ...more, '__proto__', 'constructor']
  const value = (depth: number): unknown => {
    if (depth === 0 || random.chance(0.4)) return random.pick(scalars)
    if (random.chance(0.2)) return Array.from({ length: random.between(0, 3) }, () => value(depth - 1))
    return Object.fromEntries(
      Array.from({ length: random.between(0, 5) }, () => [random.pick(names), value(depth - 1)]),
    )
  }
  const routes = [
    ['PUT', '/keys/k'],
    ['PUT', '/keys/other'],
    ['PATCH', '/keys/k'],
    ['POST', '/keys/k/rotate'],
    ['PUT', '/keys/k/rotationpolicy'],
    ['POST', '/keys/k/backup'],
    ['POST', '/keys/restore'],
    ['POST', '/keys/k/sign'],
    ['POST', '/keys/k/verify'],
    ['POST', '/rng'],
  ] as const
  for (let i = 0; i < 600; i++) {
    const [method, path] = random.pick(routes)
    const body = value(4)
    const { status, body: answer } = await azure.ask(method, path, body)
    if (status !== 200 && (status < 400 || status >= 500 || typeof answer.error?.message !== 'string')) {
      t.fail(`${method} ${path} ${JSON.stringify(body)}: ${status}`)
    }
  }
  t.equal((await azure.ask('GET', '/keys/k')).status, 200)
})

t.test('creation, rotation, updates, deletion and recovery at once leave whole keys', async (t) => {
  const { ask, create, store, failures } = await makeAzure()
  await create('k')
  const work = Array.from({ length: 8 }, () => [
    create('k'),
    ask('POST', '/keys/k/rotate'),
    ask('PATCH', '/keys/k', { attributes: { enabled: true }, tags: { a: 'b' } }),
    ask('DELETE', '/keys/k'),
    ask('POST', '/deletedkeys/k/recover'),
    ask('POST', '/keys/k/backup'),
  ]).flat()
  const statuses = new Set((await Promise.all(work)).map(({ status }) => status))
  for (const status of statuses) t.ok([200, 404, 409].includes(status), `${status}`)
  await ask('POST', '/deletedkeys/k/recover')
  const { rows } = await store.page('versions', 'number', [], undefined, 100)
  const numbers = rows.map(({ number }) => number)
  t.same(
    numbers,
    Array.from({ length: rows.length }, (_, i) => i + 1),
    'no version was lost or made twice',
  )
  const [key] = (await store.page('keys', 'name', [], undefined, 2)).rows
  t.equal(key?.versionCounter, rows.length)
  t.equal(key?.current, rows.length)
  const current = await ask('GET', '/keys/k')
  t.ok(current.body.key.kid.endsWith(rows.at(-1)?.hexId ?? '-'))
  t.same(failures, [])
})
