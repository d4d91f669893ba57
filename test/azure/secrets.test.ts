import t from 'tap'
import { HOST, makeAzure } from './support.ts'

const BASE = `http://${HOST}`
const DAY = 86_400
const versionOf = (body: { id: string }): string => body.id.slice(-32)

t.test('set answers with the value and its id, get with the same', async (t) => {
  const { ask, clock } = await makeAzure()
  const now = Math.floor(clock.now() / 1000)
  const set = await ask('PUT', '/secrets/Db', { value: 'hunter2', contentType: 'text/plain', tags: { a: '1' } })
  t.equal(set.status, 200)
  t.match(set.body.id, new RegExp(`^${BASE}/secrets/Db/[0-9a-f]{32}$`))
  t.same(set.body, {
    value: 'hunter2',
    id: set.body.id,
    contentType: 'text/plain',
    attributes: {
      enabled: true,
      created: now,
      updated: now,
      recoveryLevel: 'Recoverable+Purgeable',
      recoverableDays: 90,
    },
    tags: { a: '1' },
  })
  for (const path of ['/secrets/Db', '/secrets/db/', `/secrets/DB/${versionOf(set.body)}`]) {
    t.same((await ask('GET', path)).body, set.body, path)
  }
})

t.test('a second set makes a new current version; the old one stays', async (t) => {
  const { ask } = await makeAzure()
  const first = (await ask('PUT', '/secrets/s', { value: 'one', tags: { a: '1' } })).body
  const second = (await ask('PUT', '/secrets/s', { value: 'two' })).body
  t.equal(second.tags, undefined, 'nothing is inherited')
  t.equal((await ask('GET', '/secrets/s')).body.value, 'two')
  t.equal((await ask('GET', `/secrets/s/${versionOf(first)}`)).body.value, 'one')
  const { body } = await ask('GET', '/secrets/s/versions')
  t.same(
    body.value.map(({ id }: { id: string }) => id),
    [first.id, second.id],
  )
  t.notMatch(JSON.stringify(body), /"value":"/, 'lists hold no values')
})

t.test('update changes what it names, and never the value', async (t) => {
  const { ask } = await makeAzure()
  const set = (await ask('PUT', '/secrets/s', { value: 'v', contentType: 'a', tags: { a: '1' } })).body
  const updated = await ask('PATCH', '/secrets/s/', { contentType: 'b', attributes: { nbf: 10, exp: 32_503_680_000 } })
  t.match(updated, { status: 200, body: { id: set.id, contentType: 'b', tags: { a: '1' }, attributes: { nbf: 10 } } })
  t.equal(updated.body.value, undefined)
  t.equal((await ask('GET', '/secrets/s')).body.value, 'v', 'dates are information only')
  t.match(await ask('PATCH', '/secrets/s', { attributes: { exp: 5 } }), { status: 400 })
  t.match(await ask('PATCH', `/secrets/s/${versionOf(set)}`, { tags: {}, attributes: { enabled: false } }), {
    status: 200,
    body: { attributes: { enabled: false, nbf: 10 } },
  })
  const disabled = {
    status: 403,
    body: {
      error: {
        code: 'Forbidden',
        message: 'Operation get is not allowed on a disabled secret.',
        innererror: { code: 'SecretDisabled' },
      },
    },
  }
  t.match(await ask('GET', '/secrets/s'), disabled)
  await ask('DELETE', '/secrets/s')
  t.match(await ask('GET', '/deletedsecrets/s'), disabled)
})

t.test('delete, recover, purge', async (t) => {
  const { ask, clock, create } = await makeAzure()
  t.equal((await create('s')).status, 200, 'keys have names of their own')
  const set = (await ask('PUT', '/secrets/s', { value: 'v' })).body
  const now = Math.floor(clock.now() / 1000)
  const deleted = await ask('DELETE', '/secrets/s')
  t.match(deleted.body, {
    id: set.id,
    recoveryId: `${BASE}/deletedsecrets/s`,
    deletedDate: now,
    scheduledPurgeDate: now + 90 * DAY,
  })
  t.equal(deleted.body.value, undefined)
  for (const [method, path] of [
    ['GET', '/secrets/s'],
    ['GET', '/secrets/s/versions'],
    ['DELETE', '/secrets/s'],
    ['PATCH', '/secrets/s'],
    ['POST', '/secrets/s/backup'],
  ] as const) {
    const answer = await ask(method, path, method === 'PATCH' ? {} : undefined)
    t.match(answer, { status: 404, body: { error: { code: 'SecretNotFound' } } }, `${method} ${path}`)
  }
  t.same((await ask('GET', '/secrets')).body.value, [])
  t.match((await ask('GET', '/deletedsecrets')).body.value, [{ id: `${BASE}/secrets/s`, deletedDate: now }])
  t.match(await ask('PUT', '/secrets/S', { value: 'w' }), {
    status: 409,
    body: { error: { code: 'Conflict', innererror: { code: 'ObjectIsDeletedButRecoverable' } } },
  })
  t.equal((await ask('POST', '/deletedsecrets/s/recover')).body.id, set.id)
  t.equal((await ask('GET', '/secrets/s')).body.value, 'v')
  t.match(await ask('GET', '/deletedsecrets/s'), {
    status: 404,
    body: { error: { code: 'SecretNotFound', message: 'Deleted Secret not found: s' } },
  })
  t.equal((await ask('DELETE', '/deletedsecrets/s')).status, 404)
  await ask('DELETE', '/secrets/s')
  t.equal((await ask('DELETE', '/deletedsecrets/s')).status, 204)
  t.equal((await ask('PUT', '/secrets/s', { value: 'w' })).status, 200, 'the name is free')
  t.equal((await ask('GET', `/secrets/s/${versionOf(set)}`)).status, 404, 'the old version is not')
  t.equal((await ask('GET', '/keys/s')).status, 200)
})

t.test('the clock purges what its days are over for, and nothing is left', async (t) => {
  const { ask, advance, store } = await makeAzure()
  await ask('PUT', '/secrets/s', { value: 'v' })
  await ask('PUT', '/secrets/s', { value: 'w' })
  await ask('DELETE', '/secrets/s')
  await advance(90 * DAY * 1000 - 1)
  t.equal((await ask('GET', '/deletedsecrets/s')).status, 200)
  await advance(1)
  t.equal((await ask('GET', '/deletedsecrets/s')).status, 404)
  t.equal(await store.count('secrets', 'name', []), 0)
  t.equal(await store.count('secretVersions', 'number', []), 0)
})

t.test('backup and restore keep names, versions and attributes, in the same realm only', async (t) => {
  const { ask } = await makeAzure()
  const other = { host: 'other.vault.localhost:7443' }
  const first = (await ask('PUT', '/secrets/s', { value: 'one', attributes: { enabled: false } })).body
  const second = (await ask('PUT', '/secrets/s', { value: 'zwei — ü', tags: { a: '1' } })).body
  const { value } = (await ask('POST', '/secrets/s/backup')).body
  t.match(value, /^[A-Za-z0-9_-]+$/)
  t.match(await ask('POST', '/secrets/restore', { value }), { status: 409, body: { error: { code: 'Conflict' } } })
  await ask('DELETE', '/secrets/s')
  t.match(await ask('POST', '/secrets/restore', { value }), {
    status: 409,
    body: { error: { innererror: { code: 'ObjectIsDeletedButRecoverable' } } },
  })
  await ask('DELETE', '/deletedsecrets/s')
  const { value: text, ...facts } = second
  t.same((await ask('POST', '/secrets/restore', { value })).body, facts)
  t.equal(text, 'zwei — ü')
  t.equal((await ask('GET', '/secrets/s')).body.value, 'zwei — ü')
  t.equal((await ask('GET', `/secrets/s/${versionOf(first)}`)).status, 403, 'disabled as it was')
  t.equal((await ask('POST', '/secrets/restore', { value }, other)).status, 200, 'another vault of the realm')
  t.equal((await ask('GET', `/secrets/s/${versionOf(second)}`, undefined, other)).body.value, 'zwei — ü')
  const stranger = await makeAzure()
  const corrupt = {
    status: 400,
    body: { error: { code: 'BadParameter', message: 'Backup blob contains invalid or corrupt version.' } },
  }
  t.match(await stranger.ask('POST', '/secrets/restore', { value }), corrupt)
  for (const at of [0, 2, 10, 80, 120, value.length - 2]) {
    const flipped = value.slice(0, at) + (value[at] === 'A' ? 'B' : 'A') + value.slice(at + 1)
    t.match(await ask('POST', '/secrets/restore', { value: flipped }), { status: 400 }, `character ${at}`)
  }
  for (const bad of ['A', 'AA', 'AQ', 'AQAA', Buffer.alloc(4728).toString('base64url')]) {
    t.match(await ask('POST', '/secrets/restore', { value: bad }), { status: 400 })
  }
})

t.test('limits: 25 KiB of value, 255 of content type, 15 tags, names', async (t) => {
  const { ask } = await makeAzure()
  t.equal((await ask('PUT', '/secrets/s', { value: '' })).body.value, '', 'an empty value is one')
  t.equal((await ask('PUT', '/secrets/s', { value: 'x'.repeat(25_600) })).status, 200)
  t.equal((await ask('PUT', '/secrets/s', { value: 'x'.repeat(25_601) })).status, 400)
  t.equal((await ask('PUT', '/secrets/s', { value: 'ü'.repeat(12_801) })).status, 400, 'bytes count')
  const tags = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`t${i}`, '']))
  const bad: unknown[] = [
    {},
    { value: null },
    { value: 7 },
    { value: ['v'] },
    { value: 'v', contentType: 'c'.repeat(256) },
    { value: 'v', contentType: 7 },
    { value: 'v', tags },
    { value: 'v', tags: { a: 'x'.repeat(257) } },
    { value: 'v', tags: { ['x'.repeat(257)]: '' } },
    { value: 'v', tags: ['a'] },
    { value: 'v', attributes: { enabled: 'yes' } },
    { value: 'v', attributes: { exp: 'soon' } },
    { value: 'v', attributes: { exp: -1 } },
    { value: 'v', attributes: { nbf: 20, exp: 20 } },
    'null',
    '[]',
    '"v"',
    '{',
    '{"value":"\\ud800"}',
    '{"value":"a","value":"b"}',
  ]
  for (const body of bad) {
    const answer = await ask('PUT', '/secrets/bad', body)
    t.match(answer, { status: 400, body: { error: { code: 'BadParameter' } } }, JSON.stringify(body).slice(0, 60))
  }
  t.equal((await ask('GET', '/secrets/bad')).status, 404, 'nothing half-made')
  for (const name of ['a_b', 'a.b', 'x'.repeat(128), '%20', 'a%2Fb']) {
    t.equal((await ask('PUT', `/secrets/${name}`, { value: 'v' })).status, 400, name)
  }
  t.equal((await ask('PUT', `/secrets/${'x'.repeat(127)}`, { value: 'v' })).status, 200)
  t.match(await ask('GET', '/secrets/s/latest'), {
    status: 400,
    body: { error: { message: "Method GET does not allow operation 'latest'" } },
  })
  t.match(await ask('GET', `/secrets/s/${'0'.repeat(32)}`), {
    status: 404,
    body: { error: { message: new RegExp(`\\(name/id\\) s/${'0'.repeat(32)} was not found`) } },
  })
})

t.test('pages are stable under writes', async (t) => {
  const { ask } = await makeAzure()
  for (let i = 10; i < 38; i++) await ask('PUT', `/secrets/s${i}`, { value: 'v' })
  const seen: string[] = []
  let next: string | null = '/secrets?maxresults=10'
  for (let page = 0; next !== null; page++) {
    const { body } = await ask('GET', next)
    seen.push(...body.value.map(({ id }: { id: string }) => id.split('/').at(-1)))
    await ask('DELETE', `/secrets/s1${page}`)
    await ask('PUT', `/secrets/a${page}`, { value: 'v' })
    next = body.nextLink?.slice(BASE.length) ?? null
  }
  t.equal(new Set(seen).size, seen.length)
  t.equal(seen.length, 28)
})

t.test('rivals for one name: every set is a version, and the last state is one of those asked for', async (t) => {
  const { ask } = await makeAzure()
  const sets = await Promise.all(Array.from({ length: 16 }, (_, i) => ask('PUT', '/secrets/s', { value: `${i}` })))
  t.same(new Set(sets.map(({ status }) => status)), new Set([200]))
  t.equal((await ask('GET', '/secrets/s/versions')).body.value.length, 16)
  const mixed = await Promise.all(
    Array.from({ length: 30 }, (_, i) =>
      i % 3 === 0
        ? ask('PUT', '/secrets/s', { value: `${i}` })
        : i % 3 === 1
          ? ask('DELETE', '/secrets/s')
          : ask('POST', '/deletedsecrets/s/recover'),
    ),
  )
  t.ok(
    mixed.every(({ status }) => [200, 404, 409].includes(status)),
    mixed.map(({ status }) => status).join(' '),
  )
  const live = (await ask('GET', '/secrets/s')).status === 200
  t.equal((await ask('GET', '/deletedsecrets/s')).status === 200, !live, 'it is in one place')
})

t.test('audited without values; denied, an unknown name looks like a known one', async (t) => {
  const { ask, audit } = await makeAzure()
  await ask('PUT', '/secrets/s', { value: 'a-recognisable-value' })
  await ask('GET', '/secrets/nope')
  const [made, missed] = audit.records.slice(-2)
  t.match(made, { wire: 'setSecret', operation: 'SetSecret', outcome: 'ok', secret: String, version: 1 })
  t.match(missed, { wire: 'getSecret', outcome: 'secret_not_found' })
  t.notMatch(JSON.stringify(audit.records), /recognisable/)
  let denying = false
  const guarded = await makeAzure({}, { decide: () => (denying ? { allow: false, reason: 'no' } : { allow: true }) })
  await guarded.ask('PUT', '/secrets/s', { value: 'v' })
  denying = true
  const answers = await Promise.all(['s', 'nope'].map((name) => guarded.ask('GET', `/secrets/${name}`)))
  t.same(
    answers.map(({ status }) => status),
    [403, 403],
  )
  const [known, unknown] = answers.map(({ body }) => JSON.stringify(body))
  t.equal(known?.replace('/secrets/s', '/secrets/nope'), unknown, 'but for the name that was asked for')
})

t.test('values are sealed where they are kept, and a seal moved elsewhere does not open', async (t) => {
  const { ask, store } = await makeAzure()
  await ask('PUT', '/secrets/a', { value: 'a-recognisable-value' })
  await ask('PUT', '/secrets/b', { value: 'other' })
  const { rows } = await store.page('secretVersions', 'number', [], undefined, 10)
  for (const { sealed } of rows) t.notMatch(Buffer.from(sealed).toString('latin1'), /recognisable/)
  const [one, two] = rows
  if (one === undefined || two === undefined) throw new Error('two versions')
  const { revision, ...row } = two
  await store.commit([{ kind: 'update', collection: 'secretVersions', row: { ...row, sealed: one.sealed }, revision }])
  const statuses = await Promise.all(['a', 'b'].map(async (name) => (await ask('GET', `/secrets/${name}`)).status))
  t.same(statuses.sort(), [200, 500])
})

t.test('every api-version and form of the path that clients use', async (t) => {
  const { ask } = await makeAzure()
  for (const version of ['7.0', '7.2', '7.4', '7.6', '2025-07-01', '2026-04-01', '2026-07-01-preview']) {
    const query = `?api-version=${version}`
    t.equal((await ask('PUT', `/secrets/s${query}`, { value: version })).status, 200, version)
    t.equal((await ask('GET', `/secrets/s/${query}`)).body.value, version)
  }
  t.match(await ask('PUT', '/secrets/s?api-version=1.0', { value: 'v' }), { status: 400 })
  t.match(await ask('PUT', '/secrets/', { value: 'v' }), { status: 400 }, 'no name')
  t.match(await ask('POST', '/secrets/s/rotate'), {
    status: 400,
    body: { error: { message: "Method POST does not allow operation 'rotate'" } },
  })
  t.equal((await ask('PUT', '/secrets/restore', { value: 'a name like any' })).status, 200)
  t.equal((await ask('GET', '/secrets/restore')).body.value, 'a name like any')
  t.equal((await ask('PUT', '/secrets/s', { value: 'v' }, { token: null })).status, 401)
  t.equal((await ask('PUT', '/secrets/s', 'value=v', { headers: { 'content-type': 'text/plain' } })).status, 400)
})

t.test('bodies beyond every limit are refused, not read', async (t) => {
  const { ask } = await makeAzure()
  t.match(await ask('PUT', '/secrets/s', { value: 'x'.repeat(2 * 1024 * 1024) }), { status: 413 })
  t.match(await ask('PUT', '/secrets/s', `${'{"a":'.repeat(40)}1${'}'.repeat(40)}`), { status: 400 })
  t.equal((await ask('GET', '/secrets/s')).status, 404)
})

t.test('a backup of the greatest values goes there and back', async (t) => {
  const { ask } = await makeAzure()
  for (let i = 0; i < 40; i++) await ask('PUT', '/secrets/s', { value: `${i}`.padEnd(25_600, 'x') })
  const { value } = (await ask('POST', '/secrets/s/backup')).body
  t.ok(value.length > 1024 * 1024, 'more than other bodies may hold')
  const restored = await ask('POST', '/secrets/restore', { value }, { host: 'other.vault.localhost:7443' })
  t.equal(restored.status, 200)
})
